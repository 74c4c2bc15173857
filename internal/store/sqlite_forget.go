package store

import (
	"context"
	"database/sql"
	"errors"
	"time"
)

const (
	// forgetLimit bounds the wait for those who read the log.
	forgetLimit = 5 * time.Second
	// forgetPause is how long one try may keep others from writing, and how long they then
	// have the file for themselves.
	forgetPause = 50 * time.Millisecond
)

// errRead says that somebody reads the log for too long.
var errRead = errors.New("all that tells whose account it is was erased, but the file's log, which has it as it was, is being read by another process. " +
	"Erase the account again when that has ended, which removes the log")

// forget empties the log, which has pages as they were until it is written over: on a
// quiet gateway that may be never. Who settles waits for a moment at most: SQLite would
// keep the file from writers while it waits for readers.
func (f *sqliteFile) forget(ctx context.Context) (err error) {
	file, err := sql.Open("sqlite", dataSource(f.path, emptying))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, forgetLimit)
	defer cancel()
	for {
		var busy, pages, written int
		if err := file.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &pages, &written); err != nil || busy == 0 {
			return err
		}
		select {
		case <-ctx.Done():
			return errRead
		case <-time.After(forgetPause):
		}
	}
}

// forget leaves it to the server, which takes away what was there before by itself
// (autovacuum).
func (*postgres) forget(context.Context) error { return nil }
