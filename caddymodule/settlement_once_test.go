package caddymodule

import (
	"errors"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A stop that interrupts a request while its answer still comes in: one of the two
// settles it, and a client that was not charged does not see the end.
func TestOneOfAllWhoWantToSettleDoes(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit := g.balance()
	calls := 0
	for _, w := range append(wireStreams, wireDocuments...) {
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: w.contentAt(), Gate: gate}}}})
		call := g.startCall(w.path, w.body, w.header(g.secret))
		call.at(gate)
		var (
			stops sync.WaitGroup
			won   atomic.Int64
			start = make(chan struct{})
		)
		for s := range g.runningSettlements() {
			for range 8 {
				stops.Go(func() {
					<-start
					switch err := s.interrupt(); {
					case err == nil:
						won.Add(1)
					case !errors.Is(err, errSettled):
						t.Errorf("%s: %v", w.name, err)
					}
				})
			}
		}
		close(start)
		stops.Wait()
		if won.Load() != 1 {
			t.Errorf("%s: settled %d times", w.name, won.Load())
		}
		gate.Open()
		got := call.finish()
		if got.err == nil && !strings.Contains(string(got.body), `"error"`) {
			t.Errorf("%s: the client sees a whole answer that is not charged: %s", w.name, got.body)
		}
		if w.streams() && strings.Contains(string(got.body), w.terminal) {
			t.Errorf("%s: the client sees the end of an answer that is not charged: %s", w.name, got.body)
		}
		calls++
		if record := g.records(calls)[calls-1]; record.Status != metering.StatusInterrupted || record.Cost != 0 {
			t.Errorf("%s: record %+v", w.name, record)
		}
	}
	g.settledUp(credit, g.records(calls))
}

// runningSettlements are those of the requests that run.
func (g *gateway) runningSettlements() map[*settlement]struct{} {
	running := make(map[*settlement]struct{})
	runtimes.Range(func(_, value any) bool {
		rt := value.(*runtime)
		rt.mutex.Lock()
		defer rt.mutex.Unlock()
		for s := range rt.live {
			running[s] = struct{}{}
		}
		return true
	})
	return running
}
