package store_test

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/internal/store/storetest"
)

// toFirstVersion are the statements that make a store one of version 1.
var toFirstVersion = []string{
	`ALTER TABLE accounts DROP COLUMN data_policy`,
	`ALTER TABLE keys DROP COLUMN data_policy`,
	`ALTER TABLE keys DROP COLUMN providers`,
	`ALTER TABLE keys DROP COLUMN on_disconnect`,
	`ALTER TABLE keys DROP COLUMN rotated_at`,
	`DROP TABLE former_secrets`,
	`DELETE FROM goose_db_version WHERE version_id > 1`,
}

func TestAStoreOfTheFirstVersionIsBroughtUpToDate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "faregate.db")
	s := openFile(t, path)
	customer := storetest.NewCustomer(t, s, 5)
	harm(t, path, strings.Join(append([]string{`DROP VIEW usage_pending`, `DROP TABLE pending_records`, `DROP TABLE pending_kinds`}, toFirstVersion...), "; "))
	mustComeUpToDate(t, s, customer)
}

func TestAStoreOfTheFirstVersionIsBroughtUpToDatePostgres(t *testing.T) {
	t.Parallel()
	s, address := openPostgres(t)
	customer := storetest.NewCustomer(t, s, 5)
	for _, statement := range toFirstVersion {
		cluster.Execute(t, postgrestest.Name(address), statement)
	}
	mustComeUpToDate(t, s, customer)
}

// mustComeUpToDate migrates a store and checks that its keys are as they were.
func mustComeUpToDate(t *testing.T, s *store.Store, customer storetest.Customer) {
	t.Helper()
	if _, err := s.ListKeys(t.Context(), customer.AccountID); err == nil {
		t.Error("a store of the first version can be read: this test sees nothing")
	}
	for range 2 {
		if err := s.Migrate(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	keys, err := s.ListKeys(t.Context(), customer.AccountID)
	if err != nil || len(keys) != 1 || keys[0].ID != customer.KeyID || keys[0].OnDisconnect != auth.OnDisconnectDefault {
		t.Errorf("keys %v, %v", keys, err)
	}
	storetest.MustVerify(t, s)
}
