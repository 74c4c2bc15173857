package tokens

import (
	"cmp"
	"strings"
)

// A family is a kind of models with one tokenizer, or nearly so. Beside the tokens of
// the text there are those of the marks around it, which no text shows.
//
// The figures are fitted to recorded answers and requests with the usage that the
// providers reported for them (error_test.go prints how well they do).
type family struct {
	name  string
	names []string // that a model's name holds or, where they end in ^, begins with

	encoding *encoding // nil: none that could be had
	scale    int64     // in thousandths of what weights make of a text
	scripts  int64     // the same of ideographs and others; 0: scale

	answer  int64 // marks of an answer
	call    int64 // of a call of a tool
	request int64 // of a request
	message int64 // of each message in it
	tools   int64 // of a request that has tools
	tool    int64 // of each tool
}

// weight is what a character of each class costs, in thousandths of a token: fitted to
// what o200k_base makes of English prose, code, JSON and the like, and of fifteen other
// languages.
var weight = struct{ letters, digits, signs, spaces, breaks, alphabets, ideographs, others int64 }{
	letters: 225, digits: 900, signs: 450, spaces: 150, breaks: 380, alphabets: 320, ideographs: 710, others: 400,
}

// tokens counts by what a text is made of.
func (f *family) tokens(t *Text) int64 {
	latin := t.Letters*weight.letters + t.Digits*weight.digits + t.Signs*weight.signs + t.Spaces*weight.spaces +
		t.Breaks*weight.breaks + t.Alphabets*weight.alphabets
	scripts := t.Ideographs*weight.ideographs + t.Others*weight.others
	return (scaled(latin, f.scale) + scaled(scripts, cmp.Or(f.scripts, f.scale)) + 999) / 1000
}

// scaled is n times so many thousandths, without overflow.
func scaled(n, thousandths int64) int64 {
	return n/1000*thousandths + n%1000*thousandths/1000
}

var families = []family{
	// gpt-oss is of OpenAI's encoding, with marks and a system message of its own.
	{name: "gpt-oss", names: []string{"gpt-oss"}, encoding: &o200kBase, scale: 1000, answer: 8, call: 12, request: 60, message: 4, tool: 30},
	{name: "cl100k", names: []string{"gpt-4-^", "gpt-4^=", "gpt-3.5^", "gpt-35^", "text-embedding-^", "davinci-002^", "babbage-002^", "davinci:^", "babbage:^"},
		encoding: &cl100kBase, scale: 1030, answer: 1, call: 10, request: 3, message: 4, tools: 3, tool: 10},
	{name: "o200k", names: []string{"gpt-^", "chatgpt-^", "o1^", "o3^", "o4^", "codex^", "computer-use^"},
		encoding: &o200kBase, scale: 1000, answer: 1, call: 10, request: 2, message: 4, tools: 3, tool: 10},
	// With tools there is a system prompt of 346 tokens (build-with-claude/tool-use, pricing).
	// From Opus 4.7 on the tokenizer makes up to 1.35 times as many of text in Latin letters
	// and code, and as many as before of other scripts (about-claude/models/whats-new-claude-4-7).
	{name: "claude 4.7", names: []string{"opus-4-7", "opus-4.7", "opus-4-8", "opus-4.8", "opus-5", "sonnet-5", "haiku-5", "fable-5", "opus-6", "sonnet-6", "haiku-6", "fable-6"},
		scale: 1330, scripts: 1000, answer: 5, call: 45, request: 4, message: 3, tools: 346, tool: 30},
	{name: "claude", names: []string{"claude"}, scale: 1000, answer: 5, call: 45, request: 4, message: 3, tools: 346, tool: 30},
	{name: "gemini", names: []string{"gemini", "gemma"}, scale: 920, call: 8, tool: 25},
	{name: "grok", names: []string{"grok"}, scale: 900, answer: 2, call: 18, tools: 170, tool: 10},
	{name: "deepseek", names: []string{"deepseek"}, scale: 1060, answer: 2, call: 30, request: 3, message: 1, tools: 280, tool: 20},
	{name: "qwen", names: []string{"qwen", "qwq"}, scale: 1180, answer: 4, call: 12, request: 3, message: 5, tools: 100, tool: 20},
	{name: "glm", names: []string{"glm"}, scale: 1120, answer: 3, call: 5, request: 4, message: 3, tools: 110, tool: 10},
	{name: "kimi", names: []string{"kimi", "moonshot"}, scale: 1000, answer: 2, call: 11, request: 3, message: 4, tool: 35},
	{name: "llama 3", names: []string{"llama3-", "llama3:", "llama3^=", "llama-3-", "llama2", "llama-2", "codellama"}, scale: 1080, answer: 2, call: 12, request: 5, message: 5, tools: 50, tool: 20},
	// From 3.1 on its template has the date in it.
	{name: "llama", names: []string{"llama"}, scale: 1080, answer: 4, call: 12, request: 30, message: 5, tools: 50, tool: 20},
	{name: "mistral", names: []string{"mistral", "mixtral", "ministral", "magistral", "voxtral", "pixtral", "codestral", "devstral"},
		scale: 1050, answer: 2, call: 10, request: 1, message: 3, tools: 20, tool: 15},
}

// anyFamily is for what is of none of them.
var anyFamily = family{name: "other", scale: 1060, answer: 2, call: 15, request: 3, message: 4, tools: 20, tool: 15}

// familyOf returns the family of a model, nil if it is of none.
func familyOf(model string) *family {
	name := strings.ToLower(model)
	name = name[strings.LastIndexByte(name, '/')+1:] // of who makes it
	name = strings.TrimPrefix(name, "ft:")           // OpenAI's, fine-tuned
	for i := range families {
		for _, part := range families[i].names {
			if matches(name, part) {
				return &families[i]
			}
		}
	}
	return nil
}

func matches(name, part string) bool {
	if exact, ok := strings.CutSuffix(part, "^="); ok {
		return name == exact
	}
	if start, ok := strings.CutSuffix(part, "^"); ok {
		return strings.HasPrefix(name, start)
	}
	return strings.Contains(name, part)
}
