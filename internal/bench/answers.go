package main

import (
	"fmt"
	"strings"
)

// tokens that every answer reports, so that all requests of a model cost the same.
const inputTokens, outputTokens = 200, 100

// speech is one dialect: how it is asked and how it answers.
type speech struct {
	name string
	// path of a request, and its body for a prompt; stream tells which of the two ways.
	path func(model string, stream bool) string
	body func(model, prompt string, stream bool) string
	// document is an answer in one piece of this text.
	document func(model, text string) string
	// event is one piece of a stream; begin and end are around them, as whole events.
	begin, end func(model string) string
	event      func(model, text string) string
	// terminal is in the last bytes of every stream that is whole.
	terminal string
}

var speeches = map[string]*speech{
	"openai": {
		name: "openai",
		path: func(string, bool) string { return "/v1/chat/completions" },
		body: func(model, prompt string, stream bool) string {
			return fmt.Sprintf(`{"model":%q,"max_tokens":500,"temperature":0.7,"stream":%t,"messages":[`+
				`{"role":"system","content":"You are a helpful assistant."},{"role":"user","content":%s}]}`, model, stream, prompt)
		},
		document: func(model, text string) string {
			return fmt.Sprintf(`{"id":"chatcmpl-B9MBs8CjcvOU2jLn4n570S5qMJKcT","object":"chat.completion","created":1741569952,"model":%q,`+
				`"choices":[{"index":0,"message":{"role":"assistant","content":%q,"refusal":null,"annotations":[]},"logprobs":null,"finish_reason":"stop"}],`+
				`"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d,"prompt_tokens_details":{"cached_tokens":0,"audio_tokens":0},`+
				`"completion_tokens_details":{"reasoning_tokens":0,"audio_tokens":0,"accepted_prediction_tokens":0,"rejected_prediction_tokens":0}},`+
				`"service_tier":"default","system_fingerprint":"fp_ded0d14823"}`, model, text, inputTokens, outputTokens, inputTokens+outputTokens)
		},
		begin: func(model string) string {
			return chatChunk(model, `{"role":"assistant","content":"","refusal":null}`, "null")
		},
		event: func(model, text string) string {
			return chatChunk(model, fmt.Sprintf(`{"content":%q}`, text), "null")
		},
		end: func(model string) string {
			return chatChunk(model, `{}`, `"stop"`) + fmt.Sprintf(`data: {"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,`+
				`"model":%q,"service_tier":"default","system_fingerprint":"fp_fc9f1d7035","choices":[],"usage":{"prompt_tokens":%d,"completion_tokens":%d,"total_tokens":%d}}`+
				"\n\ndata: [DONE]\n\n", model, inputTokens, outputTokens, inputTokens+outputTokens)
		},
		terminal: "[DONE]",
	},
	"anthropic": {
		name: "anthropic",
		path: func(string, bool) string { return "/v1/messages" },
		body: func(model, prompt string, stream bool) string {
			return fmt.Sprintf(`{"model":%q,"max_tokens":500,"stream":%t,"system":"You are a helpful assistant.",`+
				`"messages":[{"role":"user","content":%s}]}`, model, stream, prompt)
		},
		document: func(model, text string) string {
			return fmt.Sprintf(`{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant","model":%q,"content":[{"type":"text","text":%q}],`+
				`"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,`+
				`"output_tokens":%d,"service_tier":"standard"}}`, model, text, inputTokens, outputTokens)
		},
		begin: func(model string) string {
			return fmt.Sprintf("event: message_start\ndata: "+`{"type":"message_start","message":{"id":"msg_01XFDUDYJgAACzvnptvVoYEL","type":"message","role":"assistant",`+
				`"model":%q,"content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":%d,"cache_creation_input_tokens":0,`+
				`"cache_read_input_tokens":0,"output_tokens":1,"service_tier":"standard"}}}`+"\n\n"+
				"event: content_block_start\ndata: "+`{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}`+"\n\n", model, inputTokens)
		},
		event: func(_, text string) string {
			return fmt.Sprintf("event: content_block_delta\ndata: "+`{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":%q}}`+"\n\n", text)
		},
		end: func(string) string {
			return "event: content_block_stop\ndata: " + `{"type":"content_block_stop","index":0}` + "\n\n" +
				fmt.Sprintf("event: message_delta\ndata: "+`{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":%d}}`+"\n\n", outputTokens) +
				"event: message_stop\ndata: " + `{"type":"message_stop"}` + "\n\n"
		},
		terminal: "message_stop",
	},
	"google": {
		name: "google",
		path: func(model string, stream bool) string {
			if stream {
				return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse"
			}
			return "/v1beta/models/" + model + ":generateContent"
		},
		body: func(_, prompt string, _ bool) string {
			return fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%s}]}],"generationConfig":{"maxOutputTokens":500,"temperature":0.7}}`, prompt)
		},
		document: func(model, text string) string {
			return geminiChunk(model, text, `,"finishReason":"STOP"`, outputTokens)
		},
		begin: func(model string) string { return "data: " + geminiChunk(model, "", "", 1) + "\r\n\r\n" },
		event: func(model, text string) string { return "data: " + geminiChunk(model, text, "", 1) + "\r\n\r\n" },
		end: func(model string) string {
			return "data: " + geminiChunk(model, "", `,"finishReason":"STOP"`, outputTokens) + "\r\n\r\n"
		},
		terminal: "}",
	},
}

func chatChunk(model, delta, finish string) string {
	return fmt.Sprintf(`data: {"id":"chatcmpl-B9MHDbslfkBeAs8l4bebGdFOJ6PeG","object":"chat.completion.chunk","created":1741570283,`+
		`"model":%q,"service_tier":"default","system_fingerprint":"fp_fc9f1d7035","choices":[{"index":0,"delta":%s,"logprobs":null,"finish_reason":%s}],"usage":null}`+"\n\n",
		model, delta, finish)
}

func geminiChunk(model, text, finish string, output int) string {
	return fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":%q}],"role":"model"}%s,"index":0}],"usageMetadata":{"promptTokenCount":%d,`+
		`"candidatesTokenCount":%d,"totalTokenCount":%d},"modelVersion":%q,"responseId":"mAmDaYmEN5yqz7IPt8H1yAI"}`,
		text, finish, inputTokens, output, inputTokens+output, model)
}

