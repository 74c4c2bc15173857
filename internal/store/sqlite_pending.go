package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// mostPending is how many records may wait to be posted. Posting so many takes some
// milliseconds, in which nothing else can be written; fewer cost more each. mostSums is how
// many sums of daily usage they may add to: each is of an account, a key and a day with pages
// of their own, some eight of which one posting changes. It must fit what the ballast leaves.
const mostPending, mostSums = 500, 64

// mostKnown is how many keys and kinds are remembered after posting.
const mostKnown = 10_000

// What a record may come to for the sum of all pending ones to stay an integer: SQLite's
// SUM fails where it does not. What is beyond is settled by itself.
const (
	greatestPendingCost   metering.Nanos = 1 << 50 // more than a million dollars
	greatestPendingTokens int64          = 1 << 40
)

// errPost says that pending records do not fit the books that they were checked against.
var errPost = errors.New("settled records cannot be posted: the books were changed by something else than this program")

// pending is what the writing connection knows of pending_records and of what its rows
// rest on, so that a settlement has little to ask. It is right as long as nobody but
// settlements of this connection has written anything else than how long leases last.
type pending struct {
	known   bool
	changes int64 // sqliteFile.changes as of then
	version int64 // SQLite's count of what other connections have written
	lease   ledger.Lease
	// What the rows are and come to.
	rows  int64
	taken debits
	sums  dailySums
	kinds map[pendingKind]int64 // the numbers of those that are in pending_kinds
	// newest is the greatest id in usage_records. Ids grow with time, so that a greater one
	// that is none of ids is new.
	newest string
	ids    map[string]struct{} // of the rows
	keys   map[string]string   // the accounts of keys that are there
	// rooms is what is left of the lease's grants without the rows' debits. No row is of
	// a wallet that is not in it.
	rooms map[ledger.Wallet]metering.Nanos
}

// isPlain tells records that can wait: those that nothing but their own debit is booked for.
func isPlain(settlement *ledger.Settlement) bool {
	record := &settlement.Record
	return record.Shortfall == 0 && settlement.OperatorCost == 0 && record.Cost >= 0 && record.Cost <= greatestPendingCost &&
		record.Usage.InputTotal <= greatestPendingTokens && record.Usage.OutputTotal <= greatestPendingTokens
}

// appendPending writes the settlements to pending_records, all or none. It is false where
// one of them is not plain, was settled before, or is not backed by what is there:
// then they are to be written by settleNow, which says what is wrong.
func (c *writerConnection) appendPending(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement, changes int64) (bool, error) {
	for _, settlement := range settlements {
		if !isPlain(settlement) {
			return false, nil
		}
	}
	if err := c.refreshPending(ctx, lease, changes); err != nil {
		return false, err
	}
	for _, settlement := range settlements {
		if backed, err := c.isBacked(ctx, lease, settlement); err != nil || !backed {
			return false, err
		}
	}
	if err := c.insertPending(ctx, settlements); err != nil {
		return false, err
	}
	for _, settlement := range settlements {
		settlement.Present, settlement.Standing = false, 0
		c.pending.rows++
		c.pending.taken.add(settlement)
		c.pending.sums.add(settlement)
	}
	return true, nil
}

// refreshPending posts what has to be, and looks again where others have written.
func (c *writerConnection) refreshPending(ctx context.Context, lease ledger.Lease, changes int64) error {
	p := &c.pending
	var version int64
	if err := c.queryRow(ctx, `PRAGMA data_version`).Scan(&version); err != nil {
		return err
	}
	// What is settled under no lease takes nothing from a grant.
	if p.known && p.changes == changes && p.version == version && (p.lease == lease || !needsLease(lease)) {
		if p.rows < mostPending && len(p.sums) < mostSums {
			return nil
		}
		return c.postKnown(ctx)
	}
	if err := postPending(ctx, c); err != nil {
		return err
	}
	if _, err := c.exec(ctx, clearKinds); err != nil {
		return err
	}
	c.pending = pending{
		kinds:   make(map[pendingKind]int64),
		changes: changes, version: version, lease: lease, taken: make(debits), sums: make(dailySums),
		ids: make(map[string]struct{}), keys: make(map[string]string), rooms: make(map[ledger.Wallet]metering.Nanos),
	}
	return c.queryRow(ctx, `SELECT COALESCE(MAX(id), '') FROM usage_records`).Scan(&p.newest)
}

