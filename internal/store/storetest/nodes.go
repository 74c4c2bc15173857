package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering/ledger"
)

// OpenNode opens a ledger that is told of changes, as a serving gateway's is.
func OpenNode(t testing.TB, s Store, options ledger.Options) *ledger.Ledger {
	t.Helper()
	last, err := s.LastChange(t.Context())
	must(t, err)
	l := OpenLedger(t, s, options)
	watching, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		watch(watching, s, l, last)
	}()
	t.Cleanup(func() { stop(); <-ended })
	return l
}

func watch(ctx context.Context, s Store, l *ledger.Ledger, last int64) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(20 * time.Millisecond):
		}
		changes, err := s.Changes(ctx, last)
		if err != nil {
			continue // the store is away, or the test has ended
		}
		for _, change := range changes {
			switch change.Kind {
			case store.KindWallet:
				l.Refresh(change.ID)
			case store.KindRecall:
				l.Recall(change.ID)
			}
			last = change.Sequence
		}
	}
}

// OversellNodes lets 200 calls at once, spread over the nodes that have these stores,
// spend credit for 20: 20 are served, and nobody is refused while credit is only held.
// Each of the stores is another way to the same database.
func OversellNodes(t *testing.T, stores ...Store) {
	const price = 1_234_567
	customer := NewCustomer(t, stores[0], 20*price)
	var ledgers []*ledger.Ledger
	for i, s := range stores {
		ledgers = append(ledgers, OpenNode(t, s, ledger.Options{Node: fmt.Sprint("node-", i)}))
	}
	var served, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			hold, err := ledgers[i%len(ledgers)].Place(t.Context(), ledger.Request{AccountID: customer.AccountID, Amount: price, Wait: true})
			if errors.Is(err, ledger.ErrInsufficient) {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Errorf("hold: %v", err)
				return
			}
			defer hold.Release()
			if i%10 == 0 {
				return // held, and not used after all: somebody else may have it
			}
			if err := hold.Settle(t.Context(), customer.Record(price)); err != nil {
				t.Errorf("settle: %v", err)
			}
			served.Add(1)
		})
	}
	group.Wait()
	if served.Load() != 20 {
		t.Errorf("%d calls were served and %d refused, want 20 served", served.Load(), refused.Load())
	}
	if records := recordsOf(t, stores[0], store.Filter{}); len(records) != 20 {
		t.Errorf("%d records, want 20", len(records))
	}
	report := MustVerify(t, stores[0])
	if report.Balance != 0 {
		t.Errorf("%s is left", report.Balance)
	}
}
