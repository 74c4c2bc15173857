package usage

import (
	"strings"
	"testing"
)

// The rules of Anthropic's messages, of both versions of its interface, which have the
// same usage. The responses are made from the rules, not recorded.
func TestRulesOfAnthropic(t *testing.T) {
	stream, json := Options{Format: AnthropicMessages, Framing: SSE}, Options{Format: AnthropicMessages}
	message := func(usage string) string {
		return `{"id":"msg","type":"message","role":"assistant","model":"claude-x","content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","stop_sequence":null,"usage":` + usage + `}`
	}
	events := func(start, delta string) string {
		event := func(kind, rest string) string {
			return "event: " + kind + "\ndata: {\"type\":\"" + kind + "\"" + rest + "}\n\n"
		}
		return event("message_start", `,"message":{"id":"msg","type":"message","model":"claude-x","content":[],"stop_reason":null,"usage":`+start+`}`) +
			event("content_block_start", `,"index":0,"content_block":{"type":"text","text":""}`) + event("ping", "") +
			event("content_block_delta", `,"index":0,"delta":{"type":"text_delta","text":"a"}`) + event("content_block_stop", `,"index":0`) +
			event("message_delta", `,"delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":`+delta) + event("message_stop", "")
	}
	checkRules(t, []wireRule{
		{name: "caches are beside the input, by lifetime", options: json,
			response: message(`{"input_tokens":10,"cache_creation_input_tokens":70,"cache_read_input_tokens":40,"cache_creation":{"ephemeral_5m_input_tokens":20,"ephemeral_1h_input_tokens":50},"output_tokens":5,"service_tier":"standard","inference_geo":"us"}`),
			want:     Usage{InputTotal: 120, Input: 10, CacheRead: 40, CacheWrite5m: 20, CacheWrite1h: 50, OutputTotal: 5, Output: 5}, tier: "standard"},
		{name: "without a breakdown what is written stays five minutes", options: json,
			response: message(`{"input_tokens":10,"cache_creation_input_tokens":70,"cache_read_input_tokens":0,"output_tokens":5}`),
			want:     Usage{InputTotal: 80, Input: 10, CacheWrite5m: 70, OutputTotal: 5, Output: 5}},
		{name: "thinking is a part of the output", options: json, response: message(`{"input_tokens":10,"output_tokens":50,"output_tokens_details":{"thinking_tokens":44}}`),
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 50, Output: 50, Reasoning: 44}},
		{name: "the end tells the output alone", options: stream, response: events(`{"input_tokens":10,"cache_read_input_tokens":40,"output_tokens":3}`, `{"output_tokens":9}`),
			want: Usage{InputTotal: 50, Input: 10, CacheRead: 40, OutputTotal: 9, Output: 9}, finish: "end_turn"},
		{name: "the end repeats all fields, some null", options: stream, response: events(`{"input_tokens":10,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_1h_input_tokens":7},"output_tokens":3}`,
			`{"input_tokens":500,"cache_creation_input_tokens":null,"cache_read_input_tokens":null,"output_tokens":9,"server_tool_use":{"web_search_requests":2,"web_fetch_requests":1}}`),
			want: Usage{InputTotal: 507, Input: 500, CacheWrite1h: 7, OutputTotal: 9, Output: 9, Units: Units{WebSearch: 2, WebFetch: 1}}},
		{name: "a breakdown only at the start, a larger total at the end", options: stream, response: events(
			`{"input_tokens":10,"cache_creation_input_tokens":7,"cache_creation":{"ephemeral_5m_input_tokens":0,"ephemeral_1h_input_tokens":7},"output_tokens":3}`, `{"cache_creation_input_tokens":9,"output_tokens":9}`),
			want: Usage{InputTotal: 19, Input: 10, CacheWrite5m: 2, CacheWrite1h: 7, OutputTotal: 9, Output: 9}},
		{name: "two ends are not summed", options: stream, response: strings.Replace(events(`{"input_tokens":10,"output_tokens":3}`, `{"output_tokens":9}`),
			"event: message_stop", "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":12}}\n\nevent: message_stop", 1),
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 12, Output: 12}},
		{name: "a refusal is charged", options: json, response: strings.Replace(message(`{"input_tokens":10,"output_tokens":1}`), "end_turn", "refusal", 1),
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 1, Output: 1}, finish: "refusal"},
		{name: "compaction and advisor are beside the total, messages are not", options: json, model: "claude-x",
			response: message(`{"input_tokens":10,"output_tokens":5,"iterations":[{"type":"compaction","input_tokens":900,"output_tokens":80,"cache_read_input_tokens":0,"cache_creation_input_tokens":0},
				{"type":"message","input_tokens":10,"output_tokens":5},{"type":"advisor_message","model":"claude-y","input_tokens":30,"output_tokens":7,"cache_creation":{"ephemeral_1h_input_tokens":4}}]}`),
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 5, Output: 5},
			passes: []Pass{{Usage: Usage{InputTotal: 900, Input: 900, OutputTotal: 80, Output: 80}},
				{Model: "claude-y", Usage: Usage{InputTotal: 34, Input: 30, CacheWrite1h: 4, OutputTotal: 7, Output: 7}}}},
		{name: "passes of the end replace those of the start", options: stream, response: events(`{"input_tokens":10,"output_tokens":3,"iterations":[{"type":"compaction","input_tokens":1,"output_tokens":1}]}`,
			`{"output_tokens":9,"iterations":[{"type":"compaction","input_tokens":900,"output_tokens":80},{"type":"message","input_tokens":10,"output_tokens":9}]}`),
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 9, Output: 9}, passes: []Pass{{Usage: Usage{InputTotal: 900, Input: 900, OutputTotal: 80, Output: 80}}}},
		{name: "after a fallback the total is the fallback's", options: json, model: "claude-small",
			response: message(`{"input_tokens":12,"output_tokens":6,"iterations":[{"type":"message","model":"claude-x","input_tokens":10,"output_tokens":0},{"type":"fallback_message","model":"claude-small","input_tokens":12,"output_tokens":6}]}`),
			want:     Usage{InputTotal: 12, Input: 12, OutputTotal: 6, Output: 6}},
		{name: "an error event in the stream", options: stream, response: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":{\"input_tokens\":10,\"output_tokens\":1}}}\n\n" +
			"event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"x\"}}\n\n",
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 1, Output: 1}, failed: true},
		{name: "an error under status 200", options: json, response: `{"type":"error","error":{"type":"api_error","message":"x"},"request_id":"r"}`, failed: true, unreported: true},
		{name: "counted tokens are free", options: Options{Format: FreeAnswer}, response: `{"input_tokens":14}`, unreported: true},
	})
}

