package usage

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// generator makes responses out of choices, one a byte.
type generator struct{ choices []byte }

func (g *generator) choose(n int) int {
	if len(g.choices) == 0 {
		return 0
	}
	c := int(g.choices[0])
	g.choices = g.choices[1:]
	return c % n
}

// object writes a JSON object of members with values, each at most once and in any order.
func (g *generator) object(members ...func() string) string {
	var parts []string
	for len(members) > 0 {
		i := g.choose(len(members))
		if g.choose(4) > 0 {
			if part := members[i](); part != "" {
				parts = append(parts, part)
			}
		}
		members = append(members[:i:i], members[i+1:]...)
	}
	space := []string{"", " ", "\r\n\t", "  "}[g.choose(4)]
	if strings.Contains(space, "\n") && g.choose(2) == 0 {
		space = " "
	}
	return "{" + space + strings.Join(parts, space+","+space) + space + "}"
}

func member2(name, value string) func() string {
	return func() string { return fmt.Sprintf("%q:%s", name, value) }
}

// number writes a count in one of its forms.
func (g *generator) number() string {
	switch n := g.choose(256); g.choose(16) {
	case 0:
		return "null"
	case 1:
		return fmt.Sprintf("%d.0", n)
	case 2:
		return fmt.Sprintf("%d.75", n)
	case 3:
		return fmt.Sprintf("%d.5e%d", n, g.choose(4))
	case 4:
		return fmt.Sprintf("%dE-%d", n*10, g.choose(4))
	case 5:
		return fmt.Sprintf("-%d", n)
	case 6:
		return fmt.Sprintf("%d00000000000000", n)
	case 7:
		return fmt.Sprintf("%de%d", n, 10+g.choose(30))
	case 8:
		return fmt.Sprintf("%q", fmt.Sprint(n))
	case 9:
		return []string{"true", "{}", "[]", `"x"`, `"{\"usage\":1}"`, "[1,2]", `{"usage":{"prompt_tokens":7}}`}[g.choose(7)]
	default:
		return fmt.Sprint(n)
	}
}

func (g *generator) counts(names string) (members []func() string) {
	for _, name := range strings.Fields(names) {
		members = append(members, func() string { return fmt.Sprintf("%q:%s", name, g.number()) })
	}
	return members
}

func (g *generator) nested(name, counts string) func() string {
	return func() string { return fmt.Sprintf("%q:%s", name, g.object(g.counts(counts)...)) }
}

// decoy is a member that must not count.
func (g *generator) decoy() string {
	return []string{
		`"content":"{\"usage\":{\"prompt_tokens\":99}}"`, `"metadata":{"usage":{"prompt_tokens":99,"input_tokens":99}}`,
		`"arguments":"\"usage\":{\"input_tokens\":5},"`, `"input":{"usage":{"output_tokens":3}}`, `"x":[{"usage":{"total_tokens":1}},"é€😀"]`,
		`"logprobs":null`, `"note":"\u0075sage\\\""`, `"usageMetadata2":{"promptTokenCount":3}`,
	}[g.choose(8)]
}

func (g *generator) openAIUsage() string {
	in := []string{"prompt_tokens_details", "input_tokens_details", "input_token_details"}[g.choose(3)]
	out := []string{"completion_tokens_details", "output_tokens_details", "output_token_details"}[g.choose(3)]
	members := g.counts("prompt_tokens completion_tokens total_tokens input_tokens output_tokens cached_tokens num_cached_tokens " +
		"prompt_cache_hit_tokens prompt_cache_miss_tokens cache_creation_input_tokens market_cost cost")
	members = append(members, g.decoy,
		g.nested(in, "cached_tokens audio_tokens image_tokens video_tokens cache_write_tokens text_tokens"),
		g.nested(out, "reasoning_tokens audio_tokens image_tokens text_tokens accepted_prediction_tokens"))
	return g.object(members...)
}

func (g *generator) geminiUsage() string {
	details := func(name string) func() string {
		return func() string {
			var list []string
			for range g.choose(4) {
				list = append(list, g.object(member2("modality", fmt.Sprintf("%q", []string{"TEXT", "AUDIO", "IMAGE", "VIDEO", "DOCUMENT"}[g.choose(5)])), g.counts("tokenCount")[0]))
			}
			return fmt.Sprintf("%q:[%s]", name, strings.Join(list, ","))
		}
	}
	members := g.counts("promptTokenCount candidatesTokenCount thoughtsTokenCount toolUsePromptTokenCount cachedContentTokenCount totalTokenCount")
	return g.object(append(members, g.decoy, details("promptTokensDetails"), details("cacheTokensDetails"), details("candidatesTokensDetails"),
		details("toolUsePromptTokensDetails"), member2("trafficType", `"ON_DEMAND"`))...)
}

