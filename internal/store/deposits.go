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

// Deposit is credit that somebody adds to an account.
type Deposit struct {
	AccountID string
	Amount    metering.Nanos
	Ref       string // of the payment; a second deposit with it changes nothing
	Note      string
	Actor     string // who does it
	At        time.Time
	// Owed says that the payment is for what the account owes (Balance.Owed): its
	// balance stays as it is.
	Owed bool
}

// Deposit adds credit to an account; added is false where this deposit was made
// before. ErrReference where the reference was used with another amount or account;
// ErrNotFound, ErrAmount (also for more than is owed), ErrErased.
func (s *Store) Deposit(ctx context.Context, deposit Deposit) (added bool, err error) {
	transfer := &Transfer{
		Kind: transferDeposit, Ref: deposit.Ref, Debit: HouseCash, Credit: deposit.AccountID,
		Amount: deposit.Amount, Actor: deposit.Actor, Note: deposit.Note, At: deposit.At,
	}
	if deposit.Owed {
		transfer.Credit = Receivable(deposit.AccountID)
	}
	return s.book(ctx, transfer, deposit.AccountID, func(tx transaction, wallet *lockedWallet) error {
		if !deposit.Owed {
			return credit(ctx, tx, wallet, deposit.Amount)
		}
		_, owed, err := balanceAndOwed(ctx, tx, deposit.AccountID)
		if err == nil && owed == 0 {
			return fmt.Errorf("the account owes nothing: %w", ErrAmount)
		}
		if err == nil && owed < deposit.Amount {
			err = fmt.Errorf("the account owes %s, not %s: %w", owed, deposit.Amount, ErrAmount)
		}
		return err
	})
}

// Adjustment corrects what an account has.
type Adjustment struct {
	AccountID string
	Amount    metering.Nanos // below zero takes credit away
	Ref       string         // a second adjustment with it changes nothing
	// Promotion says that the amount is a gift, and not a correction of what requests cost.
	Promotion bool
	Note      string // why
	Actor     string // who does it
	At        time.Time
}

// Adjust adds credit to an account or takes it away, as Refund does; made is false
// where this adjustment was made before. Errors are those of Deposit and Refund.
func (s *Store) Adjust(ctx context.Context, adjustment Adjustment) (made bool, err error) {
	if adjustment.Amount == math.MinInt64 {
		return false, fmt.Errorf("%s: %w", adjustment.Amount, ErrAmount)
	}
	house := HouseRevenue
	if adjustment.Promotion {
		house = HousePromotion
	}
	transfer := &Transfer{
		Kind: transferAdjustment, Ref: adjustment.Ref, Debit: house, Credit: adjustment.AccountID,
		Amount: adjustment.Amount, Actor: adjustment.Actor, Note: adjustment.Note, At: adjustment.At,
	}
	if adjustment.Amount < 0 {
		transfer.Debit, transfer.Credit, transfer.Amount = adjustment.AccountID, house, -adjustment.Amount
	}
	return s.book(ctx, transfer, adjustment.AccountID, func(tx transaction, wallet *lockedWallet) error {
		if adjustment.Amount < 0 {
			return withdraw(ctx, tx, wallet, transfer)
		}
		return credit(ctx, tx, wallet, adjustment.Amount)
	})
}

// Balance is what an account has, and what it owes.
type Balance struct {
	Balance metering.Nanos // in all
	Granted metering.Nanos // the part of it that is in the hands of nodes
	Owed    metering.Nanos // taken back by a bank beyond what the account had, and not paid since
}

// Available is the part that no node has. Nodes serve requests out of theirs: a balance
// of which nothing is available can be spent all the same.
func (b Balance) Available() metering.Nanos { return b.Balance - b.Granted }

// Balance returns what the account with this id has: settled, not held.
func (s *Store) Balance(ctx context.Context, accountID string) (Balance, error) {
	balance, owed, err := balanceAndOwed(ctx, s.db.reads(), accountID)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return Balance{}, fmt.Errorf("account: %w", ErrNotFound)
	case err != nil:
		return Balance{}, fmt.Errorf("read a balance: %w", s.db.explain(err))
	}
	balance.Owed = owed
	return balance, nil
}

func balanceAndOwed(ctx context.Context, from queries, accountID string) (balance Balance, owed metering.Nanos, err error) {
	err = from.queryRow(ctx, `SELECT CAST(COALESCE((SELECT SUM(CASE WHEN debit_account = $1 THEN amount ELSE -amount END)
				FROM transfers WHERE debit_account = $1 OR credit_account = $1), 0) AS BIGINT), balance, granted
			FROM wallets WHERE account_id = $2`, Receivable(accountID), accountID).
		Scan((*int64)(&owed), (*int64)(&balance.Balance), (*int64)(&balance.Granted))
	return balance, owed, err
}