// postFailed keeps a refusal of what was settled before from being taken for one of the
// settlement at hand, which would be dropped.
func postFailed(err error) error {
	if (*sqliteFile)(nil).rejected(err) || errors.Is(err, ledger.ErrRejected) {
		return fmt.Errorf("%w: %s", errPost, err.Error())
	}
	return fmt.Errorf("post settled records: %w", err)
}

// postKnown is postPending by what is known of the records: their sums need not be
// found out again.
func (c *writerConnection) postKnown(ctx context.Context) error {
	p := &c.pending
	switch rows, err := c.exec(ctx, postRecords); {
	case err != nil:
		return postFailed(err)
	case rows != p.rows:
		return fmt.Errorf("%d records instead of %d: %w", rows, p.rows, errPost)
	}
	if _, err := c.exec(ctx, clearPending); err != nil {
		return postFailed(err)
	}
	if err := c.book(ctx, p.lease, p.taken, p.sums); err != nil {
		return postFailed(err)
	}
	for id := range p.ids {
		p.newest = max(p.newest, id)
	}
	p.rows = 0
	clear(p.taken)
	clear(p.sums)
	clear(p.ids)
	if len(p.keys) > mostKnown {
		clear(p.keys)
	}
	if len(p.kinds) > mostKnown {
		if _, err := c.exec(ctx, clearKinds); err != nil {
			return err
		}
		clear(p.kinds)
	}
	return nil
}

// isBacked tells whether a record is new, of a key of its account, and its debit within
// what the node was granted; which then is so much less.
func (c *writerConnection) isBacked(ctx context.Context, lease ledger.Lease, settlement *ledger.Settlement) (bool, error) {
	p, record := &c.pending, &settlement.Record
	if found, err := c.isRecorded(ctx, record.ID); err != nil || found {
		return false, err
	}
	p.ids[record.ID] = struct{}{}
	account, ok := p.keys[record.KeyID]
	if !ok {
		switch err := c.queryRow(ctx, `SELECT account_id FROM keys WHERE id = $1`, record.KeyID).Scan(&account); {
		case errors.Is(err, sql.ErrNoRows):
			return false, nil
		case err != nil:
			return false, err
		}
		p.keys[record.KeyID] = account
	}
	if account != record.AccountID {
		return false, nil
	}
	if settlement.Debit == 0 {
		return true, nil
	}
	backed, err := c.take(ctx, lease, ledger.Wallet{AccountID: record.AccountID}, settlement.Debit)
	if err == nil && backed && settlement.Limited {
		backed, err = c.take(ctx, lease,
			ledger.Wallet{AccountID: record.AccountID, KeyID: record.KeyID, PeriodStart: settlement.PeriodStart}, settlement.Debit)
	}
	return backed, err
}

func (c *writerConnection) isRecorded(ctx context.Context, id string) (bool, error) {
	if _, found := c.pending.ids[id]; found || id > c.pending.newest {
		return found, nil
	}
	var count int64
	err := c.queryRow(ctx, `SELECT COUNT(*) FROM usage_records WHERE id = $1`, id).Scan(&count)
	return count > 0, err
}

// take takes the debit from what is known to be left of a grant.
func (c *writerConnection) take(ctx context.Context, lease ledger.Lease, wallet ledger.Wallet, debit metering.Nanos) (bool, error) {
	room, ok := c.pending.rooms[wallet]
	if !ok {
		err := c.queryRow(ctx, `SELECT issued - returned - debited FROM grants
			WHERE node = $1 AND account_id = $2 AND key_id = $3 AND period_start = $4 AND epoch = $5`,
			lease.Node, wallet.AccountID, wallet.KeyID, wallet.PeriodStart, lease.Epoch).Scan((*int64)(&room))
		if errors.Is(err, sql.ErrNoRows) {
			return false, nil
		}
		if err != nil {
			return false, err
		}
	}
	if room < debit {
		return false, nil
	}
	c.pending.rooms[wallet] = room - debit
	return true, nil
}

