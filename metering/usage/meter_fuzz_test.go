package usage

import (
	"bytes"
	"fmt"
	"reflect"
	"strings"
	"testing"
)

// FuzzMeter feeds anything to every kind of meter: the client's bytes and the
// report must not depend on where the pieces end, and unless usage is stripped
// the client gets exactly the provider's bytes.
func FuzzMeter(f *testing.F) {
	for _, r := range recordings(f) {
		if len(r.response) < 1500 && strings.HasPrefix(r.name, recordingRoots[0]) {
			f.Add(r.response)
		}
	}
	for _, pair := range strippedPairs {
		f.Add([]byte(sse(pair[0], pair[1], usageChunk, lateChunk, "[DONE]")))
		f.Add([]byte("x}\r\n\r{\"id\": \"1\"]}\r\n\r\ndata: " + usageChunk + "\r\n"))
		f.Add([]byte("{\"error\":{\"code\":503}}\n" + sse(pair[0]) + "[{\n\"error\":\"x\"}]\n\n"))
		f.Add([]byte("data: " + pair[1] + "\r\n\r\ndata: " + usageChunk + "\r\n\r\nevent: error\r\ndata: {}\r\n\r\n"))
	}
	f.Fuzz(func(t *testing.T, response []byte) {
		for _, options := range []Options{
			{Framing: SSE}, {Framing: SSE, StripUsage: true}, {Choices: 2, Profile: ProfileReasoningApart}, {Profile: ProfileThoughtsHidden},
			{Format: AnthropicMessages, Framing: SSE}, {Format: AnthropicMessages},
			{Format: GeminiGenerate, Framing: SSE}, {Format: GeminiGenerate}, {Format: GeminiEmbed},
			{Format: OpenAICompletions, Framing: SSE, StripUsage: true}, {Format: OpenAIResponses, Framing: SSE}, {Format: OpenAIResponses},
			{Format: OpenAIEmbeddings}, {Format: OpenAIImages, Framing: SSE, Choices: 2}, {Format: OpenAIImages},
			{Format: OpenAITranscription, Framing: SSE}, {Format: OpenAITranscription}, {Format: OpenAITranscription, Framing: Raw},
			{Format: OpenAISpeech, Framing: SSE}, {Format: MistralOCR}, {Format: FreeAnswer},
		} {
			passed, withheld, want := run(options, response, whole)
			all := append(passed, withheld...)
			if !options.StripUsage && !bytes.Equal(all, response) {
				t.Fatalf("%+v: client gets %q of %q", options, all, response)
			}
			checkDisjoint(t, want.Usage)
			checkNotNegative(t, want.Usage)
			for _, n := range []int{1, 3, 50} {
				passed, withheld, got := run(options, response, func() int { return n })
				if client := append(passed, withheld...); !bytes.Equal(client, all) {
					t.Fatalf("%+v, pieces of %d of %q: client gets %q, in one piece %q", options, n, response, client, all)
				}
				if fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
					t.Fatalf("%+v, pieces of %d of %q: %+v, in one piece %+v", options, n, response, got, want)
				}
			}
		}
	})
}

// checkNotNegative checks all counts, also those that are added later.
func checkNotNegative(t *testing.T, u Usage) {
	t.Helper()
	var check func(v reflect.Value)
	check = func(v reflect.Value) {
		for i := range v.NumField() {
			if field := v.Field(i); field.Kind() == reflect.Struct {
				check(field)
			} else if n := field.Int(); n < 0 || n > 1<<62 {
				t.Errorf("%s is %d", v.Type().Field(i).Name, n)
			}
		}
	}
	check(reflect.ValueOf(u))
}
