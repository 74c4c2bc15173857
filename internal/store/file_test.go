package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func TestOpenHasNoEffect(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "data")
	s, err := store.Open("sqlite:" + filepath.Join(directory, "faregate.db"))
	if err != nil {
		t.Fatal(err)
	}
	// Not even a use that needs the file makes it: only Migrate does.
	if _, err := s.FindAccount(t.Context(), "ada"); err == nil || !strings.Contains(err.Error(), "check that it exists") {
		t.Errorf("use before Migrate: %v", err)
	}
	if _, _, err := s.Join(t.Context(), "a", time.Hour); err == nil {
		t.Error("claimed before Migrate")
	}
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(directory); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("something was made: %v", err)
	}
	for _, url := range []string{"", "sqlite:", "sqlite", "mysql:x", "/var/lib/faregate.db"} {
		if _, err := store.Open(url); !errors.Is(err, store.ErrURL) {
			t.Errorf("Open(%q): %v, want ErrURL", url, err)
		}
	}
}

func TestFilesAreKeptFromOthers(t *testing.T) {
	directory := filepath.Join(t.TempDir(), "data")
	path := filepath.Join(directory, "odd name ?&#%41.db")
	s := openFile(t, path)
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unlock() }()
	storetest.NewCustomer(t, s, 1)
	if _, err := os.Stat(path + "-wal"); err != nil {
		t.Errorf("no write-ahead log under this name: %v", err)
	}
	modes := func() {
		t.Helper()
		entries, err := os.ReadDir(directory)
		if err != nil || len(entries) < 4 {
			t.Fatalf("%d files, %v", len(entries), err)
		}
		for _, entry := range entries {
			if info, err := entry.Info(); err != nil || info.Mode().Perm() != 0o600 {
				t.Errorf("%s: mode %v, %v; want 0600", entry.Name(), info.Mode(), err)
			}
		}
	}
	modes()
	if info, err := os.Stat(directory); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("directory: mode %v, %v; want 0700", info.Mode(), err)
	}
	for _, name := range []string{path, path + "-wal", path + "-shm"} {
		if err := os.Chmod(name, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	openFile(t, path) // the next start finds them open to others
	modes()
}

func TestUnusableFiles(t *testing.T) {
	directory := t.TempDir()
	notDatabase := filepath.Join(directory, "text.db")
	if err := os.WriteFile(notDatabase, bytes.Repeat([]byte("no database\n"), 1000), 0o600); err != nil {
		t.Fatal(err)
	}
	damaged := filepath.Join(directory, "damaged.db")
	if s := openFile(t, damaged); s.Close() != nil {
		t.Fatal("close")
	}
	content, err := os.ReadFile(damaged)
	if err != nil {
		t.Fatal(err)
	}
	copy(content[4096:], bytes.Repeat([]byte{0xa5}, len(content)-4096))
	copy(content[100:4096], bytes.Repeat([]byte{0x5a}, 3000))
	if err := os.WriteFile(damaged, content, 0o600); err != nil {
		t.Fatal(err)
	}
	blocked := filepath.Join(directory, "file")
	if err := os.WriteFile(blocked, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		notDatabase:                     "not a SQLite database",
		damaged:                         "damaged: restore a backup",
		directory:                       "is a directory",
		filepath.Join(blocked, "x.db"):  "not a directory",
		filepath.Join("/proc", "x.db"):  "x.db",
		filepath.Join(blocked, "y", ""): "not a directory",
	} {
		s, err := store.Open("sqlite:" + path)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(context.Background()); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want something with %q", path, err, want)
		}
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
}

func TestStoreOfNewerVersion(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faregate.db")
	s := openFile(t, path)
	storetest.MakeNewer(t, path)
	if err := s.Migrate(t.Context()); !errors.Is(err, store.ErrNewer) {
		t.Errorf("migrate: %v, want ErrNewer", err)
	}
	if err := s.RefuseNewer(t.Context()); !errors.Is(err, store.ErrNewer) {
		t.Errorf("refuse newer: %v, want ErrNewer", err)
	}
}

// Wherever the tests run, a file that cannot grow stands for a full disk: what is
// written then is all there or not at all, and nothing has to be repaired.
func TestAFileThatCannotGrow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faregate.db")
	s := openFile(t, path)
	if err := s.KeepRoom(); err != nil {
		t.Fatal(err)
	}
	customer := storetest.NewCustomer(t, s, metering.Dollar)
	l := storetest.OpenLedger(t, s, ledger.Options{RetryFor: 10 * time.Second})
	settle := func() error {
		hold, err := l.Hold(t.Context(), customer.AccountID, 10)
		if err != nil {
			return err
		}
		return hold.Settle(t.Context(), customer.Record(7))
	}
	if err := s.LimitPages(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	settled := 0
	failed := make(chan error)
	go func() {
		for { // the one that finds the file full waits for room
			if err := settle(); err != nil || !s.HasRoom() {
				settled++
				failed <- err
				return
			}
			settled++
		}
	}()
	storetest.Eventually(t, "the ballast to be given up", func() bool { return !s.HasRoom() })
	if _, err := os.Stat(path + ".ballast"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the ballast is there: %v", err)
	}
	// The settlement that waits may have given it up again by now.
	if err := s.KeepRoom(); err != nil {
		t.Errorf("a new ballast: %v", err)
	}
	storetest.Eventually(t, "the next try to give the ballast up, too", func() bool { return !s.HasRoom() })
	if err := s.LimitPages(t.Context(), -1); err != nil {
		t.Fatal(err)
	}
	if err := <-failed; err != nil {
		t.Errorf("when there was room again: %v", err)
	}
	if err := s.KeepRoom(); err != nil || !s.HasRoom() {
		t.Errorf("a new ballast: %v", err)
	}
	report := storetest.MustVerify(t, s)
	if want := metering.Dollar - 7*metering.Nanos(settled); report.Records != int64(settled) || report.Balance != want {
		t.Errorf("%d records and %s; want %d and %s", report.Records, report.Balance, settled, want)
	}
}
