package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"time"

	"modernc.org/sqlite"
	library "modernc.org/sqlite/lib"
)

// closeLimit bounds the wait for others who write, when a store is closed.
const closeLimit = 5 * time.Second

// sqliteFile is a store in one file.
type sqliteFile struct {
	path   string
	source string // the driver's name of the file for reading
	clock  func() time.Time
	// SQLite has one writer at a time: our own writers queue for one connection
	// instead of polling for the file's lock.
	writer *sql.DB
	turns  turns
	reader *sql.DB
	// changes counts what was written otherwise than by settling. It is counted by who has
	// the writer's connection.
	changes atomic.Int64
	settled atomic.Bool // something was

	ballast ballast
}

func openSQLite(path string) (*sqliteFile, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, ErrURL
	}
	path, err := RealPath(path)
	if err != nil {
		return nil, err
	}
	return openSQLiteFor(path, writing, reading)
}

func openSQLiteFor(path string, toWrite, toRead purpose) (*sqliteFile, error) {
	f := &sqliteFile{path: path, source: dataSource(path, toRead), clock: time.Now, ballast: ballast{path: path + ".ballast"}}
	var err error
	if f.writer, err = openWriter(dataSource(path, toWrite)); err != nil {
		return nil, f.explain(err)
	}
	if f.reader, err = openReader(f.source); err != nil {
		return nil, f.explain(err)
	}
	f.reader.SetMaxOpenConns(4)
	f.reader.SetMaxIdleConns(4)
	return f, nil
}

func (f *sqliteFile) close() error {
	if f.settled.Load() {
		// So that nothing is pending in a file which nobody serves. Where that fails, as on a
		// full disk, the next server does it.
		ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
		defer cancel()
		_ = f.write(ctx, func(transaction) error { return nil })
	}
	return errors.Join(f.reader.Close(), f.writer.Close())
}

// write excludes all other writers from its begin: see dataSource. do finds all settled
// records posted.
func (f *sqliteFile) write(ctx context.Context, do func(transaction) error) error {
	if err := f.turns.take(ctx, false); err != nil {
		return err
	}
	defer f.turns.done()
	return f.run(ctx, f.writer, nil, func(tx *sql.Tx) error {
		f.changes.Add(1)
		statements := sqliteStatements{f.clock, tx}
		if err := postPending(ctx, statements); err != nil {
			return err
		}
		return do(statements)
	})
}

// writeLeases posts nothing, and leaves what is known of pending records as it was: they
// rest on the epoch of a lease, not on its end.
func (f *sqliteFile) writeLeases(ctx context.Context, do func(transaction) error) error {
	if err := f.turns.take(ctx, true); err != nil {
		return err
	}
	defer f.turns.done()
	return f.run(ctx, f.writer, nil, func(tx *sql.Tx) error { return do(sqliteStatements{f.clock, tx}) })
}

func (f *sqliteFile) view(ctx context.Context, do func(transaction) error) error {
	return f.run(ctx, f.reader, &sql.TxOptions{ReadOnly: true}, func(tx *sql.Tx) error { return do(sqliteStatements{f.clock, tx}) })
}

// run runs do once more where that filled the disk and there is ballast to give up.
func (f *sqliteFile) run(ctx context.Context, db *sql.DB, options *sql.TxOptions, do func(*sql.Tx) error) error {
	err := transact(ctx, db, options, do)
	if db == f.writer && noRoom(err) && f.ballast.giveUp() {
		err = transact(ctx, db, options, do)
	}
	return err
}

func (f *sqliteFile) keepRoom() error { return f.ballast.keep() }
func (f *sqliteFile) hasRoom() bool   { return !f.ballast.missing() }

