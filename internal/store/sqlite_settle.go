package store

import (
	"context"
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

func (f *sqliteFile) settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	if err := checkSettlements(settlements); err != nil {
		return err
	}
	f.settled.Store(true)
	err := f.settleOnce(ctx, lease, settlements)
	if noRoom(err) && f.ballast.giveUp() {
		err = f.settleOnce(ctx, lease, settlements)
	}
	return err
}

func (f *sqliteFile) settleOnce(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) (err error) {
	if err := f.turns.take(ctx, true); err != nil {
		return err
	}
	defer f.turns.done()
	pooled, err := f.writer.Conn(ctx)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pooled.Close()) }()
	return pooled.Raw(func(opened any) error {
		connection := opened.(*writerConnection)
		appended := false
		err := connection.transact(ctx, func(ctx context.Context) (err error) {
			appended, err = connection.settle(ctx, lease, settlements, f.changes.Load())
			return err
		})
		connection.pending.known = appended && err == nil
		return err
	})
}

// settle is one transaction's work. appended tells whether all it did was to append to
// usage_pending.
func (c *writerConnection) settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement, changes int64) (appended bool, err error) {
	if needsLease(lease) {
		if err := sameEpoch(lease, c.queryRow(ctx, selectEpoch, lease.Node)); err != nil {
			return false, err
		}
	}
	if appended, err = c.appendPending(ctx, lease, settlements, changes); err != nil || appended {
		return appended, err
	}
	if err := postPending(ctx, c); err != nil {
		return false, err
	}
	return false, c.settleNow(ctx, lease, settlements)
}

// settleNow writes settlements into the books, after all that are pending.
func (c *writerConnection) settleNow(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	taken, sums, err := c.insertRecords(ctx, settlements)
	if err != nil {
		return err
	}
	return c.book(ctx, lease, taken, sums)
}

// book adds what records come to to the books.
func (c *writerConnection) book(ctx context.Context, lease ledger.Lease, taken debits, sums dailySums) error {
	for row := range sums.rows() {
		if _, err := c.exec(ctx, insertDailyRow, row...); err != nil {
			return err
		}
	}
	return taken.statements(lease, func(query string, values ...any) error {
		err := changed(c.exec(ctx, query, values...))
		if errors.Is(err, ErrNotFound) {
			err = fmt.Errorf("the node was granted nothing of what it spends: %w", ledger.ErrRejected)
		}
		return err
	})
}

// insertRecords writes the records that are new and returns what they take and add up to.
func (c *writerConnection) insertRecords(ctx context.Context, settlements []*ledger.Settlement) (debits, dailySums, error) {
	taken, sums := make(debits), make(dailySums)
	values := make([]any, 0, len(recordColumns)+1)
	for _, settlement := range settlements {
		settlement.Present, settlement.Standing = false, 0
		values := recordValues(values, &settlement.Record)
		var period any
		if settlement.Limited {
			period = settlement.PeriodStart
		}
		err := changed(c.exec(ctx, insertRecord, append(values, period)...))
		if errors.Is(err, ErrNotFound) {
			err = findStanding(c.queryRow(ctx, selectStanding, settlement.Record.ID), settlement)
		} else if err == nil {
			taken.add(settlement)
			sums.add(settlement)
			settlementTransfers(settlement, func(values ...any) {
				if err == nil {
					_, err = c.exec(ctx, insertTransfer, values...)
				}
			})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	return taken, sums, nil
}

// insertRecord takes a record's values and then key_period.
var insertRecord = insertRecordColumns + ` VALUES (` + places(len(recordColumns)+1) + `) ON CONFLICT (id) DO NOTHING`

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
