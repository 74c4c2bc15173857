package e2e

import (
	"bytes"
	"math/big"
	"mime/multipart"
	"os"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// operation is a recorded answer of an operation beside those that chat.
type operation struct {
	recording  string
	path, body string
	name       string // of the operation in the record
	model      string // as it is called
	wantServed string // as the record says; "" where the answer tells none
	free       bool
	estimated  bool // the answer reports nothing
	withheld   bool // usage that was not asked for is taken out
}

var operations = []operation{
	{recording: "openai/completions-json-gpt-3.5-turbo-instruct-2", name: "completions", path: "/v1/completions", model: "gpt-3.5-turbo-instruct", body: `,"prompt":"hello"`, wantServed: "gpt-3.5-turbo-instruct"},
	{recording: "openai/completions-stream-usage-null-chunks-babbage-2023-07-21-v2", name: "completions", path: "/v1/completions", model: "gpt-3.5-turbo-instruct", body: `,"prompt":"hello","max_tokens":25` + asked, wantServed: "other"},
	{recording: "openai/completions-stream-usage-null-chunks-babbage-2023-07-21-v2", name: "completions", path: "/v1/completions", model: "gpt-3.5-turbo-instruct", body: `,"prompt":"hello","max_tokens":25` + streamed, wantServed: "other", withheld: true},
	{recording: "openai/responses-json-gpt-4.1-2025-04-14-2", name: "responses", path: "/v1/responses", model: "gpt-4.1", body: `,"input":"hello"`, wantServed: "gpt-4.1-2025-04-14"},
	{recording: "openai/responses-stream-gpt-4.1-nano-2025-04-14", name: "responses", path: "/v1/responses", model: "gpt-4.1-nano", body: `,"input":"hello"` + streamed, wantServed: "gpt-4.1-nano-2025-04-14"},
	{recording: "openai/responses-stream-server-tools-cache-read-gpt-5-2025-08-07", name: "responses", path: "/v1/responses", model: "gpt-5", body: `,"input":"hello","tools":[{"type":"web_search"}]` + streamed, wantServed: "gpt-5-2025-08-07"},
	{recording: "xai/responses-stream-cache-read-reasoning-grok-4.3", name: "responses", path: "/v1/responses", model: "grok-4.3", body: `,"input":"hello"` + streamed, wantServed: "grok-4.3"},
	{recording: "openai/embeddings-json-text-embedding-ada-002-2", name: "embeddings", path: "/v1/embeddings", model: "text-embedding-ada-002", body: `,"input":"hello"`, wantServed: "text-embedding-ada-002"},
	{recording: "openai/images-json-image-out-image-in-nomodel", name: "images", path: "/v1/images/generations", model: "gpt-image-1", body: `,"prompt":"a cat","quality":"high"`},
	{recording: "openai/speech-stream-gpt-4o-mini-tts", name: "speech", path: "/v1/audio/speech", model: "gpt-4o-mini-tts", body: `,"input":"hello there","voice":"alloy","stream_format":"sse"`},
	{recording: "openai/speech-json-usage-absent-gpt-4o-mini-tts", name: "speech", path: "/v1/audio/speech", model: "tts-1", body: `,"input":"hello there, 世界","voice":"alloy"`, estimated: true},
	{recording: "openai/transcription-json-audio-in-usage-tokens-gpt-4o-transcribe-2", name: "transcriptions", path: "/v1/audio/transcriptions", model: "gpt-4o-transcribe"},
	{recording: "openai/transcription-stream-audio-in-usage-tokens-nomodel", name: "transcriptions", path: "/v1/audio/transcriptions", model: "gpt-4o-transcribe"},
	{recording: "openai/moderations-json-text-moderation-006", name: "moderations", path: "/v1/moderations", model: "text-moderation-latest", body: `,"input":"hello"`, free: true, wantServed: "text-moderation-006"},
	{recording: "openai/input-tokens-json-gpt-5.4-nano", name: "responses_input_tokens", path: "/v1/responses/input_tokens", model: "gpt-5.4-nano", body: `,"input":"hello"`, free: true},
	{recording: "anthropic/count-tokens-json-claude-haiku-4-5-20251001", name: "count_tokens", path: "/v1/messages/count_tokens", model: "claude-haiku-4-5", body: `,"messages":[{"role":"user","content":"hello"}]`, free: true},
	{recording: "vertex/count-tokens-json-gemini-2.5-flash", name: "count_tokens", path: "/v1beta/models/gemini-2.5-flash:countTokens", model: "gemini-2.5-flash", free: true},
	{recording: "vertex/embed-json-gemini-embedding-2", name: "embed_content", path: "/v1beta/models/gemini-embedding-2:embedContent", model: "gemini-embedding-2"},
}

// request is the body, and its type.
func (o operation) request(t *testing.T) (contentType, body string) {
	t.Helper()
	switch {
	case strings.Contains(o.path, "/models/"):
		return "application/json", `{"contents":[{"parts":[{"text":"hello"}]}],"content":{"parts":[{"text":"hello"}]}}`
	case strings.HasSuffix(o.path, "/transcriptions"):
		var form bytes.Buffer
		w := multipart.NewWriter(&form)
		_ = w.WriteField("model", o.model)
		file, err := w.CreateFormFile("file", "hello.mp3")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = file.Write(make([]byte, 3000)) // into memory
		_ = w.Close()
		return w.FormDataContentType(), form.String()
	}
	return "application/json", `{"model":"` + o.model + `"` + o.body + `}`
}

// Every operation passes the provider's bytes on and charges what its answer, or where
// that has no numbers the request, comes to.
func TestRecordedOperations(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("operator", "50")
	spent := new(big.Rat)
	for i, o := range operations {
		t.Run(o.name+" "+o.recording, func(t *testing.T) {
			g := g.in(t)
			response, err := simulator.Recording(os.DirFS(recordings), o.recording)
			if err != nil {
				t.Fatal(err)
			}
			response.Chunks = simulator.Random(uint64(i), 400)
			g.provider.Add(simulator.Step{Response: response})
			contentType, body := o.request(t)
			status, header, got, err := g.send("POST", o.path, body, "Authorization", "Bearer "+c.secret, "Content-Type", contentType)
			if err != nil || status != 200 || header.Get("Content-Type") != response.ContentType {
				t.Fatalf("answered %d, %v: %v\n%.300s", status, header, err, got)
			}
			want := response.Body
			if o.withheld {
				want = withoutUsage(t, want)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the client got %s", difference(got, want))
			}
			r := g.request(header.Get("Faregate-Request-Id"))
			if r.Operation != o.name || r.Status != "ok" || r.HTTPStatus != 200 || r.ModelRequested != o.model || r.ModelServed != o.wantServed {
				t.Errorf("record %+v", r)
			}
			switch {
			case o.free:
				if r.Basis != "waived" || amount(t, r.Cost).Sign() != 0 || len(r.Usage) != 0 {
					t.Errorf("charged for what is free: %+v", r)
				}
			case o.estimated:
				if r.Basis != "estimated" || r.Usage["characters"] != 15 {
					t.Errorf("record %+v", r)
				}
				spent.Add(spent, r.expectCharge(t, r.Usage, o.model))
			default:
				if r.Basis != "measured" {
					t.Errorf("record %+v", r)
				}
				spent.Add(spent, r.expectCharge(t, o.counts(t), o.model))
			}
		})
	}
	c.records(len(operations))
	c.expectSpent(spent)
}

// counts are those of the recording, with what this operation counts differently.
func (o operation) counts(t *testing.T) counts {
	expected := replay{recording: o.recording}.counts(t)
	switch o.name {
	case "images":
		expected["images"] = 1
	case "speech":
		expected["characters"] = 11
	case "responses":
		if strings.Contains(o.recording, "server-tools") {
			expected["web_search"] = 1
		}
	}
	return expected
}
