package simulator_test

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// The prompt: 16 bytes of text, so 4 tokens, however it is put.
const (
	responsesRequest      = `{"model":"simulator/standard","input":"hello, you there"}`
	responsesItemsRequest = `{"model":"simulator/standard","instructions":"hello,","input":[{"role":"user","content":[{"type":"input_text","text":" you there"}]}]}`
	responsesTools        = `[{"type":"web_search"},{"type":"function","name":"weather","parameters":{"type":"object","required":["city","days","unit"],"properties":{
		"city":{"type":"string"},"days":{"type":"integer"},"unit":{"enum":["C","F"]}}}}]`
)

func TestResponsesJSON(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	for _, request := range []string{responsesRequest, responsesItemsRequest} {
		_, body := mustPost(t, client, url+"/v1/responses", request)
		answer := parse(t, body)
		expect(t, answer, "response", "object")
		expect(t, answer, "completed", "status")
		expect(t, answer, "simulator/standard", "model")
		expect(t, answer, simulator.StandardText, "output", 0, "content", 0, "text")
		expect(t, answer, 4, "usage", "input_tokens")
		expect(t, answer, standardTokens, "usage", "output_tokens")
	}
	_, body := mustPost(t, client, url+"/v1/responses", with(t, responsesRequest, "max_output_tokens", "5"))
	answer := parse(t, body)
	expect(t, answer, "incomplete", "status")
	expect(t, answer, "max_output_tokens", "incomplete_details", "reason")
	expect(t, answer, "This answer comes from the ", "output", 0, "content", 0, "text")
	for _, bad := range []string{`{"model":"m"}`, `{"model":"m","input":7}`, `{"model":"m","input":[]}`, `{"input":"x"}`} {
		if response, body := mustPost(t, client, url+"/v1/responses", bad); response.StatusCode != 400 {
			t.Errorf("%s: %d %s", bad, response.StatusCode, body)
		}
	}
}

func TestResponsesStream(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	_, body := mustPost(t, client, url+"/v1/responses", with(t, responsesRequest, "stream", "true"))
	text, kinds := "", map[string]int{}
	for i, payload := range dataOf(t, body, "\n\n") {
		event := parse(t, []byte(payload))
		expect(t, event, i, "sequence_number")
		kind, _ := at(event, "type").(string)
		if kinds[kind]++; kind == "response.output_text.delta" {
			text += at(event, "delta").(string)
		}
		if kind == "response.completed" {
			expect(t, event, simulator.StandardText, "response", "output", 0, "content", 0, "text")
			expect(t, event, 4+standardTokens, "response", "usage", "total_tokens")
		}
	}
	if text != simulator.StandardText || kinds["response.output_text.delta"] != standardTokens ||
		kinds["response.created"] != 1 || kinds["response.output_item.done"] != 1 || kinds["response.completed"] != 1 {
		t.Errorf("%q in %v", text, kinds)
	}
}

func TestResponsesToolCall(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	request := with(t, with(t, responsesRequest, "tools", responsesTools), "input", `"please call the tool"`)
	_, body := mustPost(t, client, url+"/v1/responses", request)
	answer := parse(t, body)
	expect(t, answer, "function_call", "output", 0, "type")
	expect(t, answer, "weather", "output", 0, "name")
	expect(t, answer, weatherArguments, "output", 0, "arguments")
	expect(t, answer, 1+(len(weatherArguments)+3)/4, "usage", "output_tokens")

	_, body = mustPost(t, client, url+"/v1/responses", with(t, request, "stream", "true"))
	arguments := ""
	for _, payload := range dataOf(t, body, "\n\n") {
		event := parse(t, []byte(payload))
		switch at(event, "type") {
		case "response.function_call_arguments.delta":
			arguments += at(event, "delta").(string)
		case "response.output_item.added":
			expect(t, event, "", "item", "arguments")
		case "response.completed":
			expect(t, event, weatherArguments, "response", "output", 0, "arguments")
		}
	}
	if arguments != weatherArguments {
		t.Errorf("arguments %q", arguments)
	}

	// The result is an answer to the call, and no prompt to call again. It is counted.
	_, body = mustPost(t, client, url+"/v1/responses", with(t, request, "input",
		`[{"role":"user","content":"please call the tool"},{"type":"function_call","call_id":"c","name":"weather","arguments":"{}"},
			{"type":"function_call_output","call_id":"c","output":"use the tool"}]`))
	answer = parse(t, body)
	expect(t, answer, "message", "output", 0, "type")
	expect(t, answer, 8, "usage", "input_tokens")
}

func TestResponsesFailure(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{}, false)
	provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Fail: 500, FailAfter: 3}}})
	_, body := mustPost(t, client, url+"/v1/responses", with(t, responsesRequest, "stream", "true"))
	payloads := dataOf(t, body, "\n\n")
	last := parse(t, []byte(payloads[len(payloads)-1]))
	expect(t, last, "response.failed", "type")
	expect(t, last, "simulated error", "response", "error", "message")
	if n := strings.Count(string(body), "output_text.delta\n"); n != 3 {
		t.Errorf("%d words", n)
	}
}

// A scripted call of a tool, with scripted usage, in each dialect.
func TestScriptedToolCall(t *testing.T) {
	const arguments = `{"command":"cat fare.txt"}`
	for _, c := range []struct {
		path, body string
		name, args []any
		encoded    bool
		input      []any
	}{
		{"/v1/chat/completions", chatRequest, []any{"choices", 0, "message", "tool_calls", 0, "function", "name"},
			[]any{"choices", 0, "message", "tool_calls", 0, "function", "arguments"}, true, []any{"usage", "prompt_tokens"}},
		{"/v1/responses", responsesRequest, []any{"output", 0, "name"}, []any{"output", 0, "arguments"}, true, []any{"usage", "input_tokens"}},
		{"/v1/messages", messagesRequest, []any{"content", 0, "name"}, []any{"content", 0, "input"}, false, []any{"usage", "input_tokens"}},
		{geminiPath, geminiRequest, []any{"candidates", 0, "content", "parts", 0, "functionCall", "name"},
			[]any{"candidates", 0, "content", "parts", 0, "functionCall", "args"}, false, []any{"usageMetadata", "promptTokenCount"}},
	} {
		provider, client, url := connect(t, simulator.Options{}, false)
		provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{
			Tool: &simulator.ToolCall{Name: "shell", Arguments: arguments}, Usage: &simulator.Usage{Input: 1000, Output: 20}}}})
		_, body := mustPost(t, client, url+c.path, c.body, "Anthropic-Version", "2023-06-01")
		answer := parse(t, body)
		expect(t, answer, "shell", c.name...)
		expect(t, answer, 1000, c.input...)
		if c.encoded {
			expect(t, answer, arguments, c.args...)
		} else {
			expect(t, answer, "cat fare.txt", append(c.args, "command")...)
		}
	}
}
