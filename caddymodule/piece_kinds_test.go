package caddymodule

import (
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// What a request asks for decides the price of what the answer only counts.
func TestPricesOfWhatTheRequestAsksFor(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	searched := `{"id":"r","model":"gpt-4.1-mini","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],` +
		`"tool_usage":{"web_search":{"num_requests":2}},"usage":{"input_tokens":1000,"output_tokens":100,"total_tokens":1100}}`
	written := func(options string) string {
		return `{"id":"r","model":"gpt-6.1-terra","status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a"}]}],` + options +
			`"usage":{"input_tokens":1000,"input_tokens_details":{"cached_tokens":0,"cache_write_tokens":800},"output_tokens":100,"total_tokens":1100}}`
	}
	for i, test := range []struct{ name, request, answer, cost string }{
		{"a search", `{"model":"gpt-4.1-mini","input":"hello","tools":[{"type":"web_search"}]}`, searched, "0.02056"},
		{"an older search", `{"model":"gpt-4.1-mini","input":"hello","tools":[{"type":"web_search_preview"}]}`, searched, "0.05056"},
		{"one of a day", `{"model":"gpt-4.1-mini","input":"hello","tools":[{"type":"web_search_preview_2025_03_11"}]}`, searched, "0.05056"},
		{"both", `{"model":"gpt-4.1-mini","input":"hello","tools":[{"type":"web_search_preview"},{"type":"web_search"}]}`, searched, "0.05056"},
		{"a cache", `{"model":"gpt-6.1-terra","input":"hello"}`, written(""), "0.0017"},
		{"a long cache", `{"model":"gpt-6.1-terra","input":"hello","prompt_cache_options":{"ttl":"12h"}}`, written(`"prompt_cache_options":{"mode":"explicit","ttl":"12h"},`), "0.0027"},
		{"a long cache that the answer does not mention", `{"model":"gpt-6.1-terra","input":"hello","prompt_cache_options":{"ttl":"12h"}}`, written(""), "0.0027"},
		{"a long cache that the provider does not have", `{"model":"gpt-6.1-terra","input":"hello","prompt_cache_options":{"ttl":"12h"}}`, written(`"prompt_cache_options":{"ttl":"30m"},`), "0.0017"},
	} {
		g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "application/json", Body: []byte(test.answer)}})
		before := g.balance()
		g.callWith("/v1/responses", test.request, bearer(g.secret))
		record := g.records(i + 1)[i]
		if record.Cost.String() != test.cost || record.Shortfall != 0 || before-g.balance() != record.Cost {
			t.Errorf("%s: cost %s of %+v, want %s", test.name, record.Cost, record.Usage, test.cost)
		}
	}
}
