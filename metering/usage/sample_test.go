package usage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/tokens"
)

// sampled meters a response in pieces and returns the sample of its text.
func sampled(o Options, response string, size func() int) (string, *Meter) {
	o.Estimator = tokens.For("gpt-4o")
	m := NewMeter(o)
	for rest := []byte(response); len(rest) > 0; {
		n := min(size(), len(rest))
		m.Feed(bytes.Clone(rest[:n]))
		rest = rest[n:]
	}
	m.Finish()
	return string(m.Sample()), m
}

func TestSampleIsTheTextOfTheOutput(t *testing.T) {
	chunk := func(delta string) string { return `{"choices":[{"index":0,"delta":{` + delta + `}}]}` }
	random := rand.New(rand.NewPCG(3, 4))
	for name, test := range map[string]struct {
		options  Options
		response string
		want     string
	}{
		"chat stream": {Options{Framing: SSE}, sse(chunk(`"role":"assistant","content":""`), chunk(`"content":"He said \"h"`), chunk(`"content":"i\"\n\u00e9 \ud83d\ude00 漢\\"`),
			chunk(`"content":"i\"\n"`), chunk(`"content":"i\"\n"`)), "He said \"hi\"\né 😀 漢\\i\"\ni\"\n"},
		"a character in two events": {Options{Framing: SSE}, sse(chunk(`"content":"\ud83d"`), chunk(`"content":"\ude00"`)), "😀"},
		"chat":                      {Options{}, `{"choices":[{"index":0,"message":{"content":"a b","tool_calls":[{"function":{"name":"f","arguments":"{\"x\":1}"}}]}}]}`, `a b{"x":1}`},
		"completions":               {Options{Format: OpenAICompletions}, `{"choices":[{"text":"a b","index":0,"finish_reason":"stop"}]}`, "a b"},
		"two choices":               {Options{Framing: SSE, Choices: 2}, sse(chunk(`"content":"a"`)), ""},
		"responses stream": {Options{Format: OpenAIResponses, Framing: SSE}, sse(`{"type":"response.output_text.delta","delta":"a b"}`,
			`{"type":"response.reasoning_summary_text.delta","delta":"thoughts"}`, `{"type":"response.output_audio.delta","delta":"AAAA"}`,
			`{"delta":" c","type":"response.output_text.delta"}`, `{"type":"response.function_call_arguments.delta","delta":"{}"}`,
			`{"type":"response.output_text.done","text":"a b c"}`), "a b c{}"},
		"responses":       {Options{Format: OpenAIResponses}, `{"status":"completed","output":[{"type":"message","role":"assistant","content":[{"type":"output_text","text":"a b"}]}]}`, "a b"},
		"another's words": {Options{Format: AnthropicMessages}, `{"content":[{"type":"text","text":"a"}]}`, ""},
	} {
		for _, size := range []func() int{whole, single, func() int { return 1 + random.IntN(9) }} {
			if got, _ := sampled(test.options, test.response, size); got != test.want {
				t.Errorf("%s: %q, want %q", name, got, test.want)
			}
		}
	}
}

// The sample does not grow beyond its bound, and what it is of is forgotten.
func TestSampleIsBoundedAndForgotten(t *testing.T) {
	for _, format := range []Format{OpenAIChat, OpenAIResponses} {
		event := `{"choices":[{"index":0,"delta":{"content":"%d secret words"}}]}`
		if format == OpenAIResponses {
			event = `{"type":"response.output_text.delta","delta":"%d secret words"}`
		}
		m := NewMeter(Options{Format: format, Framing: SSE, Estimator: tokens.For("gpt-4o")})
		var text strings.Builder
		for i := range 3000 {
			m.Feed([]byte(sse(fmt.Sprintf(event, i))))
			fmt.Fprintf(&text, "%d secret words", i)
		}
		sample := m.Sample()
		if len(sample) != tokens.AnswerSample || !strings.HasPrefix(text.String(), string(sample)) {
			t.Errorf("sample of %d bytes: %.40q", len(sample), sample)
		}
		if got, exact := m.EstimateOutput(tokens.For("gpt-4o")), tokens.For("gpt-4o").Count([]byte(text.String()), &m.outcome.output); max(got-exact, exact-got) > exact/10 {
			t.Errorf("estimate %d, exactly %d", got, exact)
		}
		kept := m.sample.text[:cap(m.sample.text)]
		m.Forget()
		if bytes.Contains(kept, []byte("secret")) || len(m.Sample()) > 0 {
			t.Errorf("something is left: %.40q", kept)
		}
		if got := m.EstimateOutput(tokens.For("gpt-4o")); got == 0 {
			t.Errorf("nothing is counted of what was forgotten")
		}
	}
}

