//go:build unix

package caddymodule

import (
	"strings"
	"syscall"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A client that has left pays for what it was given, whether the gateway stops then or
// not: a stop ends what nobody waits for any more, as its bounds do.
func TestAStopSettlesWhatIsDrained(t *testing.T) {
	t.Parallel()
	g := newGateway(t, gatewayOptions{site: metricsSite})
	g.config = strings.Replace(g.config, "grace_period 2s", "grace_period 100ms", 1)
	g.onDisconnect("on_disconnect drain")
	credit := g.balance()
	process := g.serve()
	left := []wire{chatStream, messagesStream, geminiStream}
	for _, w := range left {
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: w.contentAt(), Gate: gate}}}})
		call := g.startCall(w.path, w.body, w.header(g.secret))
		call.readTo("his")
		call.leave()
	}
	waitFor(t, "the server to notice", func() bool { return g.scraped()["faregate_drains"] == float64(len(left)) })
	process.end(syscall.SIGTERM)
	records := g.records(len(left))
	for _, record := range records {
		if record.Status != metering.StatusClientClosed || record.Basis == metering.BasisInterrupted || record.Cost <= 0 {
			t.Errorf("%s: status %s, basis %s, cost %s", record.Operation, record.Status, record.Basis, record.Cost)
		}
	}
	g.settledUp(credit, records)
}
