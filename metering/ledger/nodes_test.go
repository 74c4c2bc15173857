package ledger_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// several runs a test in virtual time with two nodes that follow the changes feed.
func several(t *testing.T, test func(t *testing.T, s *memory.Store, a, b *ledger.Ledger)) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		options := ledger.Options{Slice: 10, Whole: 20}
		options.Node = "a"
		a := storetest.OpenLedger(t, s, options)
		options.Node = "b"
		b := storetest.OpenLedger(t, s, options)
		ctx, stop := context.WithCancel(t.Context())
		for _, l := range []*ledger.Ledger{a, b} {
			go storetest.Follow(ctx, s, l, 500*time.Millisecond)
		}
		time.Sleep(5 * time.Second) // the first heartbeats: now each knows of the other
		test(t, s, a, b)
		stop()
		storetest.MustVerify(t, s)
	})
}

func granted(t *testing.T, s *memory.Store, c storetest.Customer) metering.Nanos {
	t.Helper()
	balance, err := s.Balance(t.Context(), c.AccountID)
	must(t, err)
	return balance.Granted
}

func TestNodesTakeSlices(t *testing.T) {
	several(t, func(t *testing.T, s *memory.Store, a, b *ledger.Ledger) {
		if a.Figures().Nodes != 2 || b.Figures().Nodes != 2 {
			t.Fatalf("%d and %d nodes are known, want 2", a.Figures().Nodes, b.Figures().Nodes)
		}
		large, small := storetest.NewCustomer(t, s, 1000), storetest.NewCustomer(t, s, 30)
		hold, err := a.Hold(t.Context(), large.AccountID, 4)
		must(t, err)
		if got := granted(t, s, large); got != 10 {
			t.Errorf("a was granted %d of the large account, want a slice of 10", int64(got))
		}
		_, err = a.Hold(t.Context(), small.AccountID, 4)
		must(t, err)
		if got := granted(t, s, small); got != 30 {
			t.Errorf("a was granted %d of the small account, want all of it", int64(got))
		}
		must(t, hold.Settle(t.Context(), large.Record(4)))
		// One who spends more gets larger slices.
		calls := a.Figures()
		for range 100 {
			hold, err := a.Hold(t.Context(), large.AccountID, 5)
			must(t, err)
			must(t, hold.Settle(t.Context(), large.Record(5)))
		}
		if got := granted(t, s, large); got < 50 {
			t.Errorf("after spending 500 at once a has %d, want a slice of that size", int64(got))
		}
		_ = calls
		// What is not used goes back.
		time.Sleep(20 * time.Minute)
		if l, sm := granted(t, s, large), granted(t, s, small); l != 0 || sm != 4+26 {
			t.Errorf("after 20 idle minutes %d and %d are granted, want 0 and the account with an open hold", int64(l), int64(sm))
		}
	})
}

// TestRecall: nobody is refused while another node has credit that it does not use.
func TestRecall(t *testing.T) {
	several(t, func(t *testing.T, s *memory.Store, a, b *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		running, err := a.Hold(t.Context(), customer.AccountID, 85) // a takes all 100
		must(t, err)
		start := time.Now()
		hold, err := b.Hold(t.Context(), customer.AccountID, 10)
		must(t, err)
		if waited := time.Since(start); waited > time.Second {
			t.Errorf("the recall took %v", waited)
		}
		// 85 are held by a, 10 by b. Without waiting there is no more than 5 for b.
		if _, err := b.Hold(t.Context(), customer.AccountID, 6); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("more than is idle anywhere: %v", err)
		}
		go func() {
			time.Sleep(3 * time.Second)
			running.Release()
		}()
		all, err := b.Place(t.Context(), ledger.Request{AccountID: customer.AccountID, Amount: 90, Wait: true})
		must(t, err)
		if waited := time.Since(start); waited > 8*time.Second {
			t.Errorf("it took %v to get what another node had released", waited)
		}
		all.Release()
		hold.Release()
	})
}

// TestRefundRecalls: also where one node has everything.
func TestRefundRecalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		l := storetest.OpenLedger(t, s, ledger.Options{})
		ctx, stop := context.WithCancel(t.Context())
		go storetest.Follow(ctx, s, l, 500*time.Millisecond)
		customer := storetest.NewCustomer(t, s, 100)
		hold, err := l.Hold(t.Context(), customer.AccountID, 40)
		must(t, err)
		refund := func(amount metering.Nanos) (err error) {
			for range 20 {
				_, err = s.Refund(t.Context(), store.Refund{AccountID: customer.AccountID, Amount: amount, Ref: "refund"})
				if !errors.Is(err, store.ErrGranted) {
					return err
				}
				time.Sleep(250 * time.Millisecond)
			}
			return err
		}
		if err := refund(61); !errors.Is(err, store.ErrGranted) {
			t.Errorf("refund of what is held: %v", err)
		}
		time.Sleep(ledger.RecallFor)
		if err := refund(60); err != nil {
			t.Errorf("refund of what is idle: %v", err)
		}
		must(t, hold.Settle(t.Context(), customer.Record(40)))
		if balance, err := s.Balance(t.Context(), customer.AccountID); err != nil || balance != (store.Balance{}) {
			t.Errorf("balance %+v, %v", balance, err)
		}
		stop()
	})
}

