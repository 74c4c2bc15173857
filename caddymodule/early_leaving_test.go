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

// How many tokens an image or a document is, the provider alone can tell, and does so at
// the end.
func TestWhoLeavesBeforeTheUsageStillPaysForMediaInTheInput(t *testing.T) {
	data := base64.StdEncoding.EncodeToString(make([]byte, 3000))
	for name, part := range map[string]string{
		"an image by address":         `{"type":"image_url","image_url":{"url":"https://example.com/large.png"}}`,
		"an image by address, simply": `{"type":"image_url","image_url":"https://example.com/large.png"}`,
		"an image":                    `{"type":"image_url","image_url":{"url":"data:image/png;base64,` + data + `"}}`,
		"a document":                  `{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,` + data + `"}}`,
	} {
		t.Run(name, func(t *testing.T) {
			leaveAndCompare(t, chatStream.path, `{"model":"gpt-4.1-mini","max_tokens":10000,"stream":true,"messages":[{"role":"user","content":[{"type":"text","text":"hello"},`+part+`]}]}`, bearer, chatContent, chatEnd)
		})
	}
	for name, part := range map[string]string{
		"an image by address in responses": `{"type":"input_image","image_url":"https://example.com/large.png"}`,
		"a document in responses":          `{"type":"input_file","file_url":"https://example.com/long.pdf"}`,
	} {
		t.Run(name, func(t *testing.T) {
			leaveAndCompare(t, "/v1/responses", `{"model":"gpt-4.1-mini","stream":true,"input":[{"role":"user","content":[`+part+`]}]}`, bearer,
				`data: {"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"It is so. <END>"}`+"\n\n",
				`data: {"type":"response.completed","response":{"id":"r","model":"gpt-4.1-mini","status":"completed","usage":{"input_tokens":25000,"output_tokens":20,"total_tokens":25020}}}`+"\n\n")
		})
	}
}

// A chat of which everything has come but its end, and what that says of it.
const (
	chatContent = `data: {"id":"x","model":"gpt-5-mini","choices":[{"index":0,"delta":{"content":"It is so. <END>"},"finish_reason":null}]}` + "\n\n"
	chatEnd     = `data: {"id":"x","model":"gpt-5-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"id":"x","model":"gpt-5-mini","choices":[],"usage":{"prompt_tokens":25000,"completion_tokens":9000,"total_tokens":34000,"completion_tokens_details":{"reasoning_tokens":8990}}}` + "\n\n" +
		"data: [DONE]\n\n"
)

// What is seen of reasoning, if anything, is a summary; all of it is billed. Time allows for
// what was not seen.
func TestTheAllowanceForReasoning(t *testing.T) {
	const shown = `data: {"model":"m","choices":[{"index":0,"delta":{"reasoning_content":"I thought.","content":"It is so. <END>"},"finish_reason":null}]}` + "\n\n"
	for name, row := range map[string]struct {
		path, request string
		header        func(string) http.Header
		content       string
		allowed       bool
	}{
		"a summary of Claude's": {messagesStream.path, `{"model":"claude-haiku-4-5","max_tokens":40000,"stream":true,"thinking":{"type":"adaptive"},"messages":[{"role":"user","content":"hello"}]}`, xAPIKey,
			"data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":500,\"output_tokens\":1}}}\n\n" +
				"data: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"thinking_delta\",\"thinking\":\"I thought.\"}}\n\n" +
				"data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"It is so. <END>\"}}\n\n", true},
		"unasked of Claude": {messagesStream.path, `{"model":"claude-opus-5","max_tokens":40000,"stream":true,"messages":[{"role":"user","content":"hello"}]}`, xAPIKey,
			"data: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-opus-5\",\"usage\":{\"input_tokens\":500,\"output_tokens\":1}}}\n\n" +
				"data: {\"type\":\"content_block_delta\",\"index\":1,\"delta\":{\"type\":\"text_delta\",\"text\":\"It is so. <END>\"}}\n\n", true},
		"a summary in responses": {"/v1/responses", `{"model":"gpt-5-mini","stream":true,"reasoning":{"effort":"high","summary":"auto"},"input":"hello"}`, bearer,
			`data: {"type":"response.reasoning_summary_text.delta","output_index":0,"summary_index":0,"delta":"I thought."}` + "\n\n" +
				`data: {"type":"response.output_text.delta","output_index":1,"content_index":0,"delta":"It is so. <END>"}` + "\n\n", true},
		"a summary in chat":   {chatStream.path, `{"model":"gpt-5-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}`, bearer, shown, true},
		"all of it in chat":   {chatStream.path, `{"model":"gpt-4.1-mini","stream":true,"reasoning_effort":"high","messages":[{"role":"user","content":"hello"}]}`, bearer, shown, false},
		"none that was asked": {chatStream.path, `{"model":"gpt-5-mini","stream":true,"reasoning_effort":"none","messages":[{"role":"user","content":"hello"}]}`, bearer, chatContent, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			gate := simulator.NewGate()
			g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(row.content + "data: {}\n\n"),
				Pauses: []simulator.Pause{{At: int64(len(row.content)), Gate: gate}}}})
			call := g.startCall(row.path, row.request, row.header(g.secret))
			call.readTo("<END>")
			time.Sleep(600 * time.Millisecond) // has room for 30 tokens
			call.leave()
			record := g.records(1)[0]
			if allowed := record.Usage.OutputTotal >= 30; record.Basis != metering.BasisEstimated || allowed != row.allowed {
				t.Errorf("%s, %+v", record.Basis, record.Usage)
			}
		})
	}
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
	untilDraining(t, 1)
	gate.Open()
	left := g.records(1)[0]
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(content + end)}})
	g.callWith(path, request, header(g.secret))
	whole := g.records(2)[1]
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
