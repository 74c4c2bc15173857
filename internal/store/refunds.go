package store

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Refund is credit that is paid back.
type Refund struct {
	AccountID string
	Amount    metering.Nanos
	Ref       string // of the payment; a second refund with it changes nothing
	Note      string
	Actor     string // who does it
	At        time.Time
}

// Refund takes credit from an account, as soon as no node has it: until then ErrGranted,
// see UntilFree. made is false where this refund was made before. ErrBalance where the
// account has less; other errors as Deposit.
func (s *Store) Refund(ctx context.Context, refund Refund) (made bool, err error) {
	transfer := &Transfer{
		Kind: transferRefund, Ref: refund.Ref, Debit: refund.AccountID, Credit: HouseCash,
		Amount: refund.Amount, Actor: refund.Actor, Note: refund.Note, At: refund.At,
	}
	return s.book(ctx, transfer, refund.AccountID, func(tx transaction, wallet *lockedWallet) error {
		return withdraw(ctx, tx, wallet, transfer)
	})
}

// withdraw takes the amount of a transfer from the account that it leaves, whose wallet
// is locked. Where nodes have the credit it is recalled: ErrGranted.
func withdraw(ctx context.Context, tx transaction, wallet *lockedWallet, transfer *Transfer) error {
	if wallet.balance() < transfer.Amount {
		return fmt.Errorf("%s of a balance of %s: %w", transfer.Amount, wallet.balance(), ErrBalance)
	}
	return takeFree(ctx, tx, wallet, transfer.Kind+":"+transfer.Ref, transfer.Amount)
}

// takeFree takes what no node has, or recalls it in the claimant's name: ErrGranted.
func takeFree(ctx context.Context, tx transaction, wallet *lockedWallet, claimant string, amount metering.Nanos) error {
	now, err := tx.now(ctx)
	if err != nil {
		return err
	}
	if wallet.recalledByOther(claimant, now) {
		return ErrGranted
	}
	if wallet.left < amount {
		if err := setRecall(ctx, tx, wallet.Wallet, claimant, now+ledger.RecallFor.Microseconds()); err != nil {
			return err
		}
		if err := announce(ctx, tx, KindRecall, wallet.AccountID); err != nil {
			return err
		}
		return ErrGranted
	}
	if wallet.recallBy != "" {
		if err := setRecall(ctx, tx, wallet.Wallet, "", 0); err != nil {
			return err
		}
	}
	return debitFree(ctx, tx, wallet, amount)
}

// debitFree is safe by itself, whatever was read before.
func debitFree(ctx context.Context, tx transaction, wallet *lockedWallet, amount metering.Nanos) error {
	return changed(tx.exec(ctx, `UPDATE wallets SET balance = balance - $1 WHERE account_id = $2 AND balance - granted >= $1`,
		int64(amount), wallet.AccountID))
}

// freePause is how long UntilFree waits between attempts: nodes notice a recall within
// half a second.
const freePause = 100 * time.Millisecond

// UntilFree makes an attempt to take credit from an account, and again for as long as
// the answer is ErrGranted and patience lasts. Meanwhile nodes put back what they do not
// use, and running requests end.
func UntilFree(ctx context.Context, patience time.Duration, attempt func() error) error {
	over := time.NewTimer(patience)
	defer over.Stop()
	pause := time.NewTicker(freePause)
	defer pause.Stop()
	for {
		err := attempt()
		if !errors.Is(err, ErrGranted) {
			return err
		}
		select {
		case <-pause.C:
		case <-over.C:
			return err
		case <-ctx.Done():
			return fmt.Errorf("wait for credit: %w", context.Cause(ctx))
		}
	}
}
