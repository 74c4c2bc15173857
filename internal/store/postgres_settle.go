package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Each statement of a settlement takes all records or wallets of a group commit at
// once, as arrays: that is several times faster than a statement for each.
var (
	insertRecordArrays = insertRecordColumns + fromArrays(settlementValues(nil, new(ledger.Settlement))) +
		` ON CONFLICT (id) DO NOTHING RETURNING id`
	insertDailyArrays = func() string {
		sums := make(dailySums)
		sums.add(new(ledger.Settlement))
		for row := range sums.rows() {
			return insertDaily + fromArrays(row) + addDaily
		}
		return ""
	}()
)

// fromArrays selects rows from one array for each column; the values are those of a
// row, for their types.
func fromArrays(row []any) string {
	casts := make([]string, len(row))
	for i, value := range row {
		kind := "bigint"
		if _, isText := value.(string); isText {
			kind = "text"
		}
		casts[i] = fmt.Sprintf("$%d::%s[]", i+1, kind)
	}
	return ` SELECT * FROM unnest(` + strings.Join(casts, ", ") + `)`
}

const (
	selectGranted = `SELECT account_id, key_id, period_start, issued - returned - debited FROM grants
		WHERE node = $1 AND epoch = $2 AND account_id = ANY($3)`
	// An UPDATE locks rows in no order, so that they are locked before.
	lockWallets     = `SELECT 1 FROM wallets WHERE account_id = ANY($1) ORDER BY account_id FOR UPDATE`
	lockKeyWallets  = `SELECT 1 FROM key_wallets WHERE key_id = ANY($1) ORDER BY key_id, period_start FOR UPDATE`
	takeFromWallets = `UPDATE wallets w SET balance = w.balance - d.amount, granted = w.granted - d.amount
		FROM unnest($1::text[], $2::bigint[]) AS d (account_id, amount) WHERE w.account_id = d.account_id`
	takeFromKeys = `UPDATE key_wallets w SET spent = w.spent + d.amount, granted = w.granted - d.amount
		FROM unnest($1::text[], $2::bigint[], $3::bigint[]) AS d (key_id, period_start, amount)
		WHERE w.key_id = d.key_id AND w.period_start = d.period_start`
	// The table's check refuses what the node was not granted.
	takeFromGrants = `UPDATE grants g SET debited = g.debited + d.amount
		FROM unnest($3::text[], $4::text[], $5::bigint[], $6::bigint[]) AS d (account_id, key_id, period_start, amount)
		WHERE g.node = $1 AND g.epoch = $2 AND g.account_id = d.account_id AND g.key_id = d.key_id AND g.period_start = d.period_start`
)

// settle takes two round trips however many the settlements are. In the first the
// transaction begins, the lease is checked, and the records are written; the answer
// says which of them are new. In the second, what the new ones take is debited, and
// the transaction commits. So the rows of wallets, which other nodes may wait for,
// are locked for one write to the server's disk and no round trip.
func (p *postgres) settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	if err := checkSettlements(settlements); err != nil {
		return err
	}
	return p.again(ctx, func() error {
		connection, err := p.settling.Acquire(ctx)
		if err != nil {
			return notBegun(err)
		}
		defer connection.Release() // which closes it if it is not idle
		err = p.settleOn(ctx, connection, lease, settlements)
		if err != nil && !connection.Conn().IsClosed() && connection.Conn().PgConn().TxStatus() != 'I' {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
			defer cancel()
			_, _ = connection.Exec(ctx, `ROLLBACK`)
		}
		return err
	})
}

func (p *postgres) settleOn(ctx context.Context, connection *pgxpool.Conn, lease ledger.Lease, settlements []*ledger.Settlement) error {
	written, err := p.writeRecords(ctx, connection, lease, settlements)
	if err != nil {
		if connection.Conn().IsClosed() {
			return notBegun(err)
		}
		return err
	}
	batch := new(pgx.Batch)
	taken, sums := make(debits), make(dailySums)
	for _, settlement := range written {
		taken.add(settlement)
		sums.add(settlement)
	}
	taken.queue(batch, lease)
	if len(sums) > 0 {
		batch.Queue(insertDailyArrays, arrays(len(sums), sums.rows())...)
	}
	for _, settlement := range written {
		settlementTransfers(settlement, func(values ...any) { batch.Queue(insertTransfer, values...) })
	}
	changes := batch.Len()
	batch.Queue(`COMMIT`)
	results := connection.SendBatch(ctx, batch)
	defer func() { _ = results.Close() }()
	for range changes {
		if _, err := results.Exec(); err != nil {
			var failure *pgconn.PgError
			if errors.As(err, &failure) && failure.SeverityUnlocalized == "ERROR" {
				return err // the server does not come to the commit then
			}
			return fmt.Errorf("%w: %w", ErrUnknown, err)
		}
	}
	_, err = results.Exec()
	return committed(err)
}

