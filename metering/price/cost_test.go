package price_test

import (
	"math"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

var november = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

// plain is a usage of plain input and output.
func plain(input, output int64) usage.Usage {
	return usage.Usage{InputTotal: input, Input: input, OutputTotal: output, Output: output}
}

func TestTierIsThatOfTheWholePrompt(t *testing.T) {
	for _, c := range []struct {
		provider, model string
		u               usage.Usage
		want            string
	}{
		// OpenAI: the base price holds to 272,000 tokens; beyond, input ×2 and output ×1.5 on every token.
		{"openai", "gpt-5.4", plain(272_000, 1000), "0.695"},
		{"openai", "gpt-5.4", plain(272_001, 1000), "1.382505"},
		{"openai", "gpt-6-sol", plain(272_000, 1000), "0.554"},
		{"openai", "gpt-6-sol", plain(272_001, 1000), "1.103004"},
		// Gemini: above 200,000.
		{"google", "gemini-2.5-pro", plain(200_000, 1000), "0.26"},
		{"google", "gemini-2.5-pro", plain(200_001, 1000), "0.5150025"},
		// xAI: from 200,000 on.
		{"xai", "grok-4.3", plain(199_999, 1000), "0.25249875"},
		{"xai", "grok-4.3", plain(200_000, 1000), "0.505"},
		// Anthropic's Haiku 5.5: above 100,000, cached and written tokens counted.
		{"anthropic", "claude-haiku-5-5", plain(100_000, 1000), "0.0105"},
		{"anthropic", "claude-haiku-5-5", usage.Usage{InputTotal: 100_001, Input: 1, CacheRead: 90_000, CacheWrite5m: 10_000, OutputTotal: 1000, Output: 1000}, "0.0132505"},
	} {
		if got := ratesAt(t, c.provider, c.model, november).Cost(c.u, price.Conditions{}); got != nanos(t, c.want) {
			t.Errorf("%s with %d tokens of input costs %s, want %s", c.model, c.u.InputTotal, got, c.want)
		}
	}
}

func TestPriceIsThatOfTheMoment(t *testing.T) {
	million := plain(1_000, 1_000) // a thousand each: dollars per million are thousandths here
	for _, c := range []struct{ provider, model, at, want string }{
		{"openai", "gpt-5.6-luna", "2026-07-29T23:59:59Z", "0.007"},
		{"openai", "gpt-5.6-luna", "2026-07-30T00:00:00Z", "0.0014"},
		{"openai", "gpt-5.6-luna", "2026-07-29T20:00:00-05:00", "0.0014"}, // the day is UTC's
		{"openai", "gpt-5.6-sol", "2026-08-20T23:59:59Z", "0.035"},
		{"openai", "gpt-5.6-sol", "2026-08-21T00:00:00Z", "0.024"},
		{"google", "gemini-3.8-flash", "2026-12-31T23:59:59Z", "0.0045"},
		{"google", "gemini-3.8-flash", "2027-01-01T00:00:00Z", "0.009"},
		{"deepseek", "deepseek-v4-flash", "2026-08-16T02:00:00Z", "0.00042"},
		{"deepseek", "deepseek-v4-flash", "2026-08-17T00:59:59Z", "0.00088"},
		{"deepseek", "deepseek-v4-flash", "2026-08-17T01:00:00Z", "0.00176"},
		{"deepseek", "deepseek-v4-flash", "2026-08-17T03:59:59Z", "0.00176"},
		{"deepseek", "deepseek-v4-flash", "2026-08-17T04:00:00Z", "0.00088"},
		{"deepseek", "deepseek-v4-flash", "2026-08-17T06:00:00Z", "0.00176"},
		{"deepseek", "deepseek-v4-flash", "2026-08-17T10:00:00Z", "0.00088"},
		{"deepseek", "deepseek-v4-flash", "2026-11-20T02:00:00Z", "0.00176"}, // a Friday
		{"deepseek", "deepseek-v4-flash", "2026-11-21T02:00:00Z", "0.00088"}, // a Saturday
		{"openai", "o3", "2025-06-09T23:00:00Z", "0.05"},
		{"openai", "o3", "2025-06-10T00:00:00Z", "0.01"},
		{"simulator", "simulator/demo", "2026-11-23T00:00:00Z", "0.005"},
	} {
		at, err := time.Parse(time.RFC3339, c.at)
		if err != nil {
			t.Fatal(err)
		}
		if got := ratesAt(t, c.provider, c.model, at).Cost(million, price.Conditions{}); got != nanos(t, c.want) {
			t.Errorf("%s at %s costs %s, want %s", c.model, c.at, got, c.want)
		}
	}
}

func TestConditionsOfTheResponse(t *testing.T) {
	u := plain(1_000, 1_000)
	for _, c := range []struct {
		provider, model string
		conditions      price.Conditions
		want            string
		known           bool
	}{
		{"openai", "gpt-5.5", price.Conditions{}, "0.035", true},
		{"openai", "gpt-5.5", price.Conditions{ServiceTier: "default"}, "0.035", true},
		{"openai", "gpt-5.5", price.Conditions{ServiceTier: "priority"}, "0.0875", true},
		{"openai", "gpt-5.5", price.Conditions{ServiceTier: "fast"}, "0.0875", true},
		{"openai", "gpt-5.5", price.Conditions{ServiceTier: "flex"}, "0.0175", true},
		{"openai", "gpt-6.1-terra", price.Conditions{ServiceTier: "fast", Geo: "eu"}, "0.0132", true}, // 2 × 1.1
		{"openai", "gpt-4o-mini", price.Conditions{ServiceTier: "priority"}, "0.00125", true},         // prices of its own
		{"openai", "gpt-4.1", price.Conditions{ServiceTier: "priority"}, "0.0175", true},
		{"anthropic", "claude-opus-4-6", price.Conditions{ServiceTier: "standard", Speed: "fast", Geo: "us"}, "0.198", true}, // 6 × 1.1
		{"anthropic", "claude-opus-4-8", price.Conditions{Speed: "fast"}, "0.06", true},
		{"anthropic", "claude-opus-4-8", price.Conditions{Speed: "standard", Geo: "not_available"}, "0.03", true},
		{"anthropic", "claude-opus-4-8", price.Conditions{ServiceTier: "batch", Geo: "global"}, "0.015", true},
		{"google", "gemini-2.5-flash", price.Conditions{ServiceTier: "ON_DEMAND_FLEX"}, "0.0014", true},
		{"google", "gemini-2.5-flash", price.Conditions{ServiceTier: "PROVISIONED_THROUGHPUT"}, "0.0028", true},
		{"google", "gemini-3.8-flash", price.Conditions{ServiceTier: "priority"}, "0.0081", true},
		// Unknown: the standard price, and it can be told.
		{"openai", "gpt-5.5", price.Conditions{ServiceTier: "hyperspeed"}, "0.035", false},
		{"anthropic", "claude-haiku-4-5", price.Conditions{Speed: "fast"}, "0.006", false},
		{"anthropic", "claude-opus-4-8", price.Conditions{Geo: "mars"}, "0.03", false},
	} {
		rates := ratesAt(t, c.provider, c.model, november)
		if got := rates.Cost(u, c.conditions); got != nanos(t, c.want) {
			t.Errorf("%s under %+v costs %s, want %s", c.model, c.conditions, got, c.want)
		}
		if rates.Knows(c.conditions) != c.known {
			t.Errorf("%s: Knows(%+v) is %v", c.model, c.conditions, !c.known)
		}
	}
}

func TestConditionsLeaveUnitsAlone(t *testing.T) {
	u := plain(1_000, 1_000)
	u.Units = usage.Units{WebSearch: 3, WebFetch: 7}
	rates := ratesAt(t, "anthropic", "claude-opus-4-8", november)
	if got, want := rates.Cost(u, price.Conditions{ServiceTier: "batch"}), nanos(t, "0.045"); got != want {
		t.Errorf("three searches and half the tokens cost %s, want %s", got, want)
	}
	double, err := price.ParseFactor("2")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := rates.Times(double).Cost(u, price.Conditions{ServiceTier: "batch"}), nanos(t, "0.09"); got != want {
		t.Errorf("a price group multiplies all: %s, want %s", got, want)
	}
}

func TestPricesByThePiece(t *testing.T) {
	images := usage.Usage{Units: usage.Units{Images: 3}}
	for _, c := range []struct {
		provider, model string
		u               usage.Usage
		conditions      price.Conditions
		want            string
		known           bool
	}{
		{"openai", "dall-e-3", images, price.Conditions{}, "0.12", true},
		{"openai", "dall-e-3", images, ofKind(price.Images, price.ImageKind("", "")), "0.12", true},
		{"openai", "dall-e-3", images, ofKind(price.Images, price.ImageKind("auto", "1792x1024")), "0.24", true},
		{"openai", "dall-e-3", images, ofKind(price.Images, price.ImageKind("hd", "")), "0.24", true},
		{"openai", "dall-e-3", images, ofKind(price.Images, price.ImageKind("hd", "1024x1792")), "0.36", true},
		{"openai", "dall-e-3", images, ofKind(price.Images, price.ImageKind("HD", "1024x1792")), "0.36", false}, // not cheaper by a strange word
		{"openai", "dall-e-2", images, ofKind(price.Images, price.ImageKind("", "256x256")), "0.048", true},
		{"openai", "tts-1", usage.Usage{Units: usage.Units{Characters: 4095}}, price.Conditions{}, "0.061425", true}, // as measured
		{"openai", "tts-1-hd", usage.Usage{Units: usage.Units{Characters: 1}}, price.Conditions{}, "0.00003", true},
		{"openai", "whisper-1", usage.Usage{Units: usage.Units{Milliseconds: 60_000}}, price.Conditions{}, "0.006", true},
		{"openai", "whisper-1", usage.Usage{Units: usage.Units{Milliseconds: 1}}, price.Conditions{}, "0.0000001", true},
		{"groq", "whisper-large-v3", usage.Usage{Units: usage.Units{Milliseconds: 10_001}}, price.Conditions{}, "0.000308365", true}, // 308,364.1666… nano-dollars
		{"groq", "whisper-large-v3", usage.Usage{Units: usage.Units{Milliseconds: 1}}, price.Conditions{}, "0.000308334", true},      // ten seconds at least
		{"groq", "whisper-large-v3", usage.Usage{}, price.Conditions{}, "0", true},
		{"mistral", "voxtral-mini-2602", usage.Usage{InputTotal: 13, Input: 13, OutputTotal: 151, Output: 151, Units: usage.Units{Milliseconds: 36_000}}, price.Conditions{}, "0.0018", true},
		{"mistral", "mistral-ocr-latest", usage.Usage{Units: usage.Units{Pages: 5}}, price.Conditions{}, "0.02", true},
		{"mistral", "mistral-ocr-latest", usage.Usage{Units: usage.Units{Pages: 5}}, ofKind(price.Pages, "annotated"), "0.025", true},
		{"openai", "omni-moderation-latest", usage.Usage{}, price.Conditions{}, "0", true},
		{"openai", "gpt-4.1", usage.Usage{Units: usage.Units{WebSearch: 2, FileSearch: 2, CodeInterpreter: 1}}, price.Conditions{}, "0.055", true},
		{"openai", "gpt-4.1", usage.Usage{Units: usage.Units{WebSearch: 2}}, ofKind(price.WebSearch, "preview"), "0.05", true},
		{"openai", "gpt-5", usage.Usage{Units: usage.Units{WebSearch: 2}}, ofKind(price.WebSearch, "preview"), "0.02", true},
		{"openai", "gpt-5.5", usage.Usage{Units: usage.Units{CodeInterpreter: 2}}, ofKind(price.CodeInterpreter, "4g"), "0.24", true},
		{"xai", "grok-4.3", usage.Usage{Units: usage.Units{WebSearch: 1, FileSearch: 2, CodeInterpreter: 1}}, price.Conditions{}, "0.015", true},
		{"xai", "grok-4.3", usage.Usage{Units: usage.Units{XSearch: 2}}, price.Conditions{}, "0.01", true},
		{"google", "gemini-2.0-flash", usage.Usage{Units: usage.Units{WebSearch: 1}}, price.Conditions{}, "0.035", true},
		{"google", "gemini-3.8-flash", usage.Usage{Units: usage.Units{WebSearch: 1}}, price.Conditions{}, "0.014", true},
		// The fee of a request: once, and not where nothing was used.
		{"perplexity", "sonar", plain(8, 15), price.Conditions{}, "0.005023", true},
		{"perplexity", "sonar", plain(8, 15), ofKind(price.Request, "medium"), "0.008023", true},
		{"perplexity", "sonar-pro", plain(1000, 0), ofKind(price.Request, "high"), "0.017", true},
		{"perplexity", "sonar", usage.Usage{Output: 1000}, price.Conditions{}, "0.006", true},
		{"perplexity", "sonar", usage.Usage{}, price.Conditions{}, "0", true},
		{"openai", "gpt-4o-mini-search-preview", plain(1000, 0), price.Conditions{}, "0.02515", true},
		// Cached parts of a modality, and video.
		{"openai", "gpt-realtime", usage.Usage{InputTotal: 3000, InputAudio: 1000, CacheReadAudio: 2000, OutputTotal: 1000, OutputAudio: 1000}, price.Conditions{}, "0.0968", true},
		{"google", "gemini-embedding-2", usage.Usage{InputTotal: 2000, Input: 1000, InputVideo: 1000}, price.Conditions{}, "0.0122", true},
		// Thirty minutes and twelve hours in a cache.
		{"openai", "gpt-6.1-terra", usage.Usage{InputTotal: 2000, CacheWrite: 1000, CacheWrite1h: 1000}, price.Conditions{}, "0.00375", true},
	} {
		rates := ratesAt(t, c.provider, c.model, november)
		if got := rates.Cost(c.u, c.conditions); got != nanos(t, c.want) {
			t.Errorf("%s: %+v of kinds %q costs %s, want %s", c.model, c.u, c.conditions.Kinds, got, c.want)
		}
		if rates.Knows(c.conditions) != c.known {
			t.Errorf("%s: Knows(%q) is %v", c.model, c.conditions.Kinds, !c.known)
		}
	}
}

func TestNothingIsFreeByAccident(t *testing.T) {
	rates, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "2", "output": "8"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		what string
		u    usage.Usage
		want string
	}{
		{"an unknown class of input", usage.Usage{InputTotal: 1000, Input: 400}, "0.002"},
		{"an unknown class of output", usage.Usage{OutputTotal: 1000, OutputAudio: 400}, "0.008"},
		{"totals alone", usage.Usage{InputTotal: 1000, OutputTotal: 1000}, "0.01"},
		{"classes alone", usage.Usage{CacheWrite1h: 1000, Output: 1000}, "0.01"},
		{"tokens counted in two classes, both billed", usage.Usage{InputTotal: 2168, Input: 7, CacheRead: 2161, CacheWrite: 2161}, "0.008658"},
		{"nothing", usage.Usage{}, "0"},
		{"the smallest fraction, rounded up", usage.Usage{InputTotal: 1, Input: 1}, "0.000002"},
		{"negative counts, taken as zero", usage.Usage{InputTotal: 10, Input: -5, CacheRead: 10, Output: -1}, "0.00002"},
	} {
		if got := rates.Cost(c.u, price.Conditions{}); got != nanos(t, c.want) {
			t.Errorf("%s: %s, want %s", c.what, got, c.want)
		}
	}
}

