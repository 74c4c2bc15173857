package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faregate/faregate/metering/price"
)

// classOf names the classes of genai-prices that a usage record has.
var classOf = map[string]string{
	"input_mtok": "input", "output_mtok": "output",
	"cache_read_mtok": "cache_read", "cache_write_mtok": "cache_write", "cache_write_1h_mtok": "cache_write_1h",
	"input_audio_mtok": "input_audio", "cache_audio_read_mtok": "cache_read_audio", "output_audio_mtok": "output_audio",
	"input_image_mtok": "input_image", "cache_image_read_mtok": "cache_read_image", "output_image_mtok": "output_image",
	"input_video_mtok": "input_video", "output_video_mtok": "output_video",
}

// unitOf names what genai-prices prices by the piece, and how many pieces that
// price is for. It states hours of audio twice: in all, and of the input.
var unitOf = map[string]struct {
	unit string
	per  int64
}{
	"web_searches_kcount": {"web_search", 1000}, "storage_searches_kcount": {"file_search", 1000},
	"audio_hours": {"milliseconds", 3_600_000}, "input_audio_hours": {"milliseconds", 3_600_000},
	"input_document_kpages": {"pages", 1000}, "input_annotated_document_kpages": {"pages:annotated", 1000},
}

// periodsOf turns the prices of a genai-prices model into periods. why is set
// if the model has a price that no usage record counts.
func periodsOf(provider string, model genaiModel, checked string) (periods []price.PeriodFile, why string, err error) {
	list, err := genaiPeriods(model.Prices)
	if err != nil {
		return nil, "", fmt.Errorf("%s: %w", model.ID, err)
	}
	for _, one := range list {
		definition, unpriced, err := definitionOf(provider, one.Prices)
		if err != nil {
			return nil, "", fmt.Errorf("%s: %w", model.ID, err)
		}
		if unpriced != "" {
			return nil, unpriced, nil
		}
		switch one.Constraint.Type {
		case "", "start_date":
			periods = append(periods, price.PeriodFile{
				From: one.Constraint.StartDate, Checked: checked, Source: "genai-prices", Definition: definition,
			})
		case "time_of_date":
			last := &periods[len(periods)-1]
			last.Hours = append(last.Hours, price.HoursFile{
				From: one.Constraint.StartTime[:len("15:04")], Until: one.Constraint.EndTime[:len("15:04")],
				Prices: definition.Prices, Tiers: definition.Tiers,
			})
		default:
			return nil, "", fmt.Errorf("%s: constraint %q is not known", model.ID, one.Constraint.Type)
		}
	}
	return periods, "", nil
}

func genaiPeriods(raw json.RawMessage) ([]genaiPeriod, error) {
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	var list []genaiPeriod
	if raw[0] == '[' {
		return list, decoder.Decode(&list)
	}
	list = make([]genaiPeriod, 1)
	return list, decoder.Decode(&list[0].Prices)
}

func definitionOf(provider string, written map[string]genaiPrice) (definition price.Definition, why string, err error) {
	definition.Prices = map[string]string{}
	tiers := map[int64]map[string]string{}
	for _, key := range slices.Sorted(maps.Keys(written)) {
		value := written[key]
		switch class, known := classOf[key]; {
		case known:
			if class == "cache_write" && provider == "anthropic" {
				class = "cache_write_5m" // what Anthropic writes where no lifetime is asked for
			}
			if definition.Prices[class], err = dividedBy(value.Base, 1); err != nil {
				return definition, "", err
			}
			for _, tier := range value.Tiers {
				if tiers[tier.Start] == nil {
					tiers[tier.Start] = map[string]string{}
				}
				if tiers[tier.Start][class], err = dividedBy(tier.Price, 1); err != nil {
					return definition, "", err
				}
			}
		case unitOf[key].unit != "":
			unit := unitOf[key]
			if definition.Units == nil {
				definition.Units = map[string]string{}
			}
			if definition.Units[unit.unit], err = unitPrice(value.Base, unit.per); err != nil {
				return definition, "", err
			}
		case key == "requests_kcount": // the fee by context size: decisions.go
		default:
			return definition, "a price per " + strings.TrimSuffix(key, "_mtok") + ", which no usage record counts", nil
		}
	}
	if _, priced := definition.Prices["input"]; !priced {
		if definition.Units == nil {
			return definition, "no price", nil
		}
		definition.Prices["input"] = "0" // priced by the piece
	}
	if _, priced := definition.Prices["output"]; !priced {
		definition.Prices["output"] = "0" // embeddings have no output
	}
	for _, start := range slices.Sorted(maps.Keys(tiers)) {
		prices := tiers[start]
		for class, base := range definition.Prices {
			if _, tiered := prices[class]; !tiered {
				prices[class] = base
			}
		}
		definition.Tiers = append(definition.Tiers, price.Tier{Above: thresholdOf(provider, start), Prices: prices})
	}
	return definition, "", nil
}

// namesOf are the names of a genai-prices entry: those it lists, and the plain
// names that it takes as a beginning. Patterns beyond that are not followed.
func namesOf(provider string, match genaiMatch) []string {
	var names []string
	for _, one := range append([]genaiMatch{match}, match.Or...) {
		names = append(names, one.Equals)
		if slices.Contains(takesBeginnings, provider) {
			names = append(names, one.StartsWith)
		}
	}
	return slices.DeleteFunc(names, func(name string) bool {
		return name == "" || strings.Contains(name, ":") || strings.HasSuffix(name, "-") || strings.HasSuffix(name, "@") ||
			strings.HasPrefix(name, "x-ai/") || slices.Contains(notNames, name)
	})
}
