package simulator_test

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

const weatherTools = `[{"type":"function","function":{"name":"time","parameters":{"type":"object"}}},
	{"type":"function","function":{"name":"weather","parameters":{"type":"object","required":["city","days","unit"],"properties":{
		"city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]},"optional":{"type":"string"}}}}}]`

const weatherArguments = `{"city":"simulated","days":1,"unit":"C"}`

func TestChatJSON(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	response, body := mustPost(t, client, url+"/openai/v1/chat/completions", with(t, chatRequest, "n", "3"))
	answer := parse(t, body)
	if response.Header.Get("Content-Type") != "application/json" {
		t.Errorf("header %v", response.Header)
	}
	expect(t, answer, "chat.completion", "object")
	expect(t, answer, "simulator/standard", "model")
	for i := range 3 {
		expect(t, answer, i, "choices", i, "index")
		expect(t, answer, simulator.StandardText, "choices", i, "message", "content")
		expect(t, answer, "stop", "choices", i, "finish_reason")
	}
	expect(t, answer, nil, "choices", 3)
	expect(t, answer, 4, "usage", "prompt_tokens")
	expect(t, answer, 3*standardTokens, "usage", "completion_tokens")
	expect(t, answer, 4+3*standardTokens, "usage", "total_tokens")
}

func TestChatCap(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	for _, field := range []string{"max_tokens", "max_completion_tokens"} {
		_, body := mustPost(t, client, url+"/v1/chat/completions", with(t, chatRequest, field, "5"))
		answer := parse(t, body)
		expect(t, answer, "length", "choices", 0, "finish_reason")
		expect(t, answer, 5, "usage", "completion_tokens")
		expect(t, answer, "This answer comes from the ", "choices", 0, "message", "content")
	}
	_, body := mustPost(t, client, url+"/v1/chat/completions", with(t, chatRequest, "max_tokens", "1000"))
	expect(t, parse(t, body), "stop", "choices", 0, "finish_reason")
}

func TestChatStreamWithoutUsage(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	for _, request := range []string{chatStreamRequest, with(t, chatStreamRequest, "stream_options", `{"include_usage":false}`)} {
		response, body := mustPost(t, client, url+"/v1/chat/completions", request)
		if !strings.HasPrefix(response.Header.Get("Content-Type"), "text/event-stream") {
			t.Errorf("header %v", response.Header)
		}
		if strings.Contains(string(body), "usage") {
			t.Error("usage although nobody asked")
		}
		payloads := dataOf(t, body, "\n\n")
		if want := 1 + standardTokens + 1 + 1; len(payloads) != want {
			t.Errorf("%d events, want %d", len(payloads), want)
		}
	}
}

func TestChatStreamWithUsage(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	request := with(t, with(t, chatStreamRequest, "stream_options", `{"include_usage":true}`), "n", "2")
	_, body := mustPost(t, client, url+"/v1/chat/completions", request)
	payloads := dataOf(t, body, "\n\n")
	last := len(payloads) - 1
	if payloads[last] != "[DONE]" {
		t.Errorf("ends with %q", payloads[last])
	}
	texts, finished := [2]string{}, [2]bool{}
	for _, payload := range payloads[:last-1] {
		if !strings.HasSuffix(payload, `"usage":null}`) {
			t.Fatalf("no usage:null in %s", payload)
		}
		chunk := parse(t, []byte(payload))
		index := int(at(chunk, "choices", 0, "index").(float64))
		if text, ok := at(chunk, "choices", 0, "delta", "content").(string); ok {
			texts[index] += text
		}
		if reason := at(chunk, "choices", 0, "finish_reason"); reason != nil {
			finished[index] = reason == "stop"
		}
	}
	if texts[0] != simulator.StandardText || texts[1] != simulator.StandardText || finished != [2]bool{true, true} {
		t.Errorf("texts %q, finished %v", texts, finished)
	}
	usage := payloads[last-1]
	if !strings.Contains(usage, `"choices":[]`) {
		t.Errorf("usage chunk %s", usage)
	}
	chunk := parse(t, []byte(usage))
	expect(t, chunk, 4, "usage", "prompt_tokens")
	expect(t, chunk, 2*standardTokens, "usage", "completion_tokens")
}

func TestChatToolCall(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	tools := with(t, chatRequest, "tools", weatherTools)
	asked := with(t, tools, "messages", `[{"role":"user","content":"Please call the tool."}]`)
	answered := with(t, tools, "messages", `[{"role":"user","content":"Use the tool."},{"role":"assistant","content":null,"tool_calls":[]},{"role":"tool","content":"12"}]`)
	cases := []struct{ name, request, tool string }{
		{"not asked", tools, ""},
		{"required", with(t, tools, "tool_choice", `"required"`), "time"},
		{"by name", with(t, tools, "tool_choice", `{"type":"function","function":{"name":"weather"}}`), "weather"},
		{"by the prompt", asked, "time"},
		{"forbidden", with(t, asked, "tool_choice", `"none"`), ""},
		{"answered", answered, ""},
		{"no room", with(t, with(t, tools, "tool_choice", `"required"`), "max_tokens", "1"), ""},
		{"no tools", with(t, chatRequest, "tool_choice", `"required"`), ""},
	}
	for _, c := range cases {
		_, body := mustPost(t, client, url+"/v1/chat/completions", c.request)
		answer := parse(t, body)
		name, _ := at(answer, "choices", 0, "message", "tool_calls", 0, "function", "name").(string)
		if name != c.tool {
			t.Errorf("%s: called %q, want %q", c.name, name, c.tool)
		}
		if reason := at(answer, "choices", 0, "finish_reason"); (reason == "tool_calls") != (c.tool != "") {
			t.Errorf("%s: finish reason %v", c.name, reason)
		}
		if c.tool == "weather" {
			expect(t, answer, weatherArguments, "choices", 0, "message", "tool_calls", 0, "function", "arguments")
			expect(t, answer, 11, "usage", "completion_tokens") // the name and 40 bytes
		}
	}
}

