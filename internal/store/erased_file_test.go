package store_test

import (
	"bytes"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
)

// What was erased is in none of the store's files any more, while the server goes on
// running: neither where SQLite has deleted it nor in the log of what changed.
func TestErasedAccountsAreInNoFile(t *testing.T) {
	directory := t.TempDir()
	path := filepath.Join(directory, "faregate.db")
	server := openFile(t, path)
	var accounts []string
	for i := range 60 { // that fill pages of the tables
		account := &auth.Account{
			ID: storetest.NewID(), Email: fmt.Sprintf("e%03d@private.example.com", i), Username: fmt.Sprintf("private-u%03d", i),
			Status: auth.StatusSuspended, SuspendedReason: fmt.Sprintf("private-r%03d", i), PasswordHash: auth.PasswordHash(fmt.Sprintf("private-p%03d", i)), CreatedAt: storetest.Moment,
		}
		if err := server.CreateAccount(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		addresses, err := limits.ParseAddressList(fmt.Sprintf("203.0.113.%d/32", i))
		if err != nil {
			t.Fatal(err)
		}
		key := &auth.Key{
			ID: storetest.NewID(), AccountID: account.ID, Name: fmt.Sprintf("private-k%03d", i), Hash: auth.Hash{byte(i), 1},
			Addresses: addresses, CreatedAt: storetest.Moment,
		}
		if err := server.CreateKey(t.Context(), key); err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, account.ID)
	}
	// Some of it has come into the main file, and some has not.
	if err := server.Close(); err != nil {
		t.Fatal(err)
	}
	server = openFile(t, path)
	storetest.NewCustomer(t, server, 1)

	command := openOnly(t, path)
	for i := 0; i < len(accounts); i += 3 {
		if i == 30 {
			defer readFor(t, path, 200*time.Millisecond)() // a report of somebody else's
		}
		if _, err := command.EraseAccount(t.Context(), store.Erasure{AccountID: accounts[i], At: storetest.Moment}); err != nil {
			t.Fatal(err)
		}
	}
	if err := command.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(path + "*")
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, name := range files {
		content, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for i := 0; i < len(accounts); i += 3 {
			for _, text := range []string{"e%03d@private", "private-u%03d", "private-r%03d", "private-p%03d", "private-k%03d", "203.0.113.%d/32"} {
				if text = fmt.Sprintf(text, i); bytes.Contains(content, []byte(text)) {
					t.Errorf("%s still has %s", filepath.Base(name), text)
				}
			}
		}
	}
	storetest.MustVerify(t, server)
}

// readFor has another process read the store as it is now, for a time. The returned
// function waits for its end.
func readFor(t *testing.T, path string, long time.Duration) (wait func()) {
	t.Helper()
	file, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	reading, err := file.BeginTx(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var accounts int
	if err := reading.QueryRowContext(t.Context(), `SELECT COUNT(*) FROM accounts`).Scan(&accounts); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error)
	go func() {
		time.Sleep(long)
		ended <- errors.Join(reading.Rollback(), file.Close())
	}()
	return func() {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
}
