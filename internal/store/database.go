package store

import (
	"context"
	"fmt"

	"github.com/faregate/faregate/metering/ledger"
)

// database is what SQLite and PostgreSQL do each in their own way. All else is
// written once, in SQL that both understand.
type database interface {
	// write runs do in one transaction, which is durable when write returns nil. do
	// may be called again when the database asks for it; what it did before is undone then.
	write(ctx context.Context, do func(transaction) error) error
	// writeLeases is write for a do that reads and changes how long leases last, and nothing
	// else: settled records need not be posted for it.
	writeLeases(ctx context.Context, do func(transaction) error) error
	// view runs do on one unchanging state of the database.
	view(ctx context.Context, do func(transaction) error) error
	// reads returns what runs each query by itself.
	reads() queries
	// settle is ledger.Store.Settle, which every request waits for.
	settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error
	migrate(ctx context.Context) error
	// migrations is the folder of its migrations.
	migrations() string
	lock() (unlock func() error, err error)
	nodeName() string
	keepRoom() error
	backup(ctx context.Context, path string) error
	// forget removes what the database itself still has of rows as they were before.
	forget(ctx context.Context) error
	hasRoom() bool
	// explain adds to an error what can be done about it. It quotes no value and no secret.
	explain(err error) error
	// rejected tells errors that come back however often a statement is tried.
	rejected(err error) bool
	close() error
}

// queries read. No row is sql.ErrNoRows on both databases.
type queries interface {
	queryRow(ctx context.Context, query string, values ...any) row
	query(ctx context.Context, query string, values ...any) (rows, error)
}

// transaction reads and writes. Parameters are written $1, $2, … and first used in
// that order, which is how SQLite counts them.
type transaction interface {
	queries
	exec(ctx context.Context, query string, values ...any) (changed int64, err error)
	// forShare and forUpdate make a SELECT keep its rows as they are until the end
	// of the transaction, against writers or against all who ask the same. SQLite
	// has one writer at a time and needs neither.
	forShare(query string) string
	forUpdate(query string) string
	// now is the one clock that all nodes go by, in Unix microseconds.
	now(ctx context.Context) (int64, error)
}

type row interface{ Scan(places ...any) error }

type rows interface {
	Next() bool
	Scan(places ...any) error
	Err() error
	Close()
}

// write runs do in a transaction; what names it in errors.
func (s *Store) write(ctx context.Context, what string, do func(transaction) error) error {
	if err := s.db.write(ctx, do); err != nil {
		return fmt.Errorf("%s: %w", what, s.db.explain(err))
	}
	return nil
}

// writeLeases is write for how long leases last.
func (s *Store) writeLeases(ctx context.Context, what string, do func(transaction) error) error {
	if err := s.db.writeLeases(ctx, do); err != nil {
		return fmt.Errorf("%s: %w", what, s.db.explain(err))
	}
	return nil
}

// changed passes on the outcome of a statement that must change one row, or else
// nothing is found.
func changed(rows int64, err error) error {
	if err == nil && rows == 0 {
		err = ErrNotFound
	}
	return err
}
