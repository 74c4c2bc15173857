package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/faregate/faregate/metering"
)

// House accounts are the other side of transfers. Usage is not transferred: each
// record is itself a debit of its account, in favour of HouseRevenue.
const (
	HouseCash         = "house:cash"          // what was paid in
	HouseRevenue      = "house:revenue"       // what requests cost
	HouseShortfall    = "house:shortfall"     // what accounts could not pay of it
	HouseProviderCost = "house:provider_cost" // what providers charge for requests that nobody pays for
)

// The kinds of transfers.
const (
	transferDeposit      = "deposit"
	transferShortfall    = "shortfall"     // its ref is the record's id
	transferOperatorCost = "operator_cost" // its ref is the record's id
)

const insertTransfer = `INSERT INTO transfers (kind, ref, debit_account, credit_account, amount, actor, note, at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// Deposit is credit that somebody adds to an account.
type Deposit struct {
	AccountID string
	Amount    metering.Nanos
	Ref       string // of the payment; a second deposit with it changes nothing
	Note      string
	Actor     string // who does it
	At        time.Time
}

// Deposit adds credit to an account; added is false where this deposit was made
// before. ErrReference where the reference was used with another amount or account;
// ErrNotFound, ErrAmount.
func (s *Store) Deposit(ctx context.Context, deposit Deposit) (added bool, err error) {
	if deposit.Amount <= 0 {
		return false, fmt.Errorf("deposit %s: %w", deposit.Amount, ErrAmount)
	}
	if deposit.Ref == "" {
		return false, fmt.Errorf("a deposit needs a reference that no other has: %w", ErrReference)
	}
	err = s.write(ctx, "deposit", func(tx transaction) error {
		err := changed(tx.exec(ctx, insertTransfer+` ON CONFLICT (kind, ref) DO NOTHING`,
			transferDeposit, deposit.Ref, HouseCash, deposit.AccountID, int64(deposit.Amount), deposit.Actor, deposit.Note, deposit.At.UnixMicro()))
		if errors.Is(err, ErrNotFound) {
			added = false
			return sameDeposit(ctx, tx, deposit)
		}
		if err != nil {
			return err
		}
		added = true
		if err := credit(ctx, tx, deposit.AccountID, deposit.Amount); err != nil {
			return err
		}
		return announce(ctx, tx, KindWallet, deposit.AccountID)
	})
	return added && err == nil, err
}

func sameDeposit(ctx context.Context, tx transaction, deposit Deposit) error {
	var account string
	var amount metering.Nanos
	if err := tx.queryRow(ctx, `SELECT credit_account, amount FROM transfers WHERE kind = $1 AND ref = $2`,
		transferDeposit, deposit.Ref).Scan(&account, &amount); err != nil {
		return err
	}
	if account != deposit.AccountID || amount != deposit.Amount {
		return ErrReference
	}
	return nil
}

func credit(ctx context.Context, tx transaction, accountID string, amount metering.Nanos) error {
	var balance metering.Nanos
	err := tx.queryRow(ctx, tx.forUpdate(`SELECT balance FROM wallets WHERE account_id = $1`), accountID).Scan(&balance)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("account: %w", ErrNotFound)
	case err != nil:
		return err
	case balance > math.MaxInt64-amount:
		return fmt.Errorf("the balance would be too large: %w", ErrAmount)
	}
	return changed(tx.exec(ctx, `UPDATE wallets SET balance = balance + $1 WHERE account_id = $2`, int64(amount), accountID))
}
