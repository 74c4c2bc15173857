package caddymodule

import (
	"net/http"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// The request's context ends when the client leaves, and with it the provider's
// request and the usage at its end, unless that has a life of its own.
func TestADocumentIsMeasuredThoughItsClientHasLeft(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: probedSite})
	departures := watchDepartures(t)
	calls := 0
	for _, w := range wireDocuments {
		g.callWith(w.path, w.body, w.header(g.secret))
		calls++
		whole := g.records(calls)[calls-1]
		for _, at := range []int64{simulator.BeforeHeader, 0, 40, 300, simulator.AtEnd} {
			gate, left := simulator.NewGate(), departures.expect()
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
			call := g.startCall(w.path, w.body, w.header(g.secret))
			reached(t, gate.Reached())
			call.leave()
			reached(t, left)
			gate.Open()
			calls++
			record := g.records(calls)[calls-1]
			if record.Basis != metering.BasisMeasured || record.Cost != whole.Cost || record.Usage != whole.Usage {
				t.Errorf("%s, left at %d: cost %s, basis %s; want that of a whole answer, %s", w.name, at, record.Cost, record.Basis, whole.Cost)
			}
			if record.Status != metering.StatusClientClosed && record.Status != metering.StatusOK {
				t.Errorf("%s, left at %d: status %s", w.name, at, record.Status)
			}
			if seen := g.endedRequest(calls); seen.ClosedEarly {
				t.Errorf("%s, left at %d: the provider was left too", w.name, at)
			}
		}
	}
}

// A stream is ended at the provider as soon as its client has left: what is
// generated from then on is paid for by the operator alone.
func TestAStreamIsCancelledWhenItsClientLeaves(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit := g.balance()
	calls := 0
	for _, w := range wireStreams {
		for _, at := range []int64{simulator.BeforeHeader, 0, w.contentAt()} {
			before, gate := g.available(), simulator.NewGate()
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
			call := g.startCall(w.path, w.body, w.header(g.secret))
			reached(t, gate.Reached())
			hold := before - g.available()
			if at > 0 {
				call.readTo("his")
			}
			call.leave()
			calls++
			if seen := g.endedRequest(calls); !seen.ClosedEarly {
				t.Errorf("%s, left at %d: the provider was not left: %+v", w.name, at, seen)
			}
			record := g.records(calls)[calls-1]
			if record.Status != metering.StatusClientClosed || record.Cost <= 0 || record.Cost > hold {
				t.Errorf("%s, left at %d: status %s, cost %s of a hold of %s", w.name, at, record.Status, record.Cost, hold)
			}
			if at > 0 && record.Usage.OutputTotal == 0 || at <= 0 && record.Usage.OutputTotal != 0 && w.name == chatStream.name {
				t.Errorf("%s, left at %d: %d tokens of output", w.name, at, record.Usage.OutputTotal)
			}
			want := metering.BasisEstimated
			// Gemini says in every event what was used so far.
			if at > 0 && (w.name == geminiStream.name || w.name == geminiArray.name) {
				want = metering.BasisMeasured
			}
			if record.Basis != want {
				t.Errorf("%s, left at %d: basis %s, want %s", w.name, at, record.Basis, want)
			}
			if balance, available := g.balance(), g.available(); available != balance {
				t.Errorf("%s, left at %d: %s can be held of a balance of %s", w.name, at, available, balance)
			}
		}
	}
	g.settledUp(credit, g.records(calls))
}

// What a client got before it left is the same over HTTP/2, where it leaves a
// stream and not a connection.
func TestAStreamIsCancelledWhenItsClientLeavesOverHTTP2(t *testing.T) {
	g, client := startSecureGateway(t, "h2")
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: chatStream.contentAt(), Gate: gate}}}})
	call := startCall(t, client, g.url+chatStream.path, chatStream.body, bearer(g.secret))
	call.readTo("his")
	if call.response.ProtoMajor != 2 {
		t.Fatalf("the client speaks %s", call.response.Proto)
	}
	call.leave()
	if seen := g.endedRequest(1); !seen.ClosedEarly {
		t.Errorf("the provider was not left: %+v", seen)
	}
	if record := g.records(1)[0]; record.Status != metering.StatusClientClosed || record.Cost <= 0 {
		t.Errorf("record %+v", record)
	}
	// The connection goes on.
	if got := startCall(t, client, g.url+chatStream.path, chatStream.body, bearer(g.secret)).finish(); got.status != http.StatusOK || got.err != nil {
		t.Errorf("the next call: %d %v", got.status, got.err)
	}
}

// endedRequest returns the provider's view of the n-th request once n have ended.
func (g *gateway) endedRequest(n int) simulator.Received {
	g.t.Helper()
	requests, err := g.provider.WaitEnded(testContext(g.t), n)
	if err != nil {
		g.t.Fatal(err)
	}
	return requests[n-1]
}
