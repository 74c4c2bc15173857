package store

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strings"
	"time"

	library "modernc.org/sqlite/lib"
)

// openSQLiteReadOnly looks at the file at once, as it decides how it can be read.
func openSQLiteReadOnly(path string) (*sqliteFile, error) {
	if path == "" || strings.ContainsRune(path, 0) {
		return nil, ErrURL
	}
	path, err := RealPath(path)
	if err != nil {
		return nil, err
	}
	f, err := openSQLiteFor(path, readingOnly, readingOnly)
	if err != nil {
		return nil, err
	}
	err = f.look()
	if err == nil {
		return f, nil
	}
	// Readers share an index of the write-ahead log, in a file that the first one makes.
	// Where it cannot be made, what is in the main file is all there is, unless there
	// is a log, too.
	switch code(err) {
	case library.SQLITE_CANTOPEN, library.SQLITE_READONLY:
	default:
		return f, nil // told by the first use
	}
	log, statErr := os.Stat(path + "-wal")
	if statErr == nil && log.Size() > 0 || statErr != nil && !errors.Is(statErr, fs.ErrNotExist) {
		return f, nil
	}
	if err := f.close(); err != nil {
		return nil, f.explain(err)
	}
	return openSQLiteFor(path, readingCopy, readingCopy)
}

// look reads something.
func (f *sqliteFile) look() error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	var tables int
	return f.reader.QueryRowContext(ctx, `SELECT COUNT(*) FROM sqlite_master`).Scan(&tables)
}
