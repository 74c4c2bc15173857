package usage

import (
	"fmt"
	"strings"
	"testing"
)

// Whatever numbers a provider sends, no count is negative or overflows, and no sum of
// counts does.
func TestAbsurdCountsNeitherOverflowNorAreNegative(t *testing.T) {
	for _, number := range []string{"9223372036854775807", "18446744073709551616", "1e30", "1e308", "-1", "-9223372036854775808", "1e-5", `"7"`, "null", "true", "{}", "[]", strings.Repeat("9", 300)} {
		counts := func(names string) string {
			var members []string
			for name := range strings.FieldsSeq(names) {
				members = append(members, fmt.Sprintf("%q:%s", name, number))
			}
			return strings.Join(members, ",")
		}
		openAI := `"usage":{` + counts("prompt_tokens completion_tokens total_tokens input_tokens output_tokens seconds cached_tokens num_cached_tokens prompt_cache_hit_tokens prompt_cache_miss_tokens cost cost_in_usd_ticks pages_processed") +
			`,"prompt_tokens_details":{` + counts("cached_tokens audio_tokens cache_write_tokens image_tokens video_tokens") + `},"completion_tokens_details":{` + counts("reasoning_tokens audio_tokens image_tokens text_tokens") +
			`},"server_side_tool_usage_details":{` + counts("web_search_calls x_search_calls file_search_calls document_search_calls code_interpreter_calls") + `}}`
		anthropicCounts := counts("input_tokens output_tokens cache_read_input_tokens cache_creation_input_tokens") + `,"cache_creation":{` + counts("ephemeral_5m_input_tokens ephemeral_1h_input_tokens") +
			`},"output_tokens_details":{` + counts("thinking_tokens") + `}`
		pass := `{"type":"compaction",` + anthropicCounts + `}`
		details := `[` + strings.TrimSuffix(strings.Repeat(`{"modality":"AUDIO","tokenCount":`+number+`},`, 600), ",") + `]`
		for name, test := range map[string]struct {
			options  Options
			response string
		}{
			"chat":       {Options{}, `{"choices":[{"index":` + number + `,"message":{"content":"a"},"finish_reason":"stop"}],` + openAI + `}`},
			"responses":  {Options{Format: OpenAIResponses}, `{"status":"completed","output":[],` + openAI + `,"tool_usage":{"web_search":{"num_requests":` + number + `},"image_gen":{` + counts("input_tokens output_tokens") + `}}}`},
			"images":     {Options{Format: OpenAIImages}, `{"data":[{"b64_json":"AAAA"}],` + openAI + `}`},
			"transcript": {Options{Format: OpenAITranscription}, `{"text":"a","duration":` + number + `,` + openAI + `}`},
			"messages": {Options{Format: AnthropicMessages}, `{"content":[{"type":"text","text":"a"}],"stop_reason":"end_turn","usage":{` + anthropicCounts + `,"server_tool_use":{` + counts("web_search_requests web_fetch_requests") +
				`},"iterations":[` + strings.TrimSuffix(strings.Repeat(pass+",", 300), ",") + `]}}`},
			"gemini": {Options{Format: GeminiGenerate}, `{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}],"usageMetadata":{` +
				counts("promptTokenCount candidatesTokenCount thoughtsTokenCount toolUsePromptTokenCount cachedContentTokenCount totalTokenCount") +
				`,"promptTokensDetails":` + details + `,"cacheTokensDetails":` + details + `,"candidatesTokensDetails":` + details + `}}`},
			"embeddings": {Options{Format: GeminiEmbed}, `{"predictions":[` + strings.TrimSuffix(strings.Repeat(`{"embeddings":{"statistics":{"token_count":`+number+`}}},`, 600), ",") + `]}`},
		} {
			_, _, r := run(test.options, []byte(test.response), whole)
			if r.Err != nil || !r.Complete {
				t.Errorf("%s, %s: %v", name, number, r.Err)
			}
			all := r.Usage
			checkNotNegative(t, all)
			for _, p := range r.Passes {
				checkNotNegative(t, p.Usage)
				all = all.Plus(p.Usage)
			}
			checkNotNegative(t, all)
			if r.ProviderCost < 0 {
				t.Errorf("%s, %s: cost %d", name, number, r.ProviderCost)
			}
		}
	}
}
