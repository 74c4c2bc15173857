package usage

import "testing"

// Whoever stops reading at Complete, as the last bytes may be long in coming, has
// the whole answer, its last line end included.
func TestCompleteIsNotBeforeTheLastByte(t *testing.T) {
	const chat = `data: {"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}`
	const messages = `data: {"type":"message_start","message":{"usage":{"input_tokens":1,"output_tokens":1}}}` + "\n\n" +
		`data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":2}}` + "\n\n" +
		`data: {"type":"message_stop"}`
	for name, c := range map[string]struct {
		options Options
		stream  string
	}{
		"chat":               {Options{Format: OpenAIChat, Framing: SSE}, chat + "\n\ndata: [DONE]\n\n"},
		"chat, stripped":     {Options{Format: OpenAIChat, Framing: SSE, StripUsage: true}, chat + "\n\ndata: [DONE]\n\n"},
		"chat, CRLF":         {Options{Format: OpenAIChat, Framing: SSE}, chat + "\r\n\r\ndata: [DONE]\r\n\r\n"},
		"chat, CRLF, strips": {Options{Format: OpenAIChat, Framing: SSE, StripUsage: true}, chat + "\r\n\r\ndata: [DONE]\r\n\r\n"},
		"messages":           {Options{Format: AnthropicMessages, Framing: SSE}, messages + "\n\n"},
		"messages, CRLF":     {Options{Format: AnthropicMessages, Framing: SSE}, messages + "\r\n\r\n"},
	} {
		meter := NewMeter(c.options)
		var seen string
		for i := 0; i < len(c.stream) && !meter.Complete(); i++ {
			seen += string(meter.Feed([]byte(c.stream[i : i+1])))
		}
		if seen += string(meter.Withheld()); seen != c.stream || !meter.Complete() {
			t.Errorf("%s: complete %v at %q", name, meter.Complete(), seen)
		}

		// Servers that leave the last line end out are read to the end of the body.
		bare := c.stream[:len(c.stream)-len("\n\n")]
		meter = NewMeter(c.options)
		seen = string(meter.Feed([]byte(bare)))
		if meter.Complete() {
			t.Errorf("%s: complete before the end of the last event", name)
		}
		seen += string(meter.Finish())
		if seen += string(meter.Withheld()); seen != bare || !meter.Complete() {
			t.Errorf("%s: complete %v at the end of %q", name, meter.Complete(), seen)
		}
	}
}