// prose is a JSON string of about this many bytes. Some of its characters are escaped, as
// in real prompts.
func prose(size int) string {
	const sentence = `The gate checks a ticket, takes the fare, and looks into nobody's luggage.\n\"Next, please\" – it says. `
	return `"` + strings.Repeat(sentence, max(size/len(sentence), 1)) + `"`
}

// picture is a JSON list of parts: a question and an image of about this many bytes.
func picture(size int) string {
	return `[{"type":"text","text":"What is on this picture?"},{"type":"image_url","image_url":{"url":"data:image/png;base64,` +
		strings.Repeat("iVBORw0KGgoAAAANSUhEUgAAAAUA", size/28) + `"}}]`
}

// answer is what the provider sends for a model.
type answer struct {
	contentType string
	events      [][]byte // one piece for a document
	streams     bool
}

// answerOf makes the answer of a kind: of a document of about 1 KB, or of a stream of events.
func answerOf(s *speech, model string, events int) *answer {
	if events == 0 {
		return &answer{contentType: "application/json", events: [][]byte{[]byte(s.document(model, strings.Repeat("A fare well spent. ", 25)))}}
	}
	a := &answer{contentType: "text/event-stream", streams: true, events: [][]byte{[]byte(s.begin(model))}}
	for range events {
		a.events = append(a.events, []byte(s.event(model, " word")))
	}
	a.events = append(a.events, []byte(s.end(model)))
	return a
}
