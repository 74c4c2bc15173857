//go:build unix

package caddymodule

import (
	"bytes"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/metering"
)

// The store cannot be reached while answers come to their end: new requests are refused
// at once, running ones are not completed and not charged, and all goes on by itself
// when the store is back. It takes as long as a settlement is tried again, in a process
// of its own beside the other tests.
func TestAStoreOutage(t *testing.T) {
	t.Parallel()
	address := cluster.NewDatabase(t)
	proxy := cluster.NewProxy(t)
	g := newGateway(t, gatewayOptions{store: address})
	credit := g.balance()
	g.config = strings.Replace(g.config, g.storeLine(), proxy.URL(postgrestest.Name(address), ""), 1)
	server := g.serve()
	whole := make(map[string]metering.Nanos)
	running := []wire{chatStream, messagesStream, geminiStream, geminiArray, chatJSON, messagesJSON, geminiJSON}
	for i, w := range running {
		if got := g.callWith(w.path, w.body, w.header(g.secret)); got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", w.name, got.status, got.body)
		}
		whole[w.name] = g.records(i + 1)[i].Cost
	}

	gate := simulator.NewGate()
	var calls []*calling
	for _, w := range running {
		at := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: w.contentAt(), Gate: at}, {At: w.contentAt(), Gate: gate}}}})
		calls = append(calls, g.startCall(w.path, w.body, w.header(g.secret)))
		calls[len(calls)-1].at(at)
		at.Open()
	}
	proxy.Plan(func() postgrestest.Fate { return postgrestest.CutOff })
	proxy.Cut()
	gate.Open()
	began := time.Now()
	refused := g.callUntilRefused()
	noticed := time.Since(began)
	if noticed > 5*time.Second {
		t.Errorf("new requests are let in for %s", noticed)
	}
	if refused.errorCode() != "store_unavailable" || refused.header.Get("Retry-After") == "" {
		t.Errorf("a new request: %d %v %s", refused.status, refused.header, refused.body)
	}
	for i, call := range calls {
		w, got := running[i], call.finish()
		switch {
		case !w.streams():
			if got.err != nil || got.status != http.StatusServiceUnavailable || !bytes.Contains(got.body, []byte("cannot reach its accounts")) || got.header.Get("Retry-After") == "" {
				t.Errorf("%s: %d %v %s", w.name, got.status, got.err, got.body)
			}
		case bytes.Contains(got.body, []byte(w.terminal)):
			t.Errorf("%s: an answer that is not settled looks whole: %s", w.name, got.body)
		case w.name == geminiArray.name:
			if got.err == nil {
				t.Errorf("%s: the connection is not cut", w.name)
			}
		case got.err != nil || !bytes.Contains(got.body, []byte("cannot reach its accounts")):
			t.Errorf("%s: %v %s", w.name, got.err, got.body)
		}
	}
	t.Logf("a new request was refused after %s, all were answered after %s", noticed, time.Since(began))

	proxy.Plan(nil)
	known := len(running)
	waitFor(t, "the gateway to serve again", func() bool {
		return g.call(chatJSON.path, chatJSON.body).status == http.StatusOK
	})
	server.end(syscall.SIGTERM)
	records := g.records(known + len(running) + 1)
	var lost metering.Nanos
	interrupted := 0
	for _, record := range records[known:] {
		if record.Basis == metering.BasisInterrupted && record.Status == metering.StatusInterrupted && record.Cost == 0 {
			interrupted++
		}
	}
	for _, w := range running {
		lost += whole[w.name]
	}
	if cost := g.operatorCost(); interrupted < len(running) || cost < lost {
		t.Errorf("%d records are interrupted and the operator pays %s, want %d and %s", interrupted, cost, len(running), lost)
	}
	credit -= lost
	for _, record := range records[known:] {
		credit -= record.Cost
	}
	if balance := g.balance(); balance != credit {
		t.Errorf("balance %s, want %s", balance, credit)
	}
	g.verify()
}

// callUntilRefused calls until a request is refused at once, and returns that answer.
// One that is let in waits for the store, and is left.
func (g *gateway) callUntilRefused() (refused reply) {
	g.t.Helper()
	waitFor(g.t, "a new request to be refused", func() bool {
		call := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
		select {
		case <-call.began:
			refused = call.finish()
		case <-time.After(time.Second):
			call.leave()
		}
		return refused.status == http.StatusServiceUnavailable
	})
	return refused
}
