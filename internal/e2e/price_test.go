package e2e

import (
	"encoding/json"
	"maps"
	"math/big"
	"testing"
)

// counts are what a usage record counts, by class; what is zero is left out.
type counts map[string]int64

func (c *counts) UnmarshalJSON(text []byte) error {
	var classes map[string]json.RawMessage
	if err := json.Unmarshal(text, &classes); err != nil {
		return err
	}
	*c = counts{}
	for class, value := range classes {
		if class == "units" {
			var units counts
			if err := json.Unmarshal(value, &units); err != nil {
				return err
			}
			maps.Copy(*c, units)
			continue
		}
		var n int64
		if err := json.Unmarshal(value, &n); err != nil {
			return err
		}
		if n != 0 {
			(*c)[class] = n
		}
	}
	return nil
}

// plain are the counts of a request with nothing special about it.
func plain(input, output int64) counts {
	return counts{"input_total": input, "input": input, "output_total": output, "output": output}
}

// prices in dollars per million tokens, and for each web search, as the providers'
// price pages had them in autumn 2026: developers.openai.com/api/docs/pricing,
// platform.claude.com/docs/en/about-claude/pricing, ai.google.dev/gemini-api/docs/pricing,
// docs.x.ai/docs/models. The last is the price line of the test's own Caddyfile.
var prices = map[string]map[string]string{
	"gpt-4.1-mini":             {"input": "0.40", "cache_read": "0.10", "output": "1.60"},
	"gpt-4o-mini":              {"input": "0.15", "cache_read": "0.075", "output": "0.60"},
	"gpt-5.5":                  {"input": "5.00", "cache_read": "0.50", "output": "30.00"},
	"gpt-5 priority":           {"input": "2.50", "cache_read": "0.25", "output": "20.00"},
	"gpt-audio-1.5":            {"input": "2.50", "input_audio": "32.00", "output": "10.00", "output_audio": "64.00"},
	"o4-mini":                  {"input": "1.10", "cache_read": "0.275", "output": "4.40"},
	"grok-4-fast":              {"input": "0.20", "cache_read": "0.05", "output": "0.50"},
	"claude-haiku-4-5":         {"input": "1.00", "cache_read": "0.10", "cache_write_5m": "1.25", "cache_write_1h": "2.00", "output": "5.00", "web_search": "0.01"},
	"claude-sonnet-4-20250514": {"input": "3.00", "cache_read": "0.30", "cache_write_5m": "3.75", "cache_write_1h": "6.00", "output": "15.00"},
	"claude-sonnet-4-6":        {"input": "3.00", "cache_read": "0.30", "cache_write_5m": "3.75", "cache_write_1h": "6.00", "output": "15.00"},
	"gemini-2.5-flash":         {"input": "0.30", "input_image": "0.30", "input_video": "0.30", "input_audio": "1.00", "cache_read": "0.03", "output": "2.50"},
	"gemini-2.5-pro":           {"input": "1.25", "output": "10.00"},
	"gemini-3-flash-preview":   {"input": "0.50", "input_audio": "1.00", "cache_read": "0.05", "output": "3.00"},
	"gpt-3.5-turbo-instruct":   {"input": "1.50", "output": "2.00"},
	"gpt-4.1":                  {"input": "2.00", "cache_read": "0.50", "output": "8.00"},
	"gpt-4.1-nano":             {"input": "0.10", "cache_read": "0.025", "output": "0.40"},
	"gpt-5":                    {"input": "1.25", "cache_read": "0.125", "output": "10.00", "web_search": "0.01"},
	"grok-4.3":                 {"input": "1.25", "cache_read": "0.20", "output": "2.50"},
	"text-embedding-ada-002":   {"input": "0.10"},
	"gpt-image-1":              {"input": "5.00", "input_image": "10.00", "output_image": "40.00", "images": "0"},
	"gpt-4o-mini-tts":          {"input": "0.60", "output": "12.00", "characters": "0"},
	"tts-1":                    {"input": "0", "output_audio": "0", "characters": "0.000015"},
	"gpt-4o-transcribe":        {"input": "2.50", "input_audio": "6.00", "output": "10.00"},
	"gemini-embedding-2":       {"input": "0.20"},
	"house/large":              {"input": "0.50", "cache_read": "0.05", "output": "1.50", "web_search": "0.01"},
}

// price is what a request costs: exact fractions, rounded up once to a
// nano-dollar.
func price(t *testing.T, used counts, list string) *big.Rat {
	t.Helper()
	rates, ok := prices[list]
	if !ok {
		t.Fatalf("no prices for %s", list)
	}
	sum := new(big.Rat)
	for class, n := range used {
		switch class {
		case "input_total", "output_total", "reasoning", "web_fetch": // sums, a part of output, free
			continue
		}
		rate, ok := rates[class]
		if !ok {
			t.Fatalf("no price for %s of %s", class, list)
		}
		cost := new(big.Rat).Mul(big.NewRat(n, 1), amount(t, rate))
		if class != "web_search" && class != "characters" {
			cost.Quo(cost, big.NewRat(1_000_000, 1))
		}
		sum.Add(sum, cost)
	}
	nanos := new(big.Rat).Mul(sum, big.NewRat(1_000_000_000, 1))
	whole, rest := new(big.Int).QuoRem(nanos.Num(), nanos.Denom(), new(big.Int))
	if rest.Sign() > 0 {
		whole.Add(whole, big.NewInt(1))
	}
	return new(big.Rat).SetFrac(whole, big.NewInt(1_000_000_000))
}

// expectCharge fails unless the record counts exactly this and costs its price,
// which it returns.
func (r record) expectCharge(t *testing.T, used counts, list string) *big.Rat {
	t.Helper()
	if !maps.Equal(r.Usage, used) {
		t.Errorf("counted %v, want %v", r.Usage, used)
	}
	want := price(t, used, list)
	if got := amount(t, r.Cost); got.Cmp(want) != 0 {
		t.Errorf("cost %s, want %s", r.Cost, want.FloatString(9))
	}
	if amount(t, r.Shortfall).Sign() != 0 {
		t.Errorf("shortfall %s", r.Shortfall)
	}
	return want
}
