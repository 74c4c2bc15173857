package ledger_test

import (
	"context"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering/ledger"
)

// slowBeats makes renewals one after the other, as a busy disk does, and counts them.
type slowBeats struct {
	ledger.Store
	beats atomic.Int64
	turn  sync.Mutex
}

func (s *slowBeats) Heartbeat(ctx context.Context, lease ledger.Lease, term time.Duration) (int, error) {
	s.beats.Add(1)
	s.turn.Lock()
	defer s.turn.Unlock()
	time.Sleep(20 * time.Millisecond)
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return s.Store.Heartbeat(ctx, lease, term)
}

// After a pause that was longer than the lease, one renewal serves all who came meanwhile.
func TestOneRenewalForAllAfterAPause(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 1000)
	slow := &slowBeats{Store: s}
	var pause atomic.Int64
	l := storetest.OpenLedger(t, slow, ledger.Options{LeaseFor: time.Hour, Now: func() time.Time { return time.Now().Add(time.Duration(pause.Load())) }})
	first, err := l.Hold(t.Context(), customer.AccountID, 1)
	must(t, err)
	first.Release()
	pause.Store(int64(2 * time.Hour))
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			hold, err := l.Hold(t.Context(), customer.AccountID, 1)
			if err != nil {
				t.Error(err)
				return
			}
			hold.Release()
		})
	}
	group.Wait()
	if beats := slow.beats.Load(); beats > 5 {
		t.Errorf("%d renewals", beats)
	}
}
