package faults

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
)

const (
	// callers call at the same time, again and again.
	callers = 8
	// killsPerStore is how often a gateway is killed on one store, so that adding up the
	// whole ledger after each kill stays quick.
	killsPerStore = 50
)

// TestKill kills a gateway with kill -9 at random moments while it serves, starts it
// again, and compares the books with what its clients saw. An answer that was seen complete
// is charged once; one that is charged had been handed over but for its terminal bytes.
func TestKill(t *testing.T) {
	for name, open := range map[string]func(*testing.T) *fleet{
		"sqlite": onSQLite,
		"postgres": func(t *testing.T) *fleet {
			f := onPostgres(t, &cluster)
			f.notAlone()
			return f
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			random := rand.New(rand.NewPCG(seed(t), 0))
			var sum figures
			for began := time.Now(); sum.kills < *kills && !t.Failed(); {
				t.Run(fmt.Sprint("from ", sum.kills), func(t *testing.T) {
					killOften(open(t), min(killsPerStore, *kills-sum.kills), random, &sum)
				})
				sum.took = time.Since(began)
			}
			t.Log(&sum)
		})
	}
}

// figures are what the kills of a gateway have come to.
type figures struct {
	counts
	kills int
	took  time.Duration
}

func (f *figures) String() string {
	return fmt.Sprintf("%d kills in %s: %d calls, %d seen complete, %d charged, of which %d without a seen end, %d interrupted and free",
		f.kills, f.took.Round(time.Second), f.calls, f.complete, f.charged, f.unseen, f.free)
}

// killing is one gateway that is killed again and again.
type killing struct {
	*books
	gateway *gateway
	random  *rand.Rand
	figures *figures
	calls   []*call // of the last life
	began   time.Time
}

func killOften(f *fleet, times int, random *rand.Rand, sum *figures) {
	k := &killing{books: f.newBooks(f.newCustomer(10_000 * metering.Dollar)), gateway: f.newGateway("2s"), random: random, figures: sum}
	for range times {
		if f.t.Failed() {
			return
		}
		// A killed gateway's books are looked at before the next start, or by that first.
		before, dies := random.IntN(2) == 0, random.IntN(20) == 0
		if before {
			k.check()
		}
		k.gateway.start()
		if dies { // at its start
			time.Sleep(time.Duration(random.Int64N(int64(300 * time.Millisecond))))
			k.gateway.kill()
		} else {
			k.gateway.listens()
		}
		if !before {
			k.check()
		}
		if !dies {
			k.serve()
		}
		sum.kills++
	}
	k.gateway.start()
	k.gateway.listens()
	k.check()
	last := &call{kind: chatJSON, number: leastNumber}
	if last.do(newClient(), k.gateway.url, k.customer.secret, enough); !last.complete() {
		f.t.Errorf("after the kills: %v", last)
	}
	k.gateway.stop()
	k.calls = []*call{last}
	k.check()
	if said, err := f.faregate("verify"); err != nil {
		f.t.Errorf("verify: %v: %s", err, said)
	}
}

// serve lets clients call until the gateway is killed.
func (k *killing) serve() {
	var killed atomic.Bool
	l := startLoad(callers, k.random, k.customer, func(c *call) bool {
		switch {
		case c.err == nil && c.complete():
			return true
		case c.err == nil || !killed.Load():
			k.t.Errorf("before the kill: %v", c)
		}
		return false
	}, k.gateway)
	time.Sleep(20*time.Millisecond + time.Duration(k.random.Int64N(int64(500*time.Millisecond))))
	killed.Store(true)
	k.gateway.kill()
	k.calls, k.began = l.wait(), l.began
	if !strings.HasPrefix(k.address, "sqlite:") {
		k.nodesGone(&cluster)
	}
}

// check compares the books with what the clients of the last life have seen.
func (k *killing) check() {
	k.t.Helper()
	k.figures.add(k.compare(k.calls, k.began))
	k.calls = nil
	k.gateway.checkLog()
}
