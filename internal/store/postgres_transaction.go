package store

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

const (
	// conflictAttempts bound how often a transaction that the database refused is
	// made anew. They end within about a second, which is as long as a hold waits.
	conflictAttempts = 10
	// lostAttempts bound the same where the connection was lost before the commit: the
	// next one from the pool may have died with it.
	lostAttempts = 3
	firstPause   = 5 * time.Millisecond
	longestPause = 160 * time.Millisecond
)

func (p *postgres) write(ctx context.Context, do func(transaction) error) error {
	return p.again(ctx, func() error {
		return p.transact(ctx, pgx.TxOptions{IsoLevel: pgx.ReadCommitted}, do)
	})
}

// writeLeases is write: here settling posts.
func (p *postgres) writeLeases(ctx context.Context, do func(transaction) error) error {
	return p.write(ctx, do)
}

// view has no time limit of its own, as adding up a whole ledger may take long.
func (p *postgres) view(ctx context.Context, do func(transaction) error) error {
	return p.transact(ctx, pgx.TxOptions{IsoLevel: pgx.RepeatableRead, AccessMode: pgx.ReadOnly}, func(tx transaction) error {
		if _, err := tx.exec(ctx, `SET LOCAL statement_timeout = 0`); err != nil {
			return err
		}
		return do(tx)
	})
}

func (p *postgres) transact(ctx context.Context, options pgx.TxOptions, do func(transaction) error) error {
	tx, err := p.working.BeginTx(ctx, options)
	if err != nil {
		return notBegun(err)
	}
	defer func() {
		// With a context of its own: else a caller who leaves costs the connection.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = tx.Rollback(ctx)
	}()
	if err := do(postgresStatements{p, tx}); err != nil {
		if tx.Conn().IsClosed() {
			return notBegun(err)
		}
		return err
	}
	return committed(tx.Commit(ctx))
}

// committed judges the outcome of a commit: without the database's word that it
// undid the transaction, it may have taken effect.
func committed(err error) error {
	if err == nil || errors.Is(err, pgx.ErrTxCommitRollback) {
		return err
	}
	var failure *pgconn.PgError
	if errors.As(err, &failure) && failure.Code != "40003" { // statement_completion_unknown
		switch failure.Code[:2] {
		case "23", "40": // a constraint, a conflict
			return err
		}
	}
	return fmt.Errorf("%w: %w", ErrUnknown, err)
}

// notBegunError is a lost connection of a transaction without its commit: it has
// had no effect.
type notBegunError struct{ error }

func notBegun(err error) error { return notBegunError{err} }

func (e notBegunError) Unwrap() error { return e.error }

// again calls attempt until it succeeds, fails for good, or has failed too often. It
// makes nothing again that may have taken effect.
func (p *postgres) again(ctx context.Context, attempt func() error) error {
	pause := firstPause
	for count := 1; ; count++ {
		err := attempt()
		if err == nil || ctx.Err() != nil || errors.Is(err, ErrUnknown) {
			return err
		}
		var lost notBegunError
		switch {
		case conflict(err) && count < conflictAttempts:
		case errors.As(err, &lost) && connectionLost(err) && count < lostAttempts:
		default:
			return err
		}
		// Two that were refused for each other must not meet again.
		timer := time.NewTimer(pause/2 + rand.N(pause))
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return err
		}
		pause = min(2*pause, longestPause)
	}
}

// conflict says that the database undid a transaction for the sake of others.
func conflict(err error) bool {
	var failure *pgconn.PgError
	return errors.As(err, &failure) && (failure.Code == "40001" || failure.Code == "40P01")
}

// connectionLost tells a connection that ended from one that the server does not
// want: a wrong password is not better the second time.
func connectionLost(err error) bool {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return true
	}
	switch failure.Code {
	case "57P01", "57P02", "57P03": // shut down, crashed, starting
		return true
	}
	return failure.Code[:2] == "08"
}

// reads makes a query that found its connection dead again.
func (p *postgres) reads() queries { return postgresReads{p} }

type postgresReads struct{ *postgres }

func (p postgresReads) queryRow(ctx context.Context, query string, values ...any) row {
	return rowFunc(func(places ...any) error {
		return p.again(ctx, func() error {
			err := p.working.QueryRow(ctx, query, values...).Scan(places...)
			if err == nil || errors.Is(err, pgx.ErrNoRows) {
				return err
			}
			return notBegun(err)
		})
	})
}

func (p postgresReads) query(ctx context.Context, query string, values ...any) (found rows, err error) {
	err = p.again(ctx, func() error {
		// With an error, too, there are rows, which must be closed then.
		if found, err = p.working.Query(ctx, query, values...); err != nil {
			found.Close()
			return notBegun(err)
		}
		return nil
	})
	return found, err
}

type rowFunc func(places ...any) error

func (scan rowFunc) Scan(places ...any) error { return scan(places...) }

// postgresStatements are those of one transaction.
type postgresStatements struct {
	*postgres
	connection interface {
		Exec(context.Context, string, ...any) (pgconn.CommandTag, error)
		QueryRow(context.Context, string, ...any) pgx.Row
		Query(context.Context, string, ...any) (pgx.Rows, error)
	}
}

func (s postgresStatements) exec(ctx context.Context, query string, values ...any) (int64, error) {
	tag, err := s.connection.Exec(ctx, query, values...)
	return tag.RowsAffected(), err
}

func (s postgresStatements) queryRow(ctx context.Context, query string, values ...any) row {
	return s.connection.QueryRow(ctx, query, values...)
}

func (s postgresStatements) query(ctx context.Context, query string, values ...any) (rows, error) {
	found, err := s.connection.Query(ctx, query, values...)
	if err != nil {
		found.Close()
		return nil, err
	}
	return found, nil
}

func (s postgresStatements) now(ctx context.Context) (int64, error) {
	// Not now(), which is when the transaction began: it may have waited for locks since.
	var now time.Time
	err := s.connection.QueryRow(ctx, `SELECT clock_timestamp()`).Scan(&now)
	return now.UnixMicro() + s.shift.Load(), err
}

func (postgresStatements) forShare(query string) string  { return query + ` FOR SHARE` }
func (postgresStatements) forUpdate(query string) string { return query + ` FOR UPDATE` }
