package price_test

import (
	"encoding/json"
	"math/big"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// The calculator is a second implementation of what usage costs, written with
// nothing of the first: it reads the book's JSON by itself and counts in
// fractions. It follows the package comment.

type entry map[string]any

// entries is every period and every time of day of the embedded book, with a
// moment at which it holds.
func entries(t testing.TB, visit func(provider, model string, at time.Time, prices entry)) {
	t.Helper()
	data := bookBytes(t)
	var book struct {
		Providers map[string]struct {
			Models map[string]struct{ Periods []entry }
		}
	}
	if err := json.Unmarshal(data, &book); err != nil {
		t.Fatal(err)
	}
	for provider, models := range book.Providers {
		for model, file := range models.Models {
			for _, period := range file.Periods {
				day := "2020-01-01"
				if from, dated := period["from"].(string); dated {
					day = from
				}
				at, err := time.Parse(time.DateOnly, day)
				if err != nil {
					t.Fatal(err)
				}
				visit(provider, model, at, period)
				hours, _ := period["hours"].([]any)
				for _, one := range hours {
					times := one.(map[string]any)
					begin, err := time.Parse("15:04", times["from"].(string))
					if err != nil {
						t.Fatal(err)
					}
					replaced := entry{}
					for key, value := range period {
						replaced[key] = value
					}
					delete(replaced, "tiers")
					for key, value := range times {
						replaced[key] = value
					}
					day := at
					if days, some := times["days"].([]any); some {
						for !strings.HasPrefix(strings.ToLower(day.Format("Mon")), days[0].(string)) {
							day = day.AddDate(0, 0, 1)
						}
					}
					visit(provider, model, day.Add(time.Duration(begin.Hour())*time.Hour+time.Duration(begin.Minute())*time.Minute), replaced)
				}
			}
		}
	}
}

func bookBytes(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("book.json")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func fraction(text string) *big.Rat {
	value, ok := new(big.Rat).SetString(text)
	if !ok {
		panic(text)
	}
	return value
}

// priceOf is the price of a class in dollars per million tokens.
func priceOf(prices map[string]any, class string) *big.Rat {
	first := func(names ...string) *big.Rat {
		for _, name := range names {
			if text, stated := prices[name].(string); stated {
				return fraction(text)
			}
		}
		panic("no price of " + class)
	}
	switch class {
	case "cache_read":
		return first("cache_read", "input")
	case "cache_write":
		return first("cache_write", "cache_write_5m", "input")
	case "cache_write_5m":
		return first("cache_write_5m", "cache_write", "input")
	case "cache_write_1h":
		return first("cache_write_1h", "cache_write", "cache_write_5m", "input")
	case "cache_read_audio", "cache_read_image", "cache_read_video":
		return first(class, "input_"+strings.TrimPrefix(class, "cache_read_"), "cache_read", "input")
	case "input_audio", "input_image", "input_video":
		return first(class, "input")
	case "output_audio", "output_image", "output_video":
		return first(class, "output")
	}
	return first(class)
}

// costOf is what the usage costs, in nano-dollars rounded up.
func costOf(prices entry, u usage.Usage, c price.Conditions) *big.Int {
	sheet := map[string]any(prices)
	multiplier := big.NewRat(1, 1)
	for dimension, name := range map[string]string{"service_tiers": c.ServiceTier, "speeds": c.Speed, "geos": c.Geo} {
		adjustments, _ := prices[dimension].(map[string]any)
		adjustment, known := adjustments[name].(map[string]any)
		if !known {
			continue
		}
		if text, multiplies := adjustment["multiply"].(string); multiplies {
			multiplier.Mul(multiplier, fraction(text))
		} else {
			sheet = adjustment
		}
	}
	table := sheet["prices"].(map[string]any)
	if tiers, tiered := sheet["tiers"].([]any); tiered {
		for _, one := range tiers {
			tier := one.(map[string]any)
			if u.InputTotal > int64(tier["above"].(float64)) {
				table = tier["prices"].(map[string]any)
			}
		}
	}
	counts := map[string]int64{
		"input": u.Input, "cache_read": u.CacheRead, "cache_write": u.CacheWrite, "cache_write_5m": u.CacheWrite5m, "cache_write_1h": u.CacheWrite1h,
		"input_audio": u.InputAudio, "input_image": u.InputImage, "input_video": u.InputVideo,
		"cache_read_audio": u.CacheReadAudio, "cache_read_image": u.CacheReadImage, "cache_read_video": u.CacheReadVideo,
		"output": u.Output, "output_audio": u.OutputAudio, "output_image": u.OutputImage, "output_video": u.OutputVideo,
	}
	total := new(big.Rat)
	for class, count := range counts {
		part := new(big.Rat).SetInt64(count)
		total.Add(total, part.Mul(part, priceOf(table, class)))
	}
	total.Mul(total, multiplier).Quo(total, big.NewRat(1_000_000, 1))
	units, _ := prices["units"].(map[string]any)
	for name, count := range map[string]int64{
		"web_search": u.Units.WebSearch, "web_fetch": u.Units.WebFetch, "x_search": u.Units.XSearch, "file_search": u.Units.FileSearch, "code_interpreter": u.Units.CodeInterpreter,
		"images": u.Units.Images, "characters": u.Units.Characters, "milliseconds": u.Units.Milliseconds, "pages": u.Units.Pages, "request": 1,
	} {
		if u == (usage.Usage{}) {
			continue
		}
		if least, some := prices["least"].(map[string]any); some && least[name] != nil && count > 0 {
			count = max(count, int64(least[name].(float64)))
		}
		part := new(big.Rat).SetInt64(count)
		total.Add(total, part.Mul(part, unitPriceOf(units, name, kindOf(c, name))))
	}
	return roundedUp(total)
}

// unitPriceOf is the price of a unit: the kind's; that of no kind if none is
// asked for; the dearest if the one asked for is not known.
func unitPriceOf(units map[string]any, name, kind string) *big.Rat {
	each := func(text any) *big.Rat {
		price, per, several := strings.Cut(text.(string), "/")
		if !several {
			per = "1"
		}
		return new(big.Rat).Quo(fraction(price), fraction(per))
	}
	text, priced := units[name]
	if !priced {
		return new(big.Rat)
	}
	if own, known := units[name+":"+kind]; known {
		return each(own)
	}
	plain := each(text)
	if kind == "" {
		return plain
	}
	dearest := plain
	for other, text := range units {
		if strings.HasPrefix(other, name+":") && each(text).Cmp(dearest) > 0 {
			dearest = each(text)
		}
	}
	return dearest
}

func kindOf(c price.Conditions, name string) string {
	for _, unit := range price.Units() {
		if unit.String() == name {
			return c.Kinds[unit]
		}
	}
	panic(name)
}

// roundedUp turns dollars into nano-dollars.
func roundedUp(dollars *big.Rat) *big.Int {
	nanos := new(big.Rat).Mul(dollars, big.NewRat(1_000_000_000, 1))
	quotient, remainder := new(big.Int).QuoRem(nanos.Num(), nanos.Denom(), new(big.Int))
	if remainder.Sign() > 0 {
		quotient.Add(quotient, big.NewInt(1))
	}
	return quotient
}

// randomCount is of a random magnitude, as most bugs are at one end.
func randomCount(random *rand.Rand) int64 {
	return random.Int64N(1 << random.IntN(24))
}

func randomUsage(random *rand.Rand) usage.Usage {
	some := func() int64 {
		if random.IntN(2) == 0 {
			return 0
		}
		return randomCount(random)
	}
	u := usage.Usage{
		Input: some(), CacheRead: some(), CacheWrite: some(), CacheWrite5m: some(), CacheWrite1h: some(),
		InputAudio: some(), InputImage: some(), InputVideo: some(),
		CacheReadAudio: some(), CacheReadImage: some(), CacheReadVideo: some(),
		Output: some(), OutputAudio: some(), OutputImage: some(), OutputVideo: some(),
		Units: usage.Units{
			WebSearch: random.Int64N(20), WebFetch: random.Int64N(20), XSearch: random.Int64N(3), FileSearch: random.Int64N(3), CodeInterpreter: random.Int64N(3),
			Images: random.Int64N(11), Characters: some(), Milliseconds: some(), Pages: random.Int64N(1000),
		},
	}
	total(&u)
	return u
}

func total(u *usage.Usage) {
	u.InputTotal = u.Input + u.CacheRead + u.CacheWrite + u.CacheWrite5m + u.CacheWrite1h + u.InputAudio + u.InputImage + u.InputVideo +
		u.CacheReadAudio + u.CacheReadImage + u.CacheReadVideo
	u.OutputTotal = u.Output + u.OutputAudio + u.OutputImage + u.OutputVideo
}

// conditionsOf are all conditions that an entry has a price for, and none.
func conditionsOf(prices entry) []price.Conditions {
	names := func(dimension string) []string {
		all := []string{""}
		adjustments, _ := prices[dimension].(map[string]any)
		for name := range adjustments {
			all = append(all, name)
		}
		return all
	}
	var all []price.Conditions
	for _, serviceTier := range names("service_tiers") {
		for _, speed := range names("speeds") {
			for _, geo := range names("geos") {
				all = append(all, price.Conditions{ServiceTier: serviceTier, Speed: speed, Geo: geo})
			}
		}
	}
	units, _ := prices["units"].(map[string]any)
	for name := range units {
		for _, unit := range price.Units() {
			if kind, ofUnit := strings.CutPrefix(name, unit.String()+":"); ofUnit {
				all = append(all, ofKind(unit, kind), ofKind(unit, "unheard-of"))
			}
		}
	}
	return all
}

// ofKind are the conditions of units of a kind.
func ofKind(unit price.Unit, kind string) (c price.Conditions) {
	c.Kinds[unit] = kind
	return c
}

func ratesAt(t testing.TB, provider, name string, at time.Time) *price.Rates {
	t.Helper()
	model, found := price.Embedded().Find(provider, name)
	if !found {
		t.Fatalf("the book has no %s of %s", name, provider)
	}
	rates, priced := model.At(at)
	if !priced {
		t.Fatalf("%s has no price at %s", name, at)
	}
	return rates
}

func TestCostAgreesWithAnIndependentCalculator(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	checked := 0
	entries(t, func(provider, name string, at time.Time, prices entry) {
		rates := ratesAt(t, provider, name, at)
		for _, conditions := range conditionsOf(prices) {
			for range 8 {
				u := randomUsage(random)
				want := costOf(prices, u, conditions)
				if got := rates.Cost(u, conditions); want.Cmp(big.NewInt(int64(got))) != 0 {
					t.Fatalf("%s %s at %s under %+v: %+v costs %d nano-dollars, want %s", provider, name, at, conditions, u, got, want)
				}
				checked++
			}
		}
	})
	if checked < 5000 {
		t.Fatalf("only %d costs were compared", checked)
	}
}

func TestGroupFactorIsAppliedBeforeRounding(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	entries(t, func(provider, name string, at time.Time, prices entry) {
		factor, err := price.ParseFactor("1.234567")
		if err != nil {
			t.Fatal(err)
		}
		rates := ratesAt(t, provider, name, at).Times(factor)
		u := randomUsage(random)
		// A million of the same request, so that no remainder of the plain sum is lost.
		million := scaled(u, 1_000_000)
		if units, _ := prices["units"].(map[string]any); prices["tiers"] != nil || units["request"] != nil || prices["least"] != nil {
			return // a million times the prompt is another tier, and one request still
		}
		exact := new(big.Rat).SetFrac(costOf(prices, million, price.Conditions{}), big.NewInt(1_000_000))
		want := roundedUp(exact.Mul(exact, fraction("1.234567")).Quo(exact, big.NewRat(1_000_000_000, 1)))
		if got := rates.Cost(u, price.Conditions{}); want.Cmp(big.NewInt(int64(got))) != 0 {
			t.Fatalf("%s %s: %d, want %s", provider, name, got, want)
		}
	})
}

func scaled(u usage.Usage, by int64) usage.Usage {
	for _, count := range []*int64{
		&u.Input, &u.CacheRead, &u.CacheWrite, &u.CacheWrite5m, &u.CacheWrite1h, &u.InputAudio, &u.InputImage, &u.InputVideo,
		&u.CacheReadAudio, &u.CacheReadImage, &u.CacheReadVideo, &u.Output, &u.OutputAudio, &u.OutputImage, &u.OutputVideo,
		&u.Units.WebSearch, &u.Units.WebFetch, &u.Units.XSearch, &u.Units.FileSearch, &u.Units.CodeInterpreter,
		&u.Units.Images, &u.Units.Characters, &u.Units.Milliseconds, &u.Units.Pages,
	} {
		*count *= by
	}
	total(&u)
	return u
}

func nanos(t testing.TB, text string) metering.Nanos {
	t.Helper()
	amount, err := metering.ParseUSD(text)
	if err != nil {
		t.Fatal(err)
	}
	return amount
}
