package main

import (
	"regexp"
	"strings"
)

// keptLines are the lines of event streams that are no data.
var keptLines = set(`data: [DONE]|: OPENROUTER PROCESSING|event: content_block_delta|event: content_block_start|` +
	`event: content_block_stop|event: ping|event: message_start|event: message_delta|event: message_stop|event: error`)

// keptNames are the member names of the wire formats. Others are replaced.
var keptNames = set(strings.Join(strings.Fields(`
@type abort_reason accepted_prediction_tokens annotations applied_edits args arguments attempts audio
audio_prompt_tokens audio_tokens avgLogprobs billableWebSearchCalls blocked cacheTokensDetails cache_creation
cache_creation_input_tokens cache_n cache_read_input_tokens cache_write_tokens cachedContentTokenCount cached_tokens
caller candidates candidatesTokenCount candidatesTokensDetails category channel choices citation citations
cited_text code codeExecutionResult completion_time completion_tokens completion_tokens_details container content
content_block content_filter_result content_filter_results context_management cost cost_details cost_in_usd_ticks
createTime created data date delta detail details detected domain draft_tokens draft_tokens_acceptance enabled
encrypted_content encrypted_index endIndex end_index engine_tbt_ms engine_ttft_ms engine_ttlt_ms
ephemeral_1h_input_tokens ephemeral_5m_input_tokens error error_code executableCode executed_tools expires_at
extra_content failed_generation filtered finishMessage finishReason finish_reason format from function functionCall
google groundingChunkIndices groundingChunks groundingMetadata groundingSupports hate id image_tokens index
inference_geo innererror input input_tokens input_tokens_cost is_byok iterations jailbreak jsonPath language
latency_checkpoint locale logprobs market_cost media_type message metadata modality model modelVersion models name
native_finish_reason num_sources_used obfuscation object outcome output output_tokens output_tokens_cost
output_tokens_details page_age param partialArgs partial_json parts pre_inference_ms predicted_ms predicted_n
predicted_per_second predicted_per_token_ms probability prompt promptFeedback promptTokenCount promptTokensDetails
prompt_audio_seconds prompt_cache_hit_tokens prompt_cache_miss_tokens prompt_filter_results prompt_index prompt_ms
prompt_n prompt_per_second prompt_per_token_ms prompt_time prompt_tokens prompt_tokens_details
prompt_tokens_per_second protected_material_code protected_material_text provider provider_metadata queue_time
quotaId reason reasoning reasoning_content reasoning_details reasoning_tokens refusal rejected_prediction_tokens
renderedContent request_cost request_id response responseId results retrievalMetadata retrievedContext retrievedUrl
retrieved_at retryDelay return_code role safetyRatings score searchEntryPoint search_context_size search_results
search_suggestions seed segment self-harm self_harm server_tool_use server_tool_use_details service serviceTier
service_tbt_ms service_tier service_ttft_ms service_ttlt_ms severity sexual signature sla_metrics snippet source
startIndex start_index status statusCode status_code stderr stdout stop_details stop_reason stop_sequence
stringValue success summary system_fingerprint text text_tokens thinking thinking_tokens thought thoughtSignature
thought_signature thoughtsTokenCount time_info time_per_output_token_ms time_to_first_token_ms timings title to
tokenCount token_id tokens_per_second toolCall toolResponse toolType toolUsePromptTokenCount
toolUsePromptTokensDetails tool_calls tool_id tool_name tool_references tool_use_id totalTokenCount total_cost
total_duration_ms total_time total_tokens trafficType transcript ts_us ttft_ms type
upstream_inference_completions_cost upstream_inference_cost upstream_inference_prompt_cost uri url
urlContextMetadata urlMetadata urlRetrievalStatus url_citation usage usageMetadata usage_breakdown
user_visible_ttft_ms video_tokens violations violence web webSearchQueries web_fetch_requests web_search_requests
willContinue x_groq`), "|"))