// statements runs statements in a transaction, through database/sql or not.
type statements interface {
	exec(ctx context.Context, query string, values ...any) (changed int64, err error)
	queryRow(ctx context.Context, query string, values ...any) row
}

// The debits of the pending records, by wallet. spent is above zero in each.
const (
	pendingDebits = `SELECT account_id, SUM(cost) AS spent FROM pending_records WHERE cost > 0 GROUP BY account_id`
	pendingLimits = `SELECT key_id, key_period, SUM(cost) AS spent FROM pending_records
		WHERE cost > 0 AND key_period IS NOT NULL GROUP BY key_id, key_period`
	pendingGrants = `SELECT node, epoch, account_id, '' AS key_id, 0 AS period_start, SUM(cost) AS spent
			FROM usage_pending WHERE cost > 0 GROUP BY node, epoch, account_id
		UNION ALL SELECT node, epoch, account_id, key_id, key_period, SUM(cost)
			FROM usage_pending WHERE cost > 0 AND key_period IS NOT NULL GROUP BY node, epoch, account_id, key_id, key_period`
	// pendingDays has a row for each record: whoever reads days adds rows up.
	pendingDays = `SELECT account_id, started_at / 86400000000 AS day, key_id, COALESCE(key_period, -1) AS key_period, provider, model_served,
		1 AS requests, input_total, output_total, cost, shortfall, 0 AS operator_cost FROM usage_pending`
)

var (
	pendingColumns = strings.Join(recordColumns, ", ") + ", key_period"
	postRecords    = `INSERT INTO usage_records (` + pendingColumns + `) SELECT ` + pendingColumns + ` FROM usage_pending ORDER BY number`
)

const (
	clearPending = `DELETE FROM pending_records`
	clearKinds   = `DELETE FROM pending_kinds`
)

// posting is what makes pending records part of the books. A statement that takes from
// wallets or grants must change as many of them as there are.
var posting = []struct{ count, statement string }{
	{"", postRecords},
	{"", insertDaily + ` SELECT account_id, day, key_id, key_period, provider, model_served,
			SUM(requests), SUM(input_total), SUM(output_total), SUM(cost), SUM(shortfall), SUM(operator_cost)
		FROM (` + pendingDays + `) WHERE true GROUP BY account_id, day, key_id, key_period, provider, model_served` + addDaily},
	{`SELECT COUNT(*) FROM (` + pendingDebits + `)`, `UPDATE wallets SET balance = balance - p.spent, granted = granted - p.spent
		FROM (` + pendingDebits + `) AS p WHERE wallets.account_id = p.account_id`},
	{`SELECT COUNT(*) FROM (` + pendingLimits + `)`, `UPDATE key_wallets SET spent = key_wallets.spent + p.spent, granted = granted - p.spent
		FROM (` + pendingLimits + `) AS p WHERE key_wallets.key_id = p.key_id AND key_wallets.period_start = p.key_period`},
	{`SELECT COUNT(*) FROM (` + pendingGrants + `)`, `UPDATE grants SET debited = debited + p.spent
		FROM (` + pendingGrants + `) AS p WHERE grants.node = p.node AND grants.account_id = p.account_id
			AND grants.key_id = p.key_id AND grants.period_start = p.period_start AND grants.epoch = p.epoch`},
	{"", clearPending},
	{"", clearKinds},
}

// postPending makes all pending records part of the books.
func postPending(ctx context.Context, run statements) error {
	var any int64
	if err := run.queryRow(ctx, `SELECT EXISTS (SELECT 1 FROM pending_kinds)`).Scan(&any); err != nil || any == 0 {
		return err
	}
	for _, post := range posting {
		rows, err := run.exec(ctx, post.statement)
		if err != nil {
			return postFailed(err)
		}
		if post.count == "" {
			continue
		}
		var there int64
		if err := run.queryRow(ctx, post.count).Scan(&there); err != nil {
			return postFailed(err)
		}
		if rows != there {
			return fmt.Errorf("of %d wallets or grants %d: %w", there, rows, errPost)
		}
	}
	return nil
}
