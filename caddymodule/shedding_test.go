package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// What is too much is refused at once, in the caller's dialect, while what is under way
// goes on; and nothing of it stays.
func TestTooManyRequestsAtOnceAreShed(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "max_requests 2"})
	credit := g.balance()
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Times: 2, Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	running := []*calling{g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret)), g.startCall(chatStream.path, chatStream.body, bearer(g.secret))}
	if _, err := g.provider.WaitRequests(testContext(t), 2); err != nil {
		t.Fatal(err)
	}
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), d.header(g.secret))
		if _, message := dialectError(t, d.name, got); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" || !strings.Contains(message, "as it can take") {
			t.Errorf("%s: %d, Retry-After %q: %s", d.name, got.status, got.header.Get("Retry-After"), got.body)
		}
	}
	if got := g.callWith("/v1/models", "", bearer(g.secret)); got.status != http.StatusOK {
		t.Errorf("a list: %d %s", got.status, got.body)
	}
	g.load() // what runs counts for the next configuration, too
	if got := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret)).finish(); got.err == nil && got.status != http.StatusServiceUnavailable {
		t.Errorf("after a reload: %d %s", got.status, got.body)
	}
	gate.Open()
	for _, call := range running {
		if got := call.finish(); got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	for range 3 {
		if got := g.callAfterReload(chatJSON); got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	g.settledUp(credit, g.records(5))
	waitFor(t, "the load to end", func() bool { return g.theRuntime().load.requests.Load() == 0 })
}