// keptValues are the enumerations of the wire formats, by member name.
var keptValues = map[string]map[string]bool{
	"object":               set("chat.completion|chat.completion.chunk|chat.completion.done"),
	"role":                 set("assistant|model"),
	"finish_reason":        set("stop|tool_calls|length|eos|content_filter"),
	"native_finish_reason": set("tool_calls|MAX_TOKENS|stop|completed|length|STOP|tool_use|end_turn"),
	"finishReason":         set("STOP|SAFETY|MAX_TOKENS|RECITATION|PROHIBITED_CONTENT"),
	"stop_reason":          set("end_turn|max_tokens|tool_use|stop_sequence|refusal|pause_turn"),
	"service_tier":         set("standard|default|on_demand|priority|provisioned|flex"),
	"serviceTier":          set("standard|default"),
	"trafficType":          set("ON_DEMAND|PROVISIONED_THROUGHPUT|ON_DEMAND_FLEX"),
	"modality":             set("TEXT|AUDIO|VIDEO|DOCUMENT|IMAGE"),
	"inference_geo":        set("not_available|global|us"),
	"severity":             set("safe|low|medium|high"),
	"probability":          set("NEGLIGIBLE|LOW|MEDIUM|HIGH"),
	"category": set("HARM_CATEGORY_HATE_SPEECH|HARM_CATEGORY_DANGEROUS_CONTENT|HARM_CATEGORY_HARASSMENT|" +
		"HARM_CATEGORY_SEXUALLY_EXPLICIT"),
	"channel":  set("analysis|final"),
	"language": set("PYTHON"),
	"outcome":  set("OUTCOME_OK|OUTCOME_FAILED"),
	"toolType": set("GOOGLE_SEARCH_WEB|FILE_SEARCH"),
	"status":   set("RESOURCE_EXHAUSTED|INVALID_ARGUMENT|NOT_FOUND"),
	"code": set("content_filter|ResponsibleAIPolicyViolation|DeploymentNotFound|401|invalid_request_error|model_not_found|" +
		"tool_use_failed|unsupported_parameter|invalid_api_key|invalid_image_url"),
	"name":                set("bash_code_execution|web_fetch|web_search|advisor|code_execution|tool_search_tool_regex"),
	"search_context_size": set("low|medium|high"),
	"media_type":          set("text/plain"),
	"type": set("advisor_message|advisor_result|advisor_tool_result|api_error|authentication_error|" +
		"bash_code_execution_result|bash_code_execution_tool_result|citations_delta|" +
		"code_execution_20260120|code_execution_result|code_execution_tool_result|compaction|" +
		"compaction_delta|content_block_delta|content_block_start|content_block_stop|direct|document|" +
		"error|fallback|fallback_message|function|input_json_delta|invalid_api_key|invalid_request_error|" +
		"message|message_delta|message_start|message_stop|not_found_error|ping|reasoning.encrypted|" +
		"reasoning.summary|reasoning.text|redacted_thinking|search|server_tool_use|signature_delta|text|" +
		"text_delta|thinking|thinking_delta|too_many_prompt_tokens|tool_reference|" +
		"tool_search_tool_result|tool_search_tool_search_result|tool_use|url_citation|web_fetch_result|" +
		"web_fetch_tool_result|web_fetch_tool_result_error|web_search_result|web_search_result_location|" +
		"web_search_tool_result"),
	"urlRetrievalStatus": set("URL_RETRIEVAL_STATUS_SUCCESS"),
	"@type": set("type.googleapis.com/google.rpc.QuotaFailure|type.googleapis.com/google.rpc.RetryInfo|" +
		"type.googleapis.com/google.rpc.ErrorInfo|type.googleapis.com/google.rpc.LocalizedMessage"),
	"error_code": set("unavailable"),
}

// opaqueContainers hold what a model wrote for a tool, names included.
var opaqueContainers = set("input|args|response")

// modelKeys are the members that name a model. Names of models are kept.
var modelKeys = set("model|modelVersion")

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$`)

// identifierKeys are the members whose values are compared, but mean nothing.
var identifierKeys = set("id|request_id|responseId|tool_use_id|tool_id|tool_name|name|system_fingerprint|encrypted_index")

// timeKeys are the members that hold a time or a duration, which clients parse.
var timeKeys = set("createTime|expires_at|retrieved_at|retryDelay")

var timeOrDuration = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)?|[0-9.]+s)$`)

func set(words string) map[string]bool {
	members := map[string]bool{}
	for word := range strings.SplitSeq(words, "|") {
		members[word] = true
	}
	return members
}
