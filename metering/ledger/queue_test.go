package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// bubble runs a test in virtual time, with a store in memory and one node.
func bubble(t *testing.T, options ledger.Options, test func(t *testing.T, s *memory.Store, l *ledger.Ledger)) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		test(t, s, storetest.OpenLedger(t, s, options))
		storetest.MustVerify(t, s)
	})
}

// queue starts requests and tells in which order they were served.
type queue struct {
	t      *testing.T
	ledger *ledger.Ledger

	mu     sync.Mutex
	order  []string
	holds  map[string]*ledger.Hold
	errors map[string]error
	ended  map[string]time.Time
}

func newQueue(t *testing.T, l *ledger.Ledger) *queue {
	return &queue{t: t, ledger: l, holds: make(map[string]*ledger.Hold), errors: make(map[string]error), ended: make(map[string]time.Time)}
}

// request asks for credit and returns when the request has been served or waits.
func (q *queue) request(ctx context.Context, name string, c storetest.Customer, amount metering.Nanos, wait bool) {
	go func() {
		hold, err := q.ledger.Place(ctx, ledger.Request{AccountID: c.AccountID, KeyID: c.KeyID, Amount: amount, Wait: wait})
		q.mu.Lock()
		defer q.mu.Unlock()
		q.ended[name] = time.Now()
		if err != nil {
			q.errors[name] = err
			return
		}
		q.order = append(q.order, name)
		q.holds[name] = hold
	}()
	synctest.Wait()
}

func (q *queue) mustServe(names ...string) {
	q.t.Helper()
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	slices.Sort(q.order)
	if !slices.Equal(q.order, names) {
		q.t.Errorf("served %v, want %v; refused: %v", q.order, names, q.errors)
	}
	q.order = nil
}

func (q *queue) mustRefuse(name string, want error) {
	q.t.Helper()
	synctest.Wait()
	q.mu.Lock()
	defer q.mu.Unlock()
	if !errors.Is(q.errors[name], want) {
		q.t.Errorf("%s: %v, want %v", name, q.errors[name], want)
	}
}

func TestWaitingIsFirstComeFirstServed(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		ctx := t.Context()
		q.request(ctx, "a", customer, 60, true)
		q.request(ctx, "b", customer, 30, true)
		q.mustServe("a", "b")
		q.request(ctx, "c", customer, 70, true)
		q.request(ctx, "d", customer, 5, true) // would fit, but c came first
		q.request(ctx, "e", customer, 5, false)
		q.mustServe()
		q.mustRefuse("e", ledger.ErrInsufficient)
		q.holds["b"].Release()
		q.mustServe()
		must(t, q.holds["a"].Settle(ctx, customer.Record(20)))
		q.mustServe("c", "d")
	})
}

func TestWaitingEndsWhenItIsInVain(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		ctx := t.Context()
		start := time.Now()
		q.request(ctx, "more than there is", customer, 101, true)
		q.mustRefuse("more than there is", ledger.ErrInsufficient)
		q.request(ctx, "a", customer, 90, true)
		q.mustServe("a")
		q.request(ctx, "b", customer, 60, true)
		q.request(ctx, "c", customer, 10, true)
		q.request(ctx, "impatient", customer, 60, false)
		q.mustRefuse("impatient", ledger.ErrInsufficient)
		// Of what a held, 50 is gone for good: b can never be served, c can.
		must(t, q.holds["a"].Settle(ctx, customer.Record(50)))
		q.mustRefuse("b", ledger.ErrInsufficient)
		q.mustServe("c")
		if !time.Now().Equal(start) {
			t.Errorf("that took %v", time.Since(start))
		}
		// A deposit is news for those who wait.
		q.request(ctx, "d", customer, 50, true)
		q.mustServe()
		storetest.MustDeposit(t, s, customer.AccountID, 10)
		l.Refresh(customer.AccountID)
		q.mustServe("d")
	})
}

func TestWaitingEndsInTime(t *testing.T) {
	bubble(t, ledger.Options{WaitFor: 4 * time.Second}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		start := time.Now()
		q.request(t.Context(), "a", customer, 90, true)
		q.mustServe("a")
		q.request(t.Context(), "b", customer, 50, true)
		time.Sleep(time.Second)
		leaving, leave := context.WithCancel(t.Context())
		q.request(leaving, "c", customer, 50, true)
		q.request(t.Context(), "d", customer, 10, true)
		time.Sleep(5 * time.Second / 2)
		leave()
		q.mustRefuse("c", context.Canceled)
		q.mustServe() // d waits behind b
		time.Sleep(time.Second)
		q.mustRefuse("b", ledger.ErrInsufficient)
		if waited := q.ended["b"].Sub(start); waited != 4*time.Second {
			t.Errorf("b waited for %v, want 4 s", waited)
		}
		q.mustServe("d") // nobody is before it any more
		if waiting := l.Figures().Waiting; waiting != 0 {
			t.Errorf("%d still wait", waiting)
		}
	})
}

