package simulator_test

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

var versions = []string{"2023-06-01", "2026-10-21"}

func TestMessagesJSON(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	for _, version := range versions {
		request := with(t, messagesRequest, "system", `[{"type":"text","text":"be kind"}]`)
		_, body := mustPost(t, client, url+"/v1/messages?beta=true", request, "Anthropic-Version", version)
		answer := parse(t, body)
		expect(t, answer, "message", "type")
		expect(t, answer, simulator.StandardText, "content", 0, "text")
		expect(t, answer, "end_turn", "stop_reason")
		expect(t, answer, 6, "usage", "input_tokens") // 23 bytes
		expect(t, answer, standardTokens, "usage", "output_tokens")

		_, body = mustPost(t, client, url+"/v1/messages", with(t, messagesRequest, "max_tokens", "5"), "Anthropic-Version", version)
		answer = parse(t, body)
		expect(t, answer, "This answer comes from the ", "content", 0, "text")
		expect(t, answer, "max_tokens", "stop_reason")
		expect(t, answer, 5, "usage", "output_tokens")
	}
}

// events returns the names and payloads of a stream.
func events(t *testing.T, stream []byte) (names []string, payloads []map[string]any) {
	t.Helper()
	for _, event := range strings.Split(strings.TrimSuffix(string(stream), "\n\n"), "\n\n") {
		first, second, _ := strings.Cut(event, "\n")
		name, payload := strings.TrimPrefix(first, "event: "), parse(t, []byte(strings.TrimPrefix(second, "data: ")))
		expect(t, payload, name, "type")
		names, payloads = append(names, name), append(payloads, payload)
	}
	return names, payloads
}

func TestMessagesCountTokens(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	for _, version := range versions {
		request := with(t, messagesRequest, "max_tokens", "null")
		_, body := mustPost(t, client, url+"/v1/messages/count_tokens", request, "Anthropic-Version", version)
		expect(t, parse(t, body), 4, "input_tokens")
	}
}

func TestMessagesStream(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	for _, version := range versions {
		_, body := mustPost(t, client, url+"/v1/messages", messagesStreamRequest, "Anthropic-Version", version)
		names, payloads := events(t, body)
		want := "message_start ping content_block_start" + strings.Repeat(" content_block_delta", standardTokens) +
			" content_block_stop message_delta message_stop"
		if got := strings.Join(names, " "); got != want {
			t.Errorf("events %s", got)
		}
		text := ""
		for _, payload := range payloads {
			piece, _ := at(payload, "delta", "text").(string)
			text += piece
		}
		if text != simulator.StandardText {
			t.Errorf("text %q", text)
		}
		expect(t, payloads[0], 4, "message", "usage", "input_tokens")
		expect(t, payloads[0], 1, "message", "usage", "output_tokens")
		delta := payloads[len(payloads)-2]
		expect(t, delta, "end_turn", "delta", "stop_reason")
		expect(t, delta, standardTokens, "usage", "output_tokens")
		if repeated := at(delta, "usage", "input_tokens") != nil; repeated != (version == versions[1]) {
			t.Errorf("version %s: message_delta repeats the input: %v", version, repeated)
		}
	}
}

func TestMessagesToolCall(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	request := with(t, messagesRequest, "tools", `[{"name":"weather","input_schema":{"type":"object","required":["city"],
		"properties":{"city":{"type":["string","null"]}}}}]`)
	for _, choice := range []string{`{"type":"any"}`, `{"type":"tool","name":"weather"}`} {
		_, body := mustPost(t, client, url+"/v1/messages", with(t, request, "tool_choice", choice), "Anthropic-Version", versions[0])
		answer := parse(t, body)
		expect(t, answer, "tool_use", "stop_reason")
		expect(t, answer, "weather", "content", 0, "name")
		expect(t, answer, map[string]any{"city": "simulated"}, "content", 0, "input")
	}
	asked := with(t, request, "messages", `[{"role":"user","content":"use the tool"}]`)
	_, body := mustPost(t, client, url+"/v1/messages", with(t, asked, "stream", "true"), "Anthropic-Version", versions[1])
	_, payloads := events(t, body)
	arguments := ""
	for _, payload := range payloads {
		piece, _ := at(payload, "delta", "partial_json").(string)
		arguments += piece
	}
	if arguments != `{"city":"simulated"}` {
		t.Errorf("arguments %q", arguments)
	}
	expect(t, payloads[len(payloads)-2], "tool_use", "delta", "stop_reason")

	done := with(t, request, "messages", `[{"role":"user","content":"use the tool"},{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"weather","input":{}}]},
		{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"use the tool"}]}]}]`)
	_, body = mustPost(t, client, url+"/v1/messages", done, "Anthropic-Version", versions[1])
	expect(t, parse(t, body), "end_turn", "stop_reason")
	expect(t, parse(t, body), 6, "usage", "input_tokens") // both texts, 24 bytes
}

func TestAlteredMessages(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{}, false)
	play := func(request string, answer simulator.Answer) []byte {
		provider.Add(simulator.Step{Response: simulator.Response{Answer: &answer}})
		_, body := mustPost(t, client, url+"/v1/messages", request, "Anthropic-Version", versions[1])
		return body
	}
	usage := simulator.Usage{Input: 1000, CacheRead: 300, CacheWrite5m: 200, CacheWrite1h: 100, Output: 50, Reasoning: 20}
	answer := parse(t, play(messagesRequest, simulator.Answer{Usage: &usage}))
	expect(t, answer, 400, "usage", "input_tokens")
	expect(t, answer, 300, "usage", "cache_read_input_tokens")
	expect(t, answer, 300, "usage", "cache_creation_input_tokens")
	expect(t, answer, 200, "usage", "cache_creation", "ephemeral_5m_input_tokens")
	expect(t, answer, 100, "usage", "cache_creation", "ephemeral_1h_input_tokens")
	expect(t, answer, 50, "usage", "output_tokens")
	expect(t, answer, 20, "usage", "output_tokens_details", "thinking_tokens")

	if none := play(messagesStreamRequest, simulator.Answer{NoUsage: true}); strings.Contains(string(none), "usage") {
		t.Errorf("usage in %s", none)
	}
	if names, _ := events(t, play(messagesStreamRequest, simulator.Answer{Silent: true})); strings.Join(names, " ") != "message_start ping message_delta message_stop" {
		t.Errorf("silence: %v", names)
	}
	names, payloads := events(t, play(messagesStreamRequest, simulator.Answer{Fail: 529, FailAfter: 1}))
	if strings.Join(names, " ") != "message_start ping content_block_start content_block_delta error" {
		t.Errorf("failing: %v", names)
	}
	expect(t, payloads[4], "overloaded_error", "error", "type")
	if names, _ = events(t, play(messagesStreamRequest, simulator.Answer{Fail: 529})); len(names) != 1 {
		t.Errorf("failing at once: %v", names)
	}
	expect(t, parse(t, play(messagesRequest, simulator.Answer{Fail: 529})), "overloaded_error", "error", "type")
	expect(t, parse(t, play(messagesRequest, simulator.Answer{Finish: "refusal"})), "refusal", "stop_reason")
}
