package price_test

import (
	"math/big"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

func TestCalculationAddsUpToTheCost(t *testing.T) {
	random := rand.New(rand.NewPCG(9, 10))
	group, err := price.ParseFactor("1.21")
	if err != nil {
		t.Fatal(err)
	}
	entries(t, func(provider, name string, at time.Time, prices entry) {
		plain := ratesAt(t, provider, name, at)
		for _, rates := range []*price.Rates{plain, plain.Times(group)} {
			for _, conditions := range conditionsOf(prices) {
				u := randomUsage(random)
				u.InputAudio, u.CacheRead = 0, 0 // not all lines at once
				total(&u)
				calculation := rates.Calculate(u, conditions)
				if cost := rates.Cost(u, conditions); calculation.Cost != cost {
					t.Fatalf("%s: %s, but the cost is %s", name, calculation.Cost, cost)
				}
				tokens, everything := new(big.Rat), new(big.Rat)
				endless := false
				add := func(sum *big.Rat, line price.CalculationLine) {
					if line.Count == 0 || strings.HasSuffix(line.Amount, "…") {
						endless = true
						return
					}
					sum.Add(sum, fraction(line.Amount))
				}
				for _, line := range calculation.Tokens {
					add(tokens, line)
					amount := new(big.Rat).Mul(big.NewRat(line.Count, 1_000_000), fraction(line.Price))
					if amount.Cmp(fraction(line.Amount)) != 0 {
						t.Fatalf("%s: the line %+v is wrong", name, line)
					}
				}
				for _, factor := range calculation.Factors {
					if factor.Times != "" && factor.Condition != "group" {
						tokens.Mul(tokens, fraction(factor.Times))
					}
				}
				for _, line := range calculation.Units {
					add(everything, line)
				}
				everything.Add(everything, tokens)
				for _, factor := range calculation.Factors {
					if factor.Condition == "group" {
						everything.Mul(everything, fraction(factor.Times))
					}
				}
				if endless {
					continue
				}
				if everything.Cmp(fraction(calculation.Exact)) != 0 || roundedUp(everything).Cmp(big.NewInt(int64(calculation.Cost))) != 0 {
					t.Fatalf("%s under %+v: %+v does not add up", name, conditions, calculation)
				}
			}
		}
	})
}

func TestCalculationInWords(t *testing.T) {
	for _, c := range []struct {
		provider, model string
		u               usage.Usage
		conditions      price.Conditions
		want            []string
	}{
		{
			"openai", "gpt-5.6-luna",
			usage.Usage{InputTotal: 272_001, Input: 2_001, CacheRead: 270_000, OutputTotal: 10, Output: 10, Units: usage.Units{WebSearch: 3}},
			price.Conditions{ServiceTier: "fast", Geo: "us"},
			[]string{
				"the prompt has 272001 tokens, more than 272000: the prices of long prompts hold for every token",
				"2001 tokens of input at $0.4 per million: $0.0008004",
				"270000 tokens of cache_read at $0.04 per million: $0.0108",
				"10 tokens of output at $1.8 per million: $0.000018",
				"service_tier priority: the tokens times 2",
				"geo us: the tokens times 1.1",
				"3 of web_search at $0.01: $0.03",
				"together $0.05556048, rounded up to a nano-dollar: $0.05556048",
			},
		},
		{
			"groq", "whisper-large-v3", usage.Usage{Units: usage.Units{Milliseconds: 1}}, price.Conditions{},
			[]string{
				"10000 of milliseconds at $0.111 for 3600000: $0.000308333333333333…",
				"together $0.000308333333333333…, rounded up to a nano-dollar: $0.000308334",
			},
		},
		{
			"anthropic", "claude-haiku-4-5", usage.Usage{InputTotal: 3, CacheWrite: 3}, price.Conditions{Speed: "warp", ServiceTier: "batch"},
			[]string{
				"3 tokens of cache_write at $1.25 per million (that of cache_write_5m): $0.00000375",
				"service_tier batch: the tokens times 0.5",
				"no price is known for speed warp: the standard price stands, or the dearest kind's",
				"together $0.000001875, rounded up to a nano-dollar: $0.000001875",
			},
		},
		{
			"openai", "dall-e-3", usage.Usage{Units: usage.Units{Images: 2}}, ofKind(price.Images, "4k"),
			[]string{
				"2 of images:4k at $0.12: $0.24",
				"no price is known for images 4k: the standard price stands, or the dearest kind's",
				"together $0.24, rounded up to a nano-dollar: $0.24",
			},
		},
		{
			"openai", "gpt-4o-mini", plain(1000, 0), price.Conditions{ServiceTier: "priority"},
			[]string{
				"1000 tokens of input at $0.25 per million: $0.00025",
				"these are the prices of service_tier priority",
				"together $0.00025, rounded up to a nano-dollar: $0.00025",
			},
		},
	} {
		got := ratesAt(t, c.provider, c.model, november).Calculate(c.u, c.conditions).Steps()
		if !slices.Equal(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.model, strings.Join(got, "\n"), strings.Join(c.want, "\n"))
		}
	}
	double, err := price.ParseFactor("2")
	if err != nil {
		t.Fatal(err)
	}
	got := ratesAt(t, "openai", "gpt-5.4", november).Times(double).Calculate(plain(1000, 0), price.Conditions{}).Steps()
	if !slices.Contains(got, "price group: everything times 2") || !strings.HasSuffix(got[len(got)-1], "$0.005") {
		t.Errorf("a price group is explained as\n%s", strings.Join(got, "\n"))
	}
}
