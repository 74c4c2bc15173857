package usage

import (
	"strings"
	"testing"
)

// wireRule is a rule of a provider's, with a response that it is about.
type wireRule struct {
	name     string
	options  Options
	response string
	want     Usage
	// Of the report, where it matters.
	model, finish, tier string
	failed, unreported  bool
	passes              []Pass
}

func checkRules(t *testing.T, rules []wireRule) {
	t.Helper()
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			for _, size := range []func() int{whole, single, func() int { return 7 }} {
				_, _, r := run(rule.options, []byte(rule.response), size)
				if r.Usage != rule.want || r.Reported == rule.unreported || r.Failed != rule.failed {
					t.Errorf("got %+v (reported %v, failed %v, %v), want %+v", r.Usage, r.Reported, r.Failed, r.Err, rule.want)
				}
				if rule.model != "" && r.Model != rule.model || rule.finish != "" && r.FinishReason != rule.finish || rule.tier != "" && r.ServiceTier != rule.tier {
					t.Errorf("model %q, finish reason %q, tier %q", r.Model, r.FinishReason, r.ServiceTier)
				}
				if len(r.Passes) != len(rule.passes) {
					t.Errorf("passes %+v, want %+v", r.Passes, rule.passes)
					continue
				}
				for i, pass := range rule.passes {
					if r.Passes[i] != pass {
						t.Errorf("pass %+v, want %+v", r.Passes[i], pass)
					}
				}
			}
		})
	}
}

