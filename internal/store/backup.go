package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrNoBackup says that copies of this store are made with the database's own tools.
var ErrNoBackup = errors.New("this store is a PostgreSQL database: copy it with its own tools, like pg_dump")

// Backup writes a consistent copy of an SQLite store to a new file, while servers and
// commands work on it, and returns when the copy is durable. The file must not exist;
// it is readable by its owner only. Where it fails nothing is left behind.
func (s *Store) Backup(ctx context.Context, path string) error {
	if err := s.db.backup(ctx, path); err != nil {
		return fmt.Errorf("back up: %w", s.db.explain(err))
	}
	return nil
}

func (*postgres) backup(context.Context, string) error { return ErrNoBackup }

func (f *sqliteFile) backup(ctx context.Context, path string) (err error) {
	// Made first, as SQLite would let everybody read it.
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: name a new file, as no backup is written over another one", err)
	}
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, file.Close())
		if err != nil {
			err = errors.Join(err, os.Remove(path))
		}
	}()
	if err := f.vacuumInto(ctx, path); err != nil {
		return err
	}
	// SQLite does not sync what VACUUM INTO writes.
	if err := file.Sync(); err != nil {
		return err
	}
	directory, err := os.Open(filepath.Dir(path))
	if err != nil {
		return err
	}
	return errors.Join(directory.Sync(), directory.Close())
}

// vacuumInto copies by a connection of its own: SQLite takes the views of those that read
// (readerViews) for the tables that it copies.
func (f *sqliteFile) vacuumInto(ctx context.Context, path string) (err error) {
	copier, err := sql.Open("sqlite", f.source)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, copier.Close()) }()
	_, err = copier.ExecContext(ctx, `VACUUM INTO $1`, path)
	return err
}