func (g *generator) messagesUsage() string {
	members := g.counts("input_tokens output_tokens cache_read_input_tokens cache_creation_input_tokens")
	return g.object(append(members, g.decoy, g.nested("cache_creation", "ephemeral_5m_input_tokens ephemeral_1h_input_tokens"),
		g.nested("output_tokens_details", "thinking_tokens"))...)
}

// document writes one document of a format.
func (g *generator) document(f Format) string {
	model := member2("model", []string{`"gpt-x"`, `"gemini-2.5"`, `""`, `null`}[g.choose(4)])
	switch f {
	case AnthropicMessages:
		u := member2("usage", g.messagesUsage())
		if g.choose(2) == 0 {
			return g.object(member2("type", `"message_start"`), member2("message", g.object(model, u, g.decoy)))
		}
		return g.object(member2("type", `"message_delta"`), u, g.decoy, member2("delta", `{"usage":{"input_tokens":77}}`))
	case GeminiGenerate:
		return g.object(member2("usageMetadata", g.geminiUsage()), g.decoy, member2("candidates", `[{"content":{"parts":[{"text":"usageMetadata"}]}}]`))
	case OpenAIResponses:
		u := member2("usage", g.openAIUsage())
		if g.choose(3) == 0 {
			return g.object(model, u, g.decoy)
		}
		return g.object(member2("type", `"response.completed"`), member2("response", g.object(model, u, g.decoy, member2("output", `[{"usage":{"input_tokens":4}}]`))))
	}
	return g.object(model, member2("usage", g.openAIUsage()), g.decoy, member2("choices", `[{"index":0,"delta":{"content":"a","usage":{"prompt_tokens":2}}}]`))
}

// response writes a whole response.
func (g *generator) response(o Options) string {
	if o.Framing == JSON {
		document := g.document(o.Format)
		if o.Format == GeminiGenerate && g.choose(2) == 0 {
			return "[" + document + "\n,\r\n" + g.document(o.Format) + "]"
		}
		return []string{"", " \n", "\r\n\r\n\t"}[g.choose(3)] + document + []string{"", "\n"}[g.choose(2)]
	}
	end := []string{"\n", "\r\n", "\r"}[g.choose(3)]
	response := []string{"", "\xEF\xBB\xBF", ": hello" + end + end}[g.choose(3)]
	for range 1 + g.choose(4) {
		document := g.document(o.Format)
		if strings.ContainsAny(document, "\r\n") { // one line each, or several
			document = strings.NewReplacer("\r\n", end+"data:").Replace(document)
		}
		if g.choose(3) == 0 {
			response += ": keep-alive" + end + end
		}
		if g.choose(3) == 0 {
			response += []string{"event: x", "id:1", "retry", "event"}[g.choose(4)] + end
		}
		response += []string{"data: ", "data:"}[g.choose(2)] + document + end + end
	}
	return response + []string{"", "data: [DONE]" + end + end}[g.choose(2)]
}

func checkGenerated(t *testing.T, choices []byte) {
	for _, o := range naiveOptions {
		g := &generator{choices: choices}
		response := g.response(o)
		naiveCompare(t, o, []byte(response))
		_, _, want := run(o, []byte(response), whole)
		for _, n := range []int{1, 2, 3, 7, 64} {
			if _, _, got := run(o, []byte(response), func() int { return n }); fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("%+v, pieces of %d of %q:\n%+v\n%+v", o, n, response, got, want)
			}
		}
	}
}

func TestGeneratedUsage(t *testing.T) {
	random := rand.New(rand.NewPCG(11, 12))
	for range 200 {
		choices := make([]byte, random.IntN(400))
		for i := range choices {
			choices[i] = byte(random.Uint32())
		}
		checkGenerated(t, choices)
		if t.Failed() {
			return
		}
	}
}

func FuzzGenerated(f *testing.F) {
	f.Add([]byte("any"))
	f.Fuzz(checkGenerated)
}
