package store_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering/ledger"
)

// Books of years are read and purged by index, from the first row needed on: no query
// reads a whole table, nor sorts what it does not return.
func TestRecordsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(*testing.T) *store.Store{
		"sqlite":   func(t *testing.T) *store.Store { return openFile(t, filepath.Join(t.TempDir(), "faregate.db")) },
		"postgres": func(t *testing.T) *store.Store { s, _ := openPostgres(t); return s },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			var batch []*ledger.Settlement
			var customer storetest.Customer
			for range 5 {
				customer = storetest.NewCustomer(t, s, 0)
				for i := range 20 {
					record := customer.Record(0)
					record.StartedAt = storetest.Moment.Add(time.Duration(i) * time.Hour)
					batch = append(batch, &ledger.Settlement{Record: *record})
				}
			}
			if err := s.Settle(t.Context(), ledger.Lease{}, batch); err != nil {
				t.Fatal(err)
			}
			for index, filter := range map[string]store.Filter{
				"usage_records_by_account": {AccountID: customer.AccountID},
				"usage_records_by_key":     {KeyID: customer.KeyID},
				"usage_records_by_time":    {Since: storetest.Moment},
			} {
				list, records, transfers, err := s.Plans(t.Context(), filter, &batch[3].Record, true)
				if err != nil {
					t.Fatal(err)
				}
				for plan, want := range map[string]string{list: index, records: "usage_records_by_time", transfers: "transfers_by_kind"} {
					if !strings.Contains(plan, want) {
						t.Errorf("%s is not used in:\n%s", want, plan)
					}
					for _, bad := range []string{"Seq Scan on usage_records", "Seq Scan on transfers", "SCAN usage_records", "SCAN transfers", "TEMP B-TREE", "Sort"} {
						if strings.Contains(plan, bad) {
							t.Errorf("%s in:\n%s", bad, plan)
						}
					}
				}
			}
		})
	}
}
