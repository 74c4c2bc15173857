package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"math"
	"strings"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// House accounts are the other side of transfers. Usage is not transferred: each
// record is itself a debit of its account, in favour of HouseRevenue.
const (
	HouseCash         = "house:cash"          // what was paid in, and out again
	HouseRevenue      = "house:revenue"       // what requests cost
	HousePromotion    = "house:promotion"     // what accounts were given
	HouseShortfall    = "house:shortfall"     // what accounts could not pay of what requests cost
	HouseProviderCost = "house:provider_cost" // what providers charge for requests that nobody pays for
	// HouseReceivable is what accounts owe; each has a part of its own in it, see Receivable.
	HouseReceivable = "house:receivable"
)

// Receivable names the house account of what the account with this id owes.
func Receivable(accountID string) string { return HouseReceivable + ":" + accountID }

// The kinds of transfers.
const (
	transferDeposit      = "deposit"
	transferVoucher      = "voucher" // its ref is the voucher's id
	transferRefund       = "refund"
	transferAdjustment   = "adjustment"
	transferChargeBack   = "charge_back"
	transferReceivable   = "receivable"    // its ref is that of the charge-back
	transferErasure      = "erasure"       // its ref is the account's id
	transferShortfall    = "shortfall"     // its ref is the record's id
	transferOperatorCost = "operator_cost" // its ref is the record's id
)

// TransferKinds are all kinds of transfers.
var TransferKinds = []string{
	transferDeposit, transferVoucher, transferRefund, transferAdjustment, transferChargeBack,
	transferReceivable, transferErasure, transferShortfall, transferOperatorCost,
}

// Transfer is an amount that left one account and reached another, either of which
// may be the house's.
type Transfer struct {
	Kind, Ref     string // unique together
	Debit, Credit string // the account that the amount leaves, and the one that it reaches
	Amount        metering.Nanos
	Actor, Note   string // who did it, and what was said about it
	At            time.Time
}

// TransferFilter chooses transfers; empty fields choose all.
type TransferFilter struct {
	AccountID string    // what it got, gave and owes
	Kind      string    // one of TransferKinds
	Since     time.Time // made then or later
	Until     time.Time // made before then
}

