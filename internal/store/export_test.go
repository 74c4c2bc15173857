package store

import (
	"context"
	"fmt"
	"time"
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
