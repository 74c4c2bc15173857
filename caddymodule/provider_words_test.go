package caddymodule

import (
	"bytes"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// What a provider says about the operator's account, and the key that it was shown, reaches
// nobody, however it is sent: under 200, in a document or a stream, whole or in pieces.
func TestProvidersWordsToTheOperatorAreNotPassed(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	key := providerKey
	const words = "operator-organisation"
	refused := `{"error":{"message":"Incorrect API key provided: ` + key + ` of ` + words + `","type":"invalid_request_error","code":null}}`
	limited := `{"error":{"message":"Quota of ` + words + ` exceeded","type":"rate_limit_error","code":429,"status":"RESOURCE_EXHAUSTED"}}`
	const chunk = `data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}` + "\n\n"
	const candidates = `{"candidates":[{"content":{"parts":[{"text":"hello"}]}}]}`
	inPieces := func(r simulator.Response) simulator.Response {
		r.Chunks, r.Delay = simulator.Every(20), time.Millisecond
		return r
	}
	document := func(body string) simulator.Response {
		return simulator.Response{Body: []byte(body), ContentType: "application/json"}
	}
	stream := func(body string) simulator.Response {
		return simulator.Response{Body: []byte(body), ContentType: "text/event-stream"}
	}
	charged := 0
	for i, test := range []struct {
		name     string
		wire     wire
		response simulator.Response
		passed   string // what had come before
	}{
		{"key in a document", chatJSON, document(refused), ""},
		{"key in a stream", chatStream, stream("data: " + refused + "\n\n"), ""},
		{"key in a document for a stream", chatStream, inPieces(document(refused)), ""},
		{"key in the middle of a stream", chatStream, inPieces(stream(chunk + "data: " + refused + "\n\n")), "hello"},
		{"limit in a document", chatJSON, inPieces(document(limited)), ""},
		{"limit beside content", wire{"responses", "/v1/responses", `{"model":"gpt-4.1-mini","input":"hello"}`, bearer, ""}, document(`{"status":"failed","error":{"code":"rate_limit_exceeded","message":"` + words +
			`"},"output":[{"type":"message","content":[{"type":"output_text","text":"hello"}]}]}`), ""},
		{"limit in an array", geminiArray, inPieces(document("[" + limited + "]")), ""},
		{"limit later in an array", geminiArray, inPieces(document("[" + candidates + ",\n" + limited + "]")), "hello"},
		{"limit in the middle of a stream", chatStream, inPieces(stream(chunk + "data: " + limited + "\n\n")), "hello"},
		{"limit after a stream's events", geminiStream, inPieces(stream("data: " + candidates + "\r\n\r\n" + limited)), "hello"},
		{"limit in Anthropic's stream", messagesStream, inPieces(stream("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":5}}}\n\n" +
			"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n" +
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"" + words + "\"}}\n\n")), "hello"},
	} {
		g.provider.Add(simulator.Step{Response: test.response})
		got := g.startCall(test.wire.path, test.wire.body, test.wire.header(g.secret)).finish()
		if bytes.Contains(got.body, []byte(words)) || bytes.Contains(got.body, []byte(key)) {
			t.Errorf("%s: the caller is told %s", test.name, got.body)
		}
		if !strings.Contains(string(got.body), test.passed) || test.passed == "" && got.status < 400 {
			t.Errorf("%s: %d %s", test.name, got.status, got.body)
		}
		if record := g.records(i + 1)[i]; test.passed == "" && record.Cost != 0 || record.Status == metering.StatusOK {
			t.Errorf("%s: recorded as %+v", test.name, record)
		} else if record.Cost > 0 {
			charged++
		}
	}
	if charged == 0 {
		t.Error("nothing was charged for what was passed")
	}
	g.verify()
}

// What is no error of the provider's API is told in the dialect of the caller, with the status.
func TestErrorsThatNoSDKReads(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	const page = "<html><body>upstream host inner-machine</body></html>"
	for _, d := range []struct {
		wire    wire
		dialect string
		id      string
		played  simulator.Dialect
	}{
		{chatJSON, "openai", "X-Request-Id", simulator.OpenAI}, {chatStream, "openai", "X-Request-Id", simulator.OpenAI},
		{messagesJSON, "anthropic", "Request-Id", simulator.Anthropic}, {geminiJSON, "google", "X-Request-Id", simulator.Google},
	} {
		for _, test := range []struct {
			status int
			body   string
		}{{413, page}, {400, ""}, {405, "Method Not Allowed"}, {422, `{"error":{"message":"inner-machine`}} {
			g.provider.Add(simulator.Step{Response: simulator.Response{Status: test.status, Body: []byte(test.body), ContentType: "text/html"}})
			got := g.callWith(d.wire.path, d.wire.body, d.wire.header(g.secret))
			if _, message := dialectError(t, d.dialect, got); got.status != test.status || message == "" || bytes.Contains(got.body, []byte("inner-machine")) {
				t.Errorf("%s, %d: %d %s", d.wire.name, test.status, got.status, got.body)
			}
		}
		// One that is, as the provider wrote it, under the id by which the operator finds it.
		answer := simulator.ErrorResponse(d.played, http.StatusBadRequest)
		g.provider.Add(simulator.Step{Response: answer})
		got := g.callWith(d.wire.path, d.wire.body, d.wire.header(g.secret))
		if id := got.header.Get("Faregate-Request-Id"); got.status != http.StatusBadRequest || got.header.Get(d.id) != id || !bytes.Equal(got.body, answer.Body) {
			t.Errorf("%s: %d %v %s", d.wire.name, got.status, got.header, got.body)
		}
	}
	g.verify()
}
