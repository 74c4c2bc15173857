package caddymodule

import (
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// A provider's numbers that contradict each other are charged as far as they make sense,
// and told once for each model and provider.
func TestDoubtfulUsageIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for i, usage := range []string{
		`{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`,
		`{"prompt_tokens":10,"completion_tokens":-5,"total_tokens":15,"prompt_tokens_details":{"cached_tokens":-3}}`,
		`{"prompt_tokens":10,"completion_tokens":-5,"total_tokens":15}`,
		`{"prompt_tokens":10,"completion_tokens":5,"prompt_tokens_details":{"cached_tokens":500}}`,
	} {
		g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "application/json",
			Body: []byte(`{"id":"x","model":"gpt-4.1-mini","choices":[{"index":0,"message":{"role":"assistant","content":"a"},"finish_reason":"stop"}],"usage":` + usage + `}`)}})
		g.call(chatJSON.path, shortChat)
		if u := g.records(i + 1)[i].Usage; u.InputTotal != 10 || u.OutputTotal != 5 || u.CacheRead > 10 || u.CacheRead < 0 {
			t.Errorf("%s: %+v", usage, u)
		}
	}
	records := g.records(4)
	waitFor(t, "the lines in the log", func() bool { return len(g.logged("does not make sense")) == 2 })
	for i, want := range []struct{ id, doubt string }{{records[1].ID, "negative"}, {records[3].ID, "parts"}} {
		if line := g.logged("does not make sense")[i]; line["request_id"] != want.id || line["doubt"] != want.doubt || line["level"] != "warn" ||
			line["provider"] != "openai" || line["model"] != "gpt-4.1-mini" {
			t.Errorf("line %v, want %v", line, want)
		}
	}
}
