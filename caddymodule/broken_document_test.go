package caddymodule

import (
	"net/http"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A provider that promises more bytes than it sends leaves the client with an
// error, although the document is complete and reports its usage.
func TestABrokenMessageIsNotChargedWhenNothingWasGiven(t *testing.T) {
	document := []byte(`{"model":"gpt-4.1-mini","choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}`)
	for name, c := range map[string]struct {
		response simulator.Response
		basis    metering.Basis
	}{
		"promised more": {simulator.Response{ContentLength: int64(len(document)) + 100}, metering.BasisWaived},
		// The first half was given, and is paid for by our own count.
		"cut short": {simulator.Response{Fault: simulator.HangUp, FaultAt: 100}, metering.BasisEstimated},
	} {
		response := c.response
		response.Status, response.ContentType, response.Body = http.StatusOK, "application/json", document
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			before := g.balance()
			g.provider.Add(simulator.Step{Response: response})
			if got := g.call("/v1/chat/completions", chatBody); got.err == nil {
				t.Errorf("the client took it for complete: %d %s", got.status, got.body)
			}
			record := g.records(1)[0]
			if record.Status != metering.StatusProviderError || record.Basis != c.basis ||
				(record.Cost == 0) != (c.basis == metering.BasisWaived) || g.balance() != before-record.Cost {
				t.Errorf("record %+v, balance %s", record, g.balance())
			}
			g.verify()
		})
	}
}
