package caddymodule

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// balanceJSON is what an account has, in dollars. Granted is the part that was lent to
// gateway nodes, which serve requests out of it; available is the rest, which no node
// has. Receivable is what the account owes.
type balanceJSON struct {
	AccountID  string         `json:"account_id"`
	Balance    metering.Nanos `json:"balance"`
	Granted    metering.Nanos `json:"granted"`
	Available  metering.Nanos `json:"available"`
	Receivable metering.Nanos `json:"receivable,omitzero"`
}

func balanceForJSON(accountID string, b store.Balance) balanceJSON {
	return balanceJSON{accountID, b.Balance, b.Granted, b.Available(), b.Owed}
}

func (c *commandLine) depositCommand() *cobra.Command {
	b := new(booking)
	var settle bool
	deposit := &cobra.Command{
		Use:   "deposit --account ACCOUNT --amount 5.00 --ref REF [--note TEXT] [--settle]",
		Short: "Add credit to an account, once per reference",
		Long: "Adds credit to an account. The reference (a payment's id, an invoice's number) makes it safe to repeat: " +
			"a second deposit with the same reference, account and amount adds nothing. " +
			"With --settle it pays what the account owes after a charge-back, and adds no credit.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			done := "added"
			if settle {
				done = "settled"
			}
			return c.book(cmd, b, done, func(books *store.Store, holder *auth.Account) (bool, error) {
				return books.Deposit(cmd.Context(), store.Deposit{
					AccountID: holder.ID, Amount: b.nanos, Ref: b.ref, Note: b.note, Actor: b.actor, At: c.now(), Owed: settle,
				})
			})
		},
	}
	b.attach(deposit, "dollars to add, like 5.00", "note", "a remark to keep with it")
	deposit.Flags().BoolVar(&settle, "settle", false, "pay what the account owes, and add no credit")
	return deposit
}

func (c *commandLine) refundCommand() *cobra.Command {
	b := new(booking)
	var patience time.Duration
	refund := &cobra.Command{
		Use:   "refund --account ACCOUNT --amount 5.00 --ref REF [--note TEXT]",
		Short: "Take credit from an account that was paid back, once per reference",
		Long: "Takes credit from an account, as it was paid back to its holder. It never takes more than the account has, " +
			"nor what running requests hold: for those it waits shortly (--patience). A second refund with the same reference changes nothing.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.book(cmd, b, "refunded", func(books *store.Store, holder *auth.Account) (made bool, err error) {
				refund := store.Refund{AccountID: holder.ID, Amount: b.nanos, Ref: b.ref, Note: b.note, Actor: b.actor, At: c.now()}
				err = untilFree(cmd, books, patience, func() error {
					made, err = books.Refund(cmd.Context(), refund)
					return err
				})
				return made, err
			})
		},
	}
	b.attach(refund, "dollars to take, like 5.00", "note", "a remark to keep with it")
	patienceFlag(refund, &patience)
	return refund
}

func (c *commandLine) adjustCommand() *cobra.Command {
	b := &booking{signed: true}
	var patience time.Duration
	var promotion bool
	adjust := &cobra.Command{
		Use:   "adjust --account ACCOUNT --amount [-]5.00 --ref REF --reason TEXT [--promotion]",
		Short: "Correct an account's balance, once per reference",
		Long: "Adds credit to an account that nobody paid in, or with a minus sign takes it away, as refund does. " +
			"The other side is the revenue, or with --promotion what you give away.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.book(cmd, b, "adjusted", func(books *store.Store, holder *auth.Account) (made bool, err error) {
				adjustment := store.Adjustment{
					AccountID: holder.ID, Amount: b.nanos, Ref: b.ref, Promotion: promotion, Note: b.note, Actor: b.actor, At: c.now(),
				}
				err = untilFree(cmd, books, patience, func() error {
					made, err = books.Adjust(cmd.Context(), adjustment)
					return err
				})
				return made, err
			})
		},
	}
	b.attach(adjust, "dollars to add, like 5.00, or to take, like -5.00", "reason", "why, for those who look at the ledger later")
	adjust.Flags().BoolVar(&promotion, "promotion", false, "it is a gift, and no correction of what requests cost")
	patienceFlag(adjust, &patience)
	return adjust
}

func (c *commandLine) balanceCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "balance ACCOUNT",
		Short: "Show what an account has",
		Long: "Shows what an account has. A running server serves requests out of credit that it was lent, often all of it, " +
			"and gives back what it does not need: credit that is lent out can be spent all the same.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, args[0])
				if err != nil {
					return err
				}
				b, err := books.Balance(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				found.facts(balanceForJSON(holder.ID, b),
					"balance", dollars(b.Balance), "lent to running servers", dollars(b.Granted),
					"not lent out", dollars(b.Available()), "owed after a charge-back", someDollars(b.Owed))
				return nil
			})
		},
	}
}
