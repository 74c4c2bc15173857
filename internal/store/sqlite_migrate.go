package store

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"time"

	"github.com/gofrs/flock"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// newestMigration is the version that a folder of migrations leads to: their names
// begin with it, and are in order.
func newestMigration(folder string) (int64, error) {
	files, err := fs.ReadDir(migrations, folder)
	if err != nil {
		return 0, fmt.Errorf("read the migrations: %w", err)
	}
	return goose.NumericComponent(files[len(files)-1].Name())
}

func (f *sqliteFile) migrations() string { return "migrations/sqlite" }

// migrate makes the file where there is none. Even where nothing is to be done, the
// first connection needs some room on the disk, for an index of the log.
func (f *sqliteFile) migrate(ctx context.Context) error {
	err := f.migrateOnce(ctx)
	if noRoom(err) && f.ballast.giveUp() {
		err = f.migrateOnce(ctx)
	}
	return err
}

func (f *sqliteFile) migrateOnce(ctx context.Context) error {
	if err := prepareFile(f.path); err != nil {
		return err
	}
	// SQLite's own lock covers one migration, not the decision which are needed.
	turn := flock.New(f.path+".migrate", flock.SetPermissions(0o600))
	if _, err := turn.TryLockContext(ctx, 10*time.Millisecond); err != nil {
		return fmt.Errorf("wait for another process that migrates %s: %w", f.path, err)
	}
	defer func() { _ = turn.Close() }()

	files, err := fs.Sub(migrations, f.migrations())
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, f.writer, files,
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		return fmt.Errorf("read the migrations: %w", err)
	}
	current, newest, err := provider.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("migrate: %w", f.explain(err))
	}
	if current > newest {
		return fmt.Errorf("store %s has version %d, this program knows up to %d: %w", f.path, current, newest, ErrNewer)
	}
	if _, err := provider.Up(ctx); err != nil {
		return fmt.Errorf("migrate: %w", f.explain(err))
	}
	return nil
}
