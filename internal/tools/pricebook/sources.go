package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
)

// sources is the price data as it was collected. Numbers stay text.
type sources struct {
	genai struct {
		Source    struct{ Package, Version, Date, Licence string }
		Providers []genaiProvider
	}
	modelsDev struct {
		Source    struct{ Repo, Date, Licence string }
		Providers map[string]map[string]modelsDevModel
	}
	litellm struct {
		Source struct{ Repo, Date, Licence string }
		Models map[string]map[string]any
	}
	later struct {
		Facts []map[string]any
	}
}

type genaiProvider struct {
	ID     string
	Models []genaiModel
}

type genaiModel struct {
	ID            string
	Match         genaiMatch
	ContextWindow int64           `json:"context_window"`
	Prices        json.RawMessage // one set of prices, or a list with constraints
}

type genaiMatch struct {
	Equals     string
	StartsWith string `json:"starts_with"`
	Or         []genaiMatch
}

type genaiPeriod struct {
	Constraint struct {
		Type      string
		StartDate string `json:"start_date"`
		StartTime string `json:"start_time"`
		EndTime   string `json:"end_time"`
	}
	Prices map[string]genaiPrice
}

// genaiPrice is a number or {base, tiers}.
type genaiPrice struct {
	Base  json.Number
	Tiers []struct {
		Start int64
		Price json.Number
	}
}

func (p *genaiPrice) UnmarshalJSON(data []byte) error {
	if data[0] != '{' {
		return json.Unmarshal(data, &p.Base)
	}
	type object genaiPrice
	return json.Unmarshal(data, (*object)(p))
}

type modelsDevModel struct {
	Limit      struct{ Context, Input, Output int64 }
	Modalities struct{ Input []string }
	Cost       map[string]any // by class, and for some lists of tiers
}

func readSources(folder fs.FS) (*sources, error) {
	var s sources
	for name, target := range map[string]any{
		"genai-prices.json": &s.genai, "models-dev.json": &s.modelsDev,
		"litellm-subset.json": &s.litellm, "later-facts.json": &s.later,
	} {
		data, err := fs.ReadFile(folder, name)
		if err != nil {
			return nil, fmt.Errorf("price data: %w", err)
		}
		decoder := json.NewDecoder(bytes.NewReader(data))
		decoder.UseNumber()
		if err := decoder.Decode(target); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
	}
	return &s, nil
}
