package main

import (
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/faregate/faregate/metering/price"
)

// This file is what is priced by the piece: the fees of tools, of requests, and
// whole models that are not priced by tokens.

var (
	// Reasoning models pay the same for both of OpenAI's search tools; for the
	// others the older one, web_search_preview, is dearer (and its tokens free).
	openaiPlain = regexp.MustCompile(`^(gpt-4o|gpt-4\.1|chatgpt)`)
	googleOlder = regexp.MustCompile(`^gemini-2`)
	googleGives = regexp.MustCompile(`^gemini-([2-9]|flash|pro)`)
	googleMedia = regexp.MustCompile(`embedding|tts|image`)
)

// addFees adds what a provider's tools cost for each call.
//
//   - OpenAI (developers.openai.com/api/docs/pricing): 10 and 2.50 dollars per 1,000
//     searches of the web and of files; a container for the code interpreter by its
//     memory. Containers are billed by the minute since 2026-06-02, which no response
//     tells: the price is that of the twenty minutes which a container can idle.
//   - xAI: later-facts. Searches of attachments (0.01 each) are not counted.
//   - Google: per grounded prompt up to Gemini 2.x, per search query from Gemini 3 on.
//   - Anthropic: its fetches are free apart from their tokens, and say so.
func addFees(provider, name string, period *price.PeriodFile) {
	fees := map[string]string{}
	switch provider {
	case "openai":
		if !openaiGenerates.MatchString(name) || openaiMedia.MatchString(name) || strings.HasSuffix(name, "-search-preview") {
			break
		}
		fees = map[string]string{
			"web_search": "0.01", "file_search": "0.0025",
			"code_interpreter": "0.03", "code_interpreter:1g": "0.03", "code_interpreter:4g": "0.12", "code_interpreter:16g": "0.48", "code_interpreter:64g": "1.92",
		}
		if openaiPlain.MatchString(name) {
			fees["web_search:preview"] = "0.025"
		}
	case "anthropic":
		fees = map[string]string{"web_search": "0.01", "web_fetch": "0"}
	case "google":
		switch {
		case !googleGives.MatchString(name) || googleMedia.MatchString(name):
		case googleOlder.MatchString(name):
			fees = map[string]string{"web_search": "0.035"}
		default:
			fees = map[string]string{"web_search": "0.014"}
		}
	case "xai":
		fees = map[string]string{"web_search": "0.005", "x_search": "0.005", "file_search": "0.0025", "code_interpreter": "0.005"}
	case "perplexity":
		fees = perplexityFees[name]
	case "groq":
		if _, heard := period.Units["milliseconds"]; heard {
			period.Least = map[string]int64{"milliseconds": 10_000} // console.groq.com/docs/speech-to-text: ten seconds
		}
	}
	if len(fees) == 0 {
		return
	}
	units := maps.Clone(fees)
	maps.Copy(units, period.Units) // a source's own price of a model wins
	period.Units = units
}

// perplexityFees are the fees for a request by the context size of its search,
// which the answer repeats (docs.perplexity.ai, getting-started/pricing); low is
// the default. The recorded answers' request_cost is the low fee. genai-prices
// has the highest.
var perplexityFees = map[string]map[string]string{
	"sonar":               {"request": "0.005", "request:low": "0.005", "request:medium": "0.008", "request:high": "0.012"},
	"sonar-reasoning":     {"request": "0.005", "request:low": "0.005", "request:medium": "0.008", "request:high": "0.012"},
	"sonar-pro":           {"request": "0.006", "request:low": "0.006", "request:medium": "0.01", "request:high": "0.014"},
	"sonar-reasoning-pro": {"request": "0.006", "request:low": "0.006", "request:medium": "0.01", "request:high": "0.014"},
}

