package simulator_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

func TestGeminiJSON(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	request := with(t, geminiRequest, "systemInstruction", `{"parts":[{"text":"be kind"}]}`)
	response, body := mustPost(t, client, url+geminiPath, with(t, request, "generationConfig", `{"candidateCount":2}`))
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		t.Errorf("header %v", response.Header)
	}
	answer := parse(t, body)
	for i := range 2 {
		expect(t, answer, simulator.StandardText, "candidates", i, "content", "parts", 0, "text")
		expect(t, answer, "STOP", "candidates", i, "finishReason")
		expect(t, answer, i, "candidates", i, "index")
	}
	expect(t, answer, "standard", "modelVersion")
	expect(t, answer, 6, "usageMetadata", "promptTokenCount") // 23 bytes
	expect(t, answer, 2*standardTokens, "usageMetadata", "candidatesTokenCount")
	expect(t, answer, 6+2*standardTokens, "usageMetadata", "totalTokenCount")

	_, body = mustPost(t, client, url+geminiPath, with(t, geminiRequest, "generationConfig", `{"maxOutputTokens":5}`))
	answer = parse(t, body)
	expect(t, answer, "This answer comes from the ", "candidates", 0, "content", "parts", 0, "text")
	expect(t, answer, "MAX_TOKENS", "candidates", 0, "finishReason")
	expect(t, answer, 5, "usageMetadata", "candidatesTokenCount")
}

func TestGeminiCountTokens(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	request := with(t, geminiRequest, "systemInstruction", `{"parts":[{"text":"be kind"}]}`)
	_, body := mustPost(t, client, url+strings.Replace(geminiPath, ":generateContent", ":countTokens", 1), request)
	expect(t, parse(t, body), 6, "totalTokens")
}

// checkGeminiStream checks the objects of a stream, whatever framed them.
func checkGeminiStream(t *testing.T, objects []map[string]any) {
	t.Helper()
	if len(objects) != standardTokens {
		t.Fatalf("%d objects for %d words", len(objects), standardTokens)
	}
	text := ""
	for i, object := range objects {
		piece, _ := at(object, "candidates", 0, "content", "parts", 0, "text").(string)
		text += piece
		expect(t, object, 4, "usageMetadata", "promptTokenCount")
		expect(t, object, i+1, "usageMetadata", "candidatesTokenCount")
		expect(t, object, i+5, "usageMetadata", "totalTokenCount")
		if ends := at(object, "candidates", 0, "finishReason") != nil; ends != (i == len(objects)-1) {
			t.Errorf("object %d ends the stream: %v", i, ends)
		}
	}
	if text != simulator.StandardText {
		t.Errorf("text %q", text)
	}
}

func TestGeminiStreamSSE(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	response, body := mustPost(t, client, url+geminiStreamPath+"?alt=sse", geminiRequest)
	if response.Header.Get("Content-Type") != "text/event-stream" {
		t.Errorf("header %v", response.Header)
	}
	var objects []map[string]any
	for _, payload := range dataOf(t, body, "\r\n\r\n") {
		objects = append(objects, parse(t, []byte(payload)))
	}
	checkGeminiStream(t, objects)
}

func TestGeminiStreamArray(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	response, body := mustPost(t, client, url+geminiStreamPath, geminiRequest)
	if !strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		t.Errorf("header %v", response.Header)
	}
	var objects []map[string]any
	if err := json.Unmarshal(body, &objects); err != nil {
		t.Fatal(err)
	}
	checkGeminiStream(t, objects)
	if text := string(body); !strings.HasPrefix(text, "[{\n  \"candidates\"") || !strings.Contains(text, "\n}\n,\r\n{\n") || !strings.HasSuffix(text, "\n}\n]") {
		t.Errorf("framing: %q … %q", text[:30], text[len(text)-10:])
	}
}

