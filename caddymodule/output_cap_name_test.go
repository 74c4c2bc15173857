package caddymodule

import (
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// A provider that may know only the older name of a chat's output cap gets it by that
// name: by the newer one it would generate more than is held for. The one that was asked
// before gets it as the caller wrote it.
func TestAnOutputCapGoesByTheNameThatTheProviderKnows(t *testing.T) {
	other, extra := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: extra, credit: "0.005"})
	request := strings.NewReplacer("gpt-4.1-mini", "twofold", `"messages"`, `"max_completion_tokens":CAP,"messages"`).Replace(chatJSON.body)
	for i, row := range []struct {
		outputCap string
		lowered   bool
	}{{"100", false}, {"9000", true}} {
		g.provider.Add(simulator.Step{Response: simulator.Response{Status: 503, ContentType: "application/json", Body: []byte(`{}`)}})
		got := g.call(chatJSON.path, strings.Replace(request, "CAP", row.outputCap, 1))
		outputCap := row.outputCap
		if row.lowered {
			outputCap = got.header.Get("Faregate-Output-Cap")
		}
		if number, err := strconv.Atoi(outputCap); got.status != http.StatusOK || err != nil || number > 5000/1.6 {
			t.Fatalf("%d, cap %q: %s", got.status, outputCap, got.body)
		}
		if sent := string(g.endedRequest(i + 1).Body); !strings.Contains(sent, `"max_completion_tokens":`+outputCap) || strings.Contains(sent, `"max_tokens"`) {
			t.Errorf("the first provider was sent %s", sent)
		}
		received, err := other.WaitEnded(testContext(t), i+1)
		if err != nil {
			t.Fatal(err)
		}
		if sent := string(received[i].Body); !strings.Contains(sent, `"max_tokens":`+outputCap) || strings.Contains(sent, "max_completion_tokens") {
			t.Errorf("the provider of a name of its own was sent %s", sent)
		}
	}
}

// A second account at a well-known provider, by a name of its own, is no provider of which
// nothing is known.
func TestAWellKnownAddressKnowsTheNewerName(t *testing.T) {
	for address, want := range map[string]bool{"https://eu.api.openai.com/v1": false, "https://llm.example.com/v1": true} {
		provider, err := new(App).buildProvider(&Provider{Name: "house", Dialect: "openai", BaseURL: address})
		if err != nil || provider == nil || provider.OldOutputCap != want {
			t.Errorf("%s: %+v, %v", address, provider, err)
		}
	}
}