func TestQueueIsBounded(t *testing.T) {
	bubble(t, ledger.Options{MaxWaiting: 5}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		q.request(t.Context(), "running", customer, 100, true)
		q.mustServe("running")
		for i := range 7 {
			q.request(t.Context(), fmt.Sprint(i), customer, 20, true)
		}
		if waiting := l.Figures().Waiting; waiting != 5 || len(q.errors) != 2 {
			t.Errorf("%d wait and %d were refused, want 5 and 2", waiting, len(q.errors))
		}
		// Credit that is only held is no lack of it.
		q.mustRefuse("5", ledger.ErrCrowded)
		q.mustRefuse("6", ledger.ErrCrowded)
		q.request(t.Context(), "impatient", customer, 20, false)
		q.mustRefuse("impatient", ledger.ErrCrowded)
		q.request(t.Context(), "more than there is", customer, 101, true)
		q.mustRefuse("more than there is", ledger.ErrInsufficient)
		storetest.MustDeposit(t, s, customer.AccountID, 10)
		l.Refresh(customer.AccountID)
		must(t, q.holds["running"].Extend(t.Context(), 10))
		q.holds["running"].Release()
		q.mustServe("0", "1", "2", "3", "4")
	})
}

// TestWhatIsFreeWaitsForNobody: neither behind others, nor for a limit that was lowered
// to less than is spent.
func TestWhatIsFreeWaitsForNobody(t *testing.T) {
	bubble(t, ledger.Options{MaxWaiting: 1}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		setLimit(t, s, customer, 50, ledger.PeriodTotal)
		q := newQueue(t, l)
		q.request(t.Context(), "running", customer, 50, true)
		q.request(t.Context(), "waiting", customer, 20, true)
		q.mustServe("running")
		q.request(t.Context(), "free", customer, 0, false)
		q.mustServe("free")
		must(t, q.holds["running"].Settle(t.Context(), customer.Record(40)))
		setLimit(t, s, customer, 10, ledger.PeriodTotal)
		l.Refresh(customer.AccountID)
		q.mustRefuse("waiting", ledger.ErrInsufficient)
		q.request(t.Context(), "free again", customer, 0, false)
		q.mustServe("free again")
	})
}

// TestAFullQueueKeepsNoOtherKeyOut: those who wait for a limit keep nobody else away,
// however many they are.
func TestAFullQueueKeepsNoOtherKeyOut(t *testing.T) {
	bubble(t, ledger.Options{MaxWaiting: 3}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		first := storetest.NewCustomer(t, s, 100)
		second := storetest.Customer{AccountID: first.AccountID, KeyID: storetest.NewKey(t, s, first.AccountID)}
		setLimit(t, s, first, 30, ledger.PeriodTotal)
		q := newQueue(t, l)
		q.request(t.Context(), "running", first, 30, true)
		for i := range 4 {
			q.request(t.Context(), fmt.Sprint(i), first, 20, true)
		}
		q.mustServe("running")
		q.mustRefuse("3", ledger.ErrCrowded)
		q.request(t.Context(), "other", second, 60, true)
		q.mustServe("other")
	})
}

func TestCloseEndsWaiting(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		q.request(t.Context(), "a", customer, 60, true)
		q.request(t.Context(), "b", customer, 60, true)
		must(t, l.Close(t.Context()))
		q.mustRefuse("b", ledger.ErrClosed)
	})
}

// TestExtensionGoesFirst: those who wait, wait for its end.
func TestExtensionGoesFirst(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		q.request(t.Context(), "a", customer, 60, true)
		q.request(t.Context(), "b", customer, 70, true)
		must(t, q.holds["a"].Extend(t.Context(), 40))
		if err := q.holds["a"].Extend(t.Context(), 1); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("extension beyond the credit: %v", err)
		}
		q.mustServe("a")
		must(t, q.holds["a"].Settle(t.Context(), customer.Record(30)))
		q.mustServe("b")
	})
}
