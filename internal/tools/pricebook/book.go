package main

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/faregate/faregate/metering/price"
)

// makeBook is the price book as JSON, and what was left out and why.
func makeBook(s *sources, version string) (data []byte, skipped []string, err error) {
	models := map[string]map[string]price.ModelFile{}
	windows := map[string]int64{}
	for _, from := range s.genai.Providers {
		provider, wanted := providers[from.ID]
		if !wanted {
			skipped = append(skipped, from.ID)
			continue
		}
		models[provider] = map[string]price.ModelFile{}
		for _, entry := range from.Models {
			place := provider + "/" + entry.ID
			why := leftOut[place]
			if provider == "google" && strings.HasPrefix(entry.ID, vertexClaude) {
				why = "Claude on Vertex"
			}
			if strings.Contains(entry.ID, ":free") {
				why = "the price is OpenRouter's"
			}
			var periods []price.PeriodFile
			if why == "" {
				if periods, why, err = periodsOf(provider, entry, s.genai.Source.Date); err != nil {
					return nil, nil, err
				}
			}
			if why != "" {
				skipped = append(skipped, place+": "+why)
				continue
			}
			s.addAudio(provider, entry.ID, periods)
			periods = onWeekdays(provider, entry.ID, periods)
			model, others := setApart(place, price.ModelFile{Aliases: aliasesOf(provider, entry), Periods: periods})
			models[provider][entry.ID] = model
			maps.Copy(models[provider], others)
			for name := range others {
				windows[provider+"/"+name] = entry.ContextWindow
			}
			windows[place] = entry.ContextWindow
		}
	}
	if err := s.addFacts(models, laterChecked); err != nil {
		return nil, nil, err
	}
	if err := s.addModelsDev(models); err != nil {
		return nil, nil, err
	}
	for provider, entries := range written() {
		if models[provider] == nil {
			continue
		}
		for name, model := range entries {
			if _, twice := models[provider][name]; twice {
				return nil, nil, fmt.Errorf("%s/%s is written here and in a source: decide", provider, name)
			}
			models[provider][name] = model
		}
	}
	file := price.BookFile{
		Format: 1, Version: version,
		Note:      "Made by internal/tools/pricebook; not to be edited by hand. Prices are in USD per million tokens, units each. Providers change prices about monthly: check them, or state your own in the configuration.",
		Sources:   s.named(),
		Providers: map[string]price.ProviderFile{"simulator": simulator},
	}
	for provider, entries := range models {
		if err := s.finish(provider, entries, windows); err != nil {
			return nil, nil, err
		}
		file.Providers[provider] = price.ProviderFile{
			Prefixes: prefixes[provider], VersionSuffixes: versionSuffixes[provider], Models: entries,
		}
	}
	data, err = json.Marshal(file, json.Deterministic(true), jsontext.WithIndent(" "))
	if err != nil {
		return nil, nil, err
	}
	data = append(data, '\n')
	if _, err := price.Parse(data); err != nil {
		return nil, nil, err
	}
	slices.Sort(skipped)
	return data, skipped, nil
}

// laterChecked is the day on which the later facts were found.
const laterChecked = "2026-11-23"

func (s *sources) named() map[string]string {
	return map[string]string{
		"genai-prices": fmt.Sprintf("%s %s (%s), %s", s.genai.Source.Package, s.genai.Source.Version, s.genai.Source.Date, s.genai.Source.Licence),
		"models-dev":   fmt.Sprintf("%s (%s), %s: limits, kinds of input, and models that the others lack", s.modelsDev.Source.Repo, s.modelsDev.Source.Date, s.modelsDev.Source.Licence),
		"litellm":      fmt.Sprintf("%s (%s), %s: service tiers, audio, limits", s.litellm.Source.Repo, s.litellm.Source.Date, s.litellm.Source.Licence),
	}
}

// finish adds limits, reasoning, conditions and notes.
func (s *sources) finish(provider string, entries map[string]price.ModelFile, windows map[string]int64) error {
	for _, name := range slices.Sorted(maps.Keys(entries)) {
		model := entries[name]
		limits := s.limitsOf(provider, name, &model, windows[provider+"/"+name])
		model.ContextLength, model.InputLimit, model.OutputLimit = limits.context, limits.input, limits.output
		model.InputModalities = s.modalitiesOf(provider, name, model.Aliases)
		model.Reasoning = reasons(provider, name)
		model.Note = notes[provider+"/"+name]
		for i := range model.Periods {
			if err := s.addConditions(provider, name, model.Aliases, &model.Periods[i]); err != nil {
				return err
			}
		}
		entries[name] = model
	}
	return nil
}

// addAudio adds audio prices that only litellm has: without them audio would be
// charged as text.
func (s *sources) addAudio(provider, name string, periods []price.PeriodFile) {
	entry := s.litellm.Models[name]
	if provider != "openai" || entry == nil {
		return
	}
	for class, key := range map[string]string{"input_audio": "input_cost_per_audio_token", "output_audio": "output_cost_per_audio_token"} {
		number, stated := entry[key]
		if !stated {
			continue
		}
		text, err := product(fmt.Sprint(number), "1000000")
		if err != nil {
			continue
		}
		for i := range periods {
			if _, priced := periods[i].Prices[class]; !priced {
				periods[i].Prices[class] = text
			}
		}
	}
}

var dated = regexp.MustCompile(`[-@](\d{4}-\d{2}-\d{2}|\d{8})$`)

// aliasesOf are the names besides the entry's own, without those that a version
// suffix makes of another name.
func aliasesOf(provider string, entry genaiModel) []string {
	names := append(namesOf(provider, entry.Match), extraNames[provider+"/"+entry.ID]...)
	slices.Sort(names)
	names = slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == entry.ID })
	return slices.DeleteFunc(names, func(name string) bool {
		base := dated.ReplaceAllString(name, "")
		return base != name && len(versionSuffixes[provider]) > 0 && (base == entry.ID || slices.Contains(names, base))
	})
}
