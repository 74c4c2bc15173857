package caddymodule

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

const compatibleChat = "/v1beta/openai/chat/completions"

func geminiChat(more string) string {
	return `{"model":"gemini-2.5-flash","messages":[{"role":"user","content":"hello"}]` + more + `}`
}

// The thoughts are in the total only, as at Gemini's OpenAI-compatible address.
const hiddenThoughts = `{"choices":[{"finish_reason":"stop","index":0,"message":{"content":"The current time is Noon.","role":"assistant"}}],` +
	`"created":1748902366,"id":"x","model":"gemini-2.5-flash","object":"chat.completion","usage":{"completion_tokens":6,"prompt_tokens":66,"total_tokens":100}}`

func TestGeminiModelsAnswerOpenAISDKs(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit := g.balance()
	for _, path := range []string{compatibleChat, "/v1/chat/completions"} {
		g.provider.Add(simulator.Step{Response: simulator.Response{Status: 200, Body: []byte(hiddenThoughts), ContentType: "application/json"}})
		got := g.callWith(path, geminiChat(`,"extra_body":{"google":{"thinking_config":{"thinking_budget":800}}}`), bearer(g.secret))
		if got.status != http.StatusOK || string(got.body) != hiddenThoughts {
			t.Fatalf("%s: %d %s", path, got.status, got.body)
		}
	}
	// Its usage comes with the last choice, and in each chunk.
	chunk := func(delta, finish string, output int) string {
		return `data: {"choices":[{"delta":` + delta + `,"finish_reason":` + finish + `,"index":0}],"created":1,"id":"x","model":"gemini-2.5-flash","object":"chat.completion.chunk",` +
			`"usage":{"completion_tokens":` + strconv.Itoa(output) + `,"prompt_tokens":66,"total_tokens":` + strconv.Itoa(94+output) + `}}` + "\n\n"
	}
	stream := chunk(`{"content":"The current time","role":"assistant"}`, "null", 3) + chunk(`{"content":" is Noon.","role":"assistant"}`, `"stop"`, 6) + "data: [DONE]\n\n"
	for _, more := range []string{`,"stream":true`, `,"stream":true,"stream_options":{"include_usage":true}`} {
		g.provider.Add(simulator.Step{Response: simulator.Response{Status: 200, Body: []byte(stream), ContentType: "text/event-stream"}})
		got := g.callWith(compatibleChat, geminiChat(more), bearer(g.secret))
		text := string(got.body)
		if got.status != http.StatusOK || !strings.HasSuffix(text, "data: [DONE]\n\n") || strings.Count(text, `"choices":[{`) != 2 || strings.Contains(more, "include") && text != stream {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	got := g.callWith(compatibleChat, geminiChat(`,"stream":true`), bearer(g.secret))
	if got.status != http.StatusOK || !strings.HasSuffix(string(got.body), "data: [DONE]\n\n") {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for _, request := range g.provider.Requests() {
		if request.RequestURI != compatibleChat || request.Header.Get("Authorization") != "Bearer "+providerKey || request.Header.Get("X-Goog-Api-Key") != "" {
			t.Errorf("the provider was asked at %s with %v", request.RequestURI, request.Header)
		}
	}
	records := g.records(5)
	for i, record := range records {
		if record.Operation != "chat" || record.Dialect != "openai" || record.Provider != "google" || record.Basis != metering.BasisMeasured {
			t.Errorf("record %+v", record)
		}
		if u := record.Usage; i < 4 && (u.InputTotal != 66 || u.OutputTotal != 34 || u.Reasoning != 28) {
			t.Errorf("usage %+v", u)
		}
	}
	g.settledUp(credit, records)
}

// Whoever points an OpenAI SDK at Google's address gets what it would get behind /v1.
func TestGooglesOpenAIAddressIsOpenAIs(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	if got := g.callWith(compatibleChat, chatBody, bearer(g.secret)); got.status != http.StatusOK || g.records(1)[0].Provider != "openai" {
		t.Errorf("a model of OpenAI's: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/models", "/models/gemini-2.5-flash"} {
		here, there := g.callWith("/v1beta/openai"+path, "", bearer(g.secret)), g.callWith("/v1"+path, "", bearer(g.secret))
		if here.status != http.StatusOK || string(here.body) != string(there.body) {
			t.Errorf("%s: %d %s", path, here.status, here.body)
		}
	}
	for path, status := range map[string]int{
		"/v1beta/openai/messages": 404, "/v1beta/openai/messages/count_tokens": 404, "/v1beta/openai/nothing": 404,
		"/v1beta/openai/batches": 400, "/v1beta/openai/files": 400, "/v1beta/openai/../models": 404,
	} {
		got := g.callWith(path, `{}`, bearer(g.secret))
		if got.status != status {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
		dialectError(t, "openai", got)
	}
	got := g.callWith("/v1/responses", `{"model":"gemini-2.5-flash","input":"hello"}`, bearer(g.secret))
	if _, message := dialectError(t, "openai", got); got.status != http.StatusNotFound || !strings.Contains(message, "/v1/chat/completions") {
		t.Errorf("an operation that Google does not have: %d %s", got.status, message)
	}
}

func TestErrorsOfGooglesOpenAIAddress(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	const inner = `{"error":{"code":400,"message":"Unsupported value for reasoning_effort.","status":"INVALID_ARGUMENT"}}`
	g.provider.Add(simulator.Step{Response: simulator.Response{Status: 400, Body: []byte("[" + inner + "\n]\n"), ContentType: "application/json"}})
	got := g.callWith(compatibleChat, geminiChat(""), bearer(g.secret))
	var body struct {
		Error struct {
			Message string `json:"message"`
		} `json:"error"`
	}
	if err := json.Unmarshal(got.body, &body); err != nil || got.status != 400 || !strings.HasPrefix(body.Error.Message, "Unsupported value") {
		t.Errorf("%d %v %s", got.status, err, got.body)
	}
	// That there is nothing at that address says nothing of the model at Google's own.
	for range 5 {
		g.provider.Add(simulator.Step{Path: compatibleChat, Response: simulator.Response{Status: 404, Body: []byte("[" + strings.ReplaceAll(inner, "400", "404") + "]"), ContentType: "application/json"}})
		if got := g.callWith(compatibleChat, geminiChat(""), bearer(g.secret)); got.status != http.StatusBadGateway {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if got := g.callWith(geminiJSON.path, geminiJSON.body, googleKey(g.secret)); got.status != http.StatusOK {
		t.Errorf("the model is left alone: %d %s", got.status, got.body)
	}
}

func TestContentKeptAtGoogleIsRefused(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for _, more := range []string{
		`,"extra_body":{"google":{"cached_content":"cachedContents/x"}}`,
		`,"extra_body":{"google":{"cachedContent":"cachedContents/x"}}`,
		`,"google":{"cached_content":"cachedContents/x"}`,
		`,"extra_body":{"google":{"\u0063ached_content":"cachedContents/x"}}`,
		`,"extra_body":{"goog\u006ce":{"cached_content":"cachedContents/x"}}`,
		`,"Extra_body":{"google":{"cached_content":"cachedContents/x"}}`,
	} {
		got := g.callWith(compatibleChat, geminiChat(more), bearer(g.secret))
		if dialectError(t, "openai", got); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", more, got.status, got.body)
		}
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}
