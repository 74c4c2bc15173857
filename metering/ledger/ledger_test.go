package ledger_test

import (
	"context"
	"errors"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func openStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open("sqlite:" + filepath.Join(t.TempDir(), "faregate.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	must(t, s.Migrate(t.Context()))
	return s
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func sound(string) storetest.Fault { return storetest.Sound }

// failing makes one kind of call fail in one way.
func failing(name string, fault storetest.Fault) func(string) storetest.Fault {
	return func(call string) storetest.Fault {
		if call == name {
			return fault
		}
		return storetest.Sound
	}
}

// eventually waits for what a goroutine of the ledger does by itself.
func eventually(t *testing.T, what string, happened func() bool) {
	t.Helper()
	deadline := time.NewTimer(10 * time.Second)
	defer deadline.Stop()
	for !happened() {
		select {
		case <-deadline.C:
			t.Fatalf("in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func mustHave(t *testing.T, l *ledger.Ledger, accountID string, want metering.Nanos) {
	t.Helper()
	if available, err := l.Available(t.Context(), accountID); err != nil || available != want {
		t.Errorf("%s is available, %v; want %s", available, err, want)
	}
}

// gate is a store whose calls wait; arrived tells of each.
type gate struct {
	ledger.Store
	arrived      chan string
	settle, draw chan struct{} // one token lets one call pass; nil passes all
}

func (g *gate) Settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	if g.settle != nil {
		g.arrived <- "settle"
		<-g.settle
	}
	return g.Store.Settle(ctx, lease, settlements)
}

// Draw waits after the store was asked: its answer is old when it comes.
func (g *gate) Draw(ctx context.Context, lease ledger.Lease, draw ledger.Draw) (ledger.Drawn, error) {
	drawn, err := g.Store.Draw(ctx, lease, draw)
	if g.draw != nil {
		g.arrived <- "draw"
		<-g.draw
	}
	return drawn, err
}

func TestSettlementsShareCommits(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 1000)
	g := &gate{Store: s, arrived: make(chan string, 100), settle: make(chan struct{}, 100)}
	l := storetest.OpenLedger(t, g, ledger.Options{})
	var group sync.WaitGroup
	settle := func() {
		hold, err := l.Hold(t.Context(), customer.AccountID, 2)
		must(t, err)
		started := make(chan struct{})
		group.Go(func() {
			close(started)
			if err := hold.Settle(t.Context(), customer.Record(1)); err != nil {
				t.Errorf("settle: %v", err)
			}
		})
		<-started
	}
	settle()
	<-g.arrived // the first commit is under way
	for range 50 {
		settle()
	}
	// A settlement that was submitted holds its cost only: 949 of 1000 are free then.
	eventually(t, "all are submitted", func() bool {
		available, err := l.Available(t.Context(), customer.AccountID)
		return err == nil && available == 1000-51
	})
	for range 3 {
		g.settle <- struct{}{}
	}
	group.Wait()
	if f := l.Figures(); f.Settlements != 51 || f.Commits > 3 {
		t.Errorf("%d settlements took %d commits, want at most 3", f.Settlements, f.Commits)
	}
	storetest.MustVerify(t, s)
}

// TestCommitsKeepPace has settlements come one by one while another request is under way:
// the first thirteen wait for nobody, the others for a commit that is one for all of them.
// After some time without any it is so again. Sixteen wait only while others are under way.
func TestCommitsKeepPace(t *testing.T) { synctest.Test(t, commitsKeepPace) }

func commitsKeepPace(t *testing.T) {
	const pace, free = time.Second, 13
	s := memory.New(time.Now)
	customer := storetest.NewCustomer(t, s, metering.Dollar)
	l := storetest.OpenLedger(t, s, ledger.Options{Pace: pace})
	hold := func() *ledger.Hold {
		hold, err := l.Hold(t.Context(), customer.AccountID, 1000)
		if err != nil {
			t.Fatal(err)
		}
		return hold
	}
	settle := func(hold *ledger.Hold) {
		if err := hold.Settle(t.Context(), customer.Record(900)); err != nil {
			t.Error(err)
		}
	}
	underWay := hold()
	var began time.Time
	var all sync.WaitGroup
	for round := int64(1); round <= 2; round++ {
		began = time.Now()
		for range free {
			settle(hold())
		}
		if took := time.Since(began); took > 0 {
			t.Errorf("the first settlements waited for %s", took)
		}
		for range 10 {
			each := hold()
			all.Go(func() { settle(each) })
			time.Sleep(time.Millisecond) // each by itself
		}
		all.Wait()
		if took := time.Since(began); took != pace/4 {
			t.Errorf("the commit came after %s, want %s", took, pace/4)
		}
		if f := l.Figures(); f.Settlements != round*(free+10) || f.Commits != round*(free+1) {
			t.Errorf("%d settlements took %d commits, want %d in %d", f.Settlements, f.Commits, round*(free+10), round*(free+1))
		}
		if round == 1 {
			time.Sleep(4 * pace)
		}
	}
	began = time.Now()
	for range 15 {
		each := hold()
		all.Go(func() { settle(each) })
	}
	given := hold()
	time.Sleep(pace / 10)
	if f := l.Figures(); f.Commits != 2*(free+1) {
		t.Errorf("a commit did not wait for what was under way: %d", f.Commits)
	}
	given.Release()
	settle(underWay)
	all.Wait()
	if took := time.Since(began); took != pace/10 {
		t.Errorf("settlements that nothing could join took %s", took)
	}
	storetest.MustVerify(t, s)
}

func TestImpatientCallerDoesNotStopItsSettlement(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	g := &gate{Store: s, arrived: make(chan string, 1), settle: make(chan struct{})}
	l := storetest.OpenLedger(t, g, ledger.Options{})
	hold, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-g.arrived; cancel() }()
	record := customer.Record(10)
	if err := hold.Settle(ctx, record); !errors.Is(err, context.Canceled) {
		t.Fatalf("settle: %v, want the end of the context", err)
	}
	record.Cost = 99 // the caller's record is its own again
	hold.Release()
	g.settle <- struct{}{}
	must(t, hold.Settle(t.Context(), record))
	mustHave(t, l, customer.AccountID, 90)
	if stored, err := s.Record(t.Context(), record.ID); err != nil || stored.Cost != 10 {
		t.Errorf("stored %+v, %v", stored, err)
	}
}

func TestOneCallPerAccount(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	g := &gate{Store: s, arrived: make(chan string, 10), draw: make(chan struct{}, 10)}
	l := storetest.OpenLedger(t, g, ledger.Options{})
	var group sync.WaitGroup
	var held atomic.Int64
	for range 100 {
		group.Go(func() {
			if _, err := l.Hold(t.Context(), customer.AccountID, 1); err != nil {
				t.Errorf("hold: %v", err)
			}
			held.Add(1)
		})
	}
	<-g.arrived
	g.draw <- struct{}{}
	group.Wait()
	if more := len(g.arrived); more != 0 {
		t.Errorf("the store was asked %d times more", more)
	}
}

func TestIdleAccountsLeave(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	busy, idle, poor := storetest.NewCustomer(t, s, 100), storetest.NewCustomer(t, s, 100), storetest.NewCustomer(t, s, 0)
	faulty := storetest.NewFaulty(s, sound)
	var clock atomic.Int64
	now := func() time.Time { return time.Unix(clock.Load(), 0) }
	l := storetest.OpenLedger(t, faulty, ledger.Options{Now: now, IdleFor: time.Hour})
	held, err := l.Hold(t.Context(), busy.AccountID, 0)
	must(t, err)
	hold, err := l.Hold(t.Context(), idle.AccountID, 30)
	must(t, err)
	must(t, hold.Settle(t.Context(), idle.Record(30)))
	if _, err := l.Hold(t.Context(), poor.AccountID, 1); !errors.Is(err, ledger.ErrInsufficient) {
		t.Fatalf("hold without credit: %v", err)
	}
	balance := func(c storetest.Customer, want store.Balance) {
		t.Helper()
		if got, err := s.Balance(t.Context(), c.AccountID); err != nil || got != want {
			t.Errorf("the store has %+v, %v; want %+v", got, err, want)
		}
	}
	clock.Store(3599)
	l.Sweep(t.Context())
	balance(idle, store.Balance{Balance: 70, Granted: 70})
	clock.Store(3600)
	faulty.Plan(failing("put back", storetest.Ambiguous))
	l.Sweep(t.Context())
	balance(idle, store.Balance{Balance: 70})
	faulty.Plan(sound)
	mustHave(t, l, idle.AccountID, 70) // the store was asked what became of the call

	clock.Store(7200)
	faulty.Plan(failing("put back", storetest.Lost))
	l.Sweep(t.Context())
	balance(idle, store.Balance{Balance: 70, Granted: 70})
	faulty.Plan(sound)
	hold, err = l.Hold(t.Context(), idle.AccountID, 70) // the call that was lost had no effect
	must(t, err)
	hold.Release()

	clock.Store(10800)
	l.Sweep(t.Context())
	balance(idle, store.Balance{Balance: 70})
	balance(busy, store.Balance{Balance: 100, Granted: 100})
	if wallets := l.Figures().Wallets; wallets != 1 {
		t.Errorf("%d accounts are in memory, want the one with an open hold", wallets)
	}
	held.Release()
	l.Sweep(t.Context())
	balance(busy, store.Balance{Balance: 100})
	mustHave(t, l, idle.AccountID, 70)
	storetest.MustVerify(t, s)
}

func TestCloseWaitsForSettlements(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	g := &gate{Store: s, arrived: make(chan string, 1), settle: make(chan struct{})}
	l, err := ledger.Open(t.Context(), g, ledger.Options{})
	must(t, err)
	hold, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	late, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	settled, closed := make(chan error, 1), make(chan error, 1)
	go func() { settled <- hold.Settle(t.Context(), customer.Record(10)) }()
	<-g.arrived
	go func() { closed <- l.Close(t.Context()) }()
	eventually(t, "the ledger closes", func() bool {
		_, err := l.Hold(t.Context(), customer.AccountID, 0)
		return errors.Is(err, ledger.ErrClosed)
	})
	select {
	case err := <-closed:
		t.Errorf("closed before the settlement: %v", err)
	default:
	}
	g.settle <- struct{}{}
	must(t, <-settled)
	must(t, <-closed)
	if err := late.Settle(t.Context(), customer.Record(10)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("settle after close: %v", err)
	}
	if got, err := s.Balance(t.Context(), customer.AccountID); err != nil || got != (store.Balance{Balance: 90}) {
		t.Errorf("the store has %+v, %v", got, err)
	}
}

func TestCloseGivesUp(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	faulty := storetest.NewFaulty(s, sound)
	l, err := ledger.Open(t.Context(), faulty, ledger.Options{})
	must(t, err)
	hold, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	faulty.Plan(func(string) storetest.Fault { return storetest.Hanging })
	settled := make(chan error, 1)
	go func() { settled <- hold.Settle(t.Context(), customer.Record(10)) }()
	eventually(t, "the settlement is under way", func() bool {
		return errors.Is(hold.Extend(t.Context(), 0), ledger.ErrSettled)
	})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if err := l.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("close: %v, want the end of its context", err)
	}
	if err := <-settled; !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("settle: %v, want ErrUnavailable", err)
	}
	again := storetest.OpenLedger(t, s, ledger.Options{})
	mustHave(t, again, customer.AccountID, 100)
	storetest.MustVerify(t, s)
}
