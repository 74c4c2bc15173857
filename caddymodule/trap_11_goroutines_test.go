package caddymodule

import (
	"bytes"
	"net/http"
	goruntime "runtime"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
)

// OnCancel and OnExit of the context that a module is provisioned with do nothing
// (context.go: pointer receivers on a copy). What was begun must end in Cleanup.
func TestNothingGoesOnAfterTheEnd(t *testing.T) {
	waitFor(t, "earlier tests' goroutines to end", func() bool { return ownGoroutines() == 0 })
	g := startGateway(t, gatewayOptions{})
	if ownGoroutines() == 0 {
		t.Fatal("no goroutines of the gateway are running: this test sees nothing")
	}
	calls := 0
	for _, w := range append(wireStreams, wireDocuments...) {
		if got := g.callAfterReload(w); got.status != http.StatusOK || got.err != nil {
			t.Fatalf("%s: %d %v", w.name, got.status, got.err)
		}
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: w.contentAt(), Gate: gate}}}})
		call := g.startCall(w.path, w.body, w.header(g.secret))
		call.at(gate)
		call.leave()
		gate.Open()
		calls += 2
		g.records(calls)
		g.load() // and a reload in between
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the gateway's goroutines to end", func() bool { return ownGoroutines() == 0 })
	if _, err := g.store.Lock(); err != nil {
		t.Errorf("the store is still locked: %v", err)
	}
}

// ownGoroutines counts the goroutines that run code of this project, but for tests,
// the simulator and the tests' database.
func ownGoroutines() int {
	stacks := make([]byte, 4<<20)
	stacks = stacks[:goruntime.Stack(stacks, true)]
	count := 0
	for stack := range bytes.SplitSeq(stacks, []byte("\n\n")) {
		for line := range strings.Lines(string(stack)) {
			if strings.HasPrefix(line, "github.com/faregate/faregate/") && !strings.Contains(string(stack), "testing.tRunner") &&
				!strings.Contains(string(stack), "internal/simulator") && !strings.Contains(string(stack), "store/postgrestest") {
				count++
				break
			}
		}
	}
	return count
}
