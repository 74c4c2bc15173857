package usage

import (
	"bytes"
	"reflect"
	"testing"
)

// All that a Meter kept of an answer is gone after Forget, whatever its form and however
// it was cut; what it reports stays.
func TestForgetLeavesNothing(t *testing.T) {
	const secret = "CANARY"
	text := `"` + secret + `\n` + secret + `"`
	chunk := `{"id":` + text + `,"model":"m","choices":[{"index":0,"delta":{"role":"assistant","content":` + text + `}}]}`
	last := `{"id":` + text + `,"` + secret + `":1,"model":"m","choices":[{"index":0,"delta":{"content":` + text + `},"finish_reason":` + text + `}]}`
	stream := sse(chunk, chunk, chunk, last, "[DONE]")
	for name, test := range map[string]struct {
		options Options
		text    string
	}{
		"stream":   {Options{Framing: SSE}, stream},
		"stripped": {Options{Framing: SSE, StripUsage: true}, stream},
		"document": {Options{Framing: JSON}, `{"choices":[{"message":{"content":` + text + `},"finish_reason":` + text + `}]}`},
		"array":    {Options{Format: GeminiGenerate}, `[{"candidates":[{"content":{"parts":[{"text":` + text + `}]},"finishReason":` + text + `}]}]`},
		"raw":      {Options{Format: OpenAITranscription, Framing: Raw}, string(bytes.Repeat([]byte(secret), 500))},
	} {
		for _, size := range []int{1, 7, 100, len(test.text)} {
			m := NewMeter(test.options)
			for rest := []byte(test.text); len(rest) > 0; {
				n := min(size, len(rest))
				m.Feed(rest[:n])
				rest = rest[n:]
			}
			kept := m.keptBytes()
			if !bytes.Contains(bytes.Join(kept, nil), []byte(secret)) {
				t.Errorf("%s in pieces of %d: nothing was kept, so that this proves nothing", name, size)
			}
			before := m.Report()
			m.Forget()
			for i, memory := range kept {
				if bytes.ContainsAny(memory, secret) {
					t.Errorf("%s in pieces of %d: %d still has %q", name, size, i, memory)
				}
			}
			if after := m.Report(); after.Output != before.Output || after.Usage != before.Usage || after.Final != before.Final {
				t.Errorf("%s in pieces of %d: the report was %+v and is %+v", name, size, before, after)
			}
		}
	}
}

// keptBytes is all memory of a Meter that bytes of the answer can be in.
func (m *Meter) keptBytes() [][]byte {
	kept := [][]byte{m.withheld, m.out, m.carried, m.scanner.decoded, m.sample.text, m.scanner.scratch[:], m.head[:], m.kind[:]}
	if m.shortcut != nil {
		kept = append(kept, m.shortcut.last[:], m.shortcut.names[:])
	}
	for i, memory := range kept {
		kept[i] = memory[:cap(memory)]
	}
	return kept
}

func TestGrowingLeavesNothing(t *testing.T) {
	var kept []byte
	for range 12 {
		old := kept[:cap(kept)]
		grown := add(kept, []byte("CANARY"), bytes.Repeat([]byte("x"), 100))
		if len(old) > 0 && &old[0] != &grown[0] && bytes.ContainsAny(old, "CANARYx") {
			t.Fatalf("%q stays", old)
		}
		if len(grown) != len(kept)+106 || !bytes.HasPrefix(grown[len(kept):], []byte("CANARYxx")) {
			t.Fatalf("%q", grown)
		}
		kept = grown
	}
}

// A Meter's memory is another's once it is released: nothing of the response is in it.
func TestAReleasedMeterIsAsNew(t *testing.T) { // not beside others, which would get its memory
	for _, options := range []Options{{Framing: SSE}, {Framing: SSE, StripUsage: true}, {}, {Format: AnthropicMessages, Framing: SSE}, {Format: GeminiGenerate}} {
		m := NewMeter(options)
		home := m.home
		for _, piece := range []string{sse(chatChunk(0, "secret words", ""), chatChunk(0, "secret words", "")), `data: {"choices":[{"index":0,"delta":{"content":"secret`} {
			m.Feed([]byte(piece))
		}
		m.Release()
		m.Release() // does nothing
		kept := home.meter.carried[:cap(home.meter.carried)]
		if len(home.meter.carried) > 0 || len(bytes.Trim(kept, "\x00")) > 0 {
			t.Errorf("%+v: %q is kept", options, kept)
		}
		home.meter.carried = nil
		if !reflect.DeepEqual(*home, meterMemory{}) {
			t.Errorf("%+v: %+v is kept", options, *home)
		}
	}
}