func transact(ctx context.Context, db *sql.DB, options *sql.TxOptions, do func(*sql.Tx) error) error {
	tx, err := db.BeginTx(ctx, options)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if err := do(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func (f *sqliteFile) reads() queries { return sqliteStatements{f.clock, f.reader} }

// sqliteStatements runs statements through database/sql: those of a transaction, or
// each by itself.
type sqliteStatements struct {
	clock func() time.Time
	sql   interface {
		ExecContext(context.Context, string, ...any) (sql.Result, error)
		QueryRowContext(context.Context, string, ...any) *sql.Row
		QueryContext(context.Context, string, ...any) (*sql.Rows, error)
	}
}

func (s sqliteStatements) exec(ctx context.Context, query string, values ...any) (int64, error) {
	return affected(s.sql.ExecContext(ctx, query, values...))
}

func affected(result sql.Result, err error) (int64, error) {
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (s sqliteStatements) queryRow(ctx context.Context, query string, values ...any) row {
	return s.sql.QueryRowContext(ctx, query, values...)
}

func (s sqliteStatements) query(ctx context.Context, query string, values ...any) (rows, error) {
	return openRows(s.sql.QueryContext(ctx, query, values...))
}

func openRows(found *sql.Rows, err error) (rows, error) {
	if err != nil {
		return nil, err
	}
	return sqliteRows{found}, nil
}

// now is the machine's clock, as all who use the file are on it.
func (s sqliteStatements) now(context.Context) (int64, error) { return s.clock().UnixMicro(), nil }

func (sqliteStatements) forShare(query string) string  { return query }
func (sqliteStatements) forUpdate(query string) string { return query }

type sqliteRows struct{ *sql.Rows }

// Close hides an error that Err has told already.
func (r sqliteRows) Close() { _ = r.Rows.Close() }

type purpose int

const (
	reading purpose = iota
	writing
	readingOnly // a file that this process may not write, or shall not
	readingCopy // a file that nobody writes, with nothing beside it
	emptying    // the log, into the file
)

// dataSource is the driver's name of the file, with what every connection sets.
func dataSource(path string, use purpose) string {
	query := url.Values{
		// Without rwc: only Migrate makes a file, so that a mistyped path is an
		// error and not a new and empty store.
		"mode":    {"rw"},
		"_pragma": {"busy_timeout(5000)", "foreign_keys(1)", "synchronous(FULL)"},
	}
	switch use {
	case readingOnly:
		query.Set("mode", "ro")
	case readingCopy:
		query.Set("mode", "ro")
		query.Set("immutable", "1")
	case emptying:
		query["_pragma"][0] = fmt.Sprintf("busy_timeout(%d)", forgetPause.Milliseconds())
	case writing:
		// A transaction that begins as a reader and becomes a writer later fails
		// at once when another wrote meanwhile, whatever the timeout.
		query.Set("_txlock", "immediate")
		query.Add("_pragma", "journal_mode(WAL)")
		// A checkpoint makes one commit wait for two more fsyncs, and for all that has changed:
		// with SQLite's 1,000 pages that is more than one in a hundred where each writes one
		// record. 6 MiB of log, which is written over after it, are less than the ballast: on a
		// full disk the log can still come to its next beginning.
		query.Add("_pragma", "wal_autocheckpoint(1600)")
		// Posting changes some hundred pages at once; those that do not fit are read again.
		query.Add("_pragma", "cache_size(-8000)")
		// Else what is deleted, or changed, lies on in the file until something else needs its
		// place: names of erased accounts, too. What is overwritten in this way is written anyway.
		query.Add("_pragma", "secure_delete(FAST)")
	}
	return (&url.URL{Scheme: "file", Path: path, RawQuery: query.Encode()}).String()
}

// prepareFile makes the directory and the file where there are none, and keeps both
// from other users. SQLite gives its side files (-wal, -shm) the file's mode.
func prepareFile(path string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return fmt.Errorf("make the store's directory: %w", permitted(path, err))
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the store's file: %w", permitted(path, err))
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("open the store's file: %w", err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		info, err := os.Stat(name)
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			err = os.Chmod(name, 0o600)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("keep the store's file from other users: %w", err)
		}
	}
	return nil
}

// permitted adds to an error what can be done about a missing right.
func permitted(path string, err error) error {
	if errors.Is(err, fs.ErrPermission) {
		return fmt.Errorf("this user must own the directory %s (chown), or the store be elsewhere: %w", filepath.Dir(path), err)
	}
	return err
}

// code is SQLite's primary result code in an error, 0 if there is none.
func code(err error) int {
	var failure *sqlite.Error
	if !errors.As(err, &failure) {
		return library.SQLITE_OK
	}
	return failure.Code() & 0xff
}

func (*sqliteFile) rejected(err error) bool {
	switch code(err) {
	case library.SQLITE_CONSTRAINT, library.SQLITE_MISMATCH, library.SQLITE_TOOBIG:
		return true
	}
	return false
}

func (f *sqliteFile) explain(err error) error {
	advice := ""
	switch code(err) {
	case library.SQLITE_IOERR:
		advice = "the file cannot be read: it is a directory, or the disk is broken"
		if noRoom(err) {
			advice = "the file cannot be written: the disk is full, or broken"
		}
	case library.SQLITE_NOTADB:
		advice = "the file is not a SQLite database"
	case library.SQLITE_CORRUPT:
		advice = "the file is damaged: restore a backup"
	case library.SQLITE_READONLY, library.SQLITE_PERM:
		advice = "the file or its directory cannot be written by this user: run this as the user that the server runs as"
	case library.SQLITE_CANTOPEN:
		advice = "the file cannot be opened: check that it exists and that this user may read and write it and its directory"
	case library.SQLITE_FULL:
		advice = "the disk is full"
	case library.SQLITE_ERROR:
		if !strings.Contains(err.Error(), "no such table") && !strings.Contains(err.Error(), "no such column") {
			return err
		}
		advice = "the store is not prepared for this version: start the server once (caddy run), which makes its tables or brings them up to date"
	case library.SQLITE_BUSY:
		advice = "another process is writing for too long"
	default:
		return err
	}
	return fmt.Errorf("store %s: %s: %w", f.path, advice, err)
}
