package usage

import (
	"fmt"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering/tokens"
)

// Until message_delta, Anthropic's output count is that of the message's start.
func TestOutputIsProvisionalUntilTheMessageEnds(t *testing.T) {
	m := NewMeter(Options{Format: AnthropicMessages, Framing: SSE})
	for _, step := range []struct {
		event       string
		provisional bool
		output      int64
	}{
		{`event: message_start` + "\n" + `data: {"type":"message_start","message":{"model":"m","usage":{"input_tokens":9,"output_tokens":1}}}`, true, 1},
		{`event: content_block_delta` + "\n" + `data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a long answer"}}`, true, 1},
		{`event: message_delta` + "\n" + `data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"output_tokens":40}}`, false, 40},
	} {
		m.Feed([]byte(step.event + "\n\n"))
		if got := m.Report(); got.Provisional != step.provisional || got.Usage.OutputTotal != step.output || !got.Reported {
			t.Errorf("after %s: %+v", step.event, got)
		}
	}
}

// Running counts hold, unless they are far below our own count of the text.
func TestRunningUsageThatLagsIsProvisional(t *testing.T) {
	text := strings.Repeat("four", 100)
	var made tokens.Text
	made.AddString(text)
	half := int((tokens.Estimator{}.Count(nil, &made) + 1) / 2)
	for _, test := range []struct {
		name    string
		options Options
		text    func(string) string
		usage   func(output int) string
		end     string
	}{
		{"chat", Options{Framing: SSE}, func(s string) string { return chatChunk(0, s, "") },
			func(n int) string {
				return fmt.Sprintf(`{"choices":[],"usage":{"prompt_tokens":9,"completion_tokens":%d}}`, n)
			}, chatChunk(0, "", "stop")},
		{"gemini", Options{Format: GeminiGenerate, Framing: SSE},
			func(s string) string { return `{"candidates":[{"content":{"parts":[{"text":"` + s + `"}]}}]}` },
			func(n int) string {
				return fmt.Sprintf(`{"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":%d}}`, n)
			}, `{"candidates":[{"finishReason":"STOP"}]}`},
	} {
		m := NewMeter(test.options)
		feed := func(document string, want bool) {
			t.Helper()
			m.Feed([]byte(sse(document)))
			if got := m.Report(); got.Provisional != want {
				t.Errorf("%s, after %.60s: %+v", test.name, document, got)
			}
		}
		feed(test.text(text), false) // nothing is reported yet
		feed(test.usage(0), true)    // the input alone
		feed(test.usage(half-1), true)
		feed(test.usage(half), false)
		feed(test.text("some more words"), true)
		feed(test.usage(70), false)
		feed(test.text(text), true)
		feed(test.end, false)
	}
}
