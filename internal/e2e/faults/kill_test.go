package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
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
		"sqlite":   onSQLite,
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
	kills, calls, complete, charged, unseen, interrupted int
	took                                                 time.Duration
}

func (f *figures) String() string {
	return fmt.Sprintf("%d kills in %s: %d calls, %d seen complete, %d charged, of which %d without a seen end, %d interrupted and free",
		f.kills, f.took.Round(time.Second), f.calls, f.complete, f.charged, f.unseen, f.interrupted)
}

// killing is one gateway that is killed again and again, and what it has served.
type killing struct {
	*fleet
	gateway  *gateway
	customer *customer
	random   *rand.Rand
	figures  *figures

	known map[string]bool // records that were checked
	spent metering.Nanos
	began time.Time // of the present life

	mu     sync.Mutex
	calls  []*call // of the present life
	killed atomic.Bool
}

func killOften(f *fleet, times int, random *rand.Rand, sum *figures) {
	k := &killing{fleet: f, gateway: f.newGateway("2s"), random: random, figures: sum, known: make(map[string]bool)}
	k.customer = f.newCustomer(10_000 * metering.Dollar)
	k.began = time.Now()
	for range times {
		if f.t.Failed() {
			return
		}
		// What was killed is looked at before the next start, or by the next start first.
		if checked := random.IntN(2) == 0; checked {
			k.check()
			k.live()
		} else {
			k.start()
			k.check()
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
	k.calls = append(k.calls, last)
	k.gateway.stop()
	k.check()
	if said, err := f.faregate("verify"); err != nil {
		f.t.Errorf("verify: %v: %s", err, said)
	}
}

// live starts the gateway and serves until it is killed; some die at their start.
func (k *killing) live() {
	if k.random.IntN(20) == 0 {
		k.gateway.start()
		time.Sleep(time.Duration(k.random.Int64N(int64(300 * time.Millisecond))))
		k.gateway.kill()
		return
	}
	k.start()
	k.serve()
}

func (k *killing) start() {
	k.gateway.start()
	k.gateway.listens()
}

// serve calls the gateway until it is killed.
func (k *killing) serve() {
	k.killed.Store(false)
	k.began = time.Now()
	var running sync.WaitGroup
	for range callers {
		random := rand.New(rand.NewPCG(k.random.Uint64(), 0))
		running.Go(func() { k.callUntilKilled(random) })
	}
	time.Sleep(20*time.Millisecond + time.Duration(k.random.Int64N(int64(500*time.Millisecond))))
	k.killed.Store(true)
	k.gateway.kill()
	running.Wait()
	if !strings.HasPrefix(k.address, "sqlite:") {
		k.nodesGone(&cluster)
	}
}

func (k *killing) callUntilKilled(random *rand.Rand) {
	client := newClient()
	defer client.CloseIdleConnections()
	for !k.killed.Load() {
		c := &call{kind: kinds[random.IntN(len(kinds))]}
		k.mu.Lock()
		c.number = leastNumber + int64(len(k.calls))
		k.calls = append(k.calls, c)
		k.mu.Unlock()
		c.do(client, k.gateway.url, k.customer.secret, enough)
		if c.err != nil || c.status != http.StatusOK {
			if !k.killed.Load() || c.err == nil {
				k.t.Errorf("before the kill: %v", c)
			}
			return
		}
		if !c.complete() {
			k.t.Errorf("an answer without an end looks whole: %v", c)
			return
		}
	}
}

// check compares the books with what the clients of the last life have seen.
func (k *killing) check() {
	k.t.Helper()
	byNumber := make(map[int64]*call)
	for _, c := range k.calls {
		byNumber[c.number] = c
	}
	charged := make(map[*call]bool)
	for _, record := range k.records(k.customer, k.began.Add(-time.Second)) {
		if k.known[record.ID] {
			continue
		}
		k.known[record.ID] = true
		c := byNumber[record.Usage.InputTotal]
		switch {
		case c == nil || c.id != "" && c.id != record.ID:
			k.t.Errorf("a record of nobody's call: %+v", record)
			continue
		case charged[c]:
			k.t.Errorf("charged twice: %v: %+v", c, record)
		case record.Cost != c.price() || record.Shortfall != 0 || record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured:
			k.t.Errorf("%v costs %s, but is recorded as %+v", c, c.price(), record)
		}
		charged[c] = true
		k.spent += record.Cost
	}
	for _, c := range k.calls {
		k.figures.calls++
		switch {
		case c.complete() && !charged[c]:
			k.t.Errorf("seen complete, but not charged: %v", c)
		case c.complete():
			k.figures.complete++
		case charged[c] && !k.handedOver(c):
			k.t.Errorf("charged, but not handed over: %v", c)
		case charged[c]:
			k.figures.unseen++
		default:
			k.figures.interrupted++
		}
	}
	k.figures.charged += len(charged)
	k.calls = nil
	k.expectSpent(k.customer, k.spent)
	k.gateway.checkLog()
}

// handedOver tells whether all of the answer but its terminal bytes was given to the
// client: of a stream all its words, of a document nothing, but the provider had ended it.
func (k *killing) handedOver(c *call) bool {
	if c.terminal != "" {
		return strings.Contains(string(c.body), c.last)
	}
	for _, received := range k.provider.Requests() {
		if strings.Contains(string(received.Body), c.marker()) && strings.Contains(received.RequestURI, c.path[:4]) && received.Ended && !received.ClosedEarly {
			return true
		}
	}
	return false
}
