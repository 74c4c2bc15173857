package store

import "time"

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
