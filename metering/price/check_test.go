package price_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/price"
)

func TestCheckExplainsMistakes(t *testing.T) {
	period := func(members string) string {
		return oneModel(`"m": {"periods": [{"checked": "2026-01-01", "source": "s", ` + members + `}]}`)
	}
	prices := `"prices": {"input": "1", "output": "2"}`
	const place = "/providers/p/models/m/periods/0"
	for _, c := range []struct{ what, book, place, text string }{
		{"not JSON", `{"format": 1,`, "", "this is not JSON"},
		{"a name twice", `{"format": 1, "format": 1}`, "/format", "this is not JSON"},
		{"a misspelt member", period(`"price": {}`), place + "/price", "misspelt"},
		{"a number for a price", period(`"prices": {"input": 1, "output": "2"}`), place + "/prices/input", "prices are strings"},
		{"another format", `{"format": 2, "version": "2026-01-01", "sources": {}, "providers": {}}`, "/format", "it reads 1"},
		{"no date", strings.Replace(period(prices), `"version": "2026-01-01"`, `"version": "v7"`, 1), "/version", "not a date"},
		{"no provider", `{"format": 1, "version": "2026-01-01", "sources": {}, "providers": {}}`, "/providers", "no provider"},
		{"no model", oneModel(``), "/providers/p/models", "no model"},
		{"no period", oneModel(`"m": {"periods": []}`), "/providers/p/models/m/periods", "without a price"},
		{"no price of output", period(`"prices": {"input": "1"}`), place + "/prices", `"output"`},
		{"an unknown class", period(`"prices": {"input": "1", "output": "2", "thinking": "3"}`), place + "/prices/thinking", "cache_read"},
		{"an unknown unit", period(prices + `, "units": {"hugs": "1"}`), place + "/units/hugs", "web_search"},
		{"a sign", period(`"prices": {"input": "-1", "output": "2"}`), place + "/prices/input", "not a price"},
		{"an exponent", period(`"prices": {"input": "1e-3", "output": "2"}`), place + "/prices/input", "not a price"},
		{"a comma", period(`"prices": {"input": "1,5", "output": "2"}`), place + "/prices/input", "not a price"},
		{"a fraction alone", period(`"prices": {"input": ".5", "output": "2"}`), place + "/prices/input", "not a price"},
		{"a point alone", period(`"prices": {"input": "5.", "output": "2"}`), place + "/prices/input", "not a price"},
		{"a leading zero", period(`"prices": {"input": "01", "output": "2"}`), place + "/prices/input", "not a price"},
		{"thirteen decimals", period(`"prices": {"input": "0.0000000000001", "output": "2"}`), place + "/prices/input", "not a price"},
		{"a million dollars", period(`"prices": {"input": "1000000", "output": "2"}`), place + "/prices/input", "not a price"},
		{"very small beside very large", period(`"prices": {"input": "0.000000000001", "output": "999999"}, "units": {"web_search": "1/3"}`), place, "fewer decimals"},
		{"quantities without a common one", period(`"prices": {"input": "0.000000000001", "output": "1"}, "units": {"web_search": "1/4294967291"}`), place + "/units/web_search", "no common quantity"},
		{"a kind of a unit without its own price", period(prices + `, "units": {"images:hd": "1"}`), place + "/units/images:hd", "state the price of images too"},
		{"a kind without a name", period(prices + `, "units": {"images": "1", "images:": "1"}`), place + "/units/images:", "no unit"},
		{"a kind that is no word", period(prices + `, "units": {"images": "1", "images:HD 1": "1"}`), place + "/units/images:HD 1", "kinds of a-z"},
		{"the least of what has no price", period(prices + `, "least": {"pages": 5}`), place + "/least/pages", "no unit that has a price"},
		{"the least of a kind", period(prices + `, "units": {"images": "1", "images:hd": "2"}, "least": {"images:hd": 5}`), place + "/least/images:hd", "no unit that has a price"},
		{"the least is nothing", period(prices + `, "units": {"images": "1"}, "least": {"images": 0}`), place + "/least/images", "from 1 on"},
		{"a day that is none", period(prices + `, "hours": [{"days": ["mon", "Tuesday"], "from": "06:00", "until": "07:00", ` + prices + `}]`), place + "/hours/0/days/1", "the days are sun, mon"},
		{"a unit by nothing", period(prices + `, "units": {"web_search": "1/0"}`), place + "/units/web_search", "whole number"},
		{"tiers that do not ascend", period(prices + `, "tiers": [{"above": 5, ` + prices + `}, {"above": 5, ` + prices + `}]`), place + "/tiers/1/above", "ascend"},
		{"a tier from zero", period(prices + `, "tiers": [{"above": 0, ` + prices + `}]`), place + "/tiers/0/above", "positive"},
		{"a tier that lacks a class", period(`"prices": {"input": "1", "cache_read": "0.1", "output": "2"}, "tiers": [{"above": 5, ` + prices + `}]`), place + "/tiers/0/prices", "cache_read"},
		{"a tier that adds a class", period(prices + `, "tiers": [{"above": 5, "prices": {"input": "1", "cache_read": "0.1", "output": "2"}}]`), place + "/tiers/0/prices/cache_read", "base"},
		{"an adjustment that says nothing", period(prices + `, "service_tiers": {"flex": {}}`), place + "/service_tiers/flex", "either"},
		{"an adjustment that says both", period(prices + `, "speeds": {"fast": {"multiply": "2", ` + prices + `}}`), place + "/speeds/fast", "either"},
		{"tiers of a multiplier", period(prices + `, "geos": {"us": {"multiply": "2", "tiers": [{"above": 5, ` + prices + `}]}}`), place + "/geos/us/tiers", "belong to prices"},
		{"no multiplier", period(prices + `, "geos": {"us": {"multiply": "10%"}}`), place + "/geos/us/multiply", "not a multiplier"},
		{"another name of a tier", period(prices + `, "service_tiers": {"fast": {"multiply": "2"}}`), place + "/service_tiers/fast", `"priority"`},
		{"the standard tier", period(prices + `, "service_tiers": {"default": {"multiply": "1"}}`), place + "/service_tiers/default", "leave it out"},
		{"two that replace", period(prices + `, "service_tiers": {"flex": {` + prices + `}}, "speeds": {"fast": {` + prices + `}}`), place, "all but one"},
		{"no source", oneModel(`"m": {"periods": [{"checked": "2026-01-01", "source": "", ` + prices + `}]}`), place + "/source", "where it is from"},
		{"no day of the check", oneModel(`"m": {"periods": [{"checked": "yesterday", "source": "s", ` + prices + `}]}`), place + "/checked", "not a day"},
		{"no day of the start", oneModel(`"m": {"periods": [{"from": "2026-02-30", "checked": "2026-01-01", "source": "s", ` + prices + `}]}`), place + "/from", "not a day"},
		{"periods that do not ascend", oneModel(`"m": {"periods": [` + onePeriod + `, ` + onePeriod + `]}`), "/providers/p/models/m/periods/1/from", "ascend"},
		{"hours that are none", period(prices + `, "hours": [{"from": "6:00", "until": "25:00", ` + prices + `}]`), place + "/hours/0", "times of day"},
		{"hours that lack a class", period(`"prices": {"input": "1", "cache_read": "0.1", "output": "2"}, "hours": [{"from": "06:00", "until": "07:00", ` + prices + `}]`), place + "/hours/0/prices", "cache_read"},
		{"a name of two", oneModel(`"a": {"aliases": ["b"], "periods": [` + onePeriod + `]}, "b": {"periods": [` + onePeriod + `]}`), "/providers/p/models/a/aliases/0", "one price"},
		{"served as nobody", oneModel(`"a": {"served_as": ["b"], "periods": [` + onePeriod + `]}`), "/providers/p/models/a/served_as/0", "no model"},
		{"a negative limit", oneModel(`"a": {"output_limit": -1, "periods": [` + onePeriod + `]}`), "/providers/p/models/a", "negative"},
		{"a suffix of letters", `{"format": 1, "version": "2026-01-01", "sources": {}, "providers": {"p": {"version_suffixes": ["latest"], "models": {"m": {"periods": [` + onePeriod + `]}}}}}`, "/providers/p/version_suffixes/0", "begin with"},
	} {
		problems := price.Check([]byte(c.book))
		if len(problems) == 0 {
			t.Errorf("%s: nothing was found", c.what)
			continue
		}
		found := false
		for _, problem := range problems {
			found = found || problem.Place == c.place && strings.Contains(problem.Text, c.text) && problem.Line >= 1
		}
		if !found {
			t.Errorf("%s: found %v, want one at %q with %q", c.what, problems, c.place, c.text)
		}
		if _, err := price.Parse([]byte(c.book)); !errors.Is(err, price.ErrBook) {
			t.Errorf("%s: Parse says %v, want ErrBook", c.what, err)
		}
	}
	if problems := price.Check([]byte(period(prices))); problems != nil {
		t.Errorf("a good book has problems: %v", problems)
	}
}

