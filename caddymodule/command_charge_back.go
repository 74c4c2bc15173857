package caddymodule

import (
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// chargeBackJSON is the answer to a charge-back: what was taken from the account's
// balance, and what it owes of this charge-back.
type chargeBackJSON struct {
	AccountID string         `json:"account_id"`
	Amount    metering.Nanos `json:"amount"`
	Ref       string         `json:"ref"`
	Added     bool           `json:"added"`
	Taken     metering.Nanos `json:"taken"`
	Owed      metering.Nanos `json:"owed"`
	Balance   metering.Nanos `json:"balance"`
	Status    auth.Status    `json:"status"`
}

func (c *commandLine) chargeBackCommand() *cobra.Command {
	b := new(booking)
	var patience time.Duration
	command := &cobra.Command{
		Use:   "charge-back --account ACCOUNT --amount 5.00 --ref REF --reason TEXT",
		Short: "Book money that a bank has taken back, and suspend the account",
		Long: "Books that a bank has taken a payment back. The account is suspended at once. What it still has is taken, up to the amount; " +
			"what running requests hold is waited for shortly (--patience). The rest the account owes, until deposit --settle pays it.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := b.check(c); err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, b.account)
				if err != nil {
					return err
				}
				done, err := c.chargeBack(cmd, books, store.ChargeBack{
					AccountID: holder.ID, Amount: b.nanos, Ref: b.ref, Note: b.note, Actor: b.actor, At: c.now(),
				}, patience)
				if err != nil {
					return b.explain(cmd, books, holder, err)
				}
				return b.printChargeBack(cmd, books, found, holder.ID, done)
			})
		},
	}
	b.attach(command, "dollars that were taken back, like 5.00", "reason", "why, as the bank says")
	patienceFlag(command, &patience)
	return command
}

// chargeBack waits for what running requests hold, and then does without it.
func (c *commandLine) chargeBack(cmd *cobra.Command, books *store.Store, back store.ChargeBack, patience time.Duration) (done store.ChargedBack, err error) {
	err = untilFree(cmd, books, patience, func() error {
		done, err = books.ChargeBack(cmd.Context(), back)
		return err
	})
	if errors.Is(err, store.ErrGranted) {
		back.Final = true
		return books.ChargeBack(cmd.Context(), back)
	}
	return done, err
}

func (b *booking) printChargeBack(cmd *cobra.Command, books *store.Store, found *output, accountID string, done store.ChargedBack) error {
	after, err := books.Balance(cmd.Context(), accountID)
	if err != nil {
		return err
	}
	account, err := books.FindAccount(cmd.Context(), accountID)
	if err != nil {
		return err
	}
	outcome := "charged back"
	if !done.Made {
		outcome = "nothing charged back, as this was booked before"
	}
	found.facts(chargeBackJSON{accountID, b.nanos, b.ref, done.Made, done.Taken, done.Owed, after.Balance, account.Status},
		"account", nameOf(account), "amount", dollars(b.nanos), "ref", b.ref, "outcome", outcome, "taken from the balance", dollars(done.Taken),
		"owed", dollars(done.Owed), "balance", dollars(after.Balance), "status", string(account.Status))
	return nil
}
