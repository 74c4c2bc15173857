package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// A request that is dearer than what the provider's account has left goes elsewhere, the
// key goes on, and the operator is told.
func TestARequestTooDearForTheProvidersAccountLeavesTheKeyInUse(t *testing.T) {
	pool, configuration := pooledProvider(t, "", "key-one")
	configuration = strings.Replace(configuration, "to pool/gpt-4.1-mini\n", "to pool/gpt-4.1-mini\n\t\t\tfallback pool/gpt-4.1-nano\n", 1)
	g := startGateway(t, gatewayOptions{extra: configuration})
	pool.Add(simulator.Step{Response: simulator.Response{
		Status: http.StatusPaymentRequired, ContentType: "application/json",
		Body: simulator.ErrorBody(simulator.OpenAI, http.StatusPaymentRequired,
			"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 30104."),
	}})
	if got := g.call(chatJSON.path, pooled); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var asked []string
	for _, request := range pool.Requests() {
		for _, name := range []string{"gpt-4.1-mini", "gpt-4.1-nano"} {
			if strings.Contains(string(request.Body), name) {
				asked = append(asked, name)
			}
		}
	}
	if strings.Join(asked, " ") != "gpt-4.1-mini gpt-4.1-nano" {
		t.Errorf("asked %q", asked)
	}
	if g.theRuntime().health.View().Keys[0].Refused {
		t.Error("the key is refused")
	}
	if log := g.log(); !strings.Contains(log, "a provider's account has too little credit for some requests") || !strings.Contains(log, "low_credit") {
		t.Error("the operator is not told")
	}
}
