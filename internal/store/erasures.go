package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/metering"
)

// Erasure is the end of an account.
type Erasure struct {
	AccountID string
	// Forfeit lets the house have what the account still has.
	Forfeit bool
	Note    string
	Actor   string // who does it
	At      time.Time
}

// EraseAccount removes all that tells whose account it is: e-mail address, username,
// password, the names and addresses of its keys and why it was suspended; and revokes its keys. What
// was paid and used stays, under the account's id alone. forfeited is what it had.
// Erasing it again changes nothing.
//
// ErrUnspent where it has credit, unless Forfeit. ErrGranted says that the identity is
// gone, but that running requests hold credit: see UntilFree. ErrNotFound.
func (s *Store) EraseAccount(ctx context.Context, erasure Erasure) (forfeited metering.Nanos, err error) {
	var granted error
	err = s.write(ctx, "erase an account", func(tx transaction) (err error) {
		forfeited, granted = 0, nil
		var status auth.Status
		// The account before the wallet, and the keys after it, as all who lock them.
		err = tx.queryRow(ctx, tx.forUpdate(`SELECT status FROM accounts WHERE id = $1`), erasure.AccountID).Scan((*string)(&status))
		if errors.Is(err, sql.ErrNoRows) {
			return fmt.Errorf("account: %w", ErrNotFound)
		}
		if err != nil {
			return err
		}
		wallet, err := lockOwnWallet(ctx, tx, erasure.AccountID)
		if err != nil {
			return err
		}
		balance := wallet.balance()
		if balance > 0 && !erasure.Forfeit {
			return fmt.Errorf("%s: %w", balance, ErrUnspent)
		}
		if status != auth.StatusErased {
			if err := eraseIdentity(ctx, tx, erasure); err != nil {
				return err
			}
		}
		if balance == 0 {
			return nil
		}
		transfer := &Transfer{
			Kind: transferErasure, Ref: erasure.AccountID, Debit: erasure.AccountID, Credit: HouseRevenue,
			Amount: balance, Actor: erasure.Actor, Note: erasure.Note, At: erasure.At,
		}
		if err := withdraw(ctx, tx, wallet, transfer); errors.Is(err, ErrGranted) { // the recall stays, and what was done before it
			granted = fmt.Errorf("erase an account: %w", err)
			return nil
		} else if err != nil {
			return err
		}
		forfeited = balance
		return insertNew(ctx, tx, transfer)
	})
	if err == nil {
		err = errors.Join(granted, s.forget(ctx))
	}
	if err != nil {
		return 0, err
	}
	return forfeited, nil
}

// forget lets nothing be left of what was erased but copies of the store.
func (s *Store) forget(ctx context.Context) error {
	if err := s.db.forget(ctx); err != nil {
		return fmt.Errorf("erase an account: %w", s.db.explain(err))
	}
	return nil
}

func eraseIdentity(ctx context.Context, tx transaction, erasure Erasure) error {
	if _, err := tx.exec(ctx, `UPDATE accounts SET email = NULL, username = NULL, password_hash = '', suspended_reason = '', status = $1
		WHERE id = $2`, string(auth.StatusErased), erasure.AccountID); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `UPDATE keys SET name = '', addresses = '', revoked_at = COALESCE(revoked_at, $1) WHERE account_id = $2`,
		erasure.At.UnixMicro(), erasure.AccountID); err != nil {
		return err
	}
	if _, err := tx.exec(ctx, `DELETE FROM former_secrets WHERE key_id IN (SELECT id FROM keys WHERE account_id = $1)`,
		erasure.AccountID); err != nil {
		return err
	}
	return announce(ctx, tx, KindAccount, erasure.AccountID)
}
