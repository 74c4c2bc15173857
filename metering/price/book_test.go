package price_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering/price"
)

func TestFindFollowsNamesAndVersions(t *testing.T) {
	book := price.Embedded()
	for _, c := range []struct{ provider, name, want string }{
		{"openai", "gpt-5.4", "gpt-5.4"},
		{"openai", "gpt-5.4-2026-03-05", "gpt-5.4"},
		{"openai", "gpt-5.6", "gpt-5.6-sol"},
		{"openai", "gpt-5.6-sol-2026-06-01", "gpt-5.6-sol"},
		{"openai", "gpt-4o-2024-08-06", "gpt-4o"},
		{"openai", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"}, // an entry of its own: 5/15
		{"openai", "gpt-4-0613", "gpt-4"},
		{"openai", "o4-mini-2025-04-16", "o4-mini"},
		{"anthropic", "claude-haiku-4-5-20251001", "claude-haiku-4-5"},
		{"anthropic", "claude-haiku-4-5@20251001", "claude-haiku-4-5"},
		{"anthropic", "claude-sonnet-4-20250514", "claude-sonnet-4-0"},
		{"anthropic", "claude-3-5-sonnet-20240620", "claude-3-5-sonnet"},
		{"anthropic", "claude-sonnet-5-5", "claude-sonnet-5-5"},
		{"google", "models/gemini-2.5-flash", "gemini-2.5-flash"},
		{"google", "gemini-2.0-flash-001", "gemini-2.0-flash"},
		{"google", "gemini-2.5-pro-preview-05-06", "gemini-2.5-pro"},
		{"google", "gemini-2.5-flash-preview-09-2025", "gemini-2.5-flash"},
		{"xai", "grok-4.3-20260417", "grok-4.3"},
		{"xai", "grok-4-0709", "grok-4-0709"},
		{"xai", "grok-4", "grok-4-0709"},
		{"deepseek", "deepseek-chat", "deepseek-v4-flash"},
		{"mistral", "mistral-large-latest", "mistral-large-2512"},
		{"mistral", "mistral-large-2411", "mistral-large"},
		{"mistral", "mistral-small-latest", "mistral-small-2603"},
		{"mistral", "mistral-medium-2604", "mistral-medium-3-5"},
		{"mistral", "open-mixtral-8x22b", "open-mixtral-8x22b"},
		{"openai", "gpt-5.3-codex-spark", "gpt-5.3-codex-spark"},
		{"openai", "text-moderation-latest", "omni-moderation-latest"},
		{"groq", "meta-llama/llama-prompt-guard-2-22m", "meta-llama/llama-prompt-guard-2-22m"},
		{"simulator", "simulator/demo", "simulator/demo"},

		// Nothing is guessed.
		{"openai", "gpt-5.4-2026-13-05", ""},
		{"openai", "gpt-5.4-2026-03-00", ""},
		{"openai", "gpt-5.4-turbo", ""},
		{"openai", "gpt-5.4-20260305", ""}, // not OpenAI's way to write a date
		{"openai", "gpt-4o-search", ""},
		{"openai", "-2026-03-05", ""},
		{"openai", "", ""},
		{"openai", "claude-haiku-4-5", ""},
		{"anthropic", "claude-haiku-4-5-2025100", ""},
		{"mistral", "mistral-large-2601", ""},
		{"nobody", "gpt-5.4", ""},
	} {
		model, found := book.Find(c.provider, c.name)
		got := ""
		if found {
			got = model.Name
		}
		if got != c.want {
			t.Errorf("%s of %s is %q, want %q", c.name, c.provider, got, c.want)
		}
	}
}

func TestRefineFollowsOnlyWhatTheCallMeant(t *testing.T) {
	book := price.Embedded()
	for _, c := range []struct{ provider, called, served, want string }{
		{"openai", "gpt-5.4", "gpt-5.4-2026-03-05", "gpt-5.4"},
		{"openai", "gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"},
		{"openai", "gpt-4o-2024-05-13", "gpt-4o", ""}, // dearer to cheaper, and not what was called
		{"openai", "gpt-5.6", "gpt-5.6-sol", "gpt-5.6-sol"},
		{"openai", "gpt-5-mini", "gpt-5-pro", ""},
		{"openai", "gpt-5-mini", "unheard-of", ""},
		{"anthropic", "claude-sonnet-4-0", "claude-sonnet-4-20250514", "claude-sonnet-4-0"},
		{"anthropic", "claude-opus-5", "claude-opus-4-8", ""},
		{"deepseek", "deepseek-chat", "deepseek-v4-flash", "deepseek-v4-flash"},
		{"nobody", "a", "a", ""},
	} {
		model, refined := book.Refine(c.provider, c.called, c.served)
		got := ""
		if refined {
			got = model.Name
		}
		if got != c.want {
			t.Errorf("%s served as %s is priced as %q, want %q", c.called, c.served, got, c.want)
		}
	}
	moving, err := price.Parse([]byte(oneModel(`"latest": {"served_as": ["new"], "periods": [` + onePeriod + `]}, "new": {"periods": [` + onePeriod + `]}`)))
	if err != nil {
		t.Fatal(err)
	}
	if model, refined := moving.Refine("p", "latest", "new"); !refined || model.Name != "new" {
		t.Errorf("a moving alias is served as %v, %v", model, refined)
	}
	if _, refined := moving.Refine("p", "new", "latest"); refined {
		t.Error("served_as was followed backwards")
	}
}

func TestEmbeddedBookIsWhole(t *testing.T) {
	book := price.Embedded()
	if _, err := time.Parse(time.DateOnly, book.Version()); err != nil {
		t.Errorf("the version: %v", err)
	}
	want := []string{"anthropic", "cerebras", "deepseek", "google", "groq", "mistral", "moonshotai", "openai", "perplexity", "simulator", "together", "xai"}
	if got := book.Providers(); !slices.Equal(got, want) {
		t.Errorf("providers are %v, want %v", got, want)
	}
	for _, provider := range book.Providers() {
		count := 0
		for model := range book.Models(provider) {
			count++
			if _, priced := model.At(november); !priced {
				t.Errorf("%s has no price today", model.Name)
			}
			for _, name := range append([]string{model.Name}, model.Aliases...) {
				if found, _ := book.Find(provider, name); found != model {
					t.Errorf("%s does not lead to its own entry", name)
				}
			}
		}
		if count == 0 {
			t.Errorf("%s has no models", provider)
		}
	}
	for range book.Models("nobody") {
		t.Error("an unknown provider has models")
	}
	for _, c := range []struct {
		provider, name         string
		context, input, output int64
	}{
		{"openai", "gpt-5.4", 1_050_000, 922_000, 128_000},
		{"anthropic", "claude-sonnet-4-5", 200_000, 0, 64_000},
		{"google", "gemini-2.5-pro", 1_048_576, 0, 65_536},
		{"xai", "grok-4.3", 1_000_000, 0, 30_000},
		{"simulator", "simulator/demo", 128_000, 0, 8_192},
	} {
		model, _ := book.Find(c.provider, c.name)
		if model.ContextLength != c.context || model.InputLimit != c.input || model.OutputLimit != c.output {
			t.Errorf("%s has limits %d, %d, %d", c.name, model.ContextLength, model.InputLimit, model.OutputLimit)
		}
	}
}

func TestBeforeTheFirstPeriodThereIsNoPrice(t *testing.T) {
	book, err := price.Parse([]byte(oneModel(`"m": {"periods": [{"from": "2026-01-02", "checked": "2026-01-01", "source": "s", "prices": {"input": "1", "output": "2"}}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	model, _ := book.Find("p", "m")
	if _, priced := model.At(time.Date(2026, 1, 1, 23, 59, 59, 0, time.UTC)); priced {
		t.Error("there is a price before the first period")
	}
	if _, priced := model.At(time.Date(2026, 1, 2, 0, 0, 0, 0, time.UTC)); !priced {
		t.Error("there is no price from the first period on")
	}
}

func TestHoursOverMidnight(t *testing.T) {
	book, err := price.Parse([]byte(oneModel(`"m": {"periods": [{"checked": "2026-01-01", "source": "s", "prices": {"input": "1", "output": "1"},
		"hours": [{"from": "22:30", "until": "01:15", "prices": {"input": "2", "output": "2"}}]}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	model, _ := book.Find("p", "m")
	for clock, want := range map[string]string{"22:29": "0.001", "22:30": "0.002", "00:00": "0.002", "01:14": "0.002", "01:15": "0.001", "12:00": "0.001"} {
		at, err := time.Parse("15:04", clock)
		if err != nil {
			t.Fatal(err)
		}
		rates, _ := model.At(at.AddDate(2026, 0, 0))
		if got := rates.Cost(plain(1000, 0), price.Conditions{}); got != nanos(t, want) {
			t.Errorf("at %s a thousand tokens cost %s, want %s", clock, got, want)
		}
	}
}

func TestHoursOnSomeDays(t *testing.T) {
	book, err := price.Parse([]byte(oneModel(`"m": {"periods": [{"checked": "2026-01-01", "source": "s", "prices": {"input": "1", "output": "1"},
		"hours": [{"days": ["mon", "fri"], "from": "10:00", "until": "12:00", "prices": {"input": "2", "output": "2"}},
			{"days": ["sat"], "from": "23:00", "until": "01:00", "prices": {"input": "3", "output": "3"}}]}]}`)))
	if err != nil {
		t.Fatal(err)
	}
	model, _ := book.Find("p", "m")
	for moment, want := range map[string]string{
		"2026-11-23T10:00:00Z": "0.002", "2026-11-23T12:00:00Z": "0.001", // a Monday
		"2026-11-24T10:00:00Z": "0.001", "2026-11-27T11:59:59Z": "0.002", // Tuesday, Friday
		"2026-11-23T06:00:00-05:00": "0.002", // 11:00 UTC
		// From Saturday into Sunday, and not from Friday into Saturday.
		"2026-11-28T00:30:00Z": "0.001", "2026-11-28T23:00:00Z": "0.003", "2026-11-29T00:59:59Z": "0.003", "2026-11-29T23:30:00Z": "0.001",
	} {
		at, err := time.Parse(time.RFC3339, moment)
		if err != nil {
			t.Fatal(err)
		}
		rates, _ := model.At(at)
		if got := rates.Cost(plain(1000, 0), price.Conditions{}); got != nanos(t, want) {
			t.Errorf("at %s a thousand tokens cost %s, want %s", moment, got, want)
		}
	}
}

func TestExplainSaysWhatHolds(t *testing.T) {
	book := price.Embedded()
	explain := func(provider, name, at string) string {
		t.Helper()
		model, found := book.Find(provider, name)
		if !found {
			t.Fatal(name)
		}
		moment, err := time.Parse(time.RFC3339, at)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(model.Explain(moment), "\n")
	}
	for _, c := range []struct {
		provider, name, at string
		want               []string
	}{
		{"openai", "gpt-5.6-luna", "2026-07-30T00:00:00Z", []string{
			"gpt-5.6-luna of openai at 2026-07-30T00:00:00Z", "price since 2026-07-30, as genai-prices said on 2026-09-23", "input: $0.2 per million tokens",
			"cache_write: $0.25 per million tokens", "\nas cache_write, having no price of their own: cache_write_5m, cache_write_1h\n",
			"\n  as output, having no price of their own: output_audio, output_image, output_video\n", "more than 272000 tokens", "  output: $1.8 per million tokens",
			"service tier flex: all token prices times 0.5", "web_search: $0.01 for 1",
		}},
		{"openai", "gpt-5.6-luna", "2026-07-01T00:00:00Z", []string{"price since ever", "input: $1 per million tokens", "the price changes on 2026-07-30"}},
		{"deepseek", "deepseek-v4-pro", "2026-09-01T02:00:00Z", []string{"it is between 01:00 and 04:00 UTC", "input: $1.32 per million"}},
		{"deepseek", "deepseek-v4-pro", "2026-09-01T05:00:00Z", []string{"other prices hold from 01:00 to 04:00 UTC", "other prices hold from 06:00 to 10:00 UTC", "input: $0.66 per million"}},
		{"openai", "gpt-4o-mini", "2026-09-01T05:00:00Z", []string{"service tier priority: prices of its own", "  input: $0.25 per million tokens"}},
		{"simulator", "simulator/demo", "2026-11-23T00:00:00Z", []string{"made up for the demo"}},
	} {
		got := explain(c.provider, c.name, c.at)
		for _, want := range c.want {
			if !strings.Contains(got, want) {
				t.Errorf("the explanation of %s at %s lacks %q:\n%s", c.name, c.at, want, got)
			}
		}
	}
}

const onePeriod = `{"checked": "2026-01-01", "source": "s", "prices": {"input": "1", "output": "2"}}`

// oneModel is a book with the given models.
func oneModel(models string) string {
	return `{"format": 1, "version": "2026-01-01", "sources": {}, "providers": {"p": {"models": {` + models + `}}}}`
}