func TestChatToolCallStream(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{}, false)
	request := with(t, with(t, chatStreamRequest, "tools", weatherTools), "tool_choice", `{"function":{"name":"weather"}}`)
	_, body := mustPost(t, client, url+"/v1/chat/completions", request)
	payloads := dataOf(t, body, "\n\n")
	first := parse(t, []byte(payloads[0]))
	expect(t, first, "weather", "choices", 0, "delta", "tool_calls", 0, "function", "name")
	arguments := ""
	for _, payload := range payloads[:len(payloads)-2] {
		piece, _ := at(parse(t, []byte(payload)), "choices", 0, "delta", "tool_calls", 0, "function", "arguments").(string)
		arguments += piece
	}
	if arguments != weatherArguments {
		t.Errorf("arguments %q", arguments)
	}
	expect(t, parse(t, []byte(payloads[len(payloads)-2])), "tool_calls", "choices", 0, "finish_reason")

	provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{OneEvent: true}}})
	_, body = mustPost(t, client, url+"/v1/chat/completions", request)
	payloads = dataOf(t, body, "\n\n")
	if len(payloads) != 3 {
		t.Errorf("%d events, want the call, the end and the mark of it", len(payloads))
	}
	expect(t, parse(t, []byte(payloads[0])), weatherArguments, "choices", 0, "delta", "tool_calls", 0, "function", "arguments")
}

func TestAlteredChat(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{}, false)
	withUsage := with(t, chatStreamRequest, "stream_options", `{"include_usage":true}`)
	play := func(request string, answer simulator.Answer) string {
		provider.Add(simulator.Step{Response: simulator.Response{Answer: &answer}})
		_, body := mustPost(t, client, url+"/v1/chat/completions", request)
		return string(body)
	}

	lie := parse(t, []byte(play(chatRequest, simulator.Answer{Usage: &simulator.Usage{
		Input: 1000, CacheRead: 300, CacheWrite5m: 200, Output: 1_000_000_000, Reasoning: 7}})))
	expect(t, lie, 1000, "usage", "prompt_tokens")
	expect(t, lie, 300, "usage", "prompt_tokens_details", "cached_tokens")
	expect(t, lie, 200, "usage", "prompt_tokens_details", "cache_write_tokens")
	expect(t, lie, 1_000_000_000, "usage", "completion_tokens")
	expect(t, lie, 1_000_001_000, "usage", "total_tokens")
	expect(t, lie, 7, "usage", "completion_tokens_details", "reasoning_tokens")

	zero := play(withUsage, simulator.Answer{Usage: &simulator.Usage{}})
	if !strings.Contains(zero, `"total_tokens":0`) {
		t.Errorf("no zero usage in %s", zero)
	}
	if none := play(withUsage, simulator.Answer{NoUsage: true}); strings.Contains(none, "usage") || !strings.HasSuffix(none, "[DONE]\n\n") {
		t.Errorf("usage in %s", none)
	}

	payloads := dataOf(t, []byte(play(chatStreamRequest, simulator.Answer{Text: strings.Repeat("many words ", 10_000), OneEvent: true})), "\n\n")
	if len(payloads) != 4 || len(payloads[1]) < 110_000 {
		t.Errorf("%d events, the second of %d bytes", len(payloads), len(payloads[1]))
	}

	renamed := parse(t, []byte(play(chatRequest, simulator.Answer{Model: "standard-2026-11-01", Finish: "content_filter", Silent: true})))
	expect(t, renamed, "standard-2026-11-01", "model")
	expect(t, renamed, "content_filter", "choices", 0, "finish_reason")
	expect(t, renamed, "", "choices", 0, "message", "content")
	expect(t, renamed, 0, "usage", "completion_tokens")

	payloads = dataOf(t, []byte(play(withUsage, simulator.Answer{Fail: 503, FailAfter: 2})), "\n\n")
	if len(payloads) != 4 {
		t.Errorf("role, two words and the error are %d events", len(payloads))
	}
	expect(t, parse(t, []byte(payloads[len(payloads)-1])), "server_error", "error", "type")
	if payloads = dataOf(t, []byte(play(withUsage, simulator.Answer{Fail: 503})), "\n\n"); len(payloads) != 1 {
		t.Errorf("an error at once is %d events", len(payloads))
	}
	expect(t, parse(t, []byte(play(chatRequest, simulator.Answer{Fail: 429}))), "rate_limit_exceeded", "error", "code")
}
