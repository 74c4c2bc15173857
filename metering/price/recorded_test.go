package price_test

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/big"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// What providers themselves said that a request cost, with the usage they
// reported: xAI in its answers, the others through aggregators that pass the
// provider's price on.
func TestCostIsWhatTheProviderSaid(t *testing.T) {
	for _, c := range []struct {
		provider, model string
		u               usage.Usage
		said            string
	}{
		{"xai", "grok-3-mini-high", usage.Usage{InputTotal: 331, Input: 48, CacheRead: 283, OutputTotal: 343, Output: 343, Reasoning: 332}, "0.000207125"},
		{"xai", "grok-4-fast-reasoning", usage.Usage{InputTotal: 165, Input: 9, CacheRead: 156, OutputTotal: 127, Output: 127, Reasoning: 125}, "0.0000731"},
		{"xai", "grok-4.3", usage.Usage{InputTotal: 4963, Input: 3939, CacheRead: 1024, OutputTotal: 45, Output: 45}, "0.00524105"},
		{"xai", "grok-4.3", usage.Usage{InputTotal: 5689, Input: 3641, CacheRead: 2048, OutputTotal: 444, Output: 444, Units: usage.Units{WebSearch: 2}}, "0.01607085"},
		{"google", "gemini-2.5-flash", usage.Usage{InputTotal: 2167, Input: 6, CacheRead: 2161, OutputTotal: 99, Output: 99}, "0.00031413"},
		{"google", "gemini-3-pro-preview", usage.Usage{InputTotal: 28, Input: 28, OutputTotal: 93, Output: 93}, "0.001172"},
		{"google", "gemini-3.1-flash-lite-image", usage.Usage{InputTotal: 1125, Input: 1125, OutputTotal: 1120, OutputImage: 1120}, "0.03388125"},
		{"anthropic", "claude-sonnet-4-6", usage.Usage{InputTotal: 3329, Input: 3, CacheRead: 3211, CacheWrite: 115, OutputTotal: 53, Output: 53}, "0.00219855"},
		{"anthropic", "claude-haiku-4-5", plain(607, 143), "0.001322"},
		{"openai", "gpt-5.6-sol", usage.Usage{InputTotal: 4020, Input: 8, CacheWrite: 4012, OutputTotal: 5, Output: 5}, "0.025265"}, // before the cut
		{"openai", "gpt-4.1-mini", usage.Usage{InputTotal: 8174, Input: 8174, OutputTotal: 30, Output: 30, Units: usage.Units{WebSearch: 1}}, "0.0133176"},
		{"openai", "gpt-5", plain(444, 13), "0.000685"},
		{"openai", "text-embedding-3-small", plain(7, 0), "0.00000014"},
	} {
		at := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
		if got := ratesAt(t, c.provider, c.model, at).Cost(c.u, price.Conditions{}); got != nanos(t, c.said) {
			t.Errorf("%s: %+v costs %s, the provider said %s", c.model, c.u, got, c.said)
		}
	}
}

// names of the models as aggregators write them, for those whose price is the
// provider's own.
var aggregated = map[string][2]string{
	"google/gemini-2.5-flash":              {"google", "gemini-2.5-flash"},
	"google/gemini-3-pro-preview":          {"google", "gemini-3-pro-preview"},
	"anthropic/claude-4.6-sonnet-20260217": {"anthropic", "claude-sonnet-4-6"},
	"anthropic/claude-4.5-haiku-20251001":  {"anthropic", "claude-haiku-4-5"},
	"anthropic/claude-sonnet-4.5":          {"anthropic", "claude-sonnet-4-5"},
	"openai/gpt-5":                         {"openai", "gpt-5"},
	"openai/gpt-5.4-nano-20260317":         {"openai", "gpt-5.4-nano"},
	"openai/gpt-5.6-sol":                   {"openai", "gpt-5.6-sol"},
	"openai/gpt-4.1-mini":                  {"openai", "gpt-4.1-mini"},
	"text-embedding-3-small":               {"openai", "text-embedding-3-small"},
	"x-ai/grok-4.1-fast":                   {"xai", "grok-4-1-fast"},
}

// unlike is a case whose aggregator charges its own way: Gemini's explicit cache
// writes at a price per hour of storage.
var unlike = map[string]bool{"chat-json-cache-write-cache-read-google-gemini-2.5-flash": true}

// All recorded responses with a cost, where the collection is at hand.
func TestCostIsWhatTheProviderSaidInAllRecordings(t *testing.T) {
	root := "../../../shared/fixtures"
	if _, err := os.Stat(root); errors.Is(err, fs.ErrNotExist) {
		t.Skip("the collection of recorded responses is not here")
	}
	cases, err := filepath.Glob(root + "/*/*/case.json")
	if err != nil || len(cases) == 0 {
		t.Fatalf("no recorded responses: %v", err)
	}
	compared := 0
	for _, path := range cases {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var recorded struct {
			ID       string
			Expected struct {
				Model string      `json:"response_model"`
				Cost  json.Number `json:"provider_cost_usd"`
				Ticks json.Number `json:"provider_cost_usd_ticks"` // 10^10 to the dollar
				Tier  any         `json:"service_tier"`            // a number in one shape
				Tools map[string]int64
				Usage struct {
					InputTotal  int64 `json:"input_total"`
					Input       int64 `json:"input_uncached"`
					CacheRead   int64 `json:"cache_read"`
					CacheWrite  int64 `json:"cache_write_unspecified"`
					OutputTotal int64 `json:"output_total"`
					OutputImage int64 `json:"output_image"`
				}
			}
		}
		if err := json.Unmarshal(data, &recorded); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		expected := recorded.Expected
		said, name := new(big.Rat), [2]string{"xai", expected.Model}
		switch {
		case expected.Ticks != "" && expected.Ticks != "0" && expected.Model != "": // 0: Grok on Azure, which bills by itself
			said = fraction(expected.Ticks.String())
			said.Quo(said, big.NewRat(10_000_000_000, 1))
		case expected.Cost != "" && aggregated[expected.Model] != [2]string{} && !unlike[recorded.ID]:
			said, name = fraction(expected.Cost.String()), aggregated[expected.Model]
		default:
			continue
		}
		u := usage.Usage{
			InputTotal: expected.Usage.InputTotal, Input: expected.Usage.Input, CacheRead: expected.Usage.CacheRead, CacheWrite: expected.Usage.CacheWrite,
			OutputTotal: expected.Usage.OutputTotal, Output: expected.Usage.OutputTotal - expected.Usage.OutputImage, OutputImage: expected.Usage.OutputImage,
			Units: usage.Units{WebSearch: expected.Tools["xai_web_search_calls"] + expected.Tools["web_search"]},
		}
		at := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
		serviceTier, _ := expected.Tier.(string)
		got := ratesAt(t, name[0], name[1], at).Cost(u, price.Conditions{ServiceTier: serviceTier})
		if want := roundedUp(said); want.Cmp(big.NewInt(int64(got))) != 0 {
			t.Errorf("%s: %+v costs %d nano-dollars, the provider said %s", recorded.ID, u, got, want)
		}
		compared++
	}
	if compared < 20 {
		t.Errorf("only %d recordings were compared", compared)
	}
	t.Logf("%d recordings compared", compared)
}
