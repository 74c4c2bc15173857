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
		"cache_write_1h": {haiku.Prices.CacheWrite1h.String(), "2.00"}, "web_search": {haiku.Prices.Units["web_search"], "0.01"},
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
	term.fails([]string{"--kind", "images", "milliseconds"}, "prices", "--model", "dall-e-3", "--kind", "pictures=hd")
	for _, line := range lines {
		if fields := strings.Fields(line); strings.Contains(line, " dall-e-3 ") && strings.Join(fields[2:], " ") != "by piece" {
			t.Errorf("a model that is priced by the piece: %q", line)
		}
	}
	if text := term.must("prices", "--model", "gpt-5.4", "--output", "999999999999999"); !strings.Contains(text, "more than can be booked") {
		t.Errorf("an absurd sum: %s", text)
	}
	term.fails([]string{"too much"}, "prices", "list")
}

// What a usage costs is shown with all that leads to it.
func TestPricesOfAUsage(t *testing.T) {
	term := &terminal{t: t, now: testNow}
	explained := term.must("prices", "--model", "gpt-5.4", "--at", "2026-11-23", "--input", "2001", "--cache-read", "270000", "--output", "10",
		"--web-search", "3", "--service-tier", "fast", "--geo", "us")
	for _, words := range []string{
		"price since ever, as genai-prices said on 2026-09-23", "genai-prices is @pydantic/genai-prices (npm) 0.1.8 (2026-09-23), MIT", "price book " + price.Embedded().Version(),
		"more than 272000", "2001 tokens of input at $5 per million: $0.010005", "270000 tokens of cache_read at $0.5 per million: $0.135",
		"service_tier priority: the tokens times 2", "geo us: the tokens times 1.1", "3 of web_search at $0.01: $0.03", "rounded up to a nano-dollar: $0.349506",
	} {
		if !strings.Contains(explained, words) {
			t.Errorf("%q is missing in:\n%s", words, explained)
		}
	}
	var printed struct {
		Origin      struct{ From, Until, Source, Checked string }
		Calculation *price.Calculation
	}
	if err := json.Unmarshal([]byte(term.must("prices", "--json", "--model", "dall-e-3", "--images", "2", "--kind", "images=hd-1024x1792")), &printed); err != nil {
		t.Fatal(err)
	}
	if printed.Calculation == nil || printed.Calculation.Cost.String() != "0.24" || printed.Origin.Checked != "2023-12-25" || printed.Origin.Source == "" {
		t.Errorf("got %+v", printed)
	}
	if err := json.Unmarshal([]byte(term.must("prices", "--json", "--model", "gpt-5.6-luna", "--at", "2026-07-01")), &printed); err != nil {
		t.Fatal(err)
	}
	if printed.Origin.Until != "2026-07-30" {
		t.Errorf("got %+v", printed)
	}
	term.fails([]string{"--model is missing"}, "prices", "--input", "5")
	term.fails([]string{"--input is negative"}, "prices", "--model", "gpt-5.4", "--input", "-5")
	term.fails([]string{"--kind", "images=hd-1024x1792"}, "prices", "--model", "dall-e-3", "--images", "1", "--kind", "hd")
	term.fails([]string{"--kind", "images=hd-1024x1792"}, "prices", "--model", "dall-e-3", "--images", "1", "--kind", "image=hd")
}

// The prices shown are those of the configuration's file, or of one that is named.
func TestPricesOfAFile(t *testing.T) {
	term := &terminal{t: t, now: testNow}
	file := writeConfig(t, "prices.json", priceFile("77"))
	config := writeConfig(t, "Caddyfile", "{\n\tfaregate {\n\t\tprovider openai {env.NOBODY}\n\t\tprices "+file+"\n\t}\n}\n")
	for _, source := range [][]string{{"--file", file}, {"--config", config}} {
		explained := term.must(append([]string{"prices", "--model", "gpt-4.1-mini"}, source...)...)
		for _, words := range []string{"input: $77 per million tokens", "as our contract said on 2026-11-20", "price book 2026-11-20@"} {
			if !strings.Contains(explained, words) {
				t.Errorf("%v: %q is missing in:\n%s", source, words, explained)
			}
		}
		if explained := term.must(append([]string{"prices", "--model", "gpt-4.1"}, source...)...); !strings.Contains(explained, "input: $2 per million tokens") {
			t.Errorf("%v: what the file does not have is\n%s", source, explained)
		}
		exported := term.must(append([]string{"prices", "export"}, source...)...)
		again := writeConfig(t, "again.json", exported)
		if got := term.must("prices", "--file", again, "--model", "gpt-4.1-mini"); !strings.Contains(got, "input: $77 per million tokens") {
			t.Errorf("%v: exported and read again:\n%s", source, got)
		}
		if got := term.must("prices", "check", again); !strings.HasPrefix(got, "ok") {
			t.Errorf("%v: what was exported is refused: %s", source, got)
		}
	}
	broken := writeConfig(t, "broken.json", priceFile("x"))
	term.fails([]string{broken, "line 2", "not a price"}, "prices", "--file", broken)
	term.fails([]string{"nowhere"}, "prices", "--config", "nowhere/Caddyfile")
	if got := term.must("prices", "export"); got != exportOf(t, price.Embedded()) {
		t.Error("without a configuration another book is exported")
	}
}

func exportOf(t *testing.T, book *price.Book) string {
	t.Helper()
	data, err := book.Export()
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// Prices of short prompts are shown, also where a long one is dearer.
func TestPricesOfShortPrompts(t *testing.T) {
	rates, err := price.NewRates(price.Definition{
		Prices: map[string]string{"input": "2.5", "cache_read": "0.25", "output": "15", "output_audio": "80"},
		Tiers:  []price.Tier{{Above: 200_000, Prices: map[string]string{"input": "5", "cache_read": "0.5", "output": "22.5", "output_audio": "100"}}},
		Units:  map[string]string{"web_search": "0.01", "request": "0.005"},
	})
	if err != nil {
		t.Fatal(err)
	}
	got, err := json.Marshal(pricesOf(rates))
	want := `{"input":"2.50","cache_read":"0.25","cache_write":"2.50","cache_write_5m":"2.50","cache_write_1h":"2.50","input_audio":"2.50","input_image":"2.50",` +
		`"input_video":"2.50","cache_read_audio":"0.25","cache_read_image":"0.25","cache_read_video":"0.25","output":"15.00","output_audio":"80.00","output_image":"15.00",` +
		`"output_video":"15.00","units":{"request":"0.005","web_search":"0.01"}}`
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
	version := "2026-11-20@a3015fe5+" + price.Embedded().Version()
	wantText(t, term.must("prices", "check", good), "ok  price book "+version+"\n")
	wantText(t, term.must("prices", "check", good, "--json"), `{"ok":true,"version":"`+version+`","problems":[]}`+"\n")

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