// TestLostLease: a node that was away for longer than its lease lasts has lost it, with
// all that it held; what it served is the operator's.
func TestLostLease(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		away := storetest.NewFaulty(s, sound)
		a := storetest.OpenLedger(t, away, ledger.Options{Node: "a"})
		b := storetest.OpenLedger(t, s, ledger.Options{Node: "b"})
		customer := storetest.NewCustomer(t, s, 100)
		hold, err := a.Hold(t.Context(), customer.AccountID, 60)
		must(t, err)
		_, err = a.Hold(t.Context(), customer.AccountID, 1)
		must(t, err)
		away.Plan(func(string) storetest.Fault { return storetest.Lost })
		time.Sleep(9 * time.Second)
		if _, err := a.Hold(t.Context(), customer.AccountID, 1); err != nil {
			t.Errorf("within the lease, out of memory: %v", err)
		}
		time.Sleep(4 * time.Second)
		if _, err := a.Hold(t.Context(), customer.AccountID, 1); !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("after the lease: %v, want ErrUnavailable", err)
		}
		whole, err := b.Hold(t.Context(), customer.AccountID, 100)
		must(t, err)
		away.Plan(sound)
		record := customer.Record(50)
		if err := hold.Settle(t.Context(), record); !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("settle: %v, want ErrFenced", err)
		}
		if err := hold.Extend(t.Context(), 1); !errors.Is(err, ledger.ErrSettled) {
			t.Errorf("extend: %v", err)
		}
		synctest.Wait()
		stored, err := s.Record(t.Context(), record.ID)
		if err != nil || stored.Cost != 0 || stored.Status != metering.StatusInterrupted || stored.Basis != metering.BasisInterrupted {
			t.Errorf("stored %+v, %v", stored, err)
		}
		if borne, err := s.OperatorCost(t.Context(), record.ID); err != nil || borne != 50 {
			t.Errorf("the operator bears %d, %v; want 50", int64(borne), err)
		}
		must(t, whole.Settle(t.Context(), customer.Record(95)))
		again, err := a.Place(t.Context(), ledger.Request{AccountID: customer.AccountID, Amount: 5})
		if err == nil {
			again.Release()
		} else if !errors.Is(err, ledger.ErrInsufficient) { // b has it, and nobody follows the feed here
			t.Errorf("hold under a new lease: %v", err)
		}
		must(t, b.Close(t.Context()))
		again, err = a.Hold(t.Context(), customer.AccountID, 5)
		must(t, err)
		again.Release()
		storetest.MustVerify(t, s)
	})
}

// TestLeaseLostWithTheAnswer: the settlement took effect, its answer was lost, and then
// the lease. The caller is told what is true.
func TestLeaseLostWithTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		faulty := storetest.NewFaulty(s, failing("settle", storetest.Ambiguous))
		l := storetest.OpenLedger(t, faulty, ledger.Options{})
		customer := storetest.NewCustomer(t, s, 100)
		hold, err := l.Hold(t.Context(), customer.AccountID, 60)
		must(t, err)
		settled := make(chan error, 1)
		go func() { settled <- hold.Settle(t.Context(), customer.Record(50)) }()
		synctest.Wait()
		_, _, err = s.Join(t.Context(), "main", time.Hour) // takes the lease away
		must(t, err)
		faulty.Plan(sound)
		if err := <-settled; err != nil {
			t.Errorf("settle: %v", err)
		}
		if balance, err := s.Balance(t.Context(), customer.AccountID); err != nil || balance.Balance != 50 {
			t.Errorf("balance %+v, %v", balance, err)
		}
		storetest.MustVerify(t, s)
	})
}

// TestVanishedNode: an account that sat whole on a node that has vanished is served by
// another one as soon as the lease has ended, and nobody who can wait is refused.
func TestVanishedNode(t *testing.T) {
	several(t, func(t *testing.T, s *memory.Store, a, b *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 20)
		_, _, err := s.Join(t.Context(), "vanished", 10*time.Second) // and never renews
		must(t, err)
		drawn, err := s.Draw(t.Context(), ledger.Lease{Node: "vanished", Epoch: 1},
			ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: 20}})
		must(t, err)
		if drawn.Account.Issued != 20 {
			t.Fatalf("the node has %+v", drawn.Account)
		}
		start := time.Now()
		if _, err := b.Hold(t.Context(), customer.AccountID, 20); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("without patience: %v", err)
		}
		hold, err := b.Place(t.Context(), ledger.Request{AccountID: customer.AccountID, Amount: 20, Wait: true})
		if err != nil {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
		hold.Release()
		if _, err := b.Place(t.Context(), ledger.Request{AccountID: customer.AccountID, Amount: 21, Wait: true}); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("more than there is anywhere: %v", err)
		}
	})
}