// The rules of OpenAI's formats. The responses are made from the rules, not recorded.
func TestRulesOfOpenAI(t *testing.T) {
	chunk := func(members string) string {
		return `{"id":"x","object":"chat.completion.chunk","model":"gpt-x","choices":[` + members + `}`
	}
	text := Usage{InputTotal: 10, Input: 10, OutputTotal: 5, Output: 5}
	streamed := Options{Framing: SSE}
	responsesStream := Options{Format: OpenAIResponses, Framing: SSE}
	responseEvent := func(kind, usage, more string) string {
		return `{"type":"` + kind + `","response":{"model":"gpt-x","status":"` + strings.TrimPrefix(kind, "response.") + `"` + more + `,"usage":` + usage + `}}`
	}
	const responseUsage = `{"input_tokens":10,"input_tokens_details":{"cached_tokens":0},"output_tokens":5,"output_tokens_details":{"reasoning_tokens":0},"total_tokens":15}`
	checkRules(t, []wireRule{
		{name: "usage is null in every chunk but the last, which has no choices", options: streamed,
			response: sse(chunk(`{"index":0,"delta":{"content":"a"}}],"usage":null`), chunk(`{"index":0,"delta":{},"finish_reason":"stop"}],"usage":null`),
				chunk(`],"usage":{"prompt_tokens":10,"completion_tokens":5,"total_tokens":15}`)) + "data: [DONE]\n\n", want: text, finish: "stop"},
		{name: "the tier used is that of the response", options: streamed,
			response: sse(chunk(`{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"service_tier":"default"`),
				chunk(`],"service_tier":"flex","usage":{"prompt_tokens":10,"completion_tokens":5}`)), want: text, tier: "flex"},
		{name: "cached, written, audio and predictions are inside the totals", options: Options{},
			response: `{"model":"gpt-x","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":50,"total_tokens":150,
				"prompt_tokens_details":{"cached_tokens":30,"cache_write_tokens":20,"audio_tokens":10},
				"completion_tokens_details":{"reasoning_tokens":12,"audio_tokens":8,"accepted_prediction_tokens":3,"rejected_prediction_tokens":4}}}`,
			want: Usage{InputTotal: 100, Input: 40, CacheRead: 30, CacheWrite: 20, InputAudio: 10, OutputTotal: 50, Output: 42, OutputAudio: 8, Reasoning: 12}},
		{name: "what is written for hours has a price of its own", options: Options{Format: OpenAIResponses},
			response: `{"model":"gpt-x","status":"completed","prompt_cache_options":{"mode":"explicit","ttl":"12h"},"output":[],
				"usage":{"input_tokens":100,"input_tokens_details":{"cached_tokens":30,"cache_write_tokens":20},"output_tokens":5}}`,
			want: Usage{InputTotal: 100, Input: 50, CacheRead: 30, CacheWrite1h: 20, OutputTotal: 5, Output: 5}},
		{name: "half an hour is the usual lifetime", options: Options{Format: OpenAIResponses, LongCache: true},
			response: `{"model":"gpt-x","status":"completed","prompt_cache_options":{"ttl":"30m"},"output":[],
				"usage":{"input_tokens":100,"input_tokens_details":{"cache_write_tokens":20},"output_tokens":5}}`,
			want: Usage{InputTotal: 100, Input: 80, CacheWrite: 20, OutputTotal: 5, Output: 5}},
		{name: "a lifetime that the response does not repeat is that of the request", options: Options{Framing: SSE, LongCache: true},
			response: sse(chunk(`],"usage":{"prompt_tokens":100,"completion_tokens":5,"prompt_tokens_details":{"cache_write_tokens":20}}`)),
			want:     Usage{InputTotal: 100, Input: 80, CacheWrite1h: 20, OutputTotal: 5, Output: 5}},
		{name: "the lifetime in a streamed response", options: responsesStream,
			response: sse(responseEvent("response.created", "null", `,"prompt_cache_options":{"ttl":"24h"}`),
				responseEvent("response.completed", `{"input_tokens":100,"input_tokens_details":{"cache_write_tokens":20},"output_tokens":5}`, `,"prompt_cache_options":{"ttl":"24h"}`)),
			want: Usage{InputTotal: 100, Input: 80, CacheWrite1h: 20, OutputTotal: 5, Output: 5}},
		{name: "completed", options: responsesStream, response: sse(responseEvent("response.created", "null", ""), responseEvent("response.in_progress", "null", ""),
			responseEvent("response.completed", responseUsage, "")), want: text, finish: "completed"},
		{name: "incomplete", options: responsesStream, response: sse(responseEvent("response.created", "null", ""),
			responseEvent("response.incomplete", responseUsage, `,"incomplete_details":{"reason":"max_output_tokens"}`)), want: text, finish: "incomplete:max_output_tokens"},
		{name: "incomplete with zeros says nothing", options: responsesStream, response: sse(
			responseEvent("response.incomplete", `{"input_tokens":0,"output_tokens":0,"total_tokens":0}`, "")), unreported: true},
		{name: "failed, with usage", options: responsesStream, response: sse(
			responseEvent("response.failed", responseUsage, `,"error":{"code":"server_error","message":"x"}`)), want: text, failed: true},
		{name: "failed, without", options: responsesStream, response: sse(responseEvent("response.failed", "null", `,"error":{"code":"server_error"}`)), failed: true, unreported: true},
		{name: "an error event under status 200", options: responsesStream, response: sse(responseEvent("response.created", "null", "")) +
			"event: error\ndata: {\"type\":\"error\",\"code\":\"rate_limit_exceeded\",\"message\":\"x\"}\n\n", failed: true, unreported: true},
		{name: "a compaction", options: Options{Format: OpenAIResponses},
			response: `{"id":"x","object":"response.compaction","output":[{"type":"message","role":"user","content":[{"type":"input_text","text":"a"}]},{"type":"compaction","encrypted_content":"x"}],"usage":` + responseUsage + `}`, want: text},
		{name: "searches are items whose action is a search", options: Options{Format: OpenAIResponses},
			response: `{"model":"gpt-x","status":"completed","output":[{"type":"web_search_call","action":{"type":"search","query":"a"}},{"type":"web_search_call","action":{"type":"open_page","url":"u"}},
				{"type":"web_search_call","action":{"type":"find_in_page"}},{"type":"web_search_call","action":{"type":"search"}},{"type":"file_search_call"},{"type":"mcp_call"},
				{"type":"code_interpreter_call","container_id":"c1"},{"type":"code_interpreter_call","container_id":"c1"},{"type":"code_interpreter_call","container_id":"c2"}],"usage":` + responseUsage + `}`,
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 5, Output: 5, Units: Units{WebSearch: 2, FileSearch: 1, CodeInterpreter: 2}}},
		{name: "the number of searches that the provider tells holds", options: Options{Format: OpenAIResponses},
			response: `{"model":"gpt-x","status":"completed","output":[{"type":"web_search_call","action":{"type":"search"}}],"tool_usage":{"web_search":{"num_requests":3},"image_gen":{"input_tokens":0,"output_tokens":0}},"usage":` + responseUsage + `}`,
			want:     Usage{InputTotal: 10, Input: 10, OutputTotal: 5, Output: 5, Units: Units{WebSearch: 3}}},
		{name: "embeddings", options: Options{Format: OpenAIEmbeddings}, response: `{"object":"list","model":"e","data":[{"embedding":"AAAA","index":0}],"usage":{"prompt_tokens":8,"total_tokens":8}}`,
			want: Usage{InputTotal: 8, Input: 8}},
		{name: "an image", options: Options{Format: OpenAIImages}, response: `{"created":1,"data":[{"b64_json":"AAAA"}],"usage":{"total_tokens":100,"input_tokens":50,"output_tokens":50,"input_tokens_details":{"text_tokens":10,"image_tokens":40}}}`,
			want: Usage{InputTotal: 50, Input: 10, InputImage: 40, OutputTotal: 50, OutputImage: 50, Units: Units{Images: 1}}},
		{name: "a streamed image", options: Options{Format: OpenAIImages, Framing: SSE}, response: sse(`{"type":"image_generation.partial_image","b64_json":"AAAA","partial_image_index":0}`,
			`{"type":"image_generation.completed","b64_json":"AAAA","usage":{"input_tokens":10,"output_tokens":272,"total_tokens":282,"input_tokens_details":{"text_tokens":10,"image_tokens":0}}}`),
			want: Usage{InputTotal: 10, Input: 10, OutputTotal: 272, OutputImage: 272, Units: Units{Images: 1}}},
		{name: "an older image model has no usage", options: Options{Format: OpenAIImages, Choices: 2}, response: `{"created":1,"data":[{"url":"https://x/1"},{"url":"https://x/2"}]}`,
			want: Usage{Units: Units{Images: 2}}, unreported: true},
		{name: "a transcription in tokens", options: Options{Format: OpenAITranscription}, response: `{"text":"hi","usage":{"type":"tokens","total_tokens":45,"input_tokens":40,"input_token_details":{"text_tokens":5,"audio_tokens":35},"output_tokens":5}}`,
			want: Usage{InputTotal: 40, Input: 5, InputAudio: 35, OutputTotal: 5, Output: 5}},
		{name: "a transcription in seconds", options: Options{Format: OpenAITranscription}, response: `{"text":"hi","usage":{"type":"duration","seconds":3.2}}`,
			want: Usage{Units: Units{Milliseconds: 3200}}},
		{name: "a streamed transcription", options: Options{Format: OpenAITranscription, Framing: SSE}, response: sse(`{"type":"transcript.text.delta","delta":"hi"}`,
			`{"type":"transcript.text.done","text":"hi","usage":{"type":"tokens","input_tokens":14,"input_token_details":{"text_tokens":0,"audio_tokens":14},"output_tokens":2,"total_tokens":16}}`),
			want: Usage{InputTotal: 14, InputAudio: 14, OutputTotal: 2, Output: 2}},
		{name: "a transcription as plain text tells nothing: the request does", options: Options{Format: OpenAITranscription, Framing: Raw, Units: Units{Milliseconds: 9000}}, response: "hi there\n",
			want: Usage{Units: Units{Milliseconds: 9000}}, unreported: true},
		{name: "streamed speech", options: Options{Format: OpenAISpeech, Framing: SSE}, response: sse(`{"type":"speech.audio.delta","audio":"AAAA"}`,
			`{"type":"speech.audio.done","usage":{"input_tokens":14,"output_tokens":101,"total_tokens":115}}`), want: Usage{InputTotal: 14, Input: 14, OutputTotal: 101, Output: 101}},
		{name: "raw speech: the characters of the request", options: Options{Format: OpenAISpeech, Framing: Raw, Units: Units{Characters: 12}}, response: "\xff\xfb\x90\x00",
			want: Usage{Units: Units{Characters: 12}}, unreported: true},
		{name: "moderations are free", options: Options{Format: FreeAnswer}, response: `{"id":"m","model":"omni-moderation-latest","results":[{"flagged":false}]}`, unreported: true},
		{name: "a count of tokens is free", options: Options{Format: FreeAnswer}, response: `{"object":"response.input_tokens","input_tokens":77}`, unreported: true},
	})
}

