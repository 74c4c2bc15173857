package tokens

import (
	"math"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func textOf(s string) Text {
	var t Text
	t.AddString(s)
	return t
}

func TestWhatATextIsMadeOf(t *testing.T) {
	const text = "Ab 12,\t\n(é Жук) 漢字かな한 नमस्ते 😀—"
	want := Text{Bytes: int64(len(text)), Letters: 2, Digits: 2, Signs: 3, Spaces: 5, Breaks: 2, Alphabets: 4, Ideographs: 5, Others: 8}
	if got := textOf(text); got != want || got.Runes() != int64(utf8.RuneCountInString(text)) {
		t.Errorf("%+v, want %+v", got, want)
	}
	long := strings.Repeat(text, 100)
	for _, size := range []int{1, 2, 3, 7, 254, 255, 256, 10_000} {
		var got Text
		for rest := []byte(long); len(rest) > 0; {
			n := min(size, len(rest))
			got.Add(rest[:n])
			rest = rest[n:]
		}
		if got != textOf(long) {
			t.Errorf("pieces of %d: %+v", size, got)
		}
	}
}

// The numbers are those of OpenAI's own tokenizer (js-tiktoken 1.0).
func TestOpenAIsTokenizers(t *testing.T) {
	for text, want := range map[string][2]int64{
		"hello world":                            {2, 2},
		"The quick brown fox jumps over the dog": {8, 8},
		"antidisestablishmentarianism":           {6, 6},
		"2 + 2 = 4":                              {7, 7},
		"お誕生日おめでとう":                              {8, 9},
		"":                                       {0, 0},
	} {
		if got := o200kBase.count([]byte(text)); got != want[0] {
			t.Errorf("o200k_base: %q has %d tokens, want %d", text, got, want[0])
		}
		if got := cl100kBase.count([]byte(text)); got != want[1] {
			t.Errorf("cl100k_base: %q has %d tokens, want %d", text, got, want[1])
		}
	}
}

// Cutting a text where words begin changes nothing.
func TestPiecesForTheTokenizerDoNotMatter(t *testing.T) {
	text := strings.Repeat("Its numbers, 12 or 1,024, don't matter (much) to the \"reader\":\n\tfoo_bar(x) += 1; // über 漢字\n", 200)
	whole, err := o200kBase.codec().Count(text)
	if err != nil {
		t.Fatal(err)
	}
	if got := o200kBase.count([]byte(text)); got != int64(whole) {
		t.Errorf("%d tokens in pieces, %d as a whole", got, whole)
	}
}

// No text that a stranger sends takes the tokenizer much longer than prose, or makes more
// tokens than bytes.
func TestHostileTextsAreCountedQuickly(t *testing.T) {
	// count tries again where it took long, as others may run at the same time.
	count := func(unit string, limit time.Duration) (tokens int64, took time.Duration) {
		text := []byte(strings.Repeat(unit, PromptSample/len(unit)))
		took = time.Hour
		for try := 0; try < 4 && took > limit; try++ {
			began := time.Now()
			tokens = o200kBase.count(text)
			took = min(took, time.Since(began))
		}
		return tokens, took
	}
	_, prose := count("A sentence like many others that people write to each other. ", 0)
	for name, unit := range map[string]string{
		"letters": "a", "capitals": "A", "blanks": " ", "empty lines": " \n", "indented": "\n ", "signs": "_", "ideographs": "漢", "marks": "a\u0301",
		"no UTF-8": "\xff", "quotes": "A'", "words of blanks": "  x", "zeros": "\x00",
	} {
		tokens, took := count(unit, 60*prose)
		if took > 60*prose { // up to 10 times; with the square of the length it was 300
			t.Errorf("%s: took %v, prose %v", name, took, prose)
		}
		if tokens < 1 || tokens > PromptSample {
			t.Errorf("%s: %d tokens", name, tokens)
		}
	}
}

func TestSampleTellsWhatTheRestIsLike(t *testing.T) {
	estimator := For("gpt-5-mini")
	prose := strings.Repeat("A sentence like many others that people write to each other. ", 400)
	digits := strings.Repeat("3.14159, ", 1)
	whole := textOf(prose + digits)
	exact := o200kBase.count([]byte(prose + digits))
	got := estimator.Count([]byte(prose[:AnswerSample]), &whole)
	if difference := got - exact; max(difference, -difference) > exact/50 {
		t.Errorf("%d tokens, by a sample %d", exact, got)
	}
	if got := estimator.Count([]byte(prose+digits), &whole); got != exact {
		t.Errorf("%d tokens, with all as the sample %d", exact, got)
	}
	// A short sample says nothing of the rest.
	if got, without := estimator.Count([]byte("1+1"), &whole), estimator.Count(nil, &whole); max(got-without, without-got) > 5 {
		t.Errorf("%d with a short sample, %d with none", got, without)
	}
}

// No numbers make an estimate negative or overflow.
func TestEstimatesOfAbsurdTexts(t *testing.T) {
	const most = math.MaxInt64 >> 20 // more than any answer can have bytes
	for _, text := range []Text{{}, {Bytes: most, Ideographs: most}, {Bytes: most, Digits: most, Calls: most >> 8}, {Bytes: 4, Calls: 1}} {
		for _, model := range []string{"gpt-4o", "claude-x", "none"} {
			for _, sample := range []string{"", "text", strings.Repeat("text ", 1000)} {
				if got := For(model).Answer([]byte(sample), &text); got < 0 {
					t.Errorf("%s: %+v with %.10q makes %d", model, text, sample, got)
				}
			}
		}
	}
}

func TestFamiliesOfModels(t *testing.T) {
	for model, want := range map[string]string{
		"gpt-5.6-sol": "o200k", "openai/gpt-4.1-mini": "o200k", "chatgpt-4o-latest": "o200k", "o3": "o200k", "o4-mini-2025-04-16": "o200k",
		"ft:gpt-4o-mini:acme::1": "o200k", "codex-mini-latest": "o200k", "gpt-4o": "o200k", "gpt-4.5-preview": "o200k", "gpt-realtime": "o200k",
		"gpt-4": "cl100k", "gpt-4-turbo": "cl100k", "gpt-35-turbo": "cl100k", "text-embedding-3-large": "cl100k", "davinci-002": "cl100k",
		"openai/gpt-oss-120b": "gpt-oss", "claude-opus-5": "claude 4.7", "claude-sonnet-5-5": "claude 4.7", "anthropic/claude-opus-4.8": "claude 4.7", "claude-3-5-sonnet-20240620": "claude", "claude-haiku-4-5": "claude", "claude-opus-4-6": "claude", "us.anthropic.claude-sonnet-4-v1:0": "claude", "models/gemini-3-pro": "gemini",
		"google/gemma-3-27b-it": "gemini", "grok-4": "grok", "deepseek-r1-distill-llama-70b": "deepseek", "Qwen/Qwen3-32B": "qwen", "glm-4.7": "glm",
		"meta-llama/Llama-3.3-70B-Instruct": "llama", "llama3-8b-8192": "llama 3", "llama3": "llama 3", "llama3.1-8b": "llama", "meta-llama/Meta-Llama-3-8B-Instruct-Turbo": "llama 3", "moonshot-v1-8k": "kimi", "mixtral-8x7b": "mistral", "moonshotai/kimi-k2": "kimi",
		"sonar": "other", "": "other", "olmo-2": "other",
	} {
		if got := For(model).Family(); got != want {
			t.Errorf("%s is of %s, want %s", model, got, want)
		}
	}
	if got := For("prod-chat", "gpt-4o").Family(); got != "o200k" {
		t.Errorf("a deployment of gpt-4o is of %s", got)
	}
}

func BenchmarkTokenizer(b *testing.B) {
	text := []byte(strings.Repeat("A sentence like many others that people write to each other. ", PromptSample/62))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		o200kBase.count(text)
	}
}

func BenchmarkText(b *testing.B) {
	text := []byte(strings.Repeat("A sentence like many others that people write to each other. ", 500))
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		var t Text
		t.Add(text)
	}
}
