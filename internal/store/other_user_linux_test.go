package store_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
)

// asOther does something as a user who owns none of the files, whoever runs the test: root
// may write everything. The system goes by the thread for that, and so does SQLite,
// which works in the goroutine that calls it.
func asOther(t *testing.T, do func()) {
	t.Helper()
	const nobody = 65534
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	own, _, _ := syscall.RawSyscall(syscall.SYS_SETFSUID, nobody, 0, 0) // returns the one before, and never fails
	defer func() { _, _, _ = syscall.RawSyscall(syscall.SYS_SETFSUID, own, 0, 0) }()
	do()
}

// openDirectory can be entered by everybody, and only be written by us.
func openDirectory(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("only root can act as another user: run this as root to see what a user without rights is told")
	}
	directory, err := os.MkdirTemp("", "store-test-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(directory); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(directory, 0o755); err != nil {
		t.Fatal(err)
	}
	return directory
}

func TestReadersNeedNoRightToWrite(t *testing.T) {
	path := filepath.Join(openDirectory(t), "faregate.db")
	s := openFile(t, path)
	customer := storetest.NewCustomer(t, s, 5)
	read := func(what string) {
		t.Helper()
		asOther(t, func() {
			books, err := store.OpenReadOnly("sqlite:" + path)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			defer func() { _ = books.Close() }()
			if balance, err := books.Balance(t.Context(), customer.AccountID); err != nil || balance.Balance != 5 {
				t.Errorf("%s: %+v, %v", what, balance, err)
			}
			storetest.MustVerify(t, books)
			if err := books.RevokeKey(t.Context(), customer.KeyID, storetest.Moment); err == nil || !strings.Contains(err.Error(), "cannot be written by this user") {
				t.Errorf("%s: a write: %v", what, err)
			}
		})
	}
	chmod := func(mode os.FileMode) {
		t.Helper()
		for _, name := range []string{path, path + "-wal", path + "-shm"} {
			if err := os.Chmod(name, mode); err != nil && !os.IsNotExist(err) {
				t.Fatal(err)
			}
		}
	}
	chmod(0o644)
	read("beside a server")
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	read("a copy in a directory that cannot be written")
	asOther(t, func() {
		if books, err := store.Open("sqlite:" + path); err != nil {
			t.Fatal(err)
		} else {
			defer func() { _ = books.Close() }()
			if _, err := books.Balance(t.Context(), customer.AccountID); err == nil || !strings.Contains(err.Error(), "this user") {
				t.Errorf("one who would write: %v", err)
			}
		}
	})
	// What is only in the log must not be missed.
	second := openOnly(t, path)
	storetest.MustDeposit(t, second, customer.AccountID, 7)
	log, err := os.ReadFile(path + "-wal")
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+"-wal", log, 0o644); err != nil {
		t.Fatal(err)
	}
	asOther(t, func() {
		books, err := store.OpenReadOnly("sqlite:" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = books.Close() }()
		if balance, err := books.Balance(t.Context(), customer.AccountID); err == nil || !strings.Contains(err.Error(), "this user") {
			t.Errorf("with a log that cannot be read: %+v, %v", balance, err)
		}
	})
	chmod(0o600)
	asOther(t, func() {
		books, err := store.OpenReadOnly("sqlite:" + path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = books.Close() }()
		if _, err := books.Balance(t.Context(), customer.AccountID); err == nil || !strings.Contains(err.Error(), "this user") {
			t.Errorf("a file of others: %v", err)
		}
	})
}

func TestServersTellWhatTheyMayNotWrite(t *testing.T) {
	directory := openDirectory(t)
	for _, path := range []string{filepath.Join(directory, "faregate.db"), filepath.Join(directory, "deeper", "faregate.db")} {
		asOther(t, func() {
			s, err := store.Open("sqlite:" + path)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if _, err := s.Lock(); err == nil || !strings.Contains(err.Error(), "own the directory") {
				t.Errorf("lock %s: %v", path, err)
			}
			if err := s.Migrate(t.Context()); err == nil || !strings.Contains(err.Error(), "own the directory") {
				t.Errorf("migrate %s: %v", path, err)
			}
		})
	}
}