// writeRecords begins the transaction and writes the records that are new, which it returns.
func (p *postgres) writeRecords(ctx context.Context, connection *pgxpool.Conn, lease ledger.Lease, settlements []*ledger.Settlement) ([]*ledger.Settlement, error) {
	accounts := make(map[string]struct{}) // not all of the node, of which there may be many
	for _, settlement := range settlements {
		if settlement.Debit > 0 {
			accounts[settlement.Record.AccountID] = struct{}{}
		}
	}
	batch := new(pgx.Batch)
	batch.Queue(`BEGIN ISOLATION LEVEL READ COMMITTED`)
	if needsLease(lease) {
		// Who takes the lease away waits until this transaction has ended.
		batch.Queue(selectEpoch+` FOR SHARE`, lease.Node)
	}
	batch.Queue(selectGranted, lease.Node, lease.Epoch, slices.Collect(maps.Keys(accounts)))
	batch.Queue(insertRecordArrays, arrays(len(settlements), func(yield func([]any) bool) {
		row := make([]any, 0, len(recordColumns)+1)
		for _, settlement := range settlements {
			if !yield(settlementValues(row, settlement)) {
				return
			}
		}
	})...)
	results := connection.SendBatch(ctx, batch)
	written, err := readRecords(results, lease, settlements)
	if closeErr := results.Close(); err == nil {
		err = closeErr
	}
	if err != nil {
		return nil, err
	}
	for _, settlement := range settlements {
		if settlement.Present {
			if err := findStanding(postgresStatements{p, connection}.queryRow(ctx, selectStanding, settlement.Record.ID), settlement); err != nil {
				return nil, err
			}
		}
	}
	return written, nil
}

func readRecords(results pgx.BatchResults, lease ledger.Lease, settlements []*ledger.Settlement) ([]*ledger.Settlement, error) {
	if _, err := results.Exec(); err != nil {
		return nil, err
	}
	if needsLease(lease) {
		if err := sameEpoch(lease, results.QueryRow()); err != nil {
			return nil, err
		}
	}
	found, err := results.Query()
	if err != nil {
		return nil, err
	}
	granted, err := readGranted(found)
	if err != nil {
		return nil, err
	}
	if found, err = results.Query(); err != nil {
		return nil, err
	}
	ids, err := pgx.CollectRows(found, pgx.RowTo[string])
	if err != nil {
		return nil, err
	}
	isNew := make(map[string]bool, len(ids))
	for _, id := range ids {
		isNew[id] = true
	}
	var written []*ledger.Settlement
	taken := make(debits)
	for _, settlement := range settlements {
		id := settlement.Record.ID
		settlement.Present, settlement.Standing = !isNew[id], 0
		if isNew[id] {
			isNew[id] = false // of two with one id, the first was written
			written = append(written, settlement)
			taken.add(settlement)
		}
	}
	return written, taken.within(granted)
}

// arrays makes one array for each column of rows.
func arrays(size int, rows iter.Seq[[]any]) []any {
	var arrays []any
	for row := range rows {
		if arrays == nil {
			arrays = make([]any, len(row))
		}
		for i, value := range row {
			switch value := value.(type) {
			case string:
				arrays[i] = grown(arrays[i], value, size)
			case int64:
				arrays[i] = grown(arrays[i], value, size)
			case sql.NullInt64:
				arrays[i] = grown(arrays[i], pgtype.Int8(value), size)
			}
		}
	}
	return arrays
}

func grown[T any](array any, value T, size int) []T {
	list, _ := array.([]T)
	if list == nil {
		list = make([]T, 0, size)
	}
	return append(list, value)
}

// queue adds the statements that take the debits, in the order of locks: wallets,
// keys' wallets, grants.
func (d debits) queue(batch *pgx.Batch, lease ledger.Lease) {
	var accounts, keys, keyAccounts []string
	var periods, fromAccounts, fromKeys []int64
	for _, wallet := range d.inOrder() {
		if wallet.KeyID == "" {
			accounts, fromAccounts = append(accounts, wallet.AccountID), append(fromAccounts, int64(d[wallet]))
			continue
		}
		keys, keyAccounts = append(keys, wallet.KeyID), append(keyAccounts, wallet.AccountID)
		periods, fromKeys = append(periods, wallet.PeriodStart), append(fromKeys, int64(d[wallet]))
	}
	if len(accounts) == 0 {
		return
	}
	batch.Queue(lockWallets, accounts)
	if len(keys) > 0 {
		batch.Queue(lockKeyWallets, keys)
	}
	batch.Queue(takeFromWallets, accounts, fromAccounts)
	if len(keys) > 0 {
		batch.Queue(takeFromKeys, keys, periods, fromKeys)
	}
	batch.Queue(takeFromGrants, lease.Node, lease.Epoch, append(accounts, keyAccounts...),
		append(make([]string, len(accounts)), keys...), append(make([]int64, len(accounts)), periods...), append(fromAccounts, fromKeys...))
}

// readGranted reads the rows of selectGranted.
func readGranted(found rows) (debits, error) {
	defer found.Close()
	granted := make(debits)
	for found.Next() {
		var wallet ledger.Wallet
		var amount int64
		if err := found.Scan(&wallet.AccountID, &wallet.KeyID, &wallet.PeriodStart, &amount); err != nil {
			return nil, err
		}
		granted[wallet] = metering.Nanos(amount)
	}
	return granted, found.Err()
}

// within is ledger.ErrRejected where the node was granted less than it spends.
func (d debits) within(granted debits) error {
	for wallet, debit := range d {
		if granted[wallet] < debit {
			return grantedLess(wallet)
		}
	}
	return nil
}

func grantedLess(wallet ledger.Wallet) error {
	whose := "account " + wallet.AccountID
	if wallet.KeyID != "" {
		whose = "key " + wallet.KeyID
	}
	return fmt.Errorf("%s: the node was granted less than it spends: %w", whose, ledger.ErrRejected)
}
