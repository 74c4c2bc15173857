package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/faregate/faregate/metering"
)

// Advance moves the store's clock, for this process.
func (s *Store) Advance(by time.Duration) {
	switch db := s.db.(type) {
	case *sqliteFile:
		before := db.clock
		db.clock = func() time.Time { return before().Add(by) }
	case *postgres:
		db.shift.Add(by.Microseconds())
	}
}

// LimitPages makes the file as full as a disk would at so many more pages; below zero it
// can grow again.
func (s *Store) LimitPages(ctx context.Context, more int) error {
	f := s.db.(*sqliteFile)
	limit := 1 << 30
	if more >= 0 {
		if err := f.writer.QueryRowContext(ctx, `PRAGMA page_count`).Scan(&limit); err != nil {
			return err
		}
		limit += more
	}
	_, err := f.writer.ExecContext(ctx, fmt.Sprintf(`PRAGMA max_page_count = %d`, limit))
	return err
}

// Queued is how many writers wait for their turn at an SQLite file.
func (s *Store) Queued() int {
	t := &s.db.(*sqliteFile).turns
	t.mutex.Lock()
	defer t.mutex.Unlock()
	return len(t.urgent) + len(t.others)
}

// Plans tells how the database finds the records of a filter, from a later page on, and
// those to purge: one text per query. With `forced` it shall not read whole tables,
// which it rightly does with the small ones of tests.
func (s *Store) Plans(ctx context.Context, filter Filter, after *metering.Record, forced bool) (list, records, transfers string, err error) {
	query, values := filter.pageQuery(after)
	err = s.db.write(ctx, func(tx transaction) error {
		explain := `EXPLAIN QUERY PLAN `
		if _, isPostgres := s.db.(*postgres); isPostgres {
			explain = `EXPLAIN `
			if forced {
				for _, off := range []string{"enable_seqscan", "enable_sort", "enable_bitmapscan"} {
					if _, err := tx.exec(ctx, `SET LOCAL `+off+` = off`); err != nil {
						return err
					}
				}
			}
		}
		plan := func(into *string, query string, values ...any) {
			if err == nil {
				*into, err = planOf(ctx, tx, explain+query, values)
			}
		}
		plan(&list, query, values...)
		plan(&records, purgeRecords, time.Now().UnixMicro(), 500)
		plan(&transfers, purgeTransfers, transferShortfall, time.Now().UnixMicro(), 500)
		return err
	})
	return list, records, transfers, err
}

func planOf(ctx context.Context, tx transaction, query string, values []any) (string, error) {
	found, err := tx.query(ctx, query, values...)
	if err != nil {
		return "", err
	}
	defer found.Close()
	var lines []string
	for found.Next() {
		var line string
		var number int
		if strings.HasPrefix(query, `EXPLAIN QUERY PLAN`) {
			err = found.Scan(&number, &number, &number, &line)
		} else {
			err = found.Scan(&line)
		}
		if err != nil {
			return "", err
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n"), found.Err()
}

// Pending is how many settled records are not posted, in SQLite.
func (s *Store) Pending(ctx context.Context) (count int, err error) {
	err = s.db.(*sqliteFile).reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM usage_pending`).Scan(&count)
	return count, err
}

// PostingPlans tells how SQLite carries out each statement of a posting, and ReaderPlan
// how it finds the records of a filter among those that are posted and those that are not.
func (s *Store) PostingPlans(ctx context.Context) (plans []string, err error) {
	err = s.db.write(ctx, func(tx transaction) error {
		for _, post := range posting {
			plan, err := planOf(ctx, tx, `EXPLAIN QUERY PLAN `+post.statement, nil)
			if err != nil {
				return err
			}
			plans = append(plans, plan)
		}
		return nil
	})
	return plans, err
}

// ReaderPlan is described with PostingPlans.
func (s *Store) ReaderPlan(ctx context.Context, filter Filter, after *metering.Record) (plan string, err error) {
	query, values := filter.pageQuery(after)
	err = s.db.view(ctx, func(tx transaction) error {
		plan, err = planOf(ctx, tx, `EXPLAIN QUERY PLAN `+query, values)
		return err
	})
	return plan, err
}
