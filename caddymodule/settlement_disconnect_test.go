package caddymodule

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A client that leaves at any byte of a stream is charged at most once, and for a
// whole answer only if the provider's answer was whole.
func TestAClientLeavesAStreamAtAnyByte(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit := g.balance()
	calls := 0
	for _, w := range wireStreams {
		whole, body := g.wholeAnswer(w, calls)
		calls++
		terminal := int64(bytes.Index(body, []byte(w.terminal)))
		if terminal < 0 {
			t.Fatalf("%s: no end in %s", w.name, body)
		}
		for _, at := range offsets(int64(len(body)), terminal) {
			gate := simulator.NewGate()
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
			before := g.available()
			call := g.startCall(w.path, w.body, w.header(g.secret))
			call.at(gate)
			hold := before - g.available()
			call.leave()
			calls++
			if seen := g.endedRequest(calls); !seen.ClosedEarly {
				t.Errorf("%s, left at %d of %d: the provider was not left", w.name, at, len(body))
			}
			record := g.records(calls)[calls-1]
			switch {
			case record.Status == metering.StatusOK:
				if at < terminal || record.Cost > whole.Cost {
					t.Errorf("%s, left at %d of %d: recorded as a whole answer, for %s", w.name, at, len(body), record.Cost)
				}
			case record.Status != metering.StatusClientClosed:
				t.Errorf("%s, left at %d of %d: status %s", w.name, at, len(body), record.Status)
			}
			if record.Basis != metering.BasisMeasured && record.Basis != metering.BasisEstimated {
				t.Errorf("%s, left at %d of %d: basis %s", w.name, at, len(body), record.Basis)
			}
			if record.Cost > max(hold, whole.Cost) || record.Shortfall != 0 {
				t.Errorf("%s, left at %d of %d: cost %s, hold %s, a whole answer %s", w.name, at, len(body), record.Cost, hold, whole.Cost)
			}
		}
	}
	g.settledUp(credit, g.records(calls))
	if available := g.available(); available != g.balance() {
		t.Errorf("%s can be held of a balance of %s", available, g.balance())
	}
}

// A document is read to its end whenever its client leaves, and costs the same.
func TestAClientLeavesADocumentAtAnyByte(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: probedSite})
	departures := watchDepartures(t)
	credit := g.balance()
	calls := 0
	for _, w := range wireDocuments {
		whole, body := g.wholeAnswer(w, calls)
		calls++
		for _, at := range offsets(int64(len(body)), int64(len(body)/2)) {
			gate, left := simulator.NewGate(), departures.expect()
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
			call := g.startCall(w.path, w.body, w.header(g.secret))
			call.at(gate)
			call.leave()
			reached(t, left)
			gate.Open()
			calls++
			record := g.records(calls)[calls-1]
			if record.Basis != metering.BasisMeasured || record.Cost != whole.Cost {
				t.Errorf("%s, left at %d of %d: cost %s, basis %s; want %s", w.name, at, len(body), record.Cost, record.Basis, whole.Cost)
			}
		}
	}
	g.settledUp(credit, g.records(calls))
}

// wholeAnswer makes a call that nothing disturbs, after n others, and returns its
// record and what the provider sent.
func (g *gateway) wholeAnswer(w wire, n int) (*metering.Record, []byte) {
	g.t.Helper()
	if got := g.callWith(w.path, w.body, w.header(g.secret)); got.status != http.StatusOK || got.err != nil {
		g.t.Fatalf("%s: %d %v", w.name, got.status, got.err)
	}
	record := g.records(n + 1)[n]
	sent := g.endedRequest(n + 1)
	again := httptest.NewRequest(sent.Method, sent.RequestURI, bytes.NewReader(sent.Body))
	again.Header = sent.Header.Clone()
	response := httptest.NewRecorder()
	simulator.New(simulator.Options{}).ServeHTTP(response, again)
	if int64(response.Body.Len()) != sent.Sent {
		g.t.Fatalf("%s: the provider sent %d bytes, and now %d", w.name, sent.Sent, response.Body.Len())
	}
	return record, response.Body.Bytes()
}

// offsets are places in a body of size bytes, more of them around one.
func offsets(size, around int64) []int64 {
	at := []int64{simulator.BeforeHeader, 0, 1, around - 1, around + 30, size - 15, size - 2, size - 1}
	for i := int64(1); i < 8; i++ {
		at = append(at, size*i/8)
	}
	return at
}
