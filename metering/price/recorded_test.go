package price_test

import (
	"cmp"
	"encoding/json"
	"errors"
	"io/fs"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"strings"
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
	"google/gemini-3.1-flash-lite-image":   {"google", "gemini-3.1-flash-lite-image"},
	"x-ai/grok-4.1-fast":                   {"xai", "grok-4-1-fast"},
}

// unlike are the cases whose cost is not this book's price, and why.
var unlike = map[string]string{
	"openrouter/chat-json-cache-write-cache-read-google-gemini-2.5-flash":                   "OpenRouter bills Gemini's explicit cache writes by its own price, hours of storage included",
	"openrouter/chat-json-cache-read-reasoning-z-ai-glm-5-turbo-20260315":                   "a model that the book does not have",
	"openrouter/chat-stream-cache-read-reasoning-z-ai-glm-5-turbo-20260315":                 "a model that the book does not have",
	"openrouter/chat-stream-error-in-stream-reasoning-minimax-minimax-m2-free":              "a model that the book does not have",
	"openai/chat-stream-cost-reported-tool-calls-muse-spark-1.1":                            "a model that the book does not have",
	"perplexity/embeddings-json-cost-reported-pplx-embed-v1-0.6b":                           "a model that the book does not have",
	"openrouter/chat-json-reasoning-cost-reported-openai-gpt-oss-120b-2":                    "open weights, at the price of whom OpenRouter chose",
	"openrouter/responses-stream-reasoning-sse-comments-openai-gpt-oss-20b":                 "open weights, at the price of whom OpenRouter chose",
	"openrouter/chat-stream-server-tools-sse-comments-deepseek-deepseek-chat":               "open weights, at the price of whom OpenRouter chose",
	"azure-openai/chat-stream-cached-exceeds-prompt-cache-read-grok-4-1-fast-non-reasoning": "Azure bills Grok by itself and says 0",
}

// recordedUsage is the usage of a recorded case, as its collection counts it.
type recordedUsage struct {
	InputTotal  int64 `json:"input_total"`
	Input       int64 `json:"input_uncached"`
	CacheRead   int64 `json:"cache_read"`
	CacheWrite  int64 `json:"cache_write_unspecified"`
	OutputTotal int64 `json:"output_total"`
	OutputImage int64 `json:"output_image"`
}

func (r recordedUsage) usage(searches int64) usage.Usage {
	return usage.Usage{
		InputTotal: r.InputTotal, Input: r.Input, CacheRead: r.CacheRead, CacheWrite: r.CacheWrite,
		OutputTotal: r.OutputTotal, Output: r.OutputTotal - r.OutputImage, OutputImage: r.OutputImage, Units: usage.Units{WebSearch: searches},
	}
}

// recordedCase is what a case.json says of a cost.
type recordedCase struct {
	Request  struct{ Model string }
	Expected struct {
		Model string      `json:"response_model"`
		Cost  json.Number `json:"provider_cost_usd"`
		Ticks json.Number `json:"provider_cost_usd_ticks"` // 10^10 to the dollar
		Tier  any         `json:"service_tier"`            // a number in one shape
		Tools map[string]int64
		Usage recordedUsage
		Lines []struct { // of a batch
			Model string
			Ticks json.Number `json:"provider_cost_usd_ticks"`
			Usage recordedUsage
		}
	}
	RawUsage []struct {
		Cost json.RawMessage
	} `json:"raw_usage"`
}

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
	compare := func(id, provider, model string, u usage.Usage, conditions price.Conditions, said *big.Rat) {
		t.Helper()
		at := time.Date(2026, 7, 15, 12, 0, 0, 0, time.UTC)
		got := ratesAt(t, provider, model, at).Cost(u, conditions)
		if want := roundedUp(said); want.Cmp(big.NewInt(int64(got))) != 0 {
			t.Errorf("%s: %+v costs %d nano-dollars, the provider said %s", id, u, got, want)
		}
		compared++
	}
	left := maps.Clone(unlike)
	for _, path := range cases {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		var recorded recordedCase
		if err := json.Unmarshal(data, &recorded); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		id := filepath.ToSlash(strings.TrimPrefix(filepath.Dir(path), filepath.Clean(root)+string(filepath.Separator)))
		expected := recorded.Expected
		for _, line := range expected.Lines {
			if line.Ticks != "" {
				compare(id, "xai", line.Model, line.Usage.usage(0), price.Conditions{ServiceTier: "batch"}, dollarsOfTicks(line.Ticks))
			}
		}
		if expected.Cost == "" && expected.Ticks == "" {
			continue
		}
		if unlike[id] != "" {
			delete(left, id)
			continue
		}
		u := expected.Usage.usage(expected.Tools["xai_web_search_calls"] + expected.Tools["web_search"])
		serviceTier, _ := expected.Tier.(string)
		conditions := price.Conditions{ServiceTier: serviceTier}
		name, ofAggregator := aggregated[cmp.Or(expected.Model, recorded.Request.Model)]
		switch {
		case expected.Ticks != "":
			compare(id, "xai", expected.Model, u, conditions, dollarsOfTicks(expected.Ticks))
		case ofAggregator:
			compare(id, name[0], name[1], u, conditions, fraction(expected.Cost.String()))
		case strings.HasPrefix(id, "perplexity/"):
			comparePerplexity(t, id, &recorded, u)
			compared++
		default:
			t.Errorf("%s has a cost that is not compared: say why in unlike, or name the model in aggregated", id)
		}
	}
	for id := range left {
		t.Errorf("%s is not recorded any more", id)
	}
	t.Logf("%d costs compared, %d left out", compared, len(unlike))
	if compared < 33 {
		t.Errorf("only %d costs were compared", compared)
	}
}

func dollarsOfTicks(ticks json.Number) *big.Rat {
	said := fraction(ticks.String())
	return said.Quo(said, big.NewRat(10_000_000_000, 1))
}

// comparePerplexity compares the fee of the request, which is exact, and the parts
// of the tokens, which Perplexity rounds to a hundred-thousandth of a dollar.
func comparePerplexity(t *testing.T, id string, recorded *recordedCase, u usage.Usage) {
	t.Helper()
	var said struct {
		Input   json.Number `json:"input_tokens_cost"`
		Output  json.Number `json:"output_tokens_cost"`
		Request json.Number `json:"request_cost"`
	}
	if err := json.Unmarshal(recorded.RawUsage[0].Cost, &said); err != nil {
		t.Fatal(err)
	}
	calculation := ratesAt(t, "perplexity", recorded.Expected.Model, november).Calculate(u, price.Conditions{})
	if len(calculation.Units) != 1 || fraction(calculation.Units[0].Amount).Cmp(fraction(said.Request.String())) != 0 {
		t.Errorf("%s: the fee is %+v, the provider said %s", id, calculation.Units, said.Request)
	}
	for i, part := range []json.Number{said.Input, said.Output} {
		difference := new(big.Rat).Sub(fraction(calculation.Tokens[i].Amount), fraction(part.String()))
		if difference.Abs(difference).Cmp(big.NewRat(1, 200_000)) > 0 {
			t.Errorf("%s: %+v, the provider said %s", id, calculation.Tokens[i], part)
		}
	}
}
