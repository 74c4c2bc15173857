//go:build unix

package caddymodule

import (
	"bytes"
	"syscall"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A provider that says the last word and then neither reports its usage nor ends:
// the caller is not kept waiting for ever, and pays for what was delivered. It runs
// in a process of its own beside the other tests, as it waits for endPatience.
func TestAProviderThatFallsSilentAfterItsLastWord(t *testing.T) {
	t.Parallel()
	g := newGateway(t, gatewayOptions{})
	credit := g.balance()
	server := g.serve()
	whole, body := g.wholeAnswer(chatStream, 0)
	last := bytes.Index(body, []byte(chatStream.terminal))
	after := int64(last + bytes.Index(body[last:], []byte("\n\n")) + 2)
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: after}}}})
	got := g.startCall(chatStream.path, chatStream.body, bearer(g.secret)).finish()
	if got.status != 200 || got.err != nil || !bytes.Contains(got.body, []byte(chatStream.terminal)) {
		t.Errorf("%d %v %.200s", got.status, got.err, got.body)
	}
	record := g.records(2)[1]
	if record.Status != metering.StatusOK || record.Basis != metering.BasisEstimated || record.Cost <= 0 || record.Cost > 2*whole.Cost {
		t.Errorf("a whole answer costs %s; record %+v", whole.Cost, record)
	}
	if !g.endedRequest(2).ClosedEarly {
		t.Error("the provider's connection was kept")
	}
	server.end(syscall.SIGTERM)
	g.settledUp(credit, g.records(2))
}
