package caddymodule

import (
	"os"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
)

// Caddy's reverse_proxy logs the outgoing request when a stream is cut, at its
// default level, and blanks neither X-Api-Key nor X-Goog-Api-Key
// (reverseproxy.go, finalizeResponse; internal/logmarshalers.go).
func TestNoKeyIsLoggedWhenAStreamIsCut(t *testing.T) {
	for _, level := range []string{"INFO", "DEBUG"} {
		t.Run(level, func(t *testing.T) {
			g := newGateway(t, gatewayOptions{})
			g.config = strings.Replace(g.config, "level DEBUG", "level "+level, 1)
			g.run()
			calls := 0
			for _, w := range append(wireStreams, wireDocuments...) {
				gate := simulator.NewGate()
				g.provider.Add(
					simulator.Step{Response: simulator.Response{Fault: simulator.HangUp, FaultAt: 250}},
					simulator.Step{Response: simulator.Response{Fault: simulator.Reset, FaultAt: 250}},
					simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: 250, Gate: gate}}}},
				)
				// The provider hangs up.
				g.callWith(w.path, w.body, w.header(g.secret))
				g.callWith(w.path, w.body, w.header(g.secret))
				// The client leaves.
				left := g.startCall(w.path, w.body, w.header(g.secret))
				left.at(gate)
				left.leave()
				if w.streams() {
					calls += 3
					g.records(calls)
					continue
				}
				gate.Open() // it is read to its end
				calls += 3
				g.records(calls)
			}
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			log := g.log()
			if n := strings.Count(log, `"handled request"`); n < calls {
				t.Fatalf("%d lines of handled requests for %d calls: the log that is searched is not the whole", n, calls)
			}
			for _, secret := range []string{providerKey, g.secret} {
				if strings.Contains(log, secret) {
					t.Errorf("a key is in the log:\n%s", lineWith(log, secret))
				}
			}
			for line := range strings.Lines(log) {
				if strings.Contains(line, "aborting with incomplete response") {
					t.Errorf("Caddy logged a cut stream together with its request: %s", line)
				}
			}
		})
	}
}

// log returns all that Caddy has written to its log file.
func (g *gateway) log() string {
	g.t.Helper()
	log, err := os.ReadFile(g.logFile)
	if err != nil {
		g.t.Fatal(err)
	}
	return string(log)
}

func lineWith(log, text string) string {
	for line := range strings.Lines(log) {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
