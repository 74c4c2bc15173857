package ledger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// slowStore grants from one account; its answers are half a second old when they come.
type slowStore struct {
	ledger.Store
	balance, calls atomic.Int64
}

func (s *slowStore) Join(_ context.Context, node string, _ time.Duration) (ledger.Lease, int, error) {
	return ledger.Lease{Node: node, Epoch: 1}, 1, nil
}

func (s *slowStore) Heartbeat(context.Context, ledger.Lease, time.Duration) (int, error) {
	return 1, nil
}

func (s *slowStore) Reclaim(context.Context) (int, error) { return 0, nil }

func (s *slowStore) End(context.Context, ledger.Lease) error { return nil }

func (s *slowStore) Draw(context.Context, ledger.Lease, ledger.Draw) (ledger.Drawn, error) {
	s.calls.Add(1)
	position := ledger.Position{Issued: metering.Nanos(s.balance.Load())}
	time.Sleep(500 * time.Millisecond) // of the bubble's clock
	return ledger.Drawn{Account: ledger.Standing{Position: position}}, nil
}

// TestJoinedCallMayBeTooOld: a hold that joins a call to the store that was answered
// before a deposit must not be refused by that answer.
func TestJoinedCallMayBeTooOld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(slowStore)
		l, err := ledger.Open(t.Context(), s, ledger.Options{})
		must(t, err)
		hold := func(amount metering.Nanos) <-chan error {
			outcome := make(chan error, 1)
			go func() {
				_, err := l.Hold(t.Context(), "account", amount)
				outcome <- err
			}()
			synctest.Wait()
			return outcome
		}
		before := hold(1)
		s.balance.Store(5) // the deposit, while the first call is on its way back
		after := hold(5)
		if calls := s.calls.Load(); calls != 1 {
			t.Errorf("the store was asked %d times at once, want once", calls)
		}
		if err := <-before; !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("before the deposit: %v, want ErrInsufficient", err)
		}
		must(t, <-after)
		must(t, l.Close(t.Context()))
	})
}
