//go:build unix

package caddymodule

import (
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// The rule of settlement, when the process dies at any moment: what a client saw
// complete is charged exactly once, what never came to its terminal bytes not at all.
func TestAKillChargesExactlyWhatWasSeenComplete(t *testing.T) {
	t.Parallel()
	g := newGateway(t, gatewayOptions{options: &simulator.Options{Delay: time.Millisecond}})
	credit := g.balance()
	first := g.serve()

	// These stop in the middle and never go on.
	var stuck []*calling
	gate := simulator.NewGate()
	for _, w := range wireStreams {
		at := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{
			{At: w.contentAt(), Gate: at}, {At: w.contentAt(), Gate: gate},
		}}})
		call := g.startCall(w.path, w.body, w.header(g.secret))
		call.at(at)
		at.Open()
		call.readTo("his")
		stuck = append(stuck, call)
	}
	// These come and go meanwhile, and are hit wherever they are.
	const enough = 25
	var (
		mutex    sync.Mutex
		complete = make(map[string]bool)
		many     = make(chan struct{})
		callers  sync.WaitGroup
	)
	for _, w := range append(wireStreams, wireStreams...) {
		callers.Go(func() {
			for {
				got := g.startCall(w.path, w.body, w.header(g.secret)).finish()
				if got.err != nil || got.status != http.StatusOK {
					return // killed
				}
				if !strings.Contains(string(got.body), w.terminal) {
					t.Errorf("%s: an answer without an end looks whole", w.name)
					return
				}
				mutex.Lock()
				complete[got.header.Get("Faregate-Request-Id")] = true
				if len(complete) == enough {
					close(many)
				}
				mutex.Unlock()
			}
		})
	}
	reached(t, many)
	first.end(syscall.SIGKILL)
	callers.Wait()
	unfinished := make(map[string]bool)
	for _, call := range stuck {
		if got := call.finish(); got.err == nil {
			t.Errorf("a killed answer looks whole: %s", got.body)
		}
		unfinished[call.response.Header.Get("Faregate-Request-Id")] = true
	}

	second := g.serve()
	if got := g.call(chatStream.path, chatStream.body); got.status != 200 || got.err != nil {
		t.Fatalf("after the start: %d %v %s", got.status, got.err, got.body)
	} else {
		complete[got.header.Get("Faregate-Request-Id")] = true
	}
	second.end(syscall.SIGTERM)
	records := g.records(len(complete))
	charged := make(map[string]metering.Nanos)
	for _, record := range records {
		charged[record.ID] = record.Cost
		if unfinished[record.ID] {
			t.Errorf("a request that never came to its end is recorded: %+v", record)
		}
		if record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured {
			t.Errorf("record %+v", record)
		}
	}
	for id := range complete {
		if charged[id] <= 0 {
			t.Errorf("request %s was seen complete, but is not charged", id)
		}
	}
	t.Logf("%d seen complete, %d charged", len(complete), len(charged))
	g.settledUp(credit, records)
}