const insertTransfer = `INSERT INTO transfers (kind, ref, debit_account, credit_account, amount, actor, note, at)
	VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

func (t *Transfer) values() []any {
	return []any{t.Kind, t.Ref, t.Debit, t.Credit, int64(t.Amount), t.Actor, t.Note, t.At.UnixMicro()}
}

// book writes a transfer from or to an account, once. Where it was not made before,
// move changes the account's wallet, which is locked: that is the lock of all that an
// account has and owes. When move answers ErrGranted, the recall that it made is kept.
func (s *Store) book(ctx context.Context, transfer *Transfer, accountID string, move func(transaction, *lockedWallet) error) (added bool, err error) {
	var granted error
	err = s.write(ctx, transfer.Kind, func(tx transaction) error {
		granted = nil
		added, err = bookOnce(ctx, tx, transfer, accountID, move)
		if errors.Is(err, ErrGranted) {
			granted = err
			return nil
		}
		return err
	})
	if err == nil {
		err = granted
	}
	return added && err == nil, err
}

func bookOnce(ctx context.Context, tx transaction, transfer *Transfer, accountID string, move func(transaction, *lockedWallet) error) (added bool, err error) {
	if transfer.Amount <= 0 {
		return false, fmt.Errorf("%s: %w", transfer.Amount, ErrAmount)
	}
	if transfer.Ref == "" {
		return false, fmt.Errorf("it needs a reference that no other has: %w", ErrReference)
	}
	wallet, err := lockOwnWallet(ctx, tx, accountID)
	if err != nil {
		return false, err
	}
	if made, err := madeBefore(ctx, tx, transfer); made || err != nil {
		return false, err
	}
	if err := move(tx, wallet); err != nil {
		return false, err
	}
	if err := insertNew(ctx, tx, transfer); err != nil {
		return false, err
	}
	return true, announce(ctx, tx, KindWallet, accountID)
}

// lockOwnWallet locks what an account has and owes.
func lockOwnWallet(ctx context.Context, tx transaction, accountID string) (*lockedWallet, error) {
	wallet, err := lockWallet(ctx, tx, ledger.Wallet{AccountID: accountID})
	if errors.Is(err, ledger.ErrNoAccount) {
		return nil, fmt.Errorf("account: %w", ErrNotFound)
	}
	return wallet, err
}

// insertNew writes a transfer that was not there when the account was locked:
// ErrReference where another account's has come meanwhile.
func insertNew(ctx context.Context, tx transaction, transfer *Transfer) error {
	err := changed(tx.exec(ctx, insertTransfer+` ON CONFLICT (kind, ref) DO NOTHING`, transfer.values()...))
	if errors.Is(err, ErrNotFound) {
		return ErrReference
	}
	return err
}

// madeBefore tells whether this transfer was made; what was said about it does not matter.
func madeBefore(ctx context.Context, tx transaction, transfer *Transfer) (bool, error) {
	var standing Transfer
	err := tx.queryRow(ctx, `SELECT debit_account, credit_account, amount FROM transfers WHERE kind = $1 AND ref = $2`,
		transfer.Kind, transfer.Ref).Scan(&standing.Debit, &standing.Credit, (*int64)(&standing.Amount))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case standing.Debit != transfer.Debit || standing.Credit != transfer.Credit || standing.Amount != transfer.Amount:
		return false, ErrReference
	}
	return true, nil
}

// MostAtOnce is the most that one booking gives an account or has it owe. Verify adds up
// all that ever came in, and the ledger is never taken back: a few bookings as large as
// an integer can be would have no sum.
const MostAtOnce = 1_000_000 * metering.Dollar

// CheckMost refuses more than MostAtOnce: ErrAmount.
func CheckMost(amount metering.Nanos) error {
	if amount > MostAtOnce {
		return fmt.Errorf("%s is more than the %s that are booked at once: %w", amount, MostAtOnce, ErrAmount)
	}
	return nil
}

// credit adds to a wallet that is locked. An erased account gets nothing.
func credit(ctx context.Context, tx transaction, wallet *lockedWallet, amount metering.Nanos) error {
	if err := CheckMost(amount); err != nil {
		return err
	}
	if wallet.balance() > math.MaxInt64-amount {
		return fmt.Errorf("the balance would be too large: %w", ErrAmount)
	}
	// Who erases an account has its wallet's lock as well.
	var status auth.Status
	if err := tx.queryRow(ctx, `SELECT status FROM accounts WHERE id = $1`, wallet.AccountID).Scan((*string)(&status)); err != nil {
		return err
	}
	if status == auth.StatusErased {
		return ErrErased
	}
	return changed(tx.exec(ctx, `UPDATE wallets SET balance = balance + $1 WHERE account_id = $2`, int64(amount), wallet.AccountID))
}

// Transfers yields the chosen transfers, oldest first. An error ends the sequence.
func (s *Store) Transfers(ctx context.Context, filter TransferFilter) iter.Seq2[*Transfer, error] {
	return func(yield func(*Transfer, error) bool) {
		var last *Transfer
		for {
			page, err := s.transferPage(ctx, filter, last)
			if err != nil {
				yield(nil, fmt.Errorf("read transfers: %w", s.db.explain(err)))
				return
			}
			for _, transfer := range page {
				if !yield(transfer, nil) {
					return
				}
			}
			if len(page) < recordPage {
				return
			}
			last = page[len(page)-1]
		}
	}
}

// transferPage reads the transfers that follow `after`, or the first ones.
func (s *Store) transferPage(ctx context.Context, filter TransferFilter, after *Transfer) ([]*Transfer, error) {
	var conditions []string
	var values []any
	where := func(condition string, more ...any) {
		for _, value := range more {
			values = append(values, value)
			condition = strings.Replace(condition, "?", fmt.Sprintf("$%d", len(values)), 1)
		}
		conditions = append(conditions, condition)
	}
	if filter.AccountID != "" {
		owed := Receivable(filter.AccountID)
		where(`(debit_account IN (?, ?) OR credit_account IN (?, ?))`, filter.AccountID, owed, filter.AccountID, owed)
	}
	if filter.Kind != "" {
		where(`kind = ?`, filter.Kind)
	}
	if !filter.Since.IsZero() {
		where(`at >= ?`, filter.Since.UnixMicro())
	}
	if !filter.Until.IsZero() {
		where(`at < ?`, filter.Until.UnixMicro())
	}
	if after != nil {
		where(`(at, kind, ref) > (?, ?, ?)`, after.At.UnixMicro(), after.Kind, after.Ref)
	}
	query := `SELECT kind, ref, debit_account, credit_account, amount, actor, note, at FROM transfers`
	if len(conditions) > 0 {
		query += ` WHERE ` + strings.Join(conditions, ` AND `)
	}
	rows, err := s.db.reads().query(ctx, query+fmt.Sprintf(` ORDER BY at, kind, ref LIMIT %d`, recordPage), values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []*Transfer
	for rows.Next() {
		transfer, at := new(Transfer), int64(0)
		if err := rows.Scan(&transfer.Kind, &transfer.Ref, &transfer.Debit, &transfer.Credit,
			(*int64)(&transfer.Amount), &transfer.Actor, &transfer.Note, &at); err != nil {
			return nil, err
		}
		transfer.At = time.UnixMicro(at).UTC()
		page = append(page, transfer)
	}
	return page, rows.Err()
}
