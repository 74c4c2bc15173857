// Package store keeps accounts, keys, money and usage records in one SQL database,
// behind the interfaces that auth and ledger define: SQLite or PostgreSQL.
//
// Open has no effect; Migrate creates or brings up to date what is
// there. A server takes Lock for as long as it runs; commands do not, and may work
// on the same store beside it. One server works on an SQLite file; any number, each
// with its NodeName, on a PostgreSQL database.
//
//	books, err := store.Open("sqlite:/var/lib/faregate/faregate.db")
//	defer books.Close()
//	err = books.Migrate(ctx)
//	err = books.CreateAccount(ctx, &auth.Account{ID: id, Email: "ada@example.com", …})
//	_, err = books.Deposit(ctx, store.Deposit{AccountID: id, Amount: 5 * metering.Dollar, Ref: "invoice-17", …})
package store

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/faregate/faregate/metering/ledger"
)

// What the store answers beside the errors of auth and ledger.
var (
	// ErrURL says that an address names no store.
	ErrURL = errors.New("not the address of a store: write sqlite:/path/to/file.db or postgres://user:password@host/database")
	// ErrNotFound says that there is no such account, key or record.
	ErrNotFound = errors.New("not found")
	// ErrTaken says that an e-mail address, a username or an id is in use.
	ErrTaken = errors.New("already taken")
	// ErrReference says that a reference was used before, for something else.
	ErrReference = errors.New("the reference was used before with another amount, account or purpose")
	// ErrAmount says that an amount is not more than nothing, more than MostAtOnce, or
	// beyond what a balance can hold.
	ErrAmount = errors.New("not a usable amount")
	// ErrBalance says that an account has less than shall be taken from it.
	ErrBalance = errors.New("the account has less than that")
	// ErrGranted says that nodes have the credit that shall be taken. They were asked to
	// put back what they do not use: try again, see UntilFree.
	ErrGranted = errors.New("running requests hold that credit")
	// ErrErased says that an account was erased: it gets no credit, key or name any more.
	ErrErased = errors.New("the account was erased")
	// ErrUnspent says that an account still has credit, which an erasure would take away.
	ErrUnspent = errors.New("the account still has credit")
	// ErrUnknownVoucher says that no voucher has this code.
	ErrUnknownVoucher = errors.New("no voucher has this code: check every character")
	// ErrVoucherUsed says that a voucher was redeemed already.
	ErrVoucherUsed = errors.New("the voucher was redeemed already")
	// ErrVoucherExpired says that a voucher's time is over.
	ErrVoucherExpired = errors.New("the voucher has expired")
	// ErrVoucherRevoked says that the operator took a voucher back.
	ErrVoucherRevoked = errors.New("the voucher was revoked")
	// ErrRevoked says that a key was revoked, which is for good.
	ErrRevoked = errors.New("the key is revoked, which is for good")
	// ErrNewer says that a later version of the program has migrated the store.
	ErrNewer = errors.New("the store was made by a newer version: use that one")
	// ErrUnknown says that the connection was lost while a change was made: it may
	// have been made or not. Making it again does no harm.
	ErrUnknown = errors.New("the connection was lost during the commit: make the call again")
	// ErrFull says that the disk is full, or as good as that.
	ErrFull = errors.New("the disk is full: make room, and the server goes on by itself")
	// ErrLocked says that another server works on the same file.
	ErrLocked = errors.New("another server is running on this store: stop that one, or give this one a file of its own; " +
		"several gateways can share a PostgreSQL database")
)

// Store is one database. Its methods may be called from many goroutines.
type Store struct{ db database }

// Open names a store. It reads and writes nothing; the first use connects.
func Open(url string) (*Store, error) {
	var db database
	var err error
	if path, isFile := strings.CutPrefix(url, "sqlite:"); isFile {
		db, err = openSQLite(path)
	} else {
		db, err = openPostgres(url)
	}
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// OpenReadOnly names a store for somebody who only reads: what would write fails. A
// file needs no more than the right to read it then, and its directory none to write:
// a copy on a medium that cannot be written will do.
func OpenReadOnly(url string) (*Store, error) {
	path, isFile := strings.CutPrefix(url, "sqlite:")
	if !isFile {
		return Open(url)
	}
	db, err := openSQLiteReadOnly(path)
	if err != nil {
		return nil, err
	}
	return &Store{db: db}, nil
}

// NodeName is what a server on this store is called among the nodes: for
// ledger.Options.Node.
func (s *Store) NodeName() string { return s.db.nodeName() }

// Migrate creates the store where there is none and brings an older one up to date.
// Several processes may do so at once: they take turns.
func (s *Store) Migrate(ctx context.Context) error { return s.db.migrate(ctx) }

// RefuseNewer is ErrNewer for a store that a later version of the program has migrated.
// Who works on a store without Migrate calls it first: what this version knows of the
// tables may be wrong by then, and money would be booked by it.
func (s *Store) RefuseNewer(ctx context.Context) error {
	var current int64
	err := s.db.reads().queryRow(ctx, `SELECT COALESCE(MAX(version_id), 0) FROM goose_db_version`).Scan(&current)
	if err != nil {
		return fmt.Errorf("read the store's version: %w", s.db.explain(err))
	}
	newest, err := newestMigration(s.db.migrations())
	if err != nil {
		return err
	}
	if current > newest {
		return fmt.Errorf("the store has version %d, this program knows up to %d: %w", current, newest, ErrNewer)
	}
	return nil
}

// Lock says that a server works on the store from now on, until unlock is called. On
// SQLite it is ErrLocked while a server of another process does: two would serve the
// same credit twice. One process may hold the lock several times.
func (s *Store) Lock() (unlock func() error, err error) { return s.db.lock() }

// KeepRoom sees to it that a full disk does not keep what runs from being settled: it
// keeps a file beside that of the store, of some room that the settlements get when
// there is no other. A server calls it when it starts, after Lock, and regularly
// from then on; ErrFull while there is no room for that file.
func (s *Store) KeepRoom() error { return s.db.keepRoom() }

// HasRoom is false while the room that KeepRoom keeps is given up or could not be had:
// a server should begin nothing new.
func (s *Store) HasRoom() bool { return s.db.hasRoom() }

// Settle implements ledger.Store.
func (s *Store) Settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	err := s.db.settle(ctx, lease, settlements)
	if err == nil {
		return nil
	}
	err = fmt.Errorf("settle: %w", s.db.explain(err))
	if s.db.rejected(err) {
		return fmt.Errorf("%w: %w", ledger.ErrRejected, err)
	}
	return err
}

// Close ends all connections. Calls under way fail, or are waited for.
func (s *Store) Close() error { return s.db.close() }
