package store_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// BenchmarkSettle is a hold and a durable settlement through the ledger, on a real
// file and on a real server (on the same machine, with fsync).
func BenchmarkSettle(b *testing.B) {
	for name, open := range map[string]func(testing.TB) storetest.Store{
		"sqlite":   func(t testing.TB) storetest.Store { return openFile(t, filepath.Join(t.TempDir(), "faregate.db")) },
		"postgres": openEmptyPostgres,
	} {
		for _, parallel := range []int{1, 64} {
			b.Run(fmt.Sprintf("%s/goroutines=%d", name, parallel), func(b *testing.B) {
				benchmarkSettle(b, open(b), parallel)
			})
		}
	}
}

func benchmarkSettle(b *testing.B, s storetest.Store, parallel int) {
	var customers []storetest.Customer
	for range 100 {
		customers = append(customers, storetest.NewCustomer(b, s, 1_000_000*metering.Dollar))
	}
	l := storetest.OpenLedger(b, s, ledger.Options{})
	work := make(chan storetest.Customer, 1024)
	failed := make(chan error, parallel)
	b.ReportAllocs()
	b.ResetTimer()
	for range parallel {
		go func() {
			failed <- func() error {
				for customer := range work {
					hold, err := l.Hold(b.Context(), customer.AccountID, 1000)
					if err != nil {
						return err
					}
					if err := hold.Settle(b.Context(), customer.Record(900)); err != nil {
						return err
					}
				}
				return nil
			}()
		}()
	}
	for i := range b.N {
		work <- customers[i%len(customers)]
	}
	close(work)
	for range parallel {
		if err := <-failed; err != nil {
			b.Fatal(err)
		}
	}
	b.StopTimer()
	figures := l.Figures()
	b.ReportMetric(float64(figures.Settlements)/float64(figures.Commits), "records/commit")
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "settlements/s")
}

// BenchmarkCommit is one group commit of the size that a busy node makes.
func BenchmarkCommit(b *testing.B) {
	for name, open := range map[string]func(testing.TB) storetest.Store{
		"sqlite":   func(t testing.TB) storetest.Store { return openFile(t, filepath.Join(t.TempDir(), "faregate.db")) },
		"postgres": openEmptyPostgres,
	} {
		for _, size := range []int{1, 5, 7, 8, 64, 512} {
			b.Run(fmt.Sprintf("%s/records=%d", name, size), func(b *testing.B) {
				s := open(b)
				customer := storetest.NewCustomer(b, s, 1_000_000*metering.Dollar)
				lease, _, err := s.Join(b.Context(), "a", time.Hour)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := s.Draw(b.Context(), lease, ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
					b.Fatal(err)
				}
				b.ReportAllocs()
				for b.Loop() {
					batch := make([]*ledger.Settlement, size)
					for i := range batch {
						batch[i] = &ledger.Settlement{Record: *customer.Record(7), Debit: 7}
					}
					if err := s.Settle(b.Context(), lease, batch); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "settlements/s")
			})
		}
	}
}
