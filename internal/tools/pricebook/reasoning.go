package main

import (
	"regexp"
	"slices"

	"github.com/faregate/faregate/metering/price"
)

// reasonsHidden are the models that can bill reasoning unasked and do not show
// it. No source says so: none of the copies has a flag for reasoning. The
// decisions are by family, so that a new model of a family reasons until somebody
// finds that it does not: the flag matters only where a response breaks off
// without its usage.
//
// Not among them, by provider:
//   - deepseek, groq, cerebras, together, mistral: reasoning models send all of
//     their reasoning, as reasoning_content, reasoning or parts of the content,
//     unless the request hides it. deepseek-reasoner, which is deepseek-v4-flash
//     by another name, is one of them: in every recording the text is there.
var reasonsHidden = map[string]*regexp.Regexp{
	// Thinking is on by default from Claude 5 on (platform.claude.com, migration guides
	// of the models), and comes as an empty block or as a summary. Before that it is
	// asked for in the request, which says so.
	"anthropic": regexp.MustCompile(`^claude-(fable|mythos|(opus|sonnet|haiku)-[5-9])`),
	// Chat completions never have the text. From GPT-5.1 on some reason only when
	// reasoning_effort asks for it, but hide it all the same: the request may say
	// more. gpt-chat-latest is a GPT-5 that decides by itself.
	"openai": regexp.MustCompile(`^(gpt-[5-9]|gpt-chat-latest|o[134]|codex)`),
	// Thinking is on by default since 2.5; its summary is sent only when asked for.
	"google": regexp.MustCompile(`^gemini-(2\.5|[3-9])`),
	// Grok 4 and later reason by default and encrypt or leave out the text (seen
	// of grok-4-fast-reasoning); grok-code-fast-1 sends it in streams only.
	// grok-3-mini sends it always, and is not here.
	"xai": regexp.MustCompile(`^grok-([4-9]|build|code)`),
}

// reasonsNot are the exceptions in those families.
var reasonsNot = regexp.MustCompile(`^gpt-5-chat` + // OpenAI: a non-reasoning model
	`|^gemini-2\.5-flash-lite` + // thinks only when asked to
	`|^gemini-2\.5-flash-image|-tts$|-live-` + // do not think
	`|non-reasoning`)

// apart are names that share the price of a genai-prices entry but are other
// models, with their further names: they become entries of their own, as the
// one reasons and the other does not.
var apart = map[string]map[string][]string{
	"openai/gpt-5":  {"gpt-5-chat": {"gpt-5-chat-latest"}},
	"xai/grok-4.20": {"grok-4.20-0309-non-reasoning": nil},
}

func reasons(provider, name string) bool {
	family, known := reasonsHidden[provider]
	return known && family.MatchString(name) && !reasonsNot.MatchString(name)
}

// setApart moves the names of an entry that are other models to their own entries.
func setApart(place string, model price.ModelFile) (rest price.ModelFile, others map[string]price.ModelFile) {
	others = map[string]price.ModelFile{}
	for name, aliases := range apart[place] {
		others[name] = price.ModelFile{Aliases: aliases, Periods: slices.Clone(model.Periods)}
		model.Aliases = slices.DeleteFunc(model.Aliases, func(alias string) bool {
			return alias == name || slices.Contains(aliases, alias)
		})
	}
	return model, others
}
