package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/faregate/faregate/metering/ledger"
)

const (
	insertDailyRow = insertDaily + ` VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)` + addDaily
	debitWallet    = `UPDATE wallets SET balance = balance - $1, granted = granted - $1 WHERE account_id = $2`
	debitKey       = `UPDATE key_wallets SET spent = spent + $1, granted = granted - $1 WHERE key_id = $2 AND period_start = $3`
	// The table's check refuses what the node was not granted.
	debitGrant = `UPDATE grants SET debited = debited + $1
		WHERE node = $2 AND account_id = $3 AND key_id = $4 AND period_start = $5 AND epoch = $6`
)

// hotStatements are those of the settlement, which every request pays for, by their text.
type hotStatements map[string]*sql.Stmt

func (f *sqliteFile) hotStatements(ctx context.Context) (hotStatements, error) {
	f.preparing.Lock()
	defer f.preparing.Unlock()
	if f.hot != nil {
		return f.hot, nil
	}
	hot := make(hotStatements)
	for _, query := range []string{selectEpoch, insertRecord, insertDailyRow, debitWallet, debitKey, debitGrant} {
		prepared, err := f.writer.PrepareContext(ctx, query)
		if err != nil {
			return nil, err
		}
		hot[query] = prepared
	}
	f.hot = hot
	return hot, nil
}

func (f *sqliteFile) settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	if err := checkSettlements(settlements); err != nil {
		return err
	}
	hot, err := f.hotStatements(ctx)
	if err != nil {
		return err
	}
	return f.run(ctx, f.writer, nil, func(tx *sql.Tx) error {
		// The driver watches a context that can end with a goroutine per statement.
		// The transaction watches it already.
		ctx := context.WithoutCancel(ctx)
		if needsLease(lease) {
			if err := sameEpoch(lease, tx.StmtContext(ctx, hot[selectEpoch]).QueryRowContext(ctx, lease.Node)); err != nil {
				return err
			}
		}
		taken, sums, err := insertRecords(ctx, tx, hot, settlements)
		if err != nil {
			return err
		}
		for row := range sums.rows() {
			if _, err := tx.StmtContext(ctx, hot[insertDailyRow]).ExecContext(ctx, row...); err != nil {
				return err
			}
		}
		return taken.statements(lease, func(query string, values ...any) error {
			err := changed(affected(tx.StmtContext(ctx, hot[query]).ExecContext(ctx, values...)))
			if errors.Is(err, ErrNotFound) {
				err = fmt.Errorf("the node was granted nothing of what it spends: %w", ledger.ErrRejected)
			}
			return err
		})
	})
}

// insertRecords writes the records that are new and returns what they take and add up to.
func insertRecords(ctx context.Context, tx *sql.Tx, hot hotStatements, settlements []*ledger.Settlement) (debits, dailySums, error) {
	insert := tx.StmtContext(ctx, hot[insertRecord])
	taken, sums := make(debits), make(dailySums)
	values := make([]any, 0, len(recordColumns)+1)
	for _, settlement := range settlements {
		settlement.Present, settlement.Standing = false, 0
		err := changed(affected(insert.ExecContext(ctx, settlementValues(values, settlement)...)))
		if errors.Is(err, ErrNotFound) {
			err = findStanding(ctx, sqliteStatements{sql: tx}, settlement)
		} else if err == nil {
			taken.add(settlement)
			sums.add(settlement)
			settlementTransfers(settlement, func(values ...any) {
				if err == nil {
					_, err = tx.ExecContext(ctx, insertTransfer, values...)
				}
			})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return taken, sums, nil
}

// statements yields what takes the debits, in the order of locks: wallets, then grants.
func (d debits) statements(lease ledger.Lease, run func(query string, values ...any) error) error {
	wallets := d.inOrder()
	for _, wallet := range wallets {
		query, values := debitWallet, []any{int64(d[wallet]), wallet.AccountID}
		if wallet.KeyID != "" {
			query, values = debitKey, []any{int64(d[wallet]), wallet.KeyID, wallet.PeriodStart}
		}
		if err := run(query, values...); err != nil {
			return err
		}
	}
	for _, wallet := range wallets {
		if err := run(debitGrant, int64(d[wallet]), lease.Node, wallet.AccountID, wallet.KeyID, wallet.PeriodStart, lease.Epoch); err != nil {
			return err
		}
	}
	return nil
}
