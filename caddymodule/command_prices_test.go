package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/price"
)

func TestPricesCommand(t *testing.T) {
	term := &terminal{t: t, now: testNow}
	lines := strings.Split(strings.TrimSuffix(term.must("prices"), "\n"), "\n")
	models := 0
	for _, provider := range price.Embedded().Providers() {
		for range price.Embedded().Models(provider) {
			models++
		}
	}
	if len(lines) != models+1 || !strings.HasPrefix(lines[0], "PROVIDER") {
		t.Fatalf("%d lines for %d models, the first: %s", len(lines), models, lines[0])
	}

	// Anthropic's list prices: $1 and $5; cache writes cost 1.25 and 2 times the
	// input, reads 0.1 times.
	var haiku struct {
		Provider, Model string
		PriceVersion    string `json:"price_version"`
		Prices          *classPrices
	}
	printed := term.must("prices", "--model", "anthropic/claude-haiku-4-5", "--json")
	if err := json.Unmarshal([]byte(printed), &haiku); err != nil {
		t.Fatalf("%s: %v", printed, err)
	}
	if haiku.Provider != "anthropic" || haiku.Model != "claude-haiku-4-5" || haiku.PriceVersion != price.Embedded().Version() || haiku.Prices == nil {
		t.Fatalf("got %s", printed)
	}
	for class, row := range map[string][2]string{
		"input": {haiku.Prices.Input.String(), "1.00"}, "output": {haiku.Prices.Output.String(), "5.00"},
		"cache_read": {haiku.Prices.CacheRead.String(), "0.10"}, "cache_write_5m": {haiku.Prices.CacheWrite5m.String(), "1.25"},
		"cache_write_1h": {haiku.Prices.CacheWrite1h.String(), "2.00"}, "web_search": {haiku.Prices.Units.WebSearch.String(), "0.01"},
	} {
		if row[0] != row[1] {
			t.Errorf("%s is %s, want %s", class, row[0], row[1])
		}
	}
	if !strings.Contains(printed, `"cache_read":"0.10"`) || !strings.Contains(printed, `"at":"2026-11-23T12:00:00.123456Z"`) {
		t.Errorf("got %s", printed)
	}
	explained := term.must("prices", "--model", "claude-haiku-4-5", "--at", "2026-11-01")
	for _, words := range []string{"claude-haiku-4-5 of anthropic at 2026-11-01T00:00:00Z", "input: $1 per million tokens"} {
		if !strings.Contains(explained, words) {
			t.Errorf("%q is missing in:\n%s", words, explained)
		}
	}

	term.fails([]string{`no model "gpt-0"`, "faregate prices"}, "prices", "--model", "gpt-0")
	term.fails([]string{"--at", "2026-11-23"}, "prices", "--at", "soon")
	term.fails([]string{"too much"}, "prices", "list")
}

// Prices of short prompts are shown, also where a long one is dearer.
func TestPricesOfShortPrompts(t *testing.T) {
	rates, err := price.NewRates(price.Definition{
		Prices: map[string]string{"input": "2.5", "cache_read": "0.25", "output": "15", "output_audio": "80"},
		Tiers:  []price.Tier{{Above: 200_000, Prices: map[string]string{"input": "5", "cache_read": "0.5", "output": "22.5", "output_audio": "100"}}},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(pricesOf(rates))
	want := `{"input":"2.50","cache_read":"0.25","cache_write":"2.50","cache_write_5m":"2.50","cache_write_1h":"2.50","input_audio":"2.50","input_image":"2.50",` +
		`"input_video":"2.50","cache_read_audio":"0.25","cache_read_image":"0.25","cache_read_video":"0.25","output":"15.00","output_audio":"80.00","output_image":"15.00",` +
		`"units":{"web_search":"0.00","web_fetch":"0.00"}}`
	if err != nil || string(got) != want {
		t.Errorf("got  %s, %v\nwant %s", got, err, want)
	}
}

const goodBook = `{
 "format": 1,
 "version": "2026-11-20",
 "sources": {"us": "our contract"},
 "providers": {"acme": {"models": {"acme-1": {"periods": [
  {"checked": "2026-11-20", "source": "us", "prices": {"input": "1", "output": "2"}}
 ]}}}}
}
`

func TestPricesCheckCommand(t *testing.T) {
	term := &terminal{t: t, now: testNow}
	good := writeConfig(t, "book.json", goodBook)
	wantText(t, term.must("prices", "check", good), "ok  price book of 2026-11-20\n")
	wantText(t, term.must("prices", "check", good, "--json"), `{"ok":true,"version":"2026-11-20","problems":[]}`+"\n")

	bad := writeConfig(t, "book.json", strings.NewReplacer(`"1"`, `"one"`, `, "output": "2"`, ``).Replace(goodBook))
	stdout, stderr, err := term.run("prices", "check", bad, "--json")
	var answer checkJSON
	if jsonErr := json.Unmarshal([]byte(stdout), &answer); jsonErr != nil {
		t.Fatalf("%q: %v", stdout, jsonErr)
	}
	if err == nil || !strings.Contains(stderr, "2 mistakes") || answer.OK || len(answer.Problems) != 2 || answer.Problems[0].Line != 6 {
		t.Errorf("got %v\n%s%s", err, stdout, stderr)
	}
	stdout, _, err = term.run("prices", "check", bad)
	if err == nil || strings.Count(stdout, "line 6") != 2 {
		t.Errorf("got %v\n%s", err, stdout)
	}
	term.fails([]string{"no such file"}, "prices", "check", bad+".not")
	term.fails([]string{"arg"}, "prices", "check")
}
