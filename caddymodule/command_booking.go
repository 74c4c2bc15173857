package caddymodule

import (
	"errors"
	"fmt"
	"os"
	"os/user"
	"regexp"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// booking is what all commands that move an account's money are told: the flags as
// they were given, and checked by check.
type booking struct {
	account, amount, ref, note, actor string

	noteFlag string // note, or reason where one must be given
	signed   bool   // the amount may be below zero
	nanos    metering.Nanos
}

// attach adds the flags; noteFlag names that for the remark.
func (b *booking) attach(cmd *cobra.Command, amountHelp, noteFlag, noteHelp string) {
	b.noteFlag = noteFlag
	cmd.Flags().StringVar(&b.account, "account", "", "the account: id, e-mail address or username")
	cmd.Flags().StringVar(&b.amount, "amount", "", amountHelp)
	cmd.Flags().StringVar(&b.ref, "ref", "", "the reference, like a payment's id; repeating it changes nothing")
	cmd.Flags().StringVar(&b.note, noteFlag, "", noteHelp)
	actorFlag(cmd, &b.actor)
	requires(cmd, "account", "amount", "ref")
	if noteFlag == "reason" {
		requires(cmd, "reason")
	}
}

func actorFlag(cmd *cobra.Command, actor *string) {
	cmd.Flags().StringVar(actor, "actor", "", "who does this, to be kept with it; the system's user if not given")
}

// A reference comes from another system: a payment's id, an invoice's number.
var reference = regexp.MustCompile(`^[!-~]{1,128}$`)

func (b *booking) check(c *commandLine) (err error) {
	if b.signed {
		err = b.nanos.UnmarshalText([]byte(b.amount))
	} else {
		b.nanos, err = metering.ParseUSD(b.amount)
	}
	if err != nil && b.signed {
		return fmt.Errorf("--amount %q: write dollars, like 5.00, or -5.00 to take them away", b.amount)
	}
	if err != nil {
		return fmt.Errorf("--amount: %w", err)
	}
	if b.nanos == 0 {
		return errors.New("--amount: nothing to book; write more than zero dollars" + b.orLess())
	}
	if !reference.MatchString(b.ref) {
		return errors.New("--ref: use 1 to 128 letters, digits and signs without spaces, like a payment's id")
	}
	if b.note, err = plainText(b.noteFlag, b.note); err != nil {
		return err
	}
	b.actor, err = c.actor(b.actor)
	return err
}

// orLess is what else an amount can be.
func (b *booking) orLess() string {
	if b.signed {
		return ", or less to take them away"
	}
	return ""
}

// actor is who does it: as given, or else who runs the command.
func (c *commandLine) actor(given string) (string, error) {
	if given == "" {
		given = c.user()
	}
	return plainText("actor", given)
}

// systemUser names the operating system's user, by number where it has no name.
func systemUser() string {
	if current, err := user.Current(); err == nil && current.Username != "" {
		return current.Username
	}
	return "uid " + strconv.Itoa(os.Getuid())
}

// bookedJSON is the answer to what moved an account's money.
type bookedJSON struct {
	AccountID string         `json:"account_id"`
	Amount    metering.Nanos `json:"amount"`
	Ref       string         `json:"ref"`
	// Added is false where this was booked before and nothing was changed now.
	Added      bool           `json:"added"`
	Balance    metering.Nanos `json:"balance"`
	Receivable metering.Nanos `json:"receivable,omitzero"` // what the account owes
}

// book runs a command that books: attempt does, and done says what was, if it was now.
func (c *commandLine) book(cmd *cobra.Command, b *booking, done string, attempt func(*store.Store, *auth.Account) (bool, error)) error {
	if err := b.check(c); err != nil {
		return err
	}
	return c.withStore(cmd, func(books *store.Store, found *output) error {
		holder, err := findAccount(cmd, books, b.account)
		if err != nil {
			return err
		}
		added, err := attempt(books, holder)
		if err != nil {
			return b.explain(cmd, books, holder, err)
		}
		after, err := books.Balance(cmd.Context(), holder.ID)
		if err != nil {
			return err
		}
		outcome := done
		if !added {
			outcome = "nothing " + done + ", as this was booked before"
		}
		found.facts(bookedJSON{holder.ID, b.nanos, b.ref, added, after.Balance, after.Owed},
			"account", nameOf(holder), "amount", dollars(b.nanos), "ref", b.ref, "outcome", outcome,
			"balance", dollars(after.Balance), "owed", someDollars(after.Owed))
		return nil
	})
}

// explain says in an error of the store what can be done.
func (b *booking) explain(cmd *cobra.Command, books *store.Store, holder *auth.Account, err error) error {
	switch {
	case errors.Is(err, store.ErrReference):
		return fmt.Errorf("--ref %q: %w: each booking needs a reference of its own", b.ref, err)
	case errors.Is(err, store.ErrGranted):
		return heldCredit(cmd, books, holder, err)
	case errors.Is(err, store.ErrAmount) && b.nanos > store.MostAtOnce:
		return fmt.Errorf("--amount: %w: if it is right, book it in parts", err)
	}
	return err
}

// patienceFor is how long commands wait for running requests by default.
const patienceFor = 15 * time.Second

func patienceFlag(cmd *cobra.Command, patience *time.Duration) {
	cmd.Flags().DurationVar(patience, "patience", patienceFor, "how long to wait for credit that running requests hold")
}

// untilFree makes an attempt that takes credit until it succeeds or patience is over.
func untilFree(cmd *cobra.Command, books *store.Store, patience time.Duration, attempt func() error) error {
	return store.UntilFree(cmd.Context(), patience, func() error {
		err := attempt()
		if errors.Is(err, store.ErrGranted) {
			// A server that was killed has credit in its hands until its lease is ended.
			if _, failed := books.Reclaim(cmd.Context()); failed != nil {
				return failed
			}
		}
		return err
	})
}

// heldCredit explains store.ErrGranted.
func heldCredit(cmd *cobra.Command, books *store.Store, holder *auth.Account, err error) error {
	now, failed := books.Balance(cmd.Context(), holder.ID)
	if failed != nil {
		return failed
	}
	return fmt.Errorf("of the %s of the account, %s could not be had in time: %w. "+
		"Try again when they have ended, say a longer --patience, or suspend the account first to keep new ones away",
		dollars(now.Balance), dollars(now.Granted), err)
}

// nameOf is what an account is called; one that was erased has only its id.
func nameOf(a *auth.Account) string {
	if a.Username == "" {
		return a.ID
	}
	return a.Username
}

// dollars writes an amount for people.
func dollars(amount metering.Nanos) string { return amount.String() + " USD" }

// someDollars is empty for nothing.
func someDollars(amount metering.Nanos) string {
	if amount == 0 {
		return ""
	}
	return dollars(amount)
}
