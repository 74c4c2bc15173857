package price_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

func randomBound(random *rand.Rand) price.Bound {
	return price.Bound{
		InputTokens: randomCount(random), OutputTokens: randomCount(random),
		WebSearches: random.Int64N(5), WebFetches: random.Int64N(5), XSearches: random.Int64N(5), FileSearches: random.Int64N(5), CodeInterpreters: random.Int64N(5),
		Images: random.Int64N(11), Characters: randomCount(random), Milliseconds: randomCount(random), Pages: random.Int64N(1000),
	}
}

// boundOf is the least bound that the usage is within.
func boundOf(u usage.Usage) price.Bound {
	return price.Bound{
		InputTokens: u.InputTotal, OutputTokens: u.OutputTotal,
		WebSearches: u.Units.WebSearch, WebFetches: u.Units.WebFetch, XSearches: u.Units.XSearch, FileSearches: u.Units.FileSearch, CodeInterpreters: u.Units.CodeInterpreter,
		Images: u.Units.Images, Characters: u.Units.Characters, Milliseconds: u.Units.Milliseconds, Pages: u.Units.Pages,
	}
}

func TestNoCostIsAboveItsHold(t *testing.T) {
	random := rand.New(rand.NewPCG(5, 6))
	entries(t, func(provider, name string, at time.Time, prices entry) {
		rates := ratesAt(t, provider, name, at)
		for _, conditions := range conditionsOf(prices) {
			for range 8 {
				u := randomUsage(random)
				bound := boundOf(u)
				bound.InputTokens += random.Int64N(3)
				bound.OutputTokens += random.Int64N(3)
				bound.Conditions = conditions
				hold, err := rates.Hold(bound)
				if err != nil {
					t.Fatal(err)
				}
				if cost := rates.Cost(u, conditions); cost > hold {
					t.Fatalf("%s %s under %+v: %+v costs %d, more than the hold of %d", provider, name, conditions, u, cost, hold)
				}
				if cost := rates.Cost(u, price.Conditions{}); cost > hold {
					t.Fatalf("%s %s: served as standard, %+v costs %d, more than the hold of %d", provider, name, u, cost, hold)
				}
				bound.Conditions, bound.AnyConditions = price.Conditions{Kinds: conditions.Kinds}, true
				if any, err := rates.Hold(bound); err != nil || any < hold {
					t.Fatalf("%s %s: the hold for any conditions is %d (%v), for some %d", provider, name, any, err, hold)
				}
			}
		}
	})
}

// Whoever holds and settles by the rates of a request's start is right at any
// time of its end, also where the price changes in between.
func TestHoldOfTheStartCoversTheCostOfTheStart(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	model, found := price.Embedded().Find("deepseek", "deepseek-v4-pro")
	if !found {
		t.Fatal("the book has no deepseek-v4-pro")
	}
	seen := map[metering.Nanos]bool{}
	for start := time.Date(2026, 8, 14, 0, 0, 0, 0, time.UTC); start.Before(time.Date(2026, 8, 26, 0, 0, 0, 0, time.UTC)); start = start.Add(30 * time.Minute) {
		rates, priced := model.At(start)
		if !priced {
			t.Fatalf("no price at %s", start)
		}
		u := randomUsage(random)
		hold, err := rates.Hold(boundOf(u))
		if err != nil {
			t.Fatal(err)
		}
		if cost := rates.Cost(u, price.Conditions{}); cost > hold {
			t.Fatalf("at %s %+v costs %d, more than the hold of %d", start, u, cost, hold)
		}
		seen[rates.Cost(plain(1_000_000, 0), price.Conditions{})] = true
		// The same moment said in another zone is the same price.
		if other, _ := model.At(start.In(time.FixedZone("UTC+8", 8*3600))); other != rates {
			t.Fatalf("at %s the price depends on the zone", start)
		}
	}
	if len(seen) != 3 {
		t.Errorf("the days have %d prices, want before the rise, off-peak and peak", len(seen))
	}
}

func TestOutputTokensWithinIsTheLargestThatFits(t *testing.T) {
	random := rand.New(rand.NewPCG(7, 8))
	group, err := price.ParseFactor("1.21")
	if err != nil {
		t.Fatal(err)
	}
	fits := func(rates *price.Rates, bound price.Bound, output int64, available metering.Nanos) bool {
		bound.OutputTokens = output
		hold, err := rates.Hold(bound)
		return err == nil && hold <= available
	}
	entries(t, func(provider, name string, at time.Time, prices entry) {
		plain := ratesAt(t, provider, name, at)
		for _, rates := range []*price.Rates{plain, plain.Times(group)} {
			for _, conditions := range conditionsOf(prices) {
				for range 4 {
					bound := randomBound(random)
					bound.Conditions = conditions
					available := metering.Nanos(random.Int64N(1 << random.IntN(62)))
					output := rates.OutputTokensWithin(bound, available)
					switch {
					case output == -1:
						if fits(rates, bound, 0, available) {
							t.Fatalf("%s %s: %+v without output fits into %d", provider, name, bound, available)
						}
					case !fits(rates, bound, output, available):
						t.Fatalf("%s %s: %+v with %d of output does not fit into %d", provider, name, bound, output, available)
					case output < math.MaxInt64 && fits(rates, bound, output+1, available):
						t.Fatalf("%s %s: %+v with %d of output fits into %d too", provider, name, bound, output+1, available)
					}
				}
			}
		}
	})
}

