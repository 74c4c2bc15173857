package caddymodule

import (
	"errors"
	"fmt"
	"regexp"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// balanceJSON is what an account has, in dollars. Granted is the part that is in the
// hands of gateway nodes, which serve requests out of it; available is the rest.
type balanceJSON struct {
	AccountID string         `json:"account_id"`
	Balance   metering.Nanos `json:"balance"`
	Granted   metering.Nanos `json:"granted"`
	Available metering.Nanos `json:"available"`
}

type depositJSON struct {
	AccountID string         `json:"account_id"`
	Amount    metering.Nanos `json:"amount"`
	Ref       string         `json:"ref"`
	// Added is false where this deposit had been made before and nothing was added now.
	Added   bool           `json:"added"`
	Balance metering.Nanos `json:"balance"`
}

// A reference comes from another system: a payment's id, an invoice's number.
var reference = regexp.MustCompile(`^[!-~]{1,128}$`)

func (c *commandLine) depositCommand() *cobra.Command {
	var account, amount, ref, note string
	deposit := &cobra.Command{
		Use:   "deposit --account ACCOUNT --amount 5.00 --ref REF [--note TEXT]",
		Short: "Add credit to an account, once per reference",
		Long: "Adds credit to an account. The reference (a payment's id, an invoice's number) makes it safe to repeat: " +
			"a second deposit with the same reference, account and amount adds nothing.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			credit, err := metering.ParseUSD(amount)
			if err != nil {
				return fmt.Errorf("--amount: %w", err)
			}
			if credit == 0 {
				return errors.New("--amount: nothing to add; write more than zero dollars")
			}
			if !reference.MatchString(ref) {
				return errors.New("--ref: use 1 to 128 letters, digits and signs without spaces, like a payment's id")
			}
			if note, err = plainText("note", note); err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, account)
				if err != nil {
					return err
				}
				added, err := books.Deposit(cmd.Context(), store.Deposit{
					AccountID: holder.ID, Amount: credit, Ref: ref, Note: note, Actor: "command line", At: c.now(),
				})
				if errors.Is(err, store.ErrReference) {
					return fmt.Errorf("--ref %q: %w: each payment needs a reference of its own", ref, err)
				}
				if err != nil {
					return err
				}
				after, err := books.Balance(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				outcome := "added"
				if !added {
					outcome = "nothing added, as this deposit was made before"
				}
				found.facts(depositJSON{holder.ID, credit, ref, added, after.Balance},
					"account", holder.Username, "amount", dollars(credit), "ref", ref, "outcome", outcome, "balance", dollars(after.Balance))
				return nil
			})
		},
	}
	deposit.Flags().StringVar(&account, "account", "", "the account: id, e-mail address or username")
	deposit.Flags().StringVar(&amount, "amount", "", "dollars to add, like 5.00")
	deposit.Flags().StringVar(&ref, "ref", "", "the deposit's reference, like a payment's id; repeating it adds nothing")
	deposit.Flags().StringVar(&note, "note", "", "a remark to keep with it")
	return requires(deposit, "account", "amount", "ref")
}

// dollars writes an amount for people.
func dollars(amount metering.Nanos) string { return amount.String() + " USD" }

func (c *commandLine) balanceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "balance ACCOUNT",
		Short: "Show what an account has",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, args[0])
				if err != nil {
					return err
				}
				b, err := books.Balance(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				found.facts(balanceJSON{holder.ID, b.Balance, b.Granted, b.Available()},
					"balance", dollars(b.Balance), "of it in the hands of nodes", dollars(b.Granted), "of it free for nodes", dollars(b.Available()))
				return nil
			})
		},
	}
}
