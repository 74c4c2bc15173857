package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A provider refuses a whole request, and the client leaves before the next one has it: that
// costs nothing.
func TestLeavingBetweenTwoProvidersCostsNothing(t *testing.T) {
	pool, configuration := pooledProvider(t, "in_flight 1", "key-one")
	g := startGateway(t, gatewayOptions{extra: configuration + `
		model either {
			to openai/gpt-4.1-mini
			fallback pool/gpt-4.1-mini
			price input 1000 output 1000
		}`})
	gate := simulator.NewGate()
	pool.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	busy := g.startCall(chatJSON.path, pooled, bearer(g.secret))
	busy.at(gate)
	g.provider.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
	leaving := g.startCall(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", "either", 1), bearer(g.secret))
	waitFor(t, "the request to wait for the second provider", func() bool {
		for _, key := range g.theRuntime().health.View().Keys {
			if key.Waiting == 1 {
				return true
			}
		}
		return false
	})
	leaving.leave()
	record := g.records(1)[0]
	if record.Basis != metering.BasisWaived || record.Cost != 0 || record.Usage.InputTotal != 0 {
		t.Errorf("%s, %s, %+v", record.Basis, record.Cost, record.Usage)
	}
	gate.Open()
	if got := busy.finish(); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := len(g.provider.Requests()); n != 1 {
		t.Errorf("the first provider was asked %d times", n)
	}
}