// written are models that no source prices, as the providers' pages and those who
// copied them do.
func written() map[string]map[string]price.ModelFile {
	one := func(checked, source string, definition price.Definition) []price.PeriodFile {
		return []price.PeriodFile{{Checked: checked, Source: source, Definition: definition}}
	}
	free := func() map[string]string { return map[string]string{"input": "0", "output": "0"} }
	images := func(plain string, kinds map[string]string) price.Definition {
		units := map[string]string{"images": plain}
		for kind, each := range kinds {
			units["images:"+kind] = each
		}
		return price.Definition{Prices: free(), Units: units}
	}
	const (
		openaiImages   = "openai.com/pricing (copy in github.com/kevinhermawan/Canvas)"
		openaiSpeech   = "platform.openai.com (measured in github.com/sanand0/blog, openai-tts-cost)"
		openaiSearches = "developers.openai.com/api/docs/pricing (copy in modelcostwatch.com)"
		openaiModerate = "developers.openai.com/api/docs/guides/moderation"
		googleFree     = "ai.google.dev/gemini-api/docs/pricing (remark in genai-prices)"
	)
	models := map[string]map[string]price.ModelFile{
		"openai": {
			"dall-e-2": {
				Note: "Priced by image and size; an answer has no usage.",
				Periods: one("2023-12-25", openaiImages, images("0.02", map[string]string{
					"standard-256x256": "0.016", "standard-512x512": "0.018", "standard-1024x1024": "0.02",
				})),
			},
			"dall-e-3": {
				Note: "Priced by image, quality and size; an answer has no usage.",
				Periods: one("2023-12-25", openaiImages, images("0.04", map[string]string{
					"standard-1024x1024": "0.04", "standard-1024x1792": "0.08", "standard-1792x1024": "0.08",
					"hd-1024x1024": "0.08", "hd-1024x1792": "0.12", "hd-1792x1024": "0.12",
				})),
			},
			"tts-1": {
				Aliases: []string{"tts-1-1106"}, Note: "Priced by the characters of the request; an answer has no usage.",
				Periods: one("2025-11-02", openaiSpeech, price.Definition{Prices: free(), Units: map[string]string{"characters": "0.000015"}}),
			},
			"tts-1-hd": {
				Aliases: []string{"tts-1-hd-1106"}, Note: "Priced by the characters of the request; an answer has no usage.",
				Periods: one("2025-11-02", openaiSpeech, price.Definition{Prices: free(), Units: map[string]string{"characters": "0.00003"}}),
			},
			"omni-moderation-latest": {
				Aliases: []string{"omni-moderation", "text-moderation-latest", "text-moderation-stable", "text-moderation-006", "text-moderation-007"},
				Note:    "Free.",
				Periods: one("2026-09-23", openaiModerate, price.Definition{Prices: free()}),
			},
		},
		"google": {},
	}
	for name, prices := range map[string]map[string]string{
		"gpt-4o-search-preview":      {"input": "2.5", "output": "10"},
		"gpt-4o-mini-search-preview": {"input": "0.15", "output": "0.6"},
	} {
		models["openai"][name] = price.ModelFile{
			Note:    "Searches once for every request: 25 per 1,000. The prices of litellm by context size are older.",
			Periods: one("2026-03-12", openaiSearches, price.Definition{Prices: prices, Units: map[string]string{"request": "0.025"}}),
		}
	}
	for _, name := range []string{"gemma-3-1b-it", "gemma-3-4b-it", "gemma-3-12b-it", "gemma-3-27b-it", "gemma-3n-e2b-it", "gemma-3n-e4b-it", "gemma-4-26b-a4b-it", "gemma-4-31b-it"} {
		models["google"][name] = price.ModelFile{Note: "Free of charge on the Gemini API.", Periods: one("2026-09-23", googleFree, price.Definition{Prices: free()})}
	}
	return models
}

// onWeekdays is since when the peak hours of a provider's models are those of
// Monday to Friday only: DeepSeek's page since 2026-08-23, as genai-prices remarks
// and cannot say. The hours lie within one day in UTC and in Beijing.
func onWeekdays(provider, name string, periods []price.PeriodFile) []price.PeriodFile {
	last := len(periods) - 1
	if provider != "deepseek" || !strings.HasPrefix(name, "deepseek-v4") || last < 0 || len(periods[last].Hours) == 0 {
		return periods
	}
	later := periods[last]
	later.From, later.Source = "2026-08-23", "api-docs.deepseek.com/quick_start/pricing (remark in genai-prices)"
	later.Hours = slices.Clone(later.Hours)
	for i := range later.Hours {
		later.Hours[i].Days = []string{"mon", "tue", "wed", "thu", "fri"}
	}
	return append(periods, later)
}
