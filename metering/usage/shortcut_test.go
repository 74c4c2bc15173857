package usage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// Events that are alike in most, with values of other forms in between, are read
// as they are one byte at a time, where there are no shortcuts.
func TestShortcutsReadTheSame(t *testing.T) {
	for seed := range uint64(200) {
		checkShortcuts(t, seed)
	}
}

func FuzzShortcuts(f *testing.F) {
	f.Add(uint64(1000))
	f.Fuzz(checkShortcuts)
}

func checkShortcuts(t *testing.T, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 22))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	text := func() string {
		return pick(`a`, ``, `longer text`, `\"usage\":`, `{}`, `\\`, `é€😀`, `":`, strings.Repeat("x", 600), `}],"usage":null,`)
	}
	value := func() string {
		return pick(`1`, `12`, `-1.5e3`, `null`, `true`, `{}`, `{"a":1}`, `[]`, `[1,{"b":"]"}]`, `"text"`, `""`, ` 3`, ` "x"`, `{"prompt_tokens":7}`)
	}
	chunk := func() string {
		return fmt.Sprintf(`{"id":"chatcmpl-0123456789","object":"chunk","created":%s,"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":%s}],"usage":%s,"obfuscation":"%s"%s}`,
			pick("1", "1", "1", "22", "null"), text(), pick("null", "null", "null", `""`, value()), pick("null", "null", "null", "null", value()), text(), pick("", "", "", `,"usage":null`, ` `))
	}
	delta := func() string {
		return fmt.Sprintf(`{"type":"response.output_text.delta","sequence_number":%s,"item_id":"msg_0123456789","delta":"%s","logprobs":[],"obfuscation":"%s"}`, value(), text(), text())
	}
	block := func() string {
		return fmt.Sprintf(`{"type":"content_block_delta","index":%s,"delta":{"type":"text_delta","text":"%s"}}`, value(), text())
	}
	part := func() string {
		return fmt.Sprintf(`{"candidates": [{"content": {"parts": [{"text": "%s"}],"role": "model"},"index": 0}],"usageMetadata": {"promptTokenCount": %s,"candidatesTokenCount": %s}}`, text(), value(), value())
	}
	bare := func() string {
		return fmt.Sprintf(`{"id":"chatcmpl-0123456789","usage":%s}`, pick("1", "2", "3", "4", `{}`, `{"prompt_tokens":9}`, `{"prompt_tokens_details":{}}`))
	}
	for _, test := range []struct {
		options Options
		event   func() string
	}{
		{Options{Framing: SSE}, chunk}, {Options{Framing: SSE, StripUsage: true}, chunk}, {Options{Framing: SSE}, bare}, {Options{Format: OpenAIResponses, Framing: SSE}, delta},
		{Options{Format: AnthropicMessages, Framing: SSE}, block}, {Options{Format: GeminiGenerate, Framing: SSE}, part},
	} {
		var stream bytes.Buffer
		for range 3 + random.IntN(12) {
			stream.WriteString(pick("data: ", "data: ", "data:", ": c\n\ndata: ") + test.event() + "\n\n")
		}
		passed, withheld, want := run(test.options, stream.Bytes(), single)
		all := append(passed, withheld...)
		// The reports before the end must not differ either.
		quick, slow := NewMeter(test.options), NewMeter(test.options)
		for event := range slices.Values(bytes.SplitAfter(stream.Bytes(), []byte("\n\n"))) {
			quick.Feed(bytes.Clone(event)) // which may overwrite it
			for i := range event {
				slow.Feed(event[i : i+1])
			}
			if a, b := quick.Report(), slow.Report(); fmt.Sprintf("%+v", a) != fmt.Sprintf("%+v", b) {
				t.Fatalf("after %q of %q:\n%+v\n%+v", event, stream.String(), a, b)
			}
		}
		passed, withheld, got := run(test.options, stream.Bytes(), whole)
		if client := append(passed, withheld...); !bytes.Equal(client, all) || fmt.Sprintf("%+v", got) != fmt.Sprintf("%+v", want) {
			t.Fatalf("%q:\n%+v, client gets %q\n%+v, client gets %q", stream.String(), got, client, want, all)
		}
	}
}

// What a shortcut keeps of events is overwritten at the end.
func TestShortcutsForget(t *testing.T) {
	m := NewMeter(Options{Framing: SSE})
	for range 20 {
		m.Feed([]byte(sse(`{"id":"chatcmpl-0123456789","choices":[{"index":0,"delta":{"content":"secret"}}]}`)))
	}
	m.Finish()
	for _, text := range [][]byte{m.shortcut.last[:], m.shortcut.names[:]} {
		if bytes.Contains(text, []byte("secret")) || bytes.Contains(text, []byte("chatcmpl")) {
			t.Errorf("%q", text)
		}
	}
}

// The members at the top of an event, which may be cut out, cost nothing each time.
func TestShortcutsLeaveOutKeys(t *testing.T) {
	m := NewMeter(Options{Framing: SSE, StripUsage: true})
	m.Feed(chatStream(100, `,"usage":null`))
	if q := m.shortcut; q.count != 2 || q.record.calls > 20 {
		t.Errorf("%d paths with %d calls", q.count, q.record.calls)
	}
}
