package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

const recordings = "../../metering/usage/testdata/recordings"

// replay is a recorded answer of a provider and how it is asked for here.
type replay struct {
	recording  string
	model      string // as it is called
	prices     string // "" means as the model is called
	extra      string // more members of the request
	path       string // Google's, behind the model
	estimated  bool   // the provider reports nothing
	withheld   bool   // usage that was not asked for is taken out
	oneByOne   bool   // each byte is a chunk of its own
	wantServed string // as the record says; "" means the model called
}

var replays = []replay{
	{recording: "azure-openai/chat-stream-first-chunk-empty-choices-reasoning-o4-mini-2025-04-16", model: "o4-mini", oneByOne: true, extra: asked, wantServed: "o4-mini-2025-04-16"},
	{recording: "azure-openai/chat-stream-first-chunk-empty-choices-reasoning-o4-mini-2025-04-16", model: "o4-mini", oneByOne: true, extra: streamed, withheld: true, wantServed: "o4-mini-2025-04-16"},
	{recording: "openai/chat-stream-audio-out-usage-null-chunks-gpt-audio-1.5", model: "gpt-audio-1.5", extra: asked},
	{recording: "openai/chat-stream-audio-out-usage-null-chunks-gpt-audio-1.5", model: "gpt-audio-1.5", extra: streamed, withheld: true},
	{recording: "openai/chat-json-tier-priority-reasoning-gpt-5-2025-08-07", model: "gpt-5", prices: "gpt-5 priority", extra: `,"service_tier":"priority"`, wantServed: "gpt-5-2025-08-07"},
	{recording: "openai/chat-json-predicted-outputs-gpt-4o-mini-2024-07-18", model: "gpt-4o-mini", wantServed: "gpt-4o-mini-2024-07-18"},
	{recording: "xai/chat-stream-reasoning-excluded-from-completion-cache-read-grok-4-fast-reasoning", model: "grok-4-fast", extra: asked, wantServed: "grok-4-fast-reasoning"},
	{recording: "mistral/chat-stream-tool-calls-mistral-small-latest", model: "house/large", extra: asked, wantServed: "other"},
	{recording: "deepseek/chat-stream-usage-in-every-chunk-deepseek-chat", model: "house/large", extra: asked, oneByOne: true, wantServed: "other"},
	{recording: "openrouter/chat-stream-server-tools-sse-comments-deepseek-deepseek-chat", model: "house/large", extra: asked, wantServed: "other"},
	{recording: "vllm/chat-stream-stream-usage-absent-facebook-opt-125m", model: "house/large", extra: streamed, estimated: true, wantServed: "other"},
	{recording: "anthropic/messages-json-cache-write-1h-cache-write-5m-claude-sonnet-4-20250514", model: "claude-sonnet-4-20250514"},
	{recording: "anthropic/messages-stream-cache-creation-no-breakdown-cache-write-5m-claude-sonnet-4-20250514", model: "claude-sonnet-4-20250514", extra: streamed, oneByOne: true},
	{recording: "anthropic/messages-stream-server-tools-tool-calls-claude-sonnet-4-6-2", model: "claude-sonnet-4-6", extra: streamed},
	{recording: "gemini/generate-json-audio-in-reasoning-gemini-2.5-flash", model: "gemini-2.5-flash", path: ":generateContent", oneByOne: true},
	{recording: "gemini/generate-json-cache-read-reasoning-gemini-2.5-flash", model: "gemini-2.5-flash", path: ":generateContent"},
	{recording: "vertex/generate-json-video-in-reasoning-gemini-2.5-flash", model: "gemini-2.5-flash", path: ":generateContent"},
	{recording: "vertex/generate-json-candidates-absent-reasoning-gemini-2.5-pro", model: "gemini-2.5-pro", path: ":generateContent"},
	{recording: "gemini/generate-stream-image-in-reasoning-gemini-2.5-flash", model: "gemini-2.5-flash", path: ":streamGenerateContent?alt=sse", oneByOne: true},
	{recording: "gemini/generate-stream-tool-use-prompt-tokens-url-context-gemini-2.5-flash", model: "gemini-2.5-flash", path: ":streamGenerateContent?alt=sse"},
	{recording: "gemini/generate-stream-usage-not-monotonic-tool-use-prompt-tokens-gemini-3-flash-preview", model: "gemini-3-flash-preview", path: ":streamGenerateContent?alt=sse"},
	{recording: "gemini/generate-stream-json-array-stream-reasoning-gemini-3-flash-preview-2", model: "gemini-3-flash-preview", path: ":streamGenerateContent", oneByOne: true},
	{recording: "vertex/generate-stream-json-array-stream-reasoning-gemini-2.5-flash", model: "gemini-2.5-flash", path: ":streamGenerateContent"},
}

const (
	streamed = `,"stream":true`
	asked    = streamed + `,"stream_options":{"include_usage":true}`
)