func TestGeminiToolCall(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	request := with(t, geminiRequest, "tools", `[{"functionDeclarations":[{"name":"time"},{"name":"weather","parameters":{
		"type":"OBJECT","required":["city","on","days"],"properties":{"city":{"type":"STRING"},"on":{"type":"BOOLEAN"},"days":{"type":"ARRAY"}}}}]}]`)
	forced := with(t, request, "toolConfig", `{"functionCallingConfig":{"mode":"ANY","allowedFunctionNames":["weather"]}}`)
	arguments := map[string]any{"city": "simulated", "on": true, "days": []any{}}

	_, body := mustPost(t, client, url+geminiPath, forced)
	answer := parse(t, body)
	expect(t, answer, "weather", "candidates", 0, "content", "parts", 0, "functionCall", "name")
	expect(t, answer, arguments, "candidates", 0, "content", "parts", 0, "functionCall", "args")
	expect(t, answer, "STOP", "candidates", 0, "finishReason")

	_, body = mustPost(t, client, url+geminiStreamPath+"?alt=sse", forced)
	payloads := dataOf(t, body, "\r\n\r\n")
	answer = parse(t, []byte(payloads[len(payloads)-1]))
	expect(t, answer, arguments, "candidates", 0, "content", "parts", 0, "functionCall", "args")
	expect(t, answer, "STOP", "candidates", 0, "finishReason")

	for name, contents := range map[string]string{
		"time": `[{"parts":[{"text":"call the tool"}]}]`,
		"":     `[{"parts":[{"text":"call the tool"}]},{"role":"model","parts":[]},{"role":"user","parts":[{"functionResponse":{"name":"time"}}]}]`,
	} {
		_, body = mustPost(t, client, url+geminiPath, with(t, request, "contents", contents))
		called, _ := at(parse(t, body), "candidates", 0, "content", "parts", 0, "functionCall", "name").(string)
		if called != name {
			t.Errorf("%s: called %q, want %q", contents, called, name)
		}
	}
}

func TestAlteredGemini(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{}, false)
	play := func(path string, answer simulator.Answer) []byte {
		provider.Add(simulator.Step{Response: simulator.Response{Answer: &answer}})
		_, body := mustPost(t, client, url+path, geminiRequest)
		return body
	}
	usage := simulator.Usage{Input: 1000, CacheRead: 300, Output: 50, Reasoning: 20}
	answer := parse(t, play(geminiPath, simulator.Answer{Usage: &usage, Model: "standard-002"}))
	expect(t, answer, 1000, "usageMetadata", "promptTokenCount")
	expect(t, answer, 300, "usageMetadata", "cachedContentTokenCount")
	expect(t, answer, 30, "usageMetadata", "candidatesTokenCount")
	expect(t, answer, 20, "usageMetadata", "thoughtsTokenCount")
	expect(t, answer, 1050, "usageMetadata", "totalTokenCount")
	expect(t, answer, "standard-002", "modelVersion")

	if none := play(geminiStreamPath+"?alt=sse", simulator.Answer{NoUsage: true}); strings.Contains(string(none), "usageMetadata") {
		t.Errorf("usage in %s", none)
	}
	silent := parse(t, play(geminiPath, simulator.Answer{Silent: true, Finish: "SAFETY"}))
	expect(t, silent, "SAFETY", "candidates", 0, "finishReason")
	expect(t, silent, nil, "usageMetadata", "candidatesTokenCount")
	expect(t, silent, nil, "candidates", 0, "content", "parts")
	if payloads := dataOf(t, play(geminiStreamPath+"?alt=sse", simulator.Answer{Silent: true}), "\r\n\r\n"); len(payloads) != 1 {
		t.Errorf("a silent stream is %d events", len(payloads))
	}

	payloads := dataOf(t, play(geminiStreamPath+"?alt=sse", simulator.Answer{Fail: 503, FailAfter: 2}), "\r\n\r\n")
	expect(t, parse(t, []byte(payloads[2])), "UNAVAILABLE", "error", "status")
	expect(t, parse(t, []byte(payloads[1])), nil, "candidates", 0, "finishReason")
	var objects []map[string]any
	if err := json.Unmarshal(play(geminiStreamPath, simulator.Answer{Fail: 503}), &objects); err != nil || len(objects) != 1 {
		t.Errorf("%v, %v", objects, err)
	}
	expect(t, parse(t, play(geminiPath, simulator.Answer{Fail: 503})), "UNAVAILABLE", "error", "status")
}