// TestSilentNode: a node that is not heard of, but still has its lease, is no reason to
// tell somebody that his credit is short; one that is busy is.
func TestSilentNode(t *testing.T) {
	several(t, func(t *testing.T, s *memory.Store, a, b *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 20)
		running, err := a.Hold(t.Context(), customer.AccountID, 20)
		must(t, err)
		place := func() error {
			start := time.Now()
			_, err := b.Place(t.Context(), ledger.Request{AccountID: customer.AccountID, Amount: 1, Wait: true})
			if waited := time.Since(start); waited < 14*time.Second || waited > 16*time.Second {
				t.Errorf("it waited for %v", waited)
			}
			return err
		}
		if err := place(); !errors.Is(err, ledger.ErrInsufficient) {
			t.Errorf("while a call of another node has all of it: %v", err)
		}
		running.Release()

		_, _, err = s.Join(t.Context(), "silent", time.Hour) // and never renews
		must(t, err)
		time.Sleep(10 * time.Second)
		other := storetest.NewCustomer(t, s, 20)
		_, err = s.Draw(t.Context(), ledger.Lease{Node: "silent", Epoch: 1},
			ledger.Draw{Number: 1, AccountID: other.AccountID, Account: ledger.Wish{Most: 20}})
		must(t, err)
		customer = other
		if err := place(); !errors.Is(err, ledger.ErrElsewhere) || !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("while a node that is not heard of has all of it: %v", err)
		}
	})
}

// TestManyAskForASilentNode: where the store does not say who is heard of, all who were
// waiting learn so at the same time, and not one after the other.
func TestManyAskForASilentNode(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		l := storetest.OpenLedger(t, storetest.NewFaulty(s, failing("nodes", storetest.Hanging)), ledger.Options{Node: "a"})
		_, _, err := s.Join(t.Context(), "busy", time.Hour)
		must(t, err)
		customer := storetest.NewCustomer(t, s, 20)
		_, err = s.Draw(t.Context(), ledger.Lease{Node: "busy", Epoch: 1},
			ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: 20}})
		must(t, err)
		q := newQueue(t, l)
		start := time.Now()
		const waiting = 20
		for i := range waiting {
			q.request(t.Context(), fmt.Sprint(i), customer, 1, true)
		}
		time.Sleep(20 * time.Second)
		for i := range waiting {
			q.mustRefuse(fmt.Sprint(i), ledger.ErrUnavailable)
			if took := q.ended[fmt.Sprint(i)].Sub(start); took > 17*time.Second {
				t.Errorf("one was told after %v", took)
			}
		}
	})
}

// TestWaitersMoveToTheNextLease: what was held under a lost lease is void, and who waits
// for it has nothing to wait for.
func TestWaitersMoveToTheNextLease(t *testing.T) {
	bubble(t, ledger.Options{}, func(t *testing.T, s *memory.Store, l *ledger.Ledger) {
		customer := storetest.NewCustomer(t, s, 100)
		q := newQueue(t, l)
		start := time.Now()
		q.request(t.Context(), "running", customer, 100, true)
		q.mustServe("running")
		q.request(t.Context(), "waiting", customer, 60, true)
		_, _, err := s.Join(t.Context(), "main", time.Hour) // takes the lease away
		must(t, err)
		time.Sleep(5 * time.Second)
		q.mustServe("waiting")
		if took := q.ended["waiting"].Sub(start); took > 3*time.Second {
			t.Errorf("it was served after %v, want by the next heartbeat", took)
		}
		if err := q.holds["running"].Settle(t.Context(), customer.Record(100)); !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("settle: %v, want ErrFenced", err)
		}
		must(t, q.holds["waiting"].Settle(t.Context(), customer.Record(60)))
	})
}

// TestLeasesOutliveTheStore: when the store comes back after longer than leases last, no
// node takes another's away: all of them were cut off.
func TestLeasesOutliveTheStore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		type running struct {
			hold     *ledger.Hold
			customer storetest.Customer
		}
		var calls []running
		var links []*storetest.Faulty
		for i, name := range []string{"a", "b", "c"} {
			link := storetest.NewFaulty(s, sound)
			l := storetest.OpenLedger(t, link, ledger.Options{Node: name, Slice: 10, Whole: 20})
			time.Sleep(time.Duration(1+i) * 600 * time.Millisecond) // they do not beat at once
			links = append(links, link)
			customer := storetest.NewCustomer(t, s, 20)
			hold, err := l.Hold(t.Context(), customer.AccountID, 5)
			must(t, err)
			calls = append(calls, running{hold, customer})
		}
		for _, link := range links {
			link.Plan(func(string) storetest.Fault { return storetest.Lost })
		}
		time.Sleep(time.Minute)
		for _, link := range links {
			link.Plan(sound)
		}
		time.Sleep(10 * time.Second)
		for _, c := range calls {
			must(t, c.hold.Settle(t.Context(), c.customer.Record(5)))
		}
		storetest.MustVerify(t, s)
	})
}