// Recorded answers come through byte for byte, however they are cut on the way, and
// cost what the provider's numbers come to.
func TestRecordedAnswers(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "20")
	spent := new(big.Rat)
	for i, replayed := range replays {
		t.Run(replayed.recording, func(t *testing.T) {
			g := g.in(t)
			response, err := simulator.Recording(os.DirFS(recordings), replayed.recording)
			if err != nil {
				t.Fatal(err)
			}
			response.Chunks = simulator.Random(uint64(i), 40)
			if replayed.oneByOne {
				response.Chunks = simulator.Every(1)
			}
			g.provider.Add(simulator.Step{Response: response})
			path, body := replayed.request()
			status, header, got, err := g.send("POST", path, body, "Authorization", "Bearer "+c.secret)
			if err != nil || status != response.Status || header.Get("Content-Type") != response.ContentType {
				t.Fatalf("answered %d, %v: %v\n%s", status, header, err, got)
			}
			want := response.Body
			if replayed.withheld {
				want = withoutUsage(t, want)
			}
			if !bytes.Equal(got, want) {
				t.Errorf("the client got %s", difference(got, want))
			}
			r := g.request(header.Get("Faregate-Request-Id"))
			expected, basis := replayed.counts(t), "measured"
			if replayed.estimated {
				expected, basis = r.Usage, "estimated"
				if r.Usage["input"] == 0 || r.Usage["output"] == 0 {
					t.Errorf("estimated %v", r.Usage)
				}
			}
			list := replayed.prices
			if list == "" {
				list = replayed.model
			}
			spent.Add(spent, r.expectCharge(t, expected, list))
			served := replayed.wantServed
			if served == "" {
				served = replayed.model
			}
			if r.Status != "ok" || r.HTTPStatus != 200 || r.Basis != basis || r.ModelRequested != replayed.model || r.ModelServed != served {
				t.Errorf("record %+v, want served %s", r, served)
			}
		})
	}
	c.records(len(replays))
	c.expectSpent(spent)
}

// difference shows where two texts part.
func difference(got, want []byte) string {
	at := 0
	for at < min(len(got), len(want)) && got[at] == want[at] {
		at++
	}
	around := func(text []byte) []byte { return text[max(0, at-80):min(len(text), at+80)] }
	return fmt.Sprintf("%d bytes, want %d; from byte %d on they differ: …%q, want …%q", len(got), len(want), at, around(got), around(want))
}

func (r replay) request() (path, body string) {
	switch {
	case r.path != "":
		return "/v1beta/models/" + r.model + r.path, `{"contents":[{"parts":[{"text":"hello"}]}]}`
	case strings.HasPrefix(r.recording, "anthropic/"):
		path = "/v1/messages"
	default:
		path = "/v1/chat/completions"
	}
	return path, fmt.Sprintf(`{"model":%q,"max_tokens":4000,"messages":[{"role":"user","content":"hello"}]%s}`, r.model, r.extra)
}

// counts are the recording's expected numbers as a usage record has them.
func (r replay) counts(t *testing.T) counts {
	t.Helper()
	var described struct {
		Expected struct {
			Usage counts
			Tools map[string]int64
		}
	}
	readJSON(t, filepath.Join(recordings, r.recording, "case.json"), &described)
	said := described.Expected.Usage
	expected := counts{
		"input_total": said["input_total"], "output_total": said["output_total"], "reasoning": said["reasoning"],
		"cache_read": said["cache_read"], "cache_write": said["cache_write_unspecified"],
		"cache_write_5m": said["cache_write_5m"], "cache_write_1h": said["cache_write_1h"],
		"input_audio": said["input_audio"], "input_image": said["input_image"], "input_video": said["input_video"],
		"output_audio": said["output_audio"], "output_image": said["output_image"],
		"web_search": described.Expected.Tools["web_search_requests"] + described.Expected.Tools["web_search"], "web_fetch": described.Expected.Tools["web_fetch_requests"],
	}
	expected["input"] = said["input_uncached"] - said["input_audio"] - said["input_image"] - said["input_video"]
	expected["output"] = said["output_total"] - said["output_audio"] - said["output_image"]
	for class, n := range expected {
		if n == 0 {
			delete(expected, class)
		}
	}
	return expected
}

// withoutUsage is what an OpenAI-compatible provider would have sent had it not
// been asked for usage.
func withoutUsage(t *testing.T, stream []byte) []byte {
	t.Helper()
	var kept []byte
	for event := range bytes.SplitAfterSeq(stream, []byte("\n\n")) {
		var chunk struct {
			Choices []json.RawMessage
			Usage   *json.RawMessage
		}
		if payload := bytes.TrimPrefix(event, []byte("data: ")); json.Unmarshal(payload, &chunk) == nil && chunk.Usage != nil && len(chunk.Choices) == 0 {
			continue
		}
		kept = append(kept, bytes.ReplaceAll(event, []byte(`,"usage":null`), nil)...)
	}
	if bytes.Contains(kept, []byte(`"usage"`)) || len(kept) == len(stream) {
		t.Fatalf("usage is still there: %s", kept)
	}
	return kept
}
