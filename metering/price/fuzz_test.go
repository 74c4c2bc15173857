package price_test

import (
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// A price file comes from outside: whatever it holds, it is refused with a
// reason or it can be priced with.
func FuzzParse(f *testing.F) {
	f.Add([]byte(oneModel(`"m": {"periods": [` + onePeriod + `]}`)))
	f.Add([]byte(oneModel(`"m": {"aliases": ["n"], "served_as": ["m"], "periods": [{"from": "2026-01-02", "checked": "2026-01-01", "source": "s",
		"prices": {"input": "0.000000000001", "output": "999999"}, "tiers": [{"above": 1, "prices": {"input": "1", "output": "2"}}],
		"service_tiers": {"flex": {"multiply": "0.5"}}, "speeds": {"fast": {"prices": {"input": "1", "output": "2"}}},
		"units": {"web_search": "0.36/3600000"}, "hours": [{"from": "22:00", "until": "02:00", "prices": {"input": "1", "output": "2"}}]}]}`)))
	f.Add([]byte(oneModel(`"one": {"aliases": ["three"], "served_as": ["two"], "periods": [{"checked": "2026-01-01", "source": "s", "prices": {"input": "0", "output": "0"},
		"units": {"images": "0.04", "images:hd-1024x1792": "0.12", "milliseconds": "0.111/3600000", "request": "0.005"},
		"hours": [{"days": ["mon", "sun"], "from": "06:00", "until": "07:00", "prices": {"input": "1", "output": "2"}}]}]}`)))
	base := baseBook(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		book, err := price.Parse(data)
		problems := price.Check(data)
		if (err == nil) != (len(problems) == 0) {
			t.Fatalf("Parse says %v and Check %v", err, problems)
		}
		if err != nil {
			return
		}
		if _, err := price.Over(base, data); err == nil {
			exported, err := book.Export()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := price.Parse(exported); err != nil {
				t.Fatalf("what was exported is refused: %v", err)
			}
		}
		at := time.Date(2026, 11, 23, 23, 0, 0, 0, time.UTC)
		for _, provider := range book.Providers() {
			for model := range book.Models(provider) {
				model.Explain(at)
				rates, priced := model.At(at)
				if !priced {
					continue
				}
				bound := price.Bound{InputTokens: 1000, OutputTokens: 10, Images: 2, Milliseconds: 5, WebSearches: 1, AnyConditions: true}
				hold, err := rates.Hold(bound)
				if err != nil {
					t.Fatal(err)
				}
				u := plain(1000, 10)
				u.Units = usage.Units{Images: 2, Milliseconds: 5, WebSearch: 1}
				conditions := price.Conditions{ServiceTier: "flex", Speed: "fast"}
				if cost := rates.Cost(u, conditions); cost > hold {
					t.Fatalf("cost %d is above the hold %d", cost, hold)
				}
				if output := rates.OutputTokensWithin(bound, hold); output < 10 {
					t.Fatalf("only %d tokens of output fit into a hold for 10", output)
				}
				rates.OutputTokensWithin(bound, metering.Dollar)
			}
		}
	})
}
