//go:build unix

package caddymodule

import (
	"strings"
	"syscall"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// After its grace period Caddy ends the process; handlers that still run are not
// resumed, not even what they deferred (app.go, Stop; cmd, exitProcess).
func TestAStopRecordsWhatStillRunsAndChargesNothing(t *testing.T) {
	t.Parallel()
	g := newGateway(t, gatewayOptions{})
	g.config = strings.Replace(g.config, "grace_period 2s", "grace_period 100ms", 1)
	credit := g.balance()
	first := g.serve()
	if got := g.call(chatStream.path, chatStream.body); got.err != nil {
		t.Fatal(got.err)
	}
	var running []*calling
	gate := simulator.NewGate()
	stopped := []wire{chatStream, messagesStream, geminiStream, geminiArray, chatJSON}
	for i, w := range stopped {
		at := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{
			{At: w.contentAt(), Gate: at}, {At: w.contentAt(), Gate: gate},
		}}})
		running = append(running, g.startCall(w.path, w.body, w.header(g.secret)))
		running[i].at(at)
		at.Open()
		if i == 0 {
			running[0].readTo("his")
		}
	}
	first.end(syscall.SIGTERM)
	for i, call := range running {
		if got := call.finish(); got.err == nil || stopped[i].streams() && strings.Contains(string(got.body), stopped[i].terminal) {
			t.Errorf("%s: a stopped answer looks whole: %v %s", stopped[i].name, got.err, got.body)
		}
	}
	check := func(records []*metering.Record) {
		t.Helper()
		for _, record := range records[1 : 1+len(stopped)] {
			if record.Status != metering.StatusInterrupted || record.Basis != metering.BasisInterrupted || record.Cost != 0 {
				t.Errorf("%s: status %s, basis %s, cost %s", record.Operation, record.Status, record.Basis, record.Cost)
			}
		}
		g.settledUp(credit, records)
	}
	check(g.records(1 + len(stopped)))
	balance, err := g.store.Balance(testContext(t), g.account)
	if err != nil {
		t.Fatal(err)
	}
	if balance.Granted != 0 {
		t.Errorf("%s are still in the hands of the node that has stopped", balance.Granted)
	}
	// The next start serves, with all the credit.
	second := g.serve()
	if got := g.call(chatStream.path, chatStream.body); got.status != 200 || got.err != nil {
		t.Errorf("after the start: %d %v %s", got.status, got.err, got.body)
	}
	second.end(syscall.SIGTERM)
	check(g.records(2 + len(stopped)))
}
