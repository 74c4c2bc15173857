package store_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/internal/store/storetest"
)

// cluster is the PostgreSQL server of all tests but those that stop it.
var cluster postgrestest.Cluster

// openPostgres opens a store in a database of its own; it is migrated and ends with the test.
func openPostgres(t testing.TB) (s *store.Store, address string) {
	t.Helper()
	address = cluster.CopyDatabase(t, template(t))
	return openAddress(t, address), address
}

var (
	templateOnce sync.Once
	templateName string
)

// template migrates one database for all tests to begin with a copy of: migrating is
// what costs most.
func template(t testing.TB) string {
	t.Helper()
	templateOnce.Do(func() {
		address := cluster.NewDatabase(t)
		s, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Migrate(context.Background()), s.Close()); err != nil {
			t.Fatal(err)
		}
		templateName = postgrestest.Name(address)
	})
	if templateName == "" {
		t.Fatal("no database could be migrated: see the first test that failed")
	}
	return templateName
}

func openAddress(t testing.TB, address string) *store.Store {
	t.Helper()
	s, err := store.Open(address)
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

func openEmptyPostgres(t testing.TB) storetest.Store {
	s, _ := openPostgres(t)
	return s
}

func TestConformancePostgres(t *testing.T) { storetest.Run(t, openEmptyPostgres) }

func TestLedgerPostgres(t *testing.T) { storetest.RunLedger(t, openEmptyPostgres) }

func TestRetentionPostgres(t *testing.T) {
	t.Parallel()
	s, _ := openPostgres(t)
	storetest.RunRetention(t, s)
}

func TestLimitedKeysPostgres(t *testing.T) {
	t.Parallel()
	s, _ := openPostgres(t)
	storetest.RunLimitedKeys(t, s)
}

func TestSharedPostgres(t *testing.T) {
	t.Cleanup(func() {
		// Deadlocks are undone and made good, but one order of locks has none.
		if strings.Contains(cluster.Log(), "deadlock detected") {
			t.Errorf("transactions waited for each other: %s", cluster.Log())
		}
	})
	storetest.RunShared(t, func(t testing.TB) storetest.Bench {
		s, _ := openPostgres(t)
		return storetest.NewBench(t, s, s.Advance)
	})
}

func TestNodesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	address := cluster.NewDatabase(t)
	var group sync.WaitGroup
	for range 8 {
		s := openAddress(t, address)
		group.Go(func() {
			if err := s.Migrate(t.Context()); err != nil {
				t.Errorf("migrate: %v", err)
			}
		})
	}
	group.Wait()
	s := openAddress(t, address)
	storetest.NewCustomer(t, s, 5)
	storetest.MustVerify(t, s)
	cluster.Execute(t, postgrestest.Name(address), `INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, true)`)
	if err := s.Migrate(t.Context()); !errors.Is(err, store.ErrNewer) {
		t.Errorf("migrate: %v, want ErrNewer", err)
	}
}

// TestServerLogKeepsSecrets makes all the conflicts that a person's data can have.
func TestServerLogKeepsSecrets(t *testing.T) {
	t.Parallel()
	s, address := openPostgres(t)
	ada := auth.Account{
		ID: storetest.NewID(), Email: "canary-address@example.com", Username: "canary-name",
		Status: auth.StatusActive, PasswordHash: "$argon2id$canary-hash", CreatedAt: storetest.Moment,
	}
	if err := s.CreateAccount(t.Context(), &ada); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		twin := ada
		twin.ID = storetest.NewID()
		if err := s.CreateAccount(t.Context(), &twin); !errors.Is(err, store.ErrTaken) || strings.Contains(err.Error(), "canary") {
			t.Errorf("create a twin: %v", err)
		}
	}
	bad := ada
	bad.ID, bad.Email = storetest.NewID(), "canary-address\x00@example.com"
	if err := s.CreateAccount(t.Context(), &bad); err == nil || strings.Contains(err.Error(), "canary") {
		t.Errorf("an address that no column takes: %v", err)
	}
	for line := range strings.Lines(cluster.Log()) {
		if strings.Contains(line, "canary") {
			t.Errorf("the server's log tells who has an account: %s", line)
		}
	}
	// A constraint that an operator added would be told there; our errors stay silent.
	cluster.Execute(t, postgrestest.Name(address), `ALTER TABLE accounts ADD CHECK (created_at < 0) NOT VALID`)
	bad.Email = "other@example.com"
	bad.Username = "other"
	if err := s.CreateAccount(t.Context(), &bad); err == nil || strings.Contains(err.Error(), "other@") {
		t.Errorf("a constraint of others: %v", err)
	}
}

func TestThreeNodesPostgres(t *testing.T) {
	t.Parallel()
	for _, nodes := range []int{1, 3} {
		t.Run(fmt.Sprint(nodes), func(t *testing.T) {
			t.Parallel()
			first, address := openPostgres(t)
			stores := []storetest.Store{first}
			for len(stores) < nodes {
				stores = append(stores, openAddress(t, address))
			}
			storetest.OversellNodes(t, stores...)
		})
	}
}
