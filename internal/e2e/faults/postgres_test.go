package faults

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/metering"
)

const (
	// refusedWithin is how soon a gateway must refuse a call that its store cannot settle:
	// a second, and more for the machine that runs the tests.
	refusedWithin = 5 * time.Second
	// triedFor is how long a gateway tries to settle before it breaks an answer off.
	triedFor = 10 * time.Second
)

// TestPostgresStops stops the database under two gateways that serve. They refuse new
// calls while it is away, end what they cannot settle with an error, uncharged, and go on
// by themselves when it is back. What runs on through all of it is settled as ever.
func TestPostgresStops(t *testing.T) {
	t.Parallel()
	for _, o := range []outage{
		{"at once, for a moment", (*postgrestest.Cluster).Crash, time.Second},
		{"in order, for longer than settlements wait", (*postgrestest.Cluster).Stop, triedFor + 2*time.Second},
	} {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			o.test(t)
		})
	}
}

type outage struct {
	name string
	stop func(*postgrestest.Cluster, testing.TB)
	away time.Duration // at least
}

// seen is what clients have met with.
type seen struct {
	away               atomic.Bool
	refusing           atomic.Int64 // since when each gateway does, in Unix nanoseconds; 0: not yet
	refused, brokenOff atomic.Int64
	slowest            atomic.Int64 // of a refusal
}

// judge looks at an answer, and says what is wrong with it.
func (s *seen) judge(c *call) error {
	switch {
	case c.complete():
		return nil
	case !s.away.Load():
		return fmt.Errorf("before the outage: %v", c)
	case c.brokenOff() && c.took >= triedFor-time.Second && (s.refusing.Load() == 0 || c.began.UnixNano() < s.refusing.Load()):
		s.brokenOff.Add(1)
		return nil
	case c.status == http.StatusServiceUnavailable && c.header.Get("Retry-After") != "":
		s.refused.Add(1)
		s.slowest.Store(max(s.slowest.Load(), int64(c.took)))
		return nil
	}
	return fmt.Errorf("after %s: %v", c.took, c)
}

// brokenOff tells whether an answer could be one that the gateway has ended before its
// end: a stream by its dialect's error event, a document by an error in its place, or by a
// cut connection where it had begun.
func (c *call) brokenOff() bool {
	if c.terminal == "" {
		return c.status == http.StatusServiceUnavailable && c.header.Get("Retry-After") != "" || c.status == http.StatusOK && c.err != nil
	}
	return c.status == http.StatusOK && c.err == nil && strings.Contains(string(c.body), `"error"`)
}

func (o *outage) test(t *testing.T) {
	own := new(postgrestest.Cluster)
	t.Cleanup(own.Remove)
	f := onPostgres(t, own)
	gateways := []*gateway{f.startGateway(), f.startGateway()}
	books := f.newBooks(f.newCustomer(1000 * metering.Dollar))
	var s seen
	judge := func(c *call) bool {
		if err := s.judge(c); err != nil {
			t.Error(err)
		}
		if !c.complete() {
			time.Sleep(50 * time.Millisecond)
		}
		return true
	}
	l := startLoad(callers, rand.New(rand.NewPCG(seed(t), 0)), books.customer, judge, gateways...)
	client := newClient()
	defer client.CloseIdleConnections()
	ask := func(g *gateway) *call {
		c := l.call(client, g, books.customer, chatJSON)
		judge(c)
		return c
	}
	within(t, "calls are made", func() bool { return l.count() > 50 })
	// Two answers of each gateway are under way when the database goes. One comes to its
	// end then, the other when the database is back.
	gate, last := simulator.NewGate(), simulator.NewGate()
	for _, g := range gateways {
		f.hold(l, g, books.customer, gate, func(c *call) { judge(c) })
		f.hold(l, g, books.customer, last, func(c *call) {
			if !c.complete() {
				t.Errorf("an answer that ran on while the database was away: %v", c)
			}
		})
	}

	s.away.Store(true)
	stopped := time.Now()
	o.stop(own, t)
	gate.Open()
	// Calls under way find out that it is gone; before that more may be let in.
	for _, g := range gateways {
		var refuses atomic.Bool
		within(t, "the gateway refuses calls", func() bool {
			l.running.Go(func() {
				if ask(g).status == http.StatusServiceUnavailable {
					refuses.Store(true)
				}
			})
			time.Sleep(20 * time.Millisecond)
			return refuses.Load()
		})
	}
	s.refusing.Store(time.Now().UnixNano())
	for time.Since(stopped) < o.away {
		for _, g := range gateways {
			if c := ask(g); c.complete() {
				t.Errorf("without a store: %v", c)
			}
		}
		time.Sleep(100 * time.Millisecond)
	}
	own.Restart(t)
	restarted := time.Now()
	for _, g := range gateways {
		within(t, "the gateway goes on by itself", func() bool { return ask(g).complete() })
	}
	recovered := time.Since(restarted)
	if o.away > triedFor {
		time.Sleep(4 * time.Second) // each gateway has looked for leases that are over by now
	}
	last.Open()
	made := l.count()
	within(t, "all callers are served again", func() bool { return l.count() > made+50 })
	calls := l.wait()
	for _, g := range gateways {
		g.stop()
	}
	slowest := time.Duration(s.slowest.Load())
	t.Logf("%+v; %d refused, the slowest in %s, %d broken off; away for %s, served again after %s more", books.compare(calls, l.began), s.refused.Load(),
		slowest.Round(time.Millisecond), s.brokenOff.Load(), restarted.Sub(stopped).Round(time.Millisecond), recovered.Round(time.Millisecond))
	if slowest > refusedWithin {
		t.Errorf("a refusal took %s", slowest)
	}
	if o.away > triedFor && s.brokenOff.Load() < int64(len(gateways)) {
		t.Errorf("%d answers were broken off, although as many as %d could not be settled in time", s.brokenOff.Load(), len(gateways))
	}
}

// TestConnectionsLost cuts connections to the database under load, those that commit as
// well: nobody in front of the gateway notices, and nothing is charged twice.
func TestConnectionsLost(t *testing.T) {
	t.Parallel()
	f := onPostgres(t, &cluster)
	direct, proxy := f.address, cluster.NewProxy(t)
	f.address = proxy.URL(postgrestest.Name(direct), "")
	g := f.startGateway()
	f.address = direct
	books := f.newBooks(f.newCustomer(1000 * metering.Dollar))
	l := startLoad(callers, rand.New(rand.NewPCG(seed(t), 0)), books.customer, func(c *call) bool {
		// A call that asks the store for its key may meet with the cut.
		if !c.complete() && (c.status != http.StatusServiceUnavailable || c.header.Get("Retry-After") == "") {
			t.Errorf("%v", c)
		}
		return true
	}, g)
	random, cuts := rand.New(rand.NewPCG(seed(t), 1)), 0
	for ; cuts < 20; cuts++ {
		countdown, cut := random.IntN(4), make(chan struct{})
		proxy.Plan(func() postgrestest.Fate {
			if countdown--; countdown == -1 {
				close(cut)
				return postgrestest.CutOff
			}
			return postgrestest.Delivered
		})
		select {
		case <-cut:
		case <-time.After(patience):
			t.Fatalf("nothing was committed for %s\n%s", patience, g.log())
		}
		made := l.count()
		within(t, "calls go on", func() bool { return l.count() > made+callers })
	}
	proxy.Plan(nil)
	calls := l.wait()
	g.stop()
	t.Logf("%d cuts, %+v", cuts, books.compare(calls, l.began))
}
