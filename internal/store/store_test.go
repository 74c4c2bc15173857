package store_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
)

// openFile opens the store in a file; it is migrated and ends with the test.
func openFile(t testing.TB, path string) *store.Store {
	t.Helper()
	s := openOnly(t, path)
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// openOnly opens a file that was migrated before.
func openOnly(t testing.TB, path string) *store.Store {
	t.Helper()
	s, err := store.Open("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// opener migrates one file and gives each test a copy: migrating is what costs most.
func opener(t *testing.T) storetest.Opener {
	t.Helper()
	path := filepath.Join(t.TempDir(), "empty.db")
	if err := openFile(t, path).Close(); err != nil {
		t.Fatal(err)
	}
	empty, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return func(t testing.TB) storetest.Store {
		copied := filepath.Join(t.TempDir(), "faregate.db")
		if err := os.WriteFile(copied, empty, 0o600); err != nil {
			t.Fatal(err)
		}
		return openOnly(t, copied)
	}
}

func TestConformance(t *testing.T) { storetest.Run(t, opener(t)) }

func TestLedger(t *testing.T) { storetest.RunLedger(t, opener(t)) }

func TestShared(t *testing.T) {
	open := opener(t)
	storetest.RunShared(t, func(t testing.TB) storetest.Bench {
		s := open(t).(*store.Store)
		return storetest.NewBench(t, s, s.Advance)
	})
}

func TestRetention(t *testing.T) {
	t.Parallel()
	storetest.RunRetention(t, openFile(t, filepath.Join(t.TempDir(), "faregate.db")))
}

func TestLimitedKeys(t *testing.T) {
	t.Parallel()
	storetest.RunLimitedKeys(t, openFile(t, filepath.Join(t.TempDir(), "faregate.db")))
}
