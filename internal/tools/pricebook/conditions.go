package main

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strings"

	"github.com/faregate/faregate/metering/price"
)

var (
	openaiGenerates = regexp.MustCompile(`^(gpt-[4-9]|o[134]|chatgpt|codex|computer)`)
	openaiMedia     = regexp.MustCompile(`audio|realtime|transcribe|tts|image`)
	openaiRegional  = regexp.MustCompile(`^gpt-(5\.[4-9]|[6-9])`) // 1.1 times from 5.4 on: litellm's regional uplift
	openaiPriority2 = regexp.MustCompile(`^gpt-(5\.6|[6-9])`)     // openai.com/api-fast-mode
	anthropicUS     = regexp.MustCompile(`^claude-(opus|sonnet|haiku|fable)-(4-[6-9]|[5-9])`)
	anthropicFast6  = regexp.MustCompile(`^claude-opus-4-[67]$`)
	anthropicFast2  = regexp.MustCompile(`^claude-(opus-4-[89]|opus-5|fable-5)`)
	googleCurrent   = regexp.MustCompile(`^gemini-(2\.5|[3-9])`)
	googlePriority  = regexp.MustCompile(`^gemini-3(\.\d)?-(pro|flash|flash-lite)(-preview)?$`)
)

// addConditions adds service tiers, speeds, regions and the fees of tools:
// what the providers' rules say for all of their models, and litellm for one.
func (s *sources) addConditions(provider, name string, aliases []string, period *price.PeriodFile) error {
	addFees(provider, name, period)
	half := price.Adjustment{Multiply: "0.5"}
	period.ServiceTiers = map[string]price.Adjustment{}
	switch provider {
	case "openai":
		if !openaiGenerates.MatchString(name) || openaiMedia.MatchString(name) || strings.HasSuffix(name, "-search-preview") {
			break
		}
		period.ServiceTiers["flex"], period.ServiceTiers["batch"] = half, half
		if err := s.addPriority(name, aliases, period); err != nil {
			return err
		}
		if openaiRegional.MatchString(name) {
			period.Geos = map[string]price.Adjustment{"us": {Multiply: "1.1"}, "eu": {Multiply: "1.1"}}
		}
	case "anthropic":
		// Priority is capacity that the operator committed to; nothing dearer.
		period.ServiceTiers["batch"], period.ServiceTiers["priority"] = half, price.Adjustment{Multiply: "1"}
		switch {
		case anthropicFast6.MatchString(name):
			period.Speeds = map[string]price.Adjustment{"fast": {Multiply: "6"}}
		case anthropicFast2.MatchString(name):
			period.Speeds = map[string]price.Adjustment{"fast": {Multiply: "2"}}
		}
		if anthropicUS.MatchString(name) {
			period.Geos = map[string]price.Adjustment{"us": {Multiply: "1.1"}}
		}
	case "google":
		if !googleCurrent.MatchString(name) {
			break
		}
		period.ServiceTiers["flex"], period.ServiceTiers["batch"] = half, half
		if googlePriority.MatchString(name) {
			period.ServiceTiers["priority"] = price.Adjustment{Multiply: "1.8"} // litellm, and genai-prices' remarks on 3.7 and 3.8
		}
	case "xai":
		if name == "grok-4.3" { // by the ticks of recorded batches; of others nothing is known
			period.ServiceTiers["batch"] = price.Adjustment{Multiply: "0.8"}
		}
	}
	if len(period.ServiceTiers) == 0 {
		period.ServiceTiers = nil
	}
	return nil
}

// addPriority adds OpenAI's priority (fast) service: as litellm has it, as a
// multiplier if it is one, else as prices.
func (s *sources) addPriority(name string, aliases []string, period *price.PeriodFile) error {
	switch {
	case name == "gpt-5.5":
		period.ServiceTiers["priority"] = price.Adjustment{Multiply: "2.5"}
		return nil
	case openaiPriority2.MatchString(name):
		period.ServiceTiers["priority"] = price.Adjustment{Multiply: "2"}
		return nil
	}
	entry := s.litellm.Models[name]
	for i := 0; entry == nil && i < len(aliases); i++ {
		entry = s.litellm.Models[aliases[i]]
	}
	keys := map[string]string{"input": "input_cost_per_token", "output": "output_cost_per_token", "cache_read": "cache_read_input_token_cost"}
	prices := map[string]string{}
	ratios := map[string]bool{}
	for _, class := range slices.Sorted(maps.Keys(period.Prices)) {
		base, based := entry[keys[class]].(json.Number)
		raised, priced := entry[keys[class]+"_priority"].(json.Number)
		if !based || !priced {
			return nil // no priority service, or not all of its prices
		}
		perMillion, ratio, err := raise(base, raised)
		if err != nil {
			return fmt.Errorf("%s: priority %s: %w", name, class, err)
		}
		prices[class] = perMillion
		ratios[ratio] = true
	}
	if len(ratios) > 1 {
		period.ServiceTiers["priority"] = price.Adjustment{Prices: prices}
		return nil
	}
	for ratio := range ratios {
		text, err := decimalOf(mustRatio(ratio))
		if err != nil { // no decimal: 20/11
			period.ServiceTiers["priority"] = price.Adjustment{Prices: prices}
			continue // the only one
		}
		period.ServiceTiers["priority"] = price.Adjustment{Multiply: text}
	}
	return nil
}

// raise is a price per token as one per million, and its ratio to the base.
func raise(base, raised json.Number) (perMillion, ratio string, err error) {
	from, err := exact(base)
	if err != nil {
		return "", "", err
	}
	to, err := exact(raised)
	if err != nil {
		return "", "", err
	}
	if from.Sign() == 0 {
		return "", "", fmt.Errorf("the base is free")
	}
	ratio = new(big.Rat).Quo(to, from).RatString()
	perMillion, err = decimalOf(to.Mul(to, big.NewRat(1_000_000, 1)))
	return perMillion, ratio, err
}

func mustRatio(text string) *big.Rat {
	ratio, _ := new(big.Rat).SetString(text) // made by RatString
	return ratio
}
