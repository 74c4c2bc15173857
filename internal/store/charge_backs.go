package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/metering"
)

// ChargeBack is money that a bank has taken back after it was deposited.
type ChargeBack struct {
	AccountID string
	Amount    metering.Nanos
	Ref       string // of the bank; a second charge-back with it changes nothing
	Note      string // why
	Actor     string // who books it
	At        time.Time
	// Final says to wait no longer for credit that running requests hold: the
	// account owes what cannot be had now.
	Final bool
}

// ChargedBack is what came of a charge-back.
type ChargedBack struct {
	Made  bool           // false: it was made before
	Taken metering.Nanos // from the account's balance
	Owed  metering.Nanos // the rest, which the account owes
}

// ChargeBack suspends an account at once and takes from it what the bank took, but
// never more than it has: it owes the rest. Where nodes have some of what it has:
// ErrGranted, see UntilFree, unless Final. Other errors as Deposit.
func (s *Store) ChargeBack(ctx context.Context, back ChargeBack) (ChargedBack, error) {
	var done ChargedBack
	var granted error
	err := s.write(ctx, "charge back", func(tx transaction) (err error) {
		done, granted = ChargedBack{}, nil
		if back.Amount <= 0 {
			return fmt.Errorf("%s: %w", back.Amount, ErrAmount)
		}
		if err := CheckMost(back.Amount); err != nil {
			return err
		}
		if back.Ref == "" {
			return fmt.Errorf("it needs a reference that no other has: %w", ErrReference)
		}
		// Before it suspends: somebody may have resumed the account since.
		if made, err := chargedBefore(ctx, tx, back, &done); made || err != nil {
			return err
		}
		suspended, err := suspend(ctx, tx, back)
		if err != nil {
			return err
		}
		wallet, err := lockOwnWallet(ctx, tx, back.AccountID)
		if err != nil {
			return err
		}
		if suspended {
			// Behind the wallet: whoever books has that first, and the sequence of changes last.
			if err := announce(ctx, tx, KindAccount, back.AccountID); err != nil {
				return err
			}
		}
		if made, err := chargedBefore(ctx, tx, back, &done); made || err != nil {
			return err
		}
		done.Taken = min(back.Amount, wallet.balance())
		if back.Final {
			done.Taken = min(done.Taken, wallet.left)
			err = debitFree(ctx, tx, wallet, done.Taken)
		} else {
			err = takeFree(ctx, tx, wallet, transferChargeBack+":"+back.Ref, done.Taken)
		}
		if errors.Is(err, ErrGranted) { // the recall stays, and what was done before it
			granted = fmt.Errorf("charge back: %w", err)
			return nil
		}
		if err != nil {
			return err
		}
		done.Made, done.Owed = true, back.Amount-done.Taken
		for _, transfer := range back.transfers(done) {
			if transfer.Amount > 0 {
				if err := insertNew(ctx, tx, &transfer); err != nil {
					return err
				}
			}
		}
		return announce(ctx, tx, KindWallet, back.AccountID)
	})
	if err == nil {
		err = granted
	}
	if err != nil {
		return ChargedBack{}, err
	}
	return done, nil
}

// suspend leaves an account alone that is suspended for another reason, or erased. The
// change is to be announced.
func suspend(ctx context.Context, tx transaction, back ChargeBack) (suspended bool, err error) {
	rows, err := tx.exec(ctx, `UPDATE accounts SET status = $1, suspended_reason = $2 WHERE id = $3 AND status = $4`,
		string(auth.StatusSuspended), "charge-back "+back.Ref, back.AccountID, string(auth.StatusActive))
	return rows > 0, err
}

func (back ChargeBack) transfers(done ChargedBack) []Transfer {
	taken := Transfer{
		Kind: transferChargeBack, Ref: back.Ref, Debit: back.AccountID, Credit: HouseCash,
		Amount: done.Taken, Actor: back.Actor, Note: back.Note, At: back.At,
	}
	owed := taken
	owed.Kind, owed.Debit, owed.Amount = transferReceivable, Receivable(back.AccountID), done.Owed
	return []Transfer{taken, owed}
}

// chargedBefore tells whether this charge-back was made, and what came of it.
func chargedBefore(ctx context.Context, tx transaction, back ChargeBack, done *ChargedBack) (bool, error) {
	var foreign int64
	if err := tx.queryRow(ctx, `SELECT
			CAST(COALESCE(SUM(CASE WHEN kind = 'charge_back' THEN amount END), 0) AS BIGINT),
			CAST(COALESCE(SUM(CASE WHEN kind = 'receivable' THEN amount END), 0) AS BIGINT),
			CAST(COALESCE(SUM(CASE WHEN debit_account IN ($1, $2) THEN 0 ELSE 1 END), 0) AS BIGINT)
		FROM transfers WHERE kind IN ('charge_back', 'receivable') AND ref = $3`,
		back.AccountID, Receivable(back.AccountID), back.Ref).
		Scan((*int64)(&done.Taken), (*int64)(&done.Owed), &foreign); err != nil {
		return false, err
	}
	sum := done.Taken + done.Owed
	if foreign > 0 || sum != 0 && sum != back.Amount {
		return false, ErrReference
	}
	return sum != 0, nil
}
