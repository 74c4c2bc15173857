//go:build unix

package caddymodule

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
)

// span is what Caddy's exporter "console" prints of a span.
type span struct {
	Name       string
	Attributes []struct {
		Key   string
		Value struct{ Value any }
	}
	Status struct{ Code string }
}

func (s span) of(key string) any {
	for _, attribute := range s.Attributes {
		if attribute.Key == key {
			return attribute.Value.Value
		}
	}
	return nil
}

// traced runs calls against a gateway in a process of its own, with Caddy's tracing on,
// and returns what it exported, by request id, and the whole of its output.
func traced(t *testing.T, g *gateway, calls func()) (map[string]span, string) {
	t.Helper()
	t.Setenv("OTEL_TRACES_EXPORTER", "console")
	server := g.serve()
	calls()
	server.end(syscall.SIGTERM)
	spans := make(map[string]span)
	for line := range strings.Lines(server.output.String()) {
		var s span
		if strings.HasPrefix(line, `{"Name":`) {
			if err := json.Unmarshal([]byte(line), &s); err != nil {
				t.Fatalf("%s: %v", line, err)
			}
			id, _ := s.of("faregate.request_id").(string)
			spans[id] = s
		}
	}
	return spans, server.output.String()
}

const tracedSite = "tracing\n\tfaregate"

func TestSpansSayWhatARequestCameTo(t *testing.T) {
	g := newGateway(t, gatewayOptions{site: tracedSite})
	g.provider.Add(
		simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Usage: &simulator.Usage{Input: 9, Output: 5}}}},
		simulator.Step{Response: simulator.Response{Status: http.StatusServiceUnavailable}},
	)
	var answered, failed, refused string
	spans, _ := traced(t, g, func() {
		answered = g.callWith(chatStream.path, chatStream.body, bearer(g.secret)).header.Get("Faregate-Request-Id")
		failed = g.callWith(chatJSON.path, chatJSON.body, bearer(g.secret)).header.Get("Faregate-Request-Id")
		refused = g.callWith(chatJSON.path, `{"model":"no-such-model","messages":[]}`, bearer(g.secret)).header.Get("Faregate-Request-Id")
	})
	record := g.records(3)[0]
	for id, want := range map[string]map[string]any{
		answered: {
			"gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4.1-mini",
			"gen_ai.response.model": record.ModelServed, "gen_ai.usage.input_tokens": 9.0, "gen_ai.usage.output_tokens": 5.0,
			"gen_ai.response.finish_reasons": []any{"stop"}, "faregate.status": "ok", "faregate.basis": "measured", "faregate.attempts": 1.0,
			"faregate.cost_nanodollars": float64(record.Cost), "error.type": nil, "url.path": "/v1/chat/completions", "http.response.status_code": 200.0,
		},
		failed:  {"gen_ai.provider.name": "openai", "faregate.status": "provider_error", "error.type": string(dialect.CodeProviderOverloaded), "faregate.cost_nanodollars": 0.0},
		refused: {"gen_ai.operation.name": "chat", "gen_ai.request.model": nil, "error.type": string(dialect.CodeModelUnknown), "http.response.status_code": 404.0},
	} {
		for key, value := range want {
			if got := spans[id].of(key); fmt.Sprint(got) != fmt.Sprint(value) {
				t.Errorf("%s of %s is %v, want %v", key, id, got, value)
			}
		}
	}
	if spans[answered].Status.Code != "Unset" || spans[failed].Status.Code != "Error" {
		t.Errorf("statuses %q, %q", spans[answered].Status.Code, spans[failed].Status.Code)
	}
}

// What a caller sends, and who it is, is in no span: not in Caddy's attributes either.
func TestSpansHaveNothingPrivate(t *testing.T) {
	g := newGateway(t, gatewayOptions{site: tracedSite, global: behindProxy})
	g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Text: canary("answer")}}})
	header := func(secret string) http.Header {
		h := fromAddress(bearer(secret), "203.0.113.77")
		h.Set("User-Agent", canary("agent"))
		h.Set("Baggage", "note="+canary("baggage"))
		h.Set("X-Request-Id", canary("header"))
		return h
	}
	wrong := newSecret(t)
	calls := 0
	spans, output := traced(t, g, func() {
		for _, call := range []struct {
			path, body string
			header     http.Header
		}{
			{chatJSON.path, strings.Replace(chatJSON.body, "hello", canary("prompt"), 1), header(g.secret)},
			{chatJSON.path + "?key=" + g.secret + "&note=" + canary("query"), chatJSON.body, header("")},
			{"/v1beta/models/" + canary("model") + ":generateContent?key=" + g.secret, `{"contents":[]}`, header("")},
			{"/v1beta/models/gemini-2.5-flash:" + canary("verb"), `{"contents":[]}`, header(g.secret)},
			{"/v1/models/" + canary("shown"), "", header(g.secret)},
			{"/" + canary("path"), "", header(g.secret)},
			{chatJSON.path, `{"model":"` + canary("named") + `"}`, header(g.secret)},
			{chatJSON.path, canary("broken"), header(g.secret)},
			{chatJSON.path, chatJSON.body, header(wrong)},
			{"/healthz", "", header(g.secret)},
		} {
			g.callWith(call.path, call.body, call.header)
			calls++
		}
		request, err := http.NewRequest(canary("METHOD"), g.url+"/v1/models", nil)
		if err != nil {
			t.Fatal(err)
		}
		request.Header = header(g.secret)
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		calls++
	})
	if len(spans) != calls { // each has a request id of its own, /healthz none
		t.Errorf("%d spans of %d calls", len(spans), calls)
	}
	for _, private := range []string{"CANARY", g.secret, wrong, "203.0.113.77", "127.0.0.1:", providerKey, g.account, g.keyID} {
		for id, span := range spans {
			if text, err := json.Marshal(span); err != nil || strings.Contains(string(text), private) {
				t.Errorf("the span of %s has %s: %s, %v", id, private, text, err)
			}
		}
		if private != "127.0.0.1:" && strings.Contains(output, private) {
			t.Errorf("what was exported has %s", private)
		}
	}
}

func TestPathPatterns(t *testing.T) {
	for path, want := range map[string]string{
		"/v1/chat/completions":                                  "/v1/chat/completions",
		"/v1beta/models/gemini-2.5-flash:streamGenerateContent": "/v1beta/models/{model}:streamGenerateContent",
		"/v1beta/models/a:b:countTokens":                        "/v1beta/models/{model}:countTokens",
	} {
		if got := pathPattern(path, dialect.Operation{}); got != want {
			t.Errorf("%s became %s, want %s", path, got, want)
		}
	}
	if got := pathPattern("/v1/models/ft:gpt:x", dialect.Operation{Kind: dialect.ShowModel}); got != "/v1/models/{model}" {
		t.Errorf("a model's own page became %s", got)
	}
}

// What it costs where nothing is traced.
func BenchmarkNoSpan(b *testing.B) {
	request := httptest.NewRequest(http.MethodPost, chatJSON.path, nil)
	type key int
	for i := range 12 { // as many as net/http and Caddy put there
		request = request.WithContext(context.WithValue(request.Context(), key(i), i))
	}
	b.ReportAllocs()
	for b.Loop() {
		if spanOf(request) != nil {
			b.Fatal("a span")
		}
	}
}
