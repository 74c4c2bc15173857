package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
)

// keyJSON is a key as scripts see it. Only the answer to its creation has the secret.
type keyJSON struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret,omitempty"`
	AccountID string   `json:"account_id"`
	Name      string   `json:"name"`
	Status    string   `json:"status"`
	Models    []string `json:"models"`
	CreatedAt instant  `json:"created_at"`
	ExpiresAt instant  `json:"expires_at,omitzero"`
	RevokedAt instant  `json:"revoked_at,omitzero"`
}

// revokedJSON is the answer to a revocation.
type revokedJSON struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func (c *commandLine) keyForJSON(k *auth.Key) keyJSON {
	models := k.Models
	if models == nil {
		models = []string{} // a list in every answer, not null
	}
	return keyJSON{
		ID: k.ID, AccountID: k.AccountID, Name: k.Name, Status: c.keyStatus(k), Models: models,
		CreatedAt: instant(k.CreatedAt), ExpiresAt: instant(k.ExpiresAt), RevokedAt: instant(k.RevokedAt),
	}
}

func (c *commandLine) keyStatus(k *auth.Key) string {
	switch {
	case k.Revoked():
		return "revoked"
	case k.Expired(c.now()):
		return "expired"
	}
	return "active"
}

func (c *commandLine) keyCommand() *cobra.Command {
	key := &cobra.Command{Use: "key", Short: "Create, list and revoke keys"}
	onlyCommands(key)
	key.AddCommand(c.keyCreateCommand(), c.keyListCommand(), c.keyRevokeCommand())
	return key
}

func (c *commandLine) keyCreateCommand() *cobra.Command {
	var account, name, expires string
	var models []string
	create := &cobra.Command{
		Use:   "create --account ACCOUNT --name NAME [--expires 720h] [--models a,b*]",
		Short: "Create a key; its secret is shown this once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := c.newKey(name, expires, models)
			if err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, account)
				if err != nil {
					return err
				}
				key.AccountID = holder.ID
				secret, err := auth.NewSecret(c.random)
				if err != nil {
					return err
				}
				if key.Hash, err = auth.HashSecret(secret.Reveal()); err != nil {
					return err
				}
				if err := books.CreateKey(cmd.Context(), key); err != nil {
					return err
				}
				answer := c.keyForJSON(key)
				answer.Secret = secret.Reveal()
				found.facts(answer, "id", key.ID, "name", key.Name, "account", holder.Username,
					"models", strings.Join(key.Models, ","), "expires", shown(key.ExpiresAt),
					"secret", secret.Reveal(), "", "This is the only time that the secret is shown: keep it now.")
				return nil
			})
		},
	}
	create.Flags().StringVar(&account, "account", "", "the account: id, e-mail address or username")
	create.Flags().StringVar(&name, "name", "", "what the key is for, like laptop or ci")
	create.Flags().StringVar(&expires, "expires", "", "how long the key works, like 720h or 30d; for ever if not given")
	create.Flags().StringSliceVar(&models, "models", nil, "the models that the key may call, * at the end for all that begin so; all if not given")
	return requires(create, "account", "name")
}

func (c *commandLine) newKey(name, expires string, models []string) (*auth.Key, error) {
	key := &auth.Key{CreatedAt: c.now()}
	var err error
	if key.Name, err = auth.NormalizeKeyName(name); err != nil {
		return nil, fmt.Errorf("--name: %w", err)
	}
	if expires != "" {
		life, err := caddy.ParseDuration(expires)
		if err != nil || life < time.Second {
			return nil, fmt.Errorf("--expires %q: write how long the key shall work, like 720h or 30d", expires)
		}
		key.ExpiresAt = key.CreatedAt.Add(life)
	}
	for _, pattern := range models {
		pattern = strings.TrimSpace(pattern)
		if err := auth.ValidateModelPattern(pattern); err != nil {
			return nil, fmt.Errorf("--models: %w", err)
		}
		if !slices.Contains(key.Models, pattern) {
			key.Models = append(key.Models, pattern)
		}
	}
	key.ID, err = c.newID()
	return key, err
}

func (c *commandLine) keyListCommand() *cobra.Command {
	var account string
	list := &cobra.Command{
		Use:   "list --account ACCOUNT",
		Short: "List the keys of an account, oldest first, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, account)
				if err != nil {
					return err
				}
				keys, err := books.ListKeys(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				found.header("ID", "NAME", "STATUS", "MODELS", "CREATED", "EXPIRES", "REVOKED")
				for _, k := range keys {
					allowed := strings.Join(k.Models, ",")
					if allowed == "" {
						allowed = "all"
					}
					found.row(c.keyForJSON(k), k.ID, k.Name, c.keyStatus(k), allowed, shown(k.CreatedAt), shown(k.ExpiresAt), shown(k.RevokedAt))
				}
				return nil
			})
		},
	}
	list.Flags().StringVar(&account, "account", "", "the account: id, e-mail address or username")
	return requires(list, "account")
}

func (c *commandLine) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEY",
		Short: "End a key for good; the server refuses it within a second",
		Long:  "Ends a key for good; the server refuses it within a second. KEY is the id of the key, as key list shows it. Revoking it again changes nothing.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if strings.HasPrefix(args[0], "sk-") {
				// It is in the shell's history and in the process list already.
				return errors.New("name the key by its id (key list shows it), not by its secret; treat a secret that was typed here as leaked")
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				id := strings.ToLower(args[0])
				err := books.RevokeKey(cmd.Context(), id, c.now())
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no key %q: name it by its id, as key list shows it: %w", args[0], err)
				}
				if err != nil {
					return err
				}
				found.facts(revokedJSON{id, "revoked"}, "id", id, "status", "revoked")
				return nil
			})
		},
	}
}
