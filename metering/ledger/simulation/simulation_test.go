package simulation

import (
	"context"
	"flag"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

var (
	oneSeed  = flag.Uint64("seed", 0, "run this seed only")
	seeds    = flag.Uint64("seeds", shortForm, "run this many seeds")
	fromSeed = flag.Uint64("from", 1, "begin with this seed")
)

// TestMain leaves one processor to the simulation: then goroutines that could run at
// the same moment of virtual time do so in the same order each time.
func TestMain(m *testing.M) {
	flag.Parse()
	runtime.GOMAXPROCS(1)
	os.Exit(m.Run())
}

func TestSimulation(t *testing.T) {
	first, last := *fromSeed, *fromSeed+*seeds-1
	if *oneSeed != 0 {
		first, last = *oneSeed, *oneSeed
	}
	served := 0
	for seed := first; seed <= last; seed++ {
		_, count := run(t, seed)
		served += count
	}
	t.Logf("%d seeds, %d requests settled", last-first+1, served)
}

// run plays one seed.
func run(t *testing.T, seed uint64) (tr *trace, served int) {
	// A collection in the middle would change the order of goroutines.
	defer debug.SetGCPercent(debug.SetGCPercent(-1))
	runtime.GC()
	defer func() {
		if reason := recover(); reason != nil {
			panic(fmt.Sprintf("seed %d: %v", seed, reason)) // as when goroutines wait for each other
		}
	}()
	synctest.Test(t, func(t *testing.T) {
		if seed%3 == 0 {
			time.Sleep(24*time.Hour - 30*time.Second) // midnight comes within the run
		}
		w := newWorld(t, seed)
		tr = w.trace
		w.script()
		w.heal()
		w.work.Wait()
		w.audit()
		w.spendAll(seed%2 == 0)
		for _, n := range w.nodes {
			n.close()
		}
		time.Sleep(20 * time.Second) // for calls that are still on their way, and leases
		_, err := w.store.Reclaim(t.Context())
		w.must(err)
		w.audit()
		w.settleUp()
		served = w.served
		if t.Failed() {
			if *oneSeed != 0 {
				t.Log(strings.Join(tr.sorted(), "\n"))
			}
			t.Errorf("seed %d fails; again, with all that happens: go test ./metering/ledger/simulation -v -seed %d", seed, seed)
		}
	})
	return tr, served
}

// heal ends all trouble.
func (w *world) heal() {
	w.trace.note("all is well again")
	for _, n := range w.nodes {
		n.link.set(func() { n.link.trouble, n.link.downUntil, n.link.stall = 0, time.Time{}, time.Time{} })
	}
}

// audit adds up the whole ledger, at any moment.
func (w *world) audit() {
	report, err := w.store.Verify(w.t.Context())
	w.must(err)
	for _, difference := range report.Differences {
		w.t.Errorf("verify: %s", difference)
	}
}

// spendAll lets one node take all that an account has: no credit is stranded anywhere,
// also where all other nodes vanish in that moment and their leases have yet to end.
func (w *world) spendAll(vanish bool) {
	time.Sleep(15 * time.Second) // leases of nodes that are gone expire, late calls arrive
	if vanish {
		for _, n := range w.nodes[1:] {
			n.crash()
		}
	}
	for _, n := range w.nodes[:1] {
		for _, account := range w.accounts() {
			balance, err := w.store.Balance(w.t.Context(), account)
			w.must(err)
			hold, err := n.ledger.Place(w.t.Context(), ledger.Request{AccountID: account, Amount: balance.Balance, Wait: true})
			if err != nil {
				w.t.Errorf("hold all %d of %s, of which nodes have %d: %v", balance.Balance, account, balance.Granted, err)
				continue
			}
			hold.Release()
		}
	}
}

func (w *world) accounts() (list []string) {
	for _, c := range w.keys {
		if len(list) == 0 || list[len(list)-1] != c.account {
			list = append(list, c.account)
		}
	}
	return list
}

// settleUp compares the store with what clients were told.
func (w *world) settleUp() {
	charged, ofKey := make(map[string]metering.Nanos), make(map[string]metering.Nanos)
	for id, o := range w.outcomes {
		stored, err := w.store.Record(context.Background(), id)
		debit := metering.Nanos(0)
		if err == nil {
			debit = stored.Cost - stored.Shortfall
			charged[stored.AccountID] += debit
			ofKey[stored.KeyID] += debit
		}
		want := o.record.Cost - o.record.Shortfall
		switch {
		case o.settled && (err != nil || stored.Cost != o.record.Cost || debit != want):
			w.t.Errorf("%s was settled with %d, but the store has %d, %v", id, want, debit, err)
		case o.void && debit != 0:
			w.t.Errorf("%s was said to be free, but %d was charged", id, debit)
		case debit != 0 && debit != want:
			w.t.Errorf("%s was charged %d, not %d", id, debit, want)
		}
		if err == nil && stored.Status == metering.StatusInterrupted {
			borne, err := w.store.OperatorCost(context.Background(), id)
			if err != nil || borne != o.record.Cost {
				w.t.Errorf("%s cost the operator %d, %v; want %d", id, borne, err, o.record.Cost)
			}
		}
	}
	for record, err := range w.store.Records(context.Background(), store.Filter{}) {
		w.must(err)
		if w.outcomes[record.ID] == nil {
			w.t.Errorf("record %s is of nobody", record.ID)
		}
	}
	for _, account := range w.accounts() {
		balance, err := w.store.Balance(context.Background(), account)
		w.must(err)
		if want := w.total[account] - charged[account]; balance.Balance != want || balance.Granted != 0 {
			w.t.Errorf("%s has %d, %d of it granted; want %d and nothing", account, balance.Balance, balance.Granted, want)
		}
	}
	for _, c := range w.keys {
		if c.limited {
			w.checkLimit(c, ofKey[c.key])
		}
	}
}

// checkLimit looks at every period that the run can have touched.
func (w *world) checkLimit(c *customer, charged metering.Nanos) {
	seen, sum := make(map[int64]bool), metering.Nanos(0)
	for at := w.trace.start; !at.After(time.Now()); at = at.Add(time.Minute) {
		start, _ := c.period.Bounds(at)
		if seen[start.UnixMicro()] {
			continue
		}
		seen[start.UnixMicro()] = true
		spent, granted, err := w.store.KeySpent(context.Background(), c.key, start.UnixMicro())
		w.must(err)
		sum += spent
		if spent > c.highest || granted != 0 {
			w.t.Errorf("%s spent %d of at most %d from %v on; %d is still granted", c.key, spent, c.highest, start, granted)
		}
	}
	if sum != charged {
		w.t.Errorf("%s was charged %d, of which %d counts in its limit", c.key, charged, sum)
	}
}
