package caddymodule

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
)

// priceFile is a price file for one model.
func priceFile(input string) string {
	return fmt.Sprintf(`{"format": 1, "version": "2026-11-20", "sources": {}, "providers": {"openai": {"models": {"gpt-4.1-mini": {"periods": [
		{"checked": "2026-11-20", "source": "our contract", "prices": {"input": "%s", "output": "0"}}]}}}}}`, input)
}

// writeAnew replaces a file as an editor does, so that nobody reads half of it.
func writeAnew(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// A price file takes precedence, is followed while the gateway runs, and each
// request has the prices that it began with.
func TestPriceFileIsFollowed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	writeAnew(t, path, priceFile("100"))
	g := startGateway(t, gatewayOptions{extra: "prices " + path})
	answer := simulator.Response{ContentType: "application/json", Body: []byte(`{"model":"gpt-4.1-mini-2025-04-14","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],` +
		`"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}`)}
	body := `{"model":"gpt-4.1-mini","max_tokens":10,"messages":[{"role":"user","content":"hello"}]}`
	calls := 0
	expect := func(want string) *metering.Record {
		t.Helper()
		calls++
		record := g.records(calls)[calls-1]
		if record.Cost.String() != want {
			t.Errorf("a thousand tokens cost %s by %s, want %s", record.Cost, record.PriceVersion, want)
		}
		return record
	}
	g.provider.Add(simulator.Step{Response: answer})
	g.call(chatJSON.path, body)
	first := expect("0.10")
	if !strings.HasPrefix(first.PriceVersion, "2026-11-20@") || !strings.HasSuffix(first.PriceVersion, "+"+price.Embedded().Version()) {
		t.Errorf("the price version is %q", first.PriceVersion)
	}

	// One that runs through the change has the price it began with.
	gate := simulator.NewGate()
	held := answer
	held.Pauses = []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}
	g.provider.Add(simulator.Step{Response: held}, simulator.Step{Response: answer}, simulator.Step{Response: answer})
	running := g.startCall(chatJSON.path, body, bearer(g.secret))
	running.at(gate)
	writeAnew(t, path, priceFile("200"))
	waitFor(t, "the new prices", func() bool { return strings.Contains(g.log(), "other prices are in force") })
	g.call(chatJSON.path, body)
	second := expect("0.20")
	gate.Open()
	if got := running.finish(); got.status != 200 || got.err != nil {
		t.Fatalf("the one that ran through the change: %d %v", got.status, got.err)
	}
	calls++
	for _, record := range g.records(calls) {
		if record.ID != first.ID && record.ID != second.ID && (record.Cost != first.Cost || record.PriceVersion != first.PriceVersion) {
			t.Errorf("the one that ran through the change costs %s by %s", record.Cost, record.PriceVersion)
		}
	}
	if second.PriceVersion == first.PriceVersion {
		t.Errorf("two books have one version, %s", first.PriceVersion)
	}

	// A mistake changes nothing, and is told.
	writeAnew(t, path, priceFile("cheap"))
	waitFor(t, "the mistake to be logged", func() bool {
		return strings.Contains(g.log(), "/providers/openai/models/gpt-4.1-mini/periods/0/prices/input")
	})
	g.call(chatJSON.path, body)
	calls--
	if last := g.records(calls + 2)[calls+1]; last.Cost != second.Cost || last.PriceVersion != second.PriceVersion {
		t.Errorf("after a mistake it costs %s by %s", last.Cost, last.PriceVersion)
	}
}

// A price file that cannot be used fails the start, and a reload.
func TestPriceFileWithMistakesFailsTheStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	g := newGateway(t, gatewayOptions{extra: "prices " + path})
	load := func() error {
		adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(g.config), map[string]any{"filename": "Caddyfile"})
		if err != nil {
			t.Fatal(err)
		}
		return caddy.Load(adapted, true)
	}
	t.Setenv("XDG_DATA_HOME", g.directory)
	t.Setenv("XDG_CONFIG_HOME", g.directory)
	t.Cleanup(func() { _ = caddy.Stop() })
	for text, want := range map[string]string{"": "no such file", "{": "not JSON", priceFile("free"): "line 2"} {
		if text != "" {
			writeAnew(t, path, text)
		}
		if err := load(); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("with %q the start says %v, want %s", text, err, want)
		}
		_ = os.Remove(path)
	}
	writeAnew(t, path, priceFile("1"))
	if err := load(); err != nil {
		t.Fatal(err)
	}
	if ownGoroutines() == 0 {
		t.Error("nobody follows the file")
	}
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
	waitFor(t, "the file to be left alone", func() bool { return ownGoroutines() == 0 })
}