// Providers that are compatible with OpenAI's chat, each with its own reading of it.
func TestRulesOfCompatibleProviders(t *testing.T) {
	chunk := func(members string) string { return `{"model":"m","choices":[` + members + `}` }
	end := `{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}]`
	stream := Options{Framing: SSE}
	checkRules(t, []wireRule{
		{name: "Azure: the first chunk has no choices and is no usage", options: Options{Framing: SSE, StripUsage: true},
			response: sse(`{"model":"","choices":[],"prompt_filter_results":[{"prompt_index":0}]}`, `{"model":"gpt-4o-2024-08-06","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop","content_filter_results":{}}]}`,
				`{"model":"gpt-4o-2024-08-06","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":1,"latency_checkpoint":{"a":9}}}`) + "data: [DONE]\n\n",
			want: Usage{InputTotal: 3, Input: 3, OutputTotal: 1, Output: 1}, model: "gpt-4o-2024-08-06"},
		{name: "Azure: an error object under status 200", options: Options{}, response: `{"error":{"code":"content_filter","message":"x","status":400}}`, failed: true, unreported: true},
		{name: "xAI: reasoning is beside the completion", options: Options{Profile: ProfileReasoningApart},
			response: `{"model":"grok-4","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":10,"total_tokens":160,"prompt_tokens_details":{"cached_tokens":60},
				"completion_tokens_details":{"reasoning_tokens":50},"num_sources_used":2,"cost_in_usd_ticks":158500}}`,
			want: Usage{InputTotal: 100, Input: 40, CacheRead: 60, OutputTotal: 60, Output: 60, Reasoning: 50}},
		{name: "xAI: Responses has the reasoning in the output, and tells calls", options: Options{Format: OpenAIResponses, Profile: ProfileReasoningApart},
			response: `{"model":"grok-4","status":"completed","output":[{"type":"web_search_call","action":{"type":"search"}}],"usage":{"input_tokens":100,"output_tokens":60,"output_tokens_details":{"reasoning_tokens":50},"total_tokens":160,
				"server_side_tool_usage_details":{"web_search_calls":2,"x_search_calls":1,"code_interpreter_calls":0,"file_search_calls":0,"document_search_calls":0,"mcp_calls":0},"context_details":{"input_tokens":40}}}`,
			want: Usage{InputTotal: 100, Input: 100, OutputTotal: 60, Output: 60, Reasoning: 50, Units: Units{WebSearch: 2, XSearch: 1}}},
		{name: "xAI: an error that is a text", options: Options{}, response: `{"code":"invalid","error":"Incorrect API key"}`, failed: true, unreported: true},
		{name: "Grok on Azure: more cached tokens than there are", options: Options{},
			response: `{"model":"grok-4-1","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":1,"prompt_tokens_details":{"cached_tokens":163}}}`,
			want:     Usage{InputTotal: 7, CacheRead: 7, OutputTotal: 1, Output: 1}},
		{name: "DeepSeek: hits and misses make the prompt; keep-alive comments", options: stream,
			response: ": keep-alive\n\n: keep-alive\n\n" + sse(chunk(end+`,"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"prompt_cache_hit_tokens":20,"prompt_cache_miss_tokens":10}`)),
			want:     Usage{InputTotal: 30, Input: 10, CacheRead: 20, OutputTotal: 5, Output: 5}},
		{name: "running usage in every chunk: the last holds", options: stream,
			response: sse(chunk(`{"index":0,"delta":{"content":"a"}}],"usage":{"prompt_tokens":30,"completion_tokens":1}`), chunk(end+`,"usage":{"prompt_tokens":30,"completion_tokens":5}`)),
			want:     Usage{InputTotal: 30, Input: 30, OutputTotal: 5, Output: 5}},
		{name: "Mistral: num_cached_tokens", options: Options{Framing: SSE, Profile: ProfileAudioApart},
			response: sse(chunk(end + `,"usage":{"prompt_tokens":30,"completion_tokens":5,"total_tokens":35,"num_cached_tokens":16}`)),
			want:     Usage{InputTotal: 30, Input: 14, CacheRead: 16, OutputTotal: 5, Output: 5}},
		{name: "Mistral: audio is beside the prompt", options: Options{Profile: ProfileAudioApart},
			response: `{"model":"voxtral","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":248,"total_tokens":632,"prompt_audio_seconds":30,"prompt_tokens_details":{"audio_tokens":375}}}`,
			want:     Usage{InputTotal: 384, Input: 9, InputAudio: 375, OutputTotal: 248, Output: 248}},
		{name: "Mistral: pages", options: Options{Format: MistralOCR}, response: `{"model":"mistral-ocr","pages":[{"index":0,"markdown":"a"}],"usage_info":{"pages_processed":3,"doc_size_bytes":9}}`,
			want: Usage{Units: Units{Pages: 3}}},
		{name: "Groq: usage under x_groq", options: stream, response: sse(chunk(`{"index":0,"delta":{"content":"a"}}],"x_groq":{"id":"r"}`),
			chunk(end+`,"x_groq":{"id":"r","usage":{"queue_time":0.01,"prompt_tokens":9,"prompt_time":0.001,"completion_tokens":4,"completion_time":0.02,"total_tokens":13,"total_time":0.03}}`)) + "data: [DONE]\n\n",
			want: Usage{InputTotal: 9, Input: 9, OutputTotal: 4, Output: 4}},
		{name: "Groq: both, and they count once", options: stream, response: sse(chunk(end+`,"x_groq":{"usage":{"prompt_tokens":9,"completion_tokens":4}}`), chunk(`],"usage":{"prompt_tokens":9,"completion_tokens":4},"service_tier":"on_demand"`)),
			want: Usage{InputTotal: 9, Input: 9, OutputTotal: 4, Output: 4}, tier: "on_demand"},
		{name: "Groq: an error event inside the stream", options: stream, response: sse(chunk(`{"index":0,"delta":{"content":"a"}}]`)) +
			"event: error\ndata: {\"error\":{\"message\":\"x\",\"type\":\"invalid_request_error\",\"code\":\"tool_use_failed\",\"status_code\":400}}\n\n", failed: true, unreported: true},
		{name: "OpenRouter: comments, and usage beside choices", options: stream, response: ": OPENROUTER PROCESSING\n\n" + sse(chunk(end), chunk(`{"index":0,"delta":{"content":""},"finish_reason":null}],"usage":{"prompt_tokens":50,"completion_tokens":5,"cost":0.0001,"is_byok":false,"prompt_tokens_details":{"cached_tokens":10,"cache_write_tokens":20},"server_tool_use":{"web_search_requests":1}}`)) + "data: [DONE]\n\n",
			want: Usage{InputTotal: 50, Input: 20, CacheRead: 10, CacheWrite: 20, OutputTotal: 5, Output: 5, Units: Units{WebSearch: 1}}},
		{name: "OpenRouter: an error in a chunk that has usage", options: stream, response: sse(`{"model":"m","error":{"code":502,"message":"x"},"choices":[{"index":0,"delta":{"content":""},"finish_reason":"error"}],"usage":{"prompt_tokens":5,"completion_tokens":2}}`),
			want: Usage{InputTotal: 5, Input: 5, OutputTotal: 2, Output: 2}, failed: true},
		{name: "OpenRouter: tokens of Gemini that are read and written at once count as written", options: Options{},
			response: `{"model":"google/gemini-2.5-flash","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":2168,"completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2161,"cache_write_tokens":2161}}}`,
			want:     Usage{InputTotal: 2168, Input: 7, CacheWrite: 2161, OutputTotal: 3, Output: 3}},
		{name: "Together: cached_tokens in the usage itself", options: Options{},
			response: `{"model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"eos"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"cached_tokens":2}}`,
			want:     Usage{InputTotal: 9, Input: 7, CacheRead: 2, OutputTotal: 4, Output: 4}},
		{name: "Cerebras", options: stream, response: sse(chunk(end), chunk(`],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":13,"prompt_tokens_details":{"cached_tokens":4}},"time_info":{"total_time":0.1}`)),
			want: Usage{InputTotal: 9, Input: 5, CacheRead: 4, OutputTotal: 4, Output: 4}},
		{name: "Perplexity: usage in every chunk, with a cost", options: stream,
			response: sse(chunk(`{"index":0,"delta":{"content":"a"}}],"citations":["u"],"usage":{"prompt_tokens":5,"completion_tokens":1,"total_tokens":6}`),
				chunk(end+`,"usage":{"prompt_tokens":5,"completion_tokens":9,"total_tokens":14,"search_context_size":"low","cost":{"input_tokens_cost":0,"request_cost":0.005,"total_cost":0.005}}`)),
			want: Usage{InputTotal: 5, Input: 5, OutputTotal: 9, Output: 9}},
		{name: "vLLM: continuous usage", options: stream, response: sse(chunk(`{"index":0,"delta":{"role":"assistant"}}],"usage":{"prompt_tokens":5,"total_tokens":5,"completion_tokens":0}`),
			chunk(end+`,"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3}`), chunk(`],"usage":{"prompt_tokens":5,"total_tokens":8,"completion_tokens":3}`)),
			want: Usage{InputTotal: 5, Input: 5, OutputTotal: 3, Output: 3}},
		{name: "llama.cpp: timings beside", options: Options{}, response: `{"model":"m","choices":[{"finish_reason":"stop","index":0,"message":{"content":"a"}}],"usage":{"completion_tokens":3,"prompt_tokens":5,"total_tokens":8},"timings":{"prompt_n":5,"predicted_n":3}}`,
			want: Usage{InputTotal: 5, Input: 5, OutputTotal: 3, Output: 3}},
		{name: "Ollama, compatible", options: stream, response: sse(chunk(end), chunk(`],"usage":{"prompt_tokens":5,"completion_tokens":3,"total_tokens":8}`)) + "data: [DONE]\n\n",
			want: Usage{InputTotal: 5, Input: 5, OutputTotal: 3, Output: 3}},
		{name: "Vercel: reasoning is beside the completion", options: Options{}, response: `{"model":"m","choices":[{"index":0,"message":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":20,"completion_tokens":3,"total_tokens":23,
			"cost":0.0001,"market_cost":0.0001,"cache_creation_input_tokens":4,"completion_tokens_details":{"reasoning_tokens":10}}}`,
			want: Usage{InputTotal: 20, Input: 16, CacheWrite: 4, OutputTotal: 13, Output: 13, Reasoning: 10}},
		{name: "Gemini's compatible endpoint: thoughts are in the total alone", options: Options{Framing: SSE, Profile: ProfileThoughtsHidden},
			response: sse(`{"model":"gemini-2.5-pro","choices":[{"index":0,"delta":{"content":"a"},"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":4,"total_tokens":60}}`),
			want:     Usage{InputTotal: 9, Input: 9, OutputTotal: 51, Output: 51, Reasoning: 47}},
		{name: "the end of a stream without its marker and its blank line", options: stream, response: strings.TrimRight(sse(chunk(end), chunk(`],"usage":{"prompt_tokens":5,"completion_tokens":3}`)), "\n"),
			want: Usage{InputTotal: 5, Input: 5, OutputTotal: 3, Output: 3}},
	})
}
