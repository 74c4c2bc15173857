package ledger_test

import (
	"fmt"
	"testing"

	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// BenchmarkHoldSettle is what the ledger adds to a request: a hold, and a durable
// settlement of a real file. records/commit says how well commits are shared.
func BenchmarkHoldSettle(b *testing.B) {
	for _, parallel := range []int{1, 64} {
		for _, accounts := range []int{1, 100} {
			b.Run(fmt.Sprintf("goroutines=%d/accounts=%d", parallel, accounts), func(b *testing.B) {
				s := openStore(b)
				var customers []storetest.Customer
				for range accounts {
					customers = append(customers, storetest.NewCustomer(b, s, 1_000_000*metering.Dollar))
				}
				l := storetest.OpenLedger(b, s, ledger.Options{})
				work := make(chan storetest.Customer, 1024)
				failed := make(chan error, parallel)
				b.ReportAllocs()
				b.ResetTimer()
				for range parallel {
					go func() { failed <- settleAll(b, l, work) }()
				}
				for i := range b.N {
					work <- customers[i%accounts]
				}
				close(work)
				for range parallel {
					must(b, <-failed)
				}
				b.StopTimer()
				figures := l.Figures()
				b.ReportMetric(float64(figures.Settlements)/float64(figures.Commits), "records/commit")
			})
		}
	}
}

func settleAll(b *testing.B, l *ledger.Ledger, work <-chan storetest.Customer) error {
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
}

// BenchmarkHoldRelease is the part that happens in memory.
func BenchmarkHoldRelease(b *testing.B) {
	s := openStore(b)
	customer := storetest.NewCustomer(b, s, 1_000_000*metering.Dollar)
	l := storetest.OpenLedger(b, s, ledger.Options{})
	b.ReportAllocs()
	for b.Loop() {
		hold, err := l.Hold(b.Context(), customer.AccountID, 1000)
		if err != nil {
			b.Fatal(err)
		}
		hold.Release()
	}
}
