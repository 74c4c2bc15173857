package caddymodule

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// erasedJSON is the answer to an erasure.
type erasedJSON struct {
	ID        string         `json:"id"`
	Status    auth.Status    `json:"status"`
	Forfeited metering.Nanos `json:"forfeited"`
	// Receivable is what the account owes, which the erasure leaves as it is.
	Receivable metering.Nanos `json:"receivable,omitzero"`
}

func (c *commandLine) accountEraseCommand() *cobra.Command {
	var forfeit bool
	var note, actor string
	var patience time.Duration
	erase := &cobra.Command{
		Use:   "erase ACCOUNT [--forfeit] [--note TEXT]",
		Short: "Remove for good whose account it is, and revoke its keys",
		Long: "Removes an account's e-mail address, username, password and the names of its keys for good, and revokes the keys. " +
			"What it paid and used stays in the ledger, under its id alone. An account that still has credit is refused: " +
			"refund it before, or let the house have it (--forfeit). What it owes after a charge-back stays owed, and can be settled by its id. " +
			"Erasing it again changes nothing.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			if note, err = plainText("note", note); err != nil {
				return err
			}
			who, err := c.actor(actor)
			if err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, args[0])
				if err != nil {
					return err
				}
				var forfeited metering.Nanos
				err = untilFree(cmd, books, patience, func() error {
					forfeited, err = books.EraseAccount(cmd.Context(), store.Erasure{
						AccountID: holder.ID, Forfeit: forfeit, Note: note, Actor: who, At: c.now(),
					})
					return err
				})
				switch {
				case errors.Is(err, store.ErrUnspent):
					return fmt.Errorf("%w: refund it first, or say --forfeit to let the house have it", err)
				case errors.Is(err, store.ErrGranted):
					return fmt.Errorf("the account's names and keys are erased, but not all of its credit could be had in time: %w. "+
						"Run account erase %s --forfeit again when they have ended", err, holder.ID)
				case err != nil:
					return err
				}
				left, err := books.Balance(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				found.facts(erasedJSON{holder.ID, auth.StatusErased, forfeited, left.Owed},
					"id", holder.ID, "status", string(auth.StatusErased), "forfeited", dollars(forfeited), "owed after a charge-back", someDollars(left.Owed))
				return nil
			})
		},
	}
	erase.Flags().BoolVar(&forfeit, "forfeit", false, "let the house have what the account still has")
	erase.Flags().StringVar(&note, "note", "", "a remark to keep with what is forfeited; nothing about the person")
	actorFlag(erase, &actor)
	patienceFlag(erase, &patience)
	return erase
}

func (c *commandLine) accountEditCommand() *cobra.Command {
	var email, username, group, dataPolicy string
	var defaultGroup bool
	edit := &cobra.Command{
		Use:   "edit ACCOUNT [--email E] [--username U] [--group G | --default-group] [--data-policy zdr|no_training|retains|none]",
		Short: "Change an account's e-mail address, username, group or data policy",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			changes, err := newEdit(email, username, group)
			if err != nil {
				return err
			}
			if defaultGroup {
				if changes.Group != nil {
					return errors.New("--group and --default-group both say the group: give one of them")
				}
				changes.Group = new(string)
			}
			if cmd.Flags().Changed("data-policy") {
				policy, err := readDataPolicy(dataPolicy)
				if err != nil {
					return err
				}
				changes.DataPolicy = &policy
			}
			if changes == (store.AccountEdit{}) {
				return errors.New("say what to change: --email, --username, --group, --default-group or --data-policy")
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, args[0])
				if err != nil {
					return err
				}
				err = books.EditAccount(cmd.Context(), holder.ID, changes)
				if errors.Is(err, store.ErrTaken) {
					return fmt.Errorf("%w by another account: account show tells which", err)
				}
				if err != nil {
					return err
				}
				if holder, err = findAccount(cmd, books, holder.ID); err != nil {
					return err
				}
				printAccount(found, holder)
				c.warnOfGroup(cmd, group)
				return nil
			})
		},
	}
	edit.Flags().StringVar(&email, "email", "", "the holder's e-mail address")
	edit.Flags().StringVar(&username, "username", "", "a short name, 2 to 32 of a-z, 0-9, '.', '_' and '-'")
	edit.Flags().StringVar(&group, "group", "", "the price group")
	edit.Flags().StringVar(&dataPolicy, "data-policy", "", dataPolicyUsage)
	edit.Flags().BoolVar(&defaultGroup, "default-group", false, "back to the default price group")
	return edit
}

// newEdit checks what was given; what is empty was not.
func newEdit(email, username, group string) (edit store.AccountEdit, err error) {
	if email != "" {
		if email, err = auth.NormalizeEmail(email); err != nil {
			return edit, fmt.Errorf("--email: %w", err)
		}
		edit.Email = &email
	}
	if username != "" {
		if username, err = auth.NormalizeUsername(username); err != nil {
			return edit, fmt.Errorf("--username: %w", err)
		}
		edit.Username = &username
	}
	if group != "" {
		if err := auth.ValidateGroup(group); err != nil {
			return edit, fmt.Errorf("--group: %w", err)
		}
		edit.Group = &group
	}
	return edit, nil
}
