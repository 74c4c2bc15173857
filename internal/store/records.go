package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/faregate/faregate/metering"
)

// Filter chooses usage records; empty fields choose all.
type Filter struct {
	AccountID string
	KeyID     string
	Since     time.Time // records that started then or later
	Until     time.Time // records that started before then
}

// recordPage is how many records are read at a time: memory stays bounded, and no
// long-running read keeps the write-ahead log from being reused.
const recordPage = 500

// Records yields the chosen records, oldest first. An error ends the sequence.
func (s *Store) Records(ctx context.Context, filter Filter) iter.Seq2[*metering.Record, error] {
	return func(yield func(*metering.Record, error) bool) {
		var last *metering.Record
		for {
			page, err := s.recordPage(ctx, filter, last)
			if err != nil {
				yield(nil, fmt.Errorf("read usage records: %w", s.db.explain(err)))
				return
			}
			for _, record := range page {
				if !yield(record, nil) {
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

// pageQuery selects the records that follow `after`, or the first ones.
func (filter Filter) pageQuery(after *metering.Record) (query string, values []any) {
	var conditions []string
	where := func(condition string, value any) {
		values = append(values, value)
		conditions = append(conditions, strings.ReplaceAll(condition, "?", fmt.Sprintf("$%d", len(values))))
	}
	if filter.AccountID != "" {
		where(`account_id = ?`, filter.AccountID)
	}
	if filter.KeyID != "" {
		where(`key_id = ?`, filter.KeyID)
	}
	if !filter.Since.IsZero() {
		where(`started_at >= ?`, filter.Since.UnixMicro())
	}
	if !filter.Until.IsZero() {
		where(`started_at < ?`, filter.Until.UnixMicro())
	}
	if after != nil {
		where(`started_at >= ?`, after.StartedAt.UnixMicro()) // lets the index begin there
		where(`(started_at, id) > (`+fmt.Sprintf("$%d", len(values))+`, ?)`, after.ID)
	}
	query = selectRecords
	if len(conditions) > 0 {
		query += ` WHERE ` + strings.Join(conditions, ` AND `)
	}
	return query + fmt.Sprintf(` ORDER BY started_at, id LIMIT %d`, recordPage), values
}

func (s *Store) recordPage(ctx context.Context, filter Filter, after *metering.Record) ([]*metering.Record, error) {
	query, values := filter.pageQuery(after)
	rows, err := s.db.reads().query(ctx, query, values...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var page []*metering.Record
	for rows.Next() {
		row := new(recordRow)
		if err := rows.Scan(row.fields()...); err != nil {
			return nil, err
		}
		page = append(page, row.read())
	}
	return page, rows.Err()
}

// Record returns the record of one request, or ErrNotFound.
func (s *Store) Record(ctx context.Context, id string) (*metering.Record, error) {
	row := new(recordRow)
	err := s.db.reads().queryRow(ctx, selectRecords+` WHERE id = $1`, id).Scan(row.fields()...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("usage record: %w", ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read a usage record: %w", s.db.explain(err))
	}
	return row.read(), nil
}