func TestCostRoundsUpOnceAndSaturates(t *testing.T) {
	rates, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "0.000000000001", "output": "0.0028"}})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		u    usage.Usage
		want metering.Nanos
	}{
		{plain(1, 0), 1}, // 10^-18 dollars
		{plain(1_000_000_000, 0), 1},
		{plain(1_000_000_001, 0), 2},
		{plain(1, 1), 3},   // 2.8 and a bit
		{plain(1, 5), 15},  // 14 and a bit
		{plain(0, 5), 14},  // exactly
		{plain(0, 10), 28}, // not 10 × 3
	} {
		if got := rates.Cost(c.u, price.Conditions{}); got != c.want {
			t.Errorf("%d and %d tokens cost %d nano-dollars, want %d", c.u.Input, c.u.Output, got, c.want)
		}
	}
	dear, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "999999", "output": "999999"}})
	if err != nil {
		t.Fatal(err)
	}
	all := usage.Usage{Input: math.MaxInt64, CacheRead: math.MaxInt64, InputVideo: math.MaxInt64, Output: math.MaxInt64, OutputImage: math.MaxInt64, InputTotal: math.MaxInt64, OutputTotal: math.MaxInt64}
	if got := dear.Cost(all, price.Conditions{}); got != math.MaxInt64 {
		t.Errorf("more than can be counted costs %d", got)
	}
}
