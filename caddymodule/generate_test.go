package caddymodule

import (
	"bytes"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering"
)

// The three dialects, JSON and stream, from a key to an exact charge.
func TestEachDialectIsMeteredExactly(t *testing.T) {
	meterEachDialect(t, startGateway(t, gatewayOptions{}))
}

func meterEachDialect(t *testing.T, g *gateway) {
	t.Helper()
	before := g.balance()
	calls := []struct {
		name, path, body string
		header           func(secret string) http.Header
		streamed         bool
	}{
		{"chat", "/v1/chat/completions", `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hello"}]}`, bearer, false},
		{"chat stream", "/v1/chat/completions", `{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}`, bearer, true},
		{"messages", "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":"hello"}]}`, xAPIKey, false},
		{"messages stream", "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":2000,"stream":true,"messages":[{"role":"user","content":"hello"}]}`, bearer, true},
		{"gemini", "/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":[{"parts":[{"text":"hello"}]}]}`, googleKey, false},
		{"gemini sse", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse", `{"contents":[{"parts":[{"text":"hello"}]}]}`, googleKey, true},
		{"gemini array", "/v1beta/models/gemini-2.5-flash:streamGenerateContent", `{"contents":[{"parts":[{"text":"hello"}]}]}`, googleKey, true},
	}
	var charged metering.Nanos
	for i, call := range calls {
		got := g.callWith(call.path, call.body, call.header(g.secret))
		if got.status != http.StatusOK || got.err != nil || len(got.body) == 0 {
			t.Fatalf("%s: %d %v %s", call.name, got.status, got.err, got.body)
		}
		record := g.records(i + 1)[i]
		if record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured || record.Cost <= 0 ||
			record.Usage.InputTotal <= 0 || record.Usage.OutputTotal <= 0 || record.Streamed != call.streamed {
			t.Errorf("%s: record %+v", call.name, record)
		}
		if got.header.Get("Faregate-Request-Id") != record.ID {
			t.Errorf("%s: request id %q, record %s", call.name, got.header.Get("Faregate-Request-Id"), record.ID)
		}
		charged += record.Cost
	}
	if after := g.balance(); before-after != charged {
		t.Errorf("balance fell by %s, records say %s", before-after, charged)
	}
	g.verify()
}

func TestChatStreamBytesAreTheProvidersOwn(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	body := `{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}`
	got := g.call("/v1/chat/completions", body)
	if bytes.Contains(got.body, []byte(`"usage"`)) {
		t.Errorf("usage that was not asked for came through: %s", got.body)
	}
	if !bytes.HasSuffix(got.body, []byte("data: [DONE]\n\n")) {
		t.Errorf("the end is missing: %q", got.body)
	}
	sent := g.provider.Requests()[0]
	if !strings.Contains(string(sent.Body), `"include_usage":true`) {
		t.Errorf("usage was not asked for: %s", sent.Body)
	}
	asked := g.call("/v1/chat/completions", strings.Replace(body, `"stream":true`, `"stream":true,"stream_options":{"include_usage":true}`, 1))
	if !bytes.Contains(asked.body, []byte(`"usage":{`)) {
		t.Errorf("usage that was asked for is missing: %s", asked.body)
	}
}

// Two callers share the operator's account at the provider; one must not get the
// other's answer by sending the same idempotency key.
func TestIdempotencyKeysAreTheAccountsOwn(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	header := bearer(g.secret)
	header.Set("Idempotency-Key", "order-1")
	for range 2 {
		if got := g.callWith("/v1/chat/completions", chatBody, header); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	sent := g.provider.Requests()
	first, second := sent[0].Header.Get("Idempotency-Key"), sent[1].Header.Get("Idempotency-Key")
	if first == "" || first != second || strings.Contains(first, "order-1") {
		t.Errorf("sent %q and %q", first, second)
	}
	if other := ownIdempotencyKey("another account", "order-1"); other == first {
		t.Error("another account's key is the same")
	}
	// In several fields, of which one is empty; and in none, though there is the field.
	for _, values := range [][]string{{"", "order-1"}, {"order-1", "order-2"}, {""}} {
		header["Idempotency-Key"] = values
		if got := g.callWith("/v1/chat/completions", chatBody, header); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		sent = g.provider.Requests()
		keys := sent[len(sent)-1].Header["Idempotency-Key"]
		if want := min(len(values)-1, 1); len(keys) != want || strings.Contains(strings.Join(keys, ","), "order") {
			t.Errorf("%q: sent %q", values, keys)
		}
	}
}

func bearer(secret string) http.Header {
	return http.Header{"Authorization": {"Bearer " + secret}, "Content-Type": {"application/json"}}
}

func xAPIKey(secret string) http.Header {
	return http.Header{"X-Api-Key": {secret}, "Anthropic-Version": {"2023-06-01"}, "Content-Type": {"application/json"}}
}

func googleKey(secret string) http.Header {
	return http.Header{"X-Goog-Api-Key": {secret}, "Content-Type": {"application/json"}}
}
