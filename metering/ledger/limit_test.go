package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func setLimit(t *testing.T, s *memory.Store, c storetest.Customer, amount metering.Nanos, period ledger.Period) {
	t.Helper()
	must(t, s.SetKeyLimit(t.Context(), c.KeyID, &store.KeyLimit{Amount: amount, Period: period}))
}

func mustHaveSpent(t *testing.T, s *memory.Store, c storetest.Customer, period ledger.Period, at time.Time, want metering.Nanos) {
	t.Helper()
	start, _ := period.Bounds(at)
	if spent, _, err := s.KeySpent(t.Context(), c.KeyID, start.UnixMicro()); err != nil || spent != want {
		t.Errorf("the key spent %d in the %s of %v, %v; want %d", int64(spent), period, at, err, int64(want))
	}
}

func TestAccountAndLimitAreHeldTogether(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		ctx := t.Context()
		first := storetest.NewCustomer(t, s, 100)
		second := storetest.Customer{AccountID: first.AccountID, KeyID: storetest.NewKey(t, s, first.AccountID)}
		setLimit(t, s, first, 30, ledger.PeriodTotal)
		place := func(c storetest.Customer, amount metering.Nanos) (*ledger.Hold, error) {
			return l.Place(ctx, ledger.Request{AccountID: c.AccountID, KeyID: c.KeyID, Amount: amount})
		}
		var short *ledger.InsufficientError
		if _, err := place(first, 31); !errors.As(err, &short) || *short != (ledger.InsufficientError{Needed: 31, Available: 30, KeyLimit: true}) {
			t.Errorf("beyond the limit: %v", err)
		}
		hold, err := place(first, 20)
		must(t, err)
		other, err := place(second, 75)
		must(t, err)
		if _, err := place(first, 6); !errors.As(err, &short) || *short != (ledger.InsufficientError{Needed: 6, Available: 5}) {
			t.Errorf("within the limit, beyond the credit: %v", err)
		}
		other.Release()
		if _, err := place(first, 11); !errors.As(err, &short) || short.Available != 10 {
			t.Errorf("what was refused has kept something of the limit: %v", err)
		}
		if err := hold.Extend(ctx, 11); !errors.As(err, &short) || !short.KeyLimit {
			t.Errorf("extension beyond the limit: %v", err)
		}
		// 20 held and 10 free of the limit: of 45, 30 can be paid.
		record := first.Record(45)
		must(t, hold.Settle(ctx, record))
		if record.Shortfall != 15 {
			t.Errorf("shortfall %d, want 15", int64(record.Shortfall))
		}
		mustHaveSpent(t, s, first, ledger.PeriodTotal, time.Now(), 30)
		if _, err := place(second, 70); err != nil {
			t.Errorf("the other key: %v", err)
		}
	})
}

// TestWaitingForALimit: who waits for a key's limit keeps nobody else waiting.
func TestWaitingForALimit(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		first := storetest.NewCustomer(t, s, 100)
		second := storetest.Customer{AccountID: first.AccountID, KeyID: storetest.NewKey(t, s, first.AccountID)}
		setLimit(t, s, first, 30, ledger.PeriodTotal)
		q := newQueue(t, l)
		q.request(t.Context(), "a", first, 20, true)
		q.request(t.Context(), "b", first, 20, true)
		q.request(t.Context(), "c", first, 5, true)
		q.request(t.Context(), "d", second, 60, true)
		q.mustServe("a", "d")
		must(t, q.holds["a"].Settle(t.Context(), first.Record(7)))
		q.mustServe("b")
		q.holds["b"].Release()
		q.mustServe("c")
	})
}

func TestLimitsBeginAnewWithThePeriod(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		ctx := t.Context()
		time.Sleep(23 * time.Hour) // bubbles begin at midnight UTC
		yesterday := time.Now()
		customer := storetest.NewCustomer(t, s, 1000)
		setLimit(t, s, customer, 30, ledger.PeriodDay)
		place := func(amount metering.Nanos) (*ledger.Hold, error) {
			return l.Place(ctx, ledger.Request{AccountID: customer.AccountID, KeyID: customer.KeyID, Amount: amount})
		}
		late, err := place(20)
		must(t, err)
		time.Sleep(time.Hour - time.Millisecond)
		if _, err := place(11); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("on the same day: %v", err)
		}
		time.Sleep(time.Millisecond)
		hold, err := place(5) // yesterday's limit would have room for it, too
		must(t, err)
		// What was held yesterday counts there.
		must(t, late.Settle(ctx, customer.Record(12)))
		mustHaveSpent(t, s, customer, ledger.PeriodDay, yesterday, 12)
		must(t, hold.Settle(ctx, customer.Record(5)))
		mustHaveSpent(t, s, customer, ledger.PeriodDay, time.Now(), 5)
		open, err := place(25)
		must(t, err)
		if _, err := place(1); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("beyond today's limit: %v", err)
		}
		time.Sleep(time.Hour) // sweeps return what is left of yesterday, though the account is in use
		start, _ := ledger.PeriodDay.Bounds(yesterday)
		if _, granted, err := s.KeySpent(ctx, customer.KeyID, start.UnixMicro()); err != nil || granted != 0 {
			t.Errorf("%d of yesterday's limit is still granted, %v", int64(granted), err)
		}
		open.Release()
	})
}

func TestLimitsChange(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		ctx := t.Context()
		customer := storetest.NewCustomer(t, s, 1000)
		place := func(amount metering.Nanos) error {
			hold, err := l.Place(ctx, ledger.Request{AccountID: customer.AccountID, KeyID: customer.KeyID, Amount: amount})
			if err == nil {
				must(t, hold.Settle(ctx, customer.Record(amount)))
			}
			return err
		}
		must(t, place(500)) // no limit, no count
		setLimit(t, s, customer, 50, ledger.PeriodTotal)
		l.Refresh(customer.AccountID)
		must(t, place(20))
		setLimit(t, s, customer, 30, ledger.PeriodTotal)
		l.Refresh(customer.AccountID)
		l.Recall(customer.AccountID)
		time.Sleep(time.Second)
		if err := place(11); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("11 with 20 of 30 spent: %v", err)
		}
		must(t, place(10))
		must(t, s.SetKeyLimit(ctx, customer.KeyID, nil))
		l.Refresh(customer.AccountID)
		must(t, place(100))
		mustHaveSpent(t, s, customer, ledger.PeriodTotal, time.Now(), 30)
	})
}
