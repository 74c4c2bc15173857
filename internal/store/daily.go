package store

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// microsOfDay is a day in the unit of started_at.
const microsOfDay = 24 * int64(time.Hour/time.Microsecond)

// noPeriod is key_period of requests whose key has no limit.
const noPeriod = -1

// Daily is the sum of one day's requests by a key to a model.
type Daily struct {
	Day                     time.Time // its midnight, UTC
	AccountID, KeyID        string
	Provider, ModelServed   string
	Requests                int64
	InputTotal, OutputTotal int64 // tokens
	Cost, Shortfall         metering.Nanos
	OperatorCost            metering.Nanos
}

// dailyKey is what daily_usage is unique by.
type dailyKey struct {
	accountID             string
	day                   int64
	keyID                 string
	period                int64
	provider, modelServed string
}

// dailySums are what new records add to daily_usage.
type dailySums map[dailyKey]*Daily

func (d dailySums) add(settlement *ledger.Settlement) {
	record := &settlement.Record
	key := dailyKey{
		accountID: record.AccountID, day: record.StartedAt.UnixMicro() / microsOfDay, keyID: record.KeyID,
		period: noPeriod, provider: record.Provider, modelServed: record.ModelServed,
	}
	if settlement.Limited {
		key.period = settlement.PeriodStart
	}
	sum := d[key]
	if sum == nil {
		sum = new(Daily)
		d[key] = sum
	}
	sum.Requests++
	sum.InputTotal += record.Usage.InputTotal
	sum.OutputTotal += record.Usage.OutputTotal
	sum.Cost += record.Cost
	sum.Shortfall += record.Shortfall
	sum.OperatorCost += settlement.OperatorCost
}

const (
	insertDaily = `INSERT INTO daily_usage (account_id, day, key_id, key_period, provider, model_served,
		requests, input_total, output_total, cost, shortfall, operator_cost)`
	addDaily = ` ON CONFLICT (account_id, day, key_id, key_period, provider, model_served) DO UPDATE SET
		requests = daily_usage.requests + excluded.requests, input_total = daily_usage.input_total + excluded.input_total,
		output_total = daily_usage.output_total + excluded.output_total, cost = daily_usage.cost + excluded.cost,
		shortfall = daily_usage.shortfall + excluded.shortfall, operator_cost = daily_usage.operator_cost + excluded.operator_cost`
)

// rows yields the values of insertDaily, in one order everywhere, as of all locks.
func (d dailySums) rows() iter.Seq[[]any] {
	keys := slices.SortedFunc(maps.Keys(d), func(a, b dailyKey) int {
		return cmp.Or(cmp.Compare(a.accountID, b.accountID), cmp.Compare(a.day, b.day), cmp.Compare(a.keyID, b.keyID),
			cmp.Compare(a.period, b.period), cmp.Compare(a.provider, b.provider), cmp.Compare(a.modelServed, b.modelServed))
	})
	var values [12]any // good until the next row
	return func(yield func([]any) bool) {
		for _, key := range keys {
			sum := d[key]
			if !yield(append(values[:0], key.accountID, key.day, key.keyID, key.period, key.provider, key.modelServed,
				sum.Requests, sum.InputTotal, sum.OutputTotal, int64(sum.Cost), int64(sum.Shortfall), int64(sum.OperatorCost))) {
				return
			}
		}
	}
}

// DailyUsage returns the sums of the account's requests from the day of `since` to
// that before `until`, oldest first. They stay when the records are purged.
func (s *Store) DailyUsage(ctx context.Context, accountID string, since, until time.Time) ([]Daily, error) {
	found, err := s.db.reads().query(ctx, `SELECT day, account_id, key_id, provider, model_served,
			CAST(SUM(requests) AS BIGINT), CAST(SUM(input_total) AS BIGINT), CAST(SUM(output_total) AS BIGINT),
			CAST(SUM(cost) AS BIGINT), CAST(SUM(shortfall) AS BIGINT), CAST(SUM(operator_cost) AS BIGINT)
		FROM daily_usage WHERE account_id = $1 AND day >= $2 AND day < $3
		GROUP BY day, account_id, key_id, provider, model_served ORDER BY day, key_id, provider, model_served`,
		accountID, since.UnixMicro()/microsOfDay, until.UnixMicro()/microsOfDay)
	if err != nil {
		return nil, fmt.Errorf("read daily usage: %w", s.db.explain(err))
	}
	defer found.Close()
	var days []Daily
	for found.Next() {
		var daily Daily
		var day int64
		if err := found.Scan(&day, &daily.AccountID, &daily.KeyID, &daily.Provider, &daily.ModelServed, &daily.Requests, &daily.InputTotal,
			&daily.OutputTotal, (*int64)(&daily.Cost), (*int64)(&daily.Shortfall), (*int64)(&daily.OperatorCost)); err != nil {
			return nil, fmt.Errorf("read daily usage: %w", err)
		}
		daily.Day = time.UnixMicro(day * microsOfDay).UTC()
		days = append(days, daily)
	}
	if err := found.Err(); err != nil {
		return nil, fmt.Errorf("read daily usage: %w", s.db.explain(err))
	}
	return days, nil
}

const (
	purgeRecords = `DELETE FROM usage_records WHERE id IN (
		SELECT id FROM usage_records WHERE started_at < $1 ORDER BY started_at, id LIMIT $2)`
	purgeTransfers = `DELETE FROM transfers WHERE kind = $1 AND ref IN (
		SELECT ref FROM transfers WHERE kind = $1 AND at < $2 ORDER BY at LIMIT $3)`
)

// Purge deletes usage records of the days before that of `before`, the oldest first and
// no more than `limit`, and what was transferred for them; deleted tells how many
// records. What the accounts paid stays in the sums of each day, and Verify goes by
// those from then on: such a day is over for good, even while some of its records are
// still there. A caller repeats Purge until it deletes none; between the calls others
// get their turn, as each is one short transaction.
func (s *Store) Purge(ctx context.Context, before time.Time, limit int) (deleted int, err error) {
	day := before.UnixMicro() / microsOfDay
	err = s.write(ctx, "purge usage records", func(tx transaction) error {
		// One at a time: several nodes would wait for each other's rows, in no order.
		var first int64
		if err := tx.queryRow(ctx, tx.forUpdate(`SELECT first_day FROM retention WHERE id = 1`)).Scan(&first); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE retention SET first_day = $1 WHERE id = 1 AND first_day < $1`, day); err != nil {
			return err
		}
		records, err := tx.exec(ctx, purgeRecords, day*microsOfDay, limit)
		if err != nil {
			return err
		}
		deleted = int(records)
		for _, kind := range []string{transferShortfall, transferOperatorCost} {
			if _, err := tx.exec(ctx, purgeTransfers, kind, day*microsOfDay, limit); err != nil {
				return err
			}
		}
		return nil
	})
	return deleted, err
}

// spendings is what accounts were charged: by record, and by day where those are purged.
var spendings = strings.ReplaceAll(`(
	SELECT account_id, key_id, COALESCE(key_period, -1) AS key_period, cost - shortfall AS debit
		FROM usage_records WHERE started_at >= FIRST_MOMENT
	UNION ALL SELECT account_id, key_id, key_period, cost - shortfall
		FROM daily_usage WHERE day < (SELECT first_day FROM retention)
) AS spendings`, "FIRST_MOMENT", firstMoment)

// firstMoment is when the first day began whose records are kept.
const firstMoment = `(SELECT first_day * 86400000000 FROM retention)`
