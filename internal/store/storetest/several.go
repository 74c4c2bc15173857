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

// Follow tells the ledger what changes in the store until ctx ends, as a gateway does.
func Follow(ctx context.Context, s Store, l *ledger.Ledger, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	after := int64(0)
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		changes, err := s.Changes(ctx, after)
		if err != nil {
			continue
		}
		for _, change := range changes {
			switch change.Kind {
			case store.KindWallet:
				l.Refresh(change.ID)
			case store.KindRecall:
				l.Recall(change.ID)
			}
			after = change.Sequence
		}
	}
}

// oversellOnSeveral lets three nodes serve 200 calls on credit for 20. Ten of those that
// get some give it back: nobody is refused while credit is only held.
func oversellOnSeveral(t *testing.T, s Store) {
	const price, releases = 1_234_567, 10
	customer := NewCustomer(t, s, 20*price)
	ctx, stop := context.WithCancel(t.Context())
	var ledgers []*ledger.Ledger
	var background sync.WaitGroup
	for i := range 3 {
		l := OpenLedger(t, s, ledger.Options{Node: fmt.Sprint("node-", i), Slice: price, Whole: 1})
		background.Go(func() { Follow(ctx, s, l, 20*time.Millisecond) })
		ledgers = append(ledgers, l)
	}
	var held, settled, refused atomic.Int64
	var group sync.WaitGroup
	for i := range 200 {
		group.Go(func() {
			hold, err := ledgers[i%3].Place(t.Context(), ledger.Request{AccountID: customer.AccountID, KeyID: customer.KeyID, Amount: price, Wait: true})
			if errors.Is(err, ledger.ErrInsufficient) {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Errorf("hold: %v", err)
				return
			}
			if held.Add(1) <= releases {
				hold.Release()
				return
			}
			if err := hold.Settle(t.Context(), customer.Record(price)); err != nil {
				t.Errorf("settle: %v", err)
			}
			settled.Add(1)
		})
	}
	group.Wait()
	stop()
	background.Wait()
	if settled.Load() != 20 || refused.Load() != 170 {
		t.Errorf("%d calls were settled and %d refused, want 20 and 170", settled.Load(), refused.Load())
	}
	mustBalance(t, s, customer.AccountID, 0, 0)
}
