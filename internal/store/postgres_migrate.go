package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/pressly/goose/v3"
	"github.com/pressly/goose/v3/lock"
)

const (
	// A node that dies while it migrates keeps the others waiting for this long.
	migrationLease = 10 * time.Second
	// migrationTurn is how often a waiting node looks whether it is its turn.
	migrationTurn = 100 * time.Millisecond
)

func (p *postgres) migrations() string { return "migrations/postgres" }

// migrate takes its turn by a row of a table, as distributed databases have no
// advisory locks. Each migration and the note that it was made are one transaction.
func (p *postgres) migrate(ctx context.Context) (err error) {
	config := p.config.ConnConfig.Copy()
	config.RuntimeParams["statement_timeout"] = "0" // rewriting a large table takes its time
	db := stdlib.OpenDB(*config)
	defer func() { err = errors.Join(err, db.Close()) }()
	files, err := fs.Sub(migrations, p.migrations())
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectPostgres, db, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	turn, err := lock.NewPostgresTableLocker(
		lock.WithTableLeaseDuration(migrationLease), lock.WithTableHeartbeatInterval(migrationLease/5),
		lock.WithTableLockTimeout(migrationTurn, uint64(5*time.Minute/migrationTurn)),
		lock.WithTableUnlockTimeout(migrationTurn, uint64(migrationLease/migrationTurn)),
		lock.WithTableLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		return fmt.Errorf("migrate: %w", err)
	}
	// A server that cannot be reached, or refuses us, is no turn to wait for.
	if err := db.PingContext(ctx); err != nil {
		return fmt.Errorf("migrate: %w", p.explain(err))
	}
	if err := turn.Lock(ctx, db); err != nil {
		return fmt.Errorf("wait for another node that migrates: %w", p.explain(err))
	}
	defer func() {
		if unlockErr := turn.Unlock(ctx, db); err == nil && unlockErr != nil {
			err = fmt.Errorf("migrate: %w", p.explain(unlockErr))
		}
	}()
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", p.explain(err))
	}
	if current > newest {
		return fmt.Errorf("the database has version %d, this program knows up to %d: %w", current, newest, ErrNewer)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", p.explain(err))
	}
	return nil
}
