package caddymodule

import (
	"encoding/base64"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// A client that has seen all it wanted and leaves before the usage is reported must
// not have it for nothing. What only the end of the answer tells is read to the end.
func TestWhoLeavesBeforeTheUsageStillPaysForTools(t *testing.T) {
	content := `event: message_start
data: {"type":"message_start","message":{"model":"claude-haiku-4-5","usage":{"input_tokens":500,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"server_tool_use","id":"s","name":"web_search","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":2,"delta":{"type":"text_delta","text":"It is so. <END>"}}

`
	end := `event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"end_turn"},"usage":{"input_tokens":90000,"output_tokens":120,"server_tool_use":{"web_search_requests":5}}}

event: message_stop
data: {"type":"message_stop"}

`
	leaveAndCompare(t, messagesStream.path, `{"model":"claude-haiku-4-5","max_tokens":2000,"stream":true,"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":5}],"messages":[{"role":"user","content":"hello"}]}`,
		xAPIKey, content, end)
}

func TestWhoLeavesBeforeTheUsageStillPaysForImages(t *testing.T) {
	image := base64.StdEncoding.EncodeToString(make([]byte, 300_000))
	content := `data: {"candidates":[{"content":{"role":"model","parts":[{"inlineData":{"mimeType":"image/png","data":"` + image[:len(image)-4] + `<END>`
	end := `"}}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1290,"totalTokenCount":1299,"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]},"modelVersion":"gemini-2.5-flash-image"}` + "\r\n\r\n"
	leaveAndCompare(t, "/v1beta/models/gemini-2.5-flash-image:streamGenerateContent?alt=sse", geminiStream.body, googleKey, content, end)
}

// leaveAndCompare plays a stream to a client that leaves at <END>, before its end,
// and whole; both must cost the same.
func leaveAndCompare(t *testing.T, path, request string, header func(string) http.Header, content, end string) {
	t.Helper()
	g := startGateway(t, gatewayOptions{})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(content + end),
		Pauses: []simulator.Pause{{At: int64(len(content)), Gate: gate}}}})
	call := g.startCall(path, request, header(g.secret))
	call.readTo("<END>")
	call.leave()
	gate.Open()
	left := g.records(1)[0]
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(content + end)}})
	g.callWith(path, request, header(g.secret))
	whole := g.records(2)[1]
	// Whether the leaving was noticed before the end came does not matter.
	if left.Cost != whole.Cost || left.Cost == 0 || left.Basis != metering.BasisMeasured {
		t.Errorf("left: %s (%s, %s), whole: %s (%s)", left.Cost, left.Status, left.Basis, whole.Cost, whole.Status)
	}
	g.verify()
}

// A prompt's count that comes before the output's does not make the output free.
func TestUsageBeforeTheEndDoesNotMakeOutputFree(t *testing.T) {
	text := strings.Repeat("many words of a long answer ", 400)
	content := `data: {"candidates":[{"content":{"role":"model","parts":[{"text":"` + text + `<END>"}]},"index":0}],"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9},"modelVersion":"gemini-2.5-flash"}` + "\r\n\r\n"
	g := startGateway(t, gatewayOptions{})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(content + "\r\n"),
		Pauses: []simulator.Pause{{At: int64(len(content)), Gate: gate}}}})
	call := g.startCall(geminiStream.path, geminiStream.body, googleKey(g.secret))
	call.readTo("<END>")
	call.leave()
	record := g.records(1)[0]
	if record.Basis != metering.BasisEstimated || record.Usage.OutputTotal < 2000 || record.Usage.OutputTotal > 4000 || record.Usage.InputTotal != 9 {
		t.Errorf("2,400 words are charged as %+v (%s)", record.Usage, record.Basis)
	}
}

func TestHiddenReasoningIsAllowedForByTheTimeItHad(t *testing.T) {
	shown := usage.Usage{InputTotal: 5, Input: 5, OutputTotal: 20, Output: 20}
	if got := withHiddenReasoning(shown, 100*time.Millisecond); got != shown {
		t.Errorf("after a moment: %+v", got)
	}
	got := withHiddenReasoning(shown, time.Minute)
	if got.OutputTotal != 60*hiddenReasoningSpeed || got.Output != got.OutputTotal || got.Reasoning != got.OutputTotal-20 || got.InputTotal != 5 {
		t.Errorf("after a minute: %+v", got)
	}
}
