package caddymodule

import (
	"errors"
	"fmt"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
)

func (c *commandLine) keyRotateCommand() *cobra.Command {
	var grace string
	rotate := &cobra.Command{
		Use:   "rotate KEY [--grace 24h]",
		Short: "Give a key another secret, which is shown this once",
		Long: "Gives a key another secret, which is shown this once. Its id, name, limits and expiry, and what was spent, stay. KEY is the id of the key, as " +
			"key list shows it. With --grace the secrets before it work on for that long, so that its users can change over; without, the server " +
			"refuses them within a second. Another rotation can end a grace early, and never lengthens it.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			life, err := caddy.ParseDuration(grace)
			if err != nil || life < 0 {
				return fmt.Errorf("--grace %q: write how long the secret before it shall work on, like 24h or 7d, or 0 for not at all", grace)
			}
			secret, err := auth.NewSecret(c.random)
			if err != nil {
				return err
			}
			rotation := store.Rotation{KeyID: id, At: c.now(), Until: c.now().Add(life)}
			if rotation.Hash, err = auth.HashSecret(secret.Reveal()); err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				key, err := books.RotateKey(cmd.Context(), rotation)
				switch {
				case errors.Is(err, store.ErrRevoked):
					return fmt.Errorf("the key %s is revoked, which is for good: create a new one: %w", id, err)
				case errors.Is(err, auth.ErrExpiredKey):
					return fmt.Errorf("the key %s has expired, and would not work with another secret either: give it time first (key edit %[1]s --expires 720h), or create a new one", id)
				case err != nil:
					return noSuchKey(args[0], err)
				}
				answer := c.keyForJSON(key)
				answer.Secret = secret.Reveal()
				former := "are refused within a second"
				if until := c.formerUntil(key); !until.IsZero() {
					former = "work until " + shown(until)
				}
				found.facts(answer, "id", key.ID, "name", key.Name, "former secrets", former, "expires", shown(key.ExpiresAt),
					"secret", secret.Reveal(), "", "This is the only time that the secret is shown: keep it now.")
				return nil
			})
		},
	}
	rotate.Flags().StringVar(&grace, "grace", "0", "how long the secrets before it work on, like 24h or 7d")
	return rotate
}