// With a sample the report is the same, and so are the bytes that pass.
func TestSampleChangesNothingElse(t *testing.T) {
	for _, r := range recordings(t) {
		o := r.options()
		if o.Framing == Raw || len(r.response) > 40_000 {
			continue
		}
		passed, withheld, want := run(o, r.response, whole)
		o.Estimator = tokens.For("gpt-4o")
		first := ""
		for i, size := range []func() int{whole, func() int { return 3 }, func() int { return 64 }} {
			gotPassed, gotWithheld, got := run(o, r.response, size)
			if !bytes.Equal(append(bytes.Clone(gotPassed), gotWithheld...), append(bytes.Clone(passed), withheld...)) {
				t.Errorf("%s: other bytes pass", r.name)
			}
			got.Provisional = want.Provisional
			if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
				t.Errorf("%s: %+v, without a sample %+v", r.name, got, want)
			}
			sample, _ := sampled(o, string(r.response), size)
			if i > 0 && sample != first {
				t.Errorf("%s: the sample depends on the pieces", r.name)
			}
			first = sample
		}
	}
}

func TestUnescapedTextThatBreaksOff(t *testing.T) {
	for encoded, want := range map[string]string{
		`a\`: "a", `a\u`: "a", `a\u00`: "a", `a\ud83d`: "a", `a\ud83dx`: "ax", `\ude00`: "\uFFFD", `\b\f\r\t\/`: "\b\f\r\t/",
	} {
		if got := string(unescaped([]byte(encoded))); got != want {
			t.Errorf("%s: %q, want %q", encoded, got, want)
		}
	}
}

// FuzzSample: the sample of anything does not depend on where the pieces end, and is no
// longer than the text.
func FuzzSample(f *testing.F) {
	f.Add([]byte(sse(`{"choices":[{"delta":{"content":"a\u00e9\ud83d"}}]}`, `{"choices":[{"delta":{"content":"\ude00"}}]}`, `{"choices":[{"delta":{"content":"\ude00"}}]}`)))
	f.Add([]byte(sse(`{"type":"response.output_text.delta","delta":"ab"}`, `{"delta":"ab","type":"response.reasoning.delta"}`, `{"type":"response.output_text.delta","delta":"ab"}`)))
	f.Add([]byte(`{"choices":[{"text":"a","message":{"content":[{"type":"text","text":"b"}]}}],"output":[{"type":"message","content":[{"text":"c"}]}]}`))
	f.Fuzz(func(t *testing.T, response []byte) {
		for _, o := range []Options{{Framing: SSE}, {}, {Framing: SSE, StripUsage: true}, {Format: OpenAICompletions}, {Format: OpenAIResponses, Framing: SSE}, {Format: OpenAIResponses}} {
			want, m := sampled(o, string(response), whole)
			if len(want) > tokens.AnswerSample || m.EstimateOutput(tokens.For("gpt-4o")) < 0 {
				t.Fatalf("%+v, %q: %d bytes", o, response, len(want))
			}
			for _, n := range []int{1, 3, 50} {
				if got, _ := sampled(o, string(response), func() int { return n }); got != want {
					t.Fatalf("%+v, pieces of %d of %q: %q, in one piece %q", o, n, response, got, want)
				}
			}
		}
	})
}