func TestCheckShowsAllMistakesWithTheirLines(t *testing.T) {
	book := `{
 "format": 1, "version": "2026-01-01", "sources": {},
 "providers": {"p": {"models": {
  "org/model": {"periods": [{
   "checked": "2026-01-01", "source": "s",
   "prices": {"input": "cheap",
    "output": "dear"}
  }]}
 }}}
}`
	problems := price.Check([]byte(book))
	if len(problems) != 2 || problems[0].Line != 6 || problems[1].Line != 7 {
		t.Fatalf("found %v, want two, on the lines 6 and 7", problems)
	}
	if got := price.Check([]byte("{"))[0].String(); got != "line 1: this is not JSON: unexpected EOF" {
		t.Errorf("no JSON is %q", got)
	}
	if got := problems[0].String(); !strings.HasPrefix(got, `line 6, /providers/p/models/org~1model/periods/0/prices/input: "cheap": not a price`) {
		t.Errorf("the first reads %s", got)
	}
}

func TestNewRatesReadsAPriceLine(t *testing.T) {
	rates, err := price.NewRates(price.Definition{
		Prices: map[string]string{"input": "2.50", "output": "10.00", "cache_read": "0.25"},
		Tiers:  []price.Tier{{Above: 200_000, Prices: map[string]string{"input": "5", "output": "15", "cache_read": "0.5"}}},
		Units:  map[string]string{"web_search": "0.01"},
	})
	if err != nil {
		t.Fatal(err)
	}
	u := plain(200_000, 1)
	if got := rates.Cost(u, price.Conditions{}); got != nanos(t, "0.50001") {
		t.Errorf("below the threshold: %s", got)
	}
	u = plain(200_001, 1)
	u.Units.WebSearch = 2
	if got := rates.Cost(u, price.Conditions{}); got != nanos(t, "1.02002") {
		t.Errorf("above the threshold: %s", got)
	}
	for _, mistaken := range []price.Definition{
		{},
		{Prices: map[string]string{"input": "1"}},
		{Prices: map[string]string{"input": "1", "output": "free"}},
		{Prices: map[string]string{"input": "1", "output": "1"}, Units: map[string]string{"web_search": "ten"}},
	} {
		if _, err := price.NewRates(mistaken); !errors.Is(err, price.ErrDefinition) {
			t.Errorf("NewRates(%+v) says %v, want ErrDefinition", mistaken, err)
		}
	}
}

func TestParseFactor(t *testing.T) {
	rates, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "1", "output": "1"}})
	if err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string]string{"1": "1", "1.20": "1.2", "0.5": "0.5", "999": "999", "0": "0", "0.000001": "0.000001", "1.000001": "1.000001"} {
		factor, err := price.ParseFactor(text)
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if got := rates.Times(factor).Cost(plain(1_000_000, 0), price.Conditions{}); got != nanos(t, want) {
			t.Errorf("a dollar times %s is %s", text, got)
		}
	}
	if got := rates.Times(price.Factor{}).Cost(plain(1_000_000, 0), price.Conditions{}); got != nanos(t, "1") {
		t.Errorf("the zero factor makes a dollar %s", got)
	}
	for _, text := range []string{"", "-1", "+1", "1.", ".5", "1000", "1e2", "0.0000001", "120%", "1_0", "01"} {
		if _, err := price.ParseFactor(text); !errors.Is(err, price.ErrFactor) {
			t.Errorf("ParseFactor(%q) says %v, want ErrFactor", text, err)
		}
	}
}