// The rules of Gemini, also on Vertex.
func TestRulesOfGemini(t *testing.T) {
	stream, json, embed := Options{Format: GeminiGenerate, Framing: SSE}, Options{Format: GeminiGenerate}, Options{Format: GeminiEmbed}
	chunk := func(finish, usage string) string {
		if finish != "" {
			finish = `,"finishReason":"` + finish + `"`
		}
		return `{"candidates":[{"content":{"role":"model","parts":[{"text":"a"}]}` + finish + `,"index":0}],"usageMetadata":{` + usage + `},"modelVersion":"gemini-x"}`
	}
	carriageReturns := func(s string) string { return strings.ReplaceAll(s, "\n", "\r\n") }
	counted := Usage{InputTotal: 30, Input: 20, CacheRead: 10, OutputTotal: 12, Output: 12, Reasoning: 7}
	const counts = `"promptTokenCount":30,"cachedContentTokenCount":10,"candidatesTokenCount":5,"thoughtsTokenCount":7,"totalTokenCount":42`
	checkRules(t, []wireRule{
		{name: "thoughts are beside the candidates, what is cached inside the prompt", options: json, response: chunk("STOP", counts), want: counted, finish: "STOP", model: "gemini-x"},
		{name: "with carriage returns, counted up: the last holds", options: stream,
			response: carriageReturns(sse(chunk("", `"promptTokenCount":30,"totalTokenCount":30`), chunk("", `"promptTokenCount":30,"candidatesTokenCount":2,"totalTokenCount":32`), chunk("STOP", counts))), want: counted},
		{name: "one JSON array in pieces", options: json, response: "[" + chunk("", `"promptTokenCount":30`) + "\n,\r\n" + chunk("STOP", counts) + "\n]", want: counted},
		{name: "the tools' part of the prompt is beside it", options: json, response: chunk("STOP", `"promptTokenCount":30,"toolUsePromptTokenCount":100,"candidatesTokenCount":5,"totalTokenCount":135,"toolUsePromptTokensDetails":[{"modality":"TEXT","tokenCount":100}]`),
			want: Usage{InputTotal: 130, Input: 130, OutputTotal: 5, Output: 5}},
		{name: "modalities are parts, and may add up to less", options: json,
			response: chunk("STOP", `"promptTokenCount":1000,"candidatesTokenCount":1300,"totalTokenCount":2300,"promptTokensDetails":[{"modality":"TEXT","tokenCount":10},{"modality":"IMAGE","tokenCount":258},{"modality":"VIDEO","tokenCount":300},{"modality":"AUDIO","tokenCount":64},{"modality":"DOCUMENT","tokenCount":100}],
				"candidatesTokensDetails":[{"modality":"IMAGE","tokenCount":1290}]`),
			want: Usage{InputTotal: 1000, Input: 378, InputImage: 258, InputVideo: 300, InputAudio: 64, OutputTotal: 1300, Output: 10, OutputImage: 1290}},
		{name: "cached parts by modality", options: json, response: chunk("STOP", `"promptTokenCount":1000,"cachedContentTokenCount":600,"candidatesTokenCount":1,"cacheTokensDetails":[{"modality":"AUDIO","tokenCount":500},{"modality":"TEXT","tokenCount":100}],"promptTokensDetails":[{"modality":"AUDIO","tokenCount":700},{"modality":"TEXT","tokenCount":300}]`),
			want: Usage{InputTotal: 1000, Input: 200, InputAudio: 200, CacheRead: 100, CacheReadAudio: 500, OutputTotal: 1, Output: 1}},
		{name: "nothing was said: no candidates' count", options: json, response: `{"candidates":[{"finishReason":"MAX_TOKENS","index":0}],"usageMetadata":{"promptTokenCount":9,"thoughtsTokenCount":20,"totalTokenCount":29}}`,
			want: Usage{InputTotal: 9, Input: 9, OutputTotal: 20, Output: 20, Reasoning: 20}, finish: "MAX_TOKENS"},
		{name: "Vertex: chunks with a trafficType alone are no usage", options: stream, response: sse(chunk("", `"trafficType":"ON_DEMAND"`), chunk("STOP", counts+`,"trafficType":"ON_DEMAND"`), `{"usageMetadata":{"trafficType":"ON_DEMAND"}}`),
			want: counted, tier: "ON_DEMAND"},
		{name: "counts that restart: the last object, whole", options: stream, response: sse(chunk("", `"promptTokenCount":60,"candidatesTokenCount":42,"totalTokenCount":102`), chunk("", `"promptTokenCount":9,"totalTokenCount":9`),
			chunk("STOP", `"promptTokenCount":100,"toolUsePromptTokenCount":65,"totalTokenCount":165`)), want: Usage{InputTotal: 165, Input: 165}},
		{name: "a blocked prompt has no candidates and is charged", options: json, response: `{"promptFeedback":{"blockReason":"SAFETY"},"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}`, want: Usage{InputTotal: 9, Input: 9}},
		{name: "Vertex: enumerations as numbers", options: json, response: `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":1}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":1,"trafficType":1,"promptTokensDetails":[{"modality":4,"tokenCount":5}]}}`,
			want: Usage{InputTotal: 9, Input: 4, InputAudio: 5, OutputTotal: 1, Output: 1}, finish: "STOP", tier: "ON_DEMAND"},
		{name: "Gemini 3: each query is a search", options: json, response: `{"modelVersion":"gemini-3-pro","candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["a","b","c"]}}],"usageMetadata":{"promptTokenCount":9}}`,
			want: Usage{InputTotal: 9, Input: 9, Units: Units{WebSearch: 3}}},
		{name: "before it an answer that searched is one", options: json, response: `{"modelVersion":"gemini-2.5-pro","candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP","groundingMetadata":{"webSearchQueries":["a","b","c"]}}],"usageMetadata":{"promptTokenCount":9}}`,
			want: Usage{InputTotal: 9, Input: 9, Units: Units{WebSearch: 1}}},
		{name: "an error object in the stream", options: stream, response: sse(chunk("", `"promptTokenCount":9,"candidatesTokenCount":1`)) + `{"error":{"code":503,"message":"x","status":"UNAVAILABLE"}}` + "\n",
			want: Usage{InputTotal: 9, Input: 9, OutputTotal: 1, Output: 1}, failed: true},
		{name: "an embedding that tells its tokens", options: embed, response: `{"embedding":{"values":[0.1]},"usageMetadata":{"promptTokenCount":7,"promptTokenDetails":[{"modality":"TEXT","tokenCount":7}]}}`, want: Usage{InputTotal: 7, Input: 7}},
		{name: "an older one tells nothing", options: embed, response: `{"embedding":{"values":[0.1]}}`, unreported: true},
		{name: "Vertex: tokens beside each embedding", options: embed, response: `{"predictions":[{"embeddings":{"statistics":{"token_count":4,"truncated":false},"values":[1]}},{"embeddings":{"statistics":{"token_count":5}}}],"metadata":{"billableCharacterCount":20}}`,
			want: Usage{InputTotal: 9, Input: 9, Units: Units{Characters: 20}}},
		{name: "counted tokens are free", options: Options{Format: FreeAnswer}, response: `{"totalTokens":31,"promptTokensDetails":[{"modality":"TEXT","tokenCount":31}]}`, unreported: true},
	})
}