func TestHoldCountsWhatCanBeReached(t *testing.T) {
	for _, c := range []struct {
		what, provider, model string
		bound                 price.Bound
		want                  string
	}{
		{"the one-hour cache write is the dearest input", "anthropic", "claude-sonnet-5", price.Bound{InputTokens: 1000, OutputTokens: 1000}, "0.014"},
		{"unless it cannot be reached", "anthropic", "claude-sonnet-5", price.Bound{InputTokens: 1000, OutputTokens: 1000, Without: price.ClassesOf(price.CacheWrite, price.CacheWrite5m, price.CacheWrite1h)}, "0.012"},
		{"audio and images where they can come", "openai", "gpt-realtime", price.Bound{InputTokens: 1000, OutputTokens: 1000}, "0.096"},
		{"text alone", "openai", "gpt-realtime", price.Bound{InputTokens: 1000, OutputTokens: 1000, Without: price.ClassesOf(price.InputAudio, price.InputImage, price.InputVideo, price.CacheReadAudio, price.CacheReadImage, price.CacheReadVideo, price.OutputAudio, price.OutputImage)}, "0.02"},
		{"a tier out of reach", "google", "gemini-2.5-pro", price.Bound{InputTokens: 200_000}, "0.25"},
		{"a tier within reach", "google", "gemini-2.5-pro", price.Bound{InputTokens: 200_001}, "0.5000025"},
		{"searches", "google", "gemini-3.1-pro-preview", price.Bound{WebSearches: 3}, "0.042"},
		{"flex may be served as standard", "openai", "gpt-5.4", price.Bound{OutputTokens: 1000, Conditions: price.Conditions{ServiceTier: "flex"}}, "0.015"},
		{"priority", "openai", "gpt-5.4", price.Bound{OutputTokens: 1000, Conditions: price.Conditions{ServiceTier: "priority"}}, "0.03"},
		{"any tier and region", "openai", "gpt-5.4", price.Bound{OutputTokens: 1000, AnyConditions: true}, "0.033"},
		{"nothing", "openai", "gpt-5.4", price.Bound{}, "0"},
		{"searches, files and a container", "openai", "gpt-5.4", price.Bound{WebSearches: 2, FileSearches: 2, CodeInterpreters: 1}, "0.055"},
		{"a large container", "openai", "gpt-5.4", price.Bound{CodeInterpreters: 1, Conditions: price.Conditions{Kinds: price.Kinds{price.CodeInterpreter: "16g"}}}, "0.48"},
		{"a container of a size that nobody knows", "openai", "gpt-5.4", price.Bound{CodeInterpreters: 1, Conditions: price.Conditions{Kinds: price.Kinds{price.CodeInterpreter: "1t"}}}, "1.92"},
		{"small images, should the size not be heeded", "openai", "dall-e-2", price.Bound{Images: 10, Conditions: price.Conditions{Kinds: price.Kinds{price.Images: price.ImageKind("", "256x256")}}}, "0.2"},
		{"the fee of a request is always held", "perplexity", "sonar", price.Bound{}, "0.005"},
		{"that of its context size", "perplexity", "sonar", price.Bound{Conditions: price.Conditions{Kinds: price.Kinds{price.Request: "high"}}}, "0.012"},
	} {
		got, err := ratesAt(t, c.provider, c.model, november).Hold(c.bound)
		if err != nil || got != nanos(t, c.want) {
			t.Errorf("%s: %s, %v; want %s", c.what, got, err, c.want)
		}
	}
}

func TestHoldRefusesWhatIsNoBound(t *testing.T) {
	rates := ratesAt(t, "openai", "gpt-5.4", november)
	for _, bound := range []price.Bound{
		{InputTokens: -1}, {OutputTokens: -1}, {WebSearches: -1}, {WebFetches: -1}, {XSearches: -1}, {FileSearches: -1}, {CodeInterpreters: -1},
		{Images: -1}, {Characters: -1}, {Milliseconds: -1}, {Pages: -1},
	} {
		if _, err := rates.Hold(bound); !errors.Is(err, price.ErrBound) {
			t.Errorf("Hold(%+v) is %v, want ErrBound", bound, err)
		}
	}
	if got := rates.OutputTokensWithin(price.Bound{InputTokens: -1}, metering.Dollar); got != -1 {
		t.Errorf("a negative bound leaves %d tokens", got)
	}
	if got := rates.OutputTokensWithin(price.Bound{}, -1); got != -1 {
		t.Errorf("less than nothing leaves %d tokens", got)
	}
	if _, err := rates.Hold(price.Bound{InputTokens: math.MaxInt64, OutputTokens: math.MaxInt64}); !errors.Is(err, price.ErrTooLarge) {
		t.Errorf("a worst case beyond counting is %v, want ErrTooLarge", err)
	}
	free := ratesAt(t, "openai", "text-embedding-3-small", november)
	if got := free.OutputTokensWithin(price.Bound{InputTokens: 10}, metering.Dollar); got != math.MaxInt64 {
		t.Errorf("free output is limited to %d", got)
	}
}
