package main

import (
	"maps"
	"regexp"
	"strings"
)

// keptLines are the lines of event streams that are no data and no event's type.
var keptLines = set("data: [DONE]|: OPENROUTER PROCESSING|: ")

// keptNames are the member names of the wire formats. Others are replaced.
var keptNames = set(strings.Join(strings.Fields(`
@type abort_reason accepted_prediction_tokens action allowed_callers allowed_tools always annotation annotation_index
annotations applied_edits approval_request_id args arguments attempts attributes audio audio_data audio_prompt_tokens
audio_tokens avgLogprobs b64_json background billableWebSearchCalls billing blocked blocks bytes cacheTokensDetails
cache_creation cache_creation_input_tokens cache_n cache_read_input_tokens cache_write_tokens cachedContentTokenCount
cached_tokens call_id caller caller_id candidates candidatesTokenCount candidatesTokensDetails categories category
category_applied_input_types category_scores channel check_offset choices citation citations cited_text city code
codeExecutionResult code_interpreter_calls command commands completed_at completion_time completion_tokens
completion_tokens_details container container_id content content_block content_filter_offsets content_filter_raw
content_filter_result content_filter_results content_filters content_index context context_details context_management
conversation cost cost_details cost_in_usd_ticks country createTime created created_at currency data date
defer_loading definition delta description detail details detected diff dimensions display_height display_width
doc_size_bytes document_annotation document_search_calls domain dpi draft_tokens draft_tokens_acceptance duration
effort embedding embeddings enabled encrypted_content encrypted_index end endIndex end_index end_offset engine_tbt_ms
engine_ttft_ms engine_ttlt_ms env environment ephemeral_1h_input_tokens ephemeral_5m_input_tokens error error_code
executableCode executed_tools execution expires_at extra_content failed_generation file_id file_ids file_search_calls
filename filtered filters fingerprint finishMessage finishReason finish_reason flagged footer format frequency_penalty
from function functionCall generate_summary google groundingChunkIndices groundingChunks groundingMetadata
groundingSupports harassment harassment/threatening hate hate/threatening header height hyperlinks id illicit
illicit/violent image_gen image_generation_calls image_tokens images incomplete_details index inference_geo innererror
input input_cost input_schema input_token_details input_tokens input_tokens_cost input_tokens_details instructions
is_byok item item_id iterations jailbreak jsonPath language latency_checkpoint locale logprob logprobs logs markdown
market_cost max_num_results max_output_length max_output_tokens max_tool_calls mcp_calls media_type message metadata
modality mode model modelVersion models moderation n name namespace native_finish_reason never num_requests
num_server_side_tools_used num_sources_used obfuscation object operation outcome output output_compression
output_format output_index output_schema output_text output_tokens output_tokens_cost output_tokens_details outputs
page_age pages pages_processed parallel_tool_calls param parameters part partialArgs partial_image_b64
partial_image_index partial_json parts path pattern payer pending_safety_checks phase pre_inference_ms predicted_ms
predicted_n predicted_per_second predicted_per_token_ms presence_penalty previous_response_id probability prompt
promptFeedback promptTokenCount promptTokenDetails promptTokensDetails prompt_audio_seconds prompt_cache_hit_tokens
prompt_cache_key prompt_cache_miss_tokens prompt_cache_options prompt_cache_retention prompt_filter_results
prompt_index prompt_ms prompt_n prompt_per_second prompt_per_token_ms prompt_time prompt_token_details prompt_tokens
prompt_tokens_details prompt_tokens_per_second protected_material_code protected_material_text provider
provider_metadata quality queries query queue_time quotaId ranker ranking_options read_only reason reasoning
reasoning_content reasoning_details reasoning_tokens refusal region rejected_prediction_tokens renderedContent
request_cost request_count request_id require_approval required response responseId result results retrievalMetadata
retrievedContext retrievedUrl retrieved_at retryDelay return_code return_token_budget revised_prompt role
safetyRatings safety_identifier schema score score_threshold searchEntryPoint search_content_types search_context_size
search_results search_suggestions seconds seed segment segments self-harm self-harm/instructions self-harm/intent
self_harm sequence_number server_description server_label server_side_tool_usage_details server_tool_use
server_tool_use_details server_url service serviceTier service_tbt_ms service_tier service_ttft_ms service_ttlt_ms
severity sexual sexual/minors signature size sla_metrics snippet source source_type sources speaker_id start
startIndex start_index start_offset status statusCode status_code status_details stderr stdout stop_details
stop_reason stop_sequence store strict stringValue success summary summary_index syntax system_fingerprint tables
temperature text text_tokens thinking thinking_tokens thought thoughtSignature thought_signature thoughtsTokenCount
time_info time_per_output_token_ms time_to_first_token_ms timeout_ms timezone timings title to token tokenCount
token_id tokens_per_second toolCall toolResponse toolType toolUsePromptTokenCount toolUsePromptTokensDetails
tool_calls tool_choice tool_id tool_name tool_names tool_references tool_usage tool_use_id tools top_logprobs top_p
totalBillableCharacters totalTokenCount totalTokens total_cost total_duration_ms total_time total_tokens trafficType
transcript truncation ts_us ttft_ms ttl type upstream_inference_completions_cost upstream_inference_cost
upstream_inference_input_cost upstream_inference_output_cost upstream_inference_prompt_cost uri url urlContextMetadata
urlMetadata urlRetrievalStatus url_citation usage usageMetadata usage_breakdown usage_info user user_location
user_visible_ttft_ms values vector_store_ids verbosity video_tokens violations violence violence/graphic web
webSearchQueries web_fetch_requests web_search web_search_calls web_search_requests width willContinue
working_directory x_groq x_search_calls`), "|"))

// keptValues are the enumerations of the wire formats, by member name.
var keptValues = map[string]map[string]bool{
	"object": set("chat.completion|chat.completion.chunk|chat.completion.done|response|response.input_tokens|text_completion|" +
		"text.completion|embedding|list"),
	"role":                 set("assistant|model"),
	"finish_reason":        set("stop|tool_calls|length|eos|content_filter"),
	"native_finish_reason": set("tool_calls|MAX_TOKENS|stop|completed|length|STOP|tool_use|end_turn"),
	"finishReason":         set("STOP|SAFETY|MAX_TOKENS|RECITATION|PROHIBITED_CONTENT"),
	"stop_reason":          set("end_turn|max_tokens|tool_use|stop_sequence|refusal|pause_turn"),
	"service_tier":         set("standard|default|auto|on_demand|priority|provisioned|flex"),
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
	"status": set("RESOURCE_EXHAUSTED|INVALID_ARGUMENT|NOT_FOUND|completed|in_progress|incomplete|queued|searching|generating|" +
		"complete|failed|interpreting|calling"),
	"code": set("insufficient_quota|unknown_parameter|invalid_language_format|integer_below_min_value|invalid-argument|content_filter|ResponsibleAIPolicyViolation|DeploymentNotFound|401|invalid_request_error|model_not_found|" +
		"tool_use_failed|unsupported_parameter|invalid_api_key|invalid_image_url"),
	"name":                set("bash_code_execution|web_fetch|web_search|advisor|code_execution|tool_search_tool_regex|x_semantic_search"),
	"search_context_size": set("low|medium|high"),
	"media_type":          set("text/plain"),
	"type": set("advisor_message|advisor_result|advisor_tool_result|api|api_error|apply_patch|apply_patch_call|approximate|" +
		"authentication_error|auto|bash_code_execution_result|bash_code_execution_tool_result|citations_delta|" +
		"code_execution_20260120|code_execution_result|code_execution_tool_result|code_interpreter|" +
		"code_interpreter_call|compaction|compaction_delta|computer_call|computer_use_preview|" +
		"container_file_citation|content_block_delta|content_block_start|content_block_stop|create_file|custom|" +
		"custom_tool_call|delete_file|direct|document|duration|error|exec|fallback|fallback_message|file_citation|" +
		"file_search|file_search_call|find_in_page|function|function_call|grammar|http_error|image|" +
		"image_generation|image_generation_call|input_json_delta|insufficient_quota|invalid_api_key|" +
		"invalid_request_error|json_schema|local_shell_call|logs|mcp|mcp_approval_request|mcp_call|mcp_list_tools|" +
		"message|message_delta|message_start|message_stop|moderation_result|namespace|not_found_error|open_page|" +
		"output_text|ping|program|programmatic_tool_calling|reasoning|reasoning.encrypted|reasoning.summary|" +
		"reasoning.text|reasoning_text|redacted_thinking|response.apply_patch_call_operation_diff.delta|" +
		"response.apply_patch_call_operation_diff.done|response.code_interpreter_call.completed|" +
		"response.code_interpreter_call.in_progress|response.code_interpreter_call.interpreting|" +
		"response.code_interpreter_call_code.delta|response.code_interpreter_call_code.done|response.completed|" +
		"response.content_part.added|response.content_part.done|response.created|response.failed|" +
		"response.file_search_call.completed|response.file_search_call.in_progress|" +
		"response.file_search_call.searching|response.function_call_arguments.delta|" +
		"response.function_call_arguments.done|response.image_generation_call.completed|" +
		"response.image_generation_call.generating|response.image_generation_call.in_progress|" +
		"response.image_generation_call.partial_image|response.in_progress|response.incomplete|" +
		"response.mcp_call.completed|response.mcp_call.in_progress|response.mcp_call_arguments.delta|" +
		"response.mcp_call_arguments.done|response.mcp_list_tools.completed|response.mcp_list_tools.in_progress|" +
		"response.output_item.added|response.output_item.done|response.output_text.annotation.added|" +
		"response.output_text.delta|response.output_text.done|response.queued|" +
		"response.reasoning_summary_part.added|response.reasoning_summary_part.done|" +
		"response.reasoning_summary_text.delta|response.reasoning_summary_text.done|response.reasoning_text.delta|" +
		"response.reasoning_text.done|response.web_search_call.completed|response.web_search_call.in_progress|" +
		"response.web_search_call.searching|screenshot|search|server_tool_use|shell|shell_call|signature_delta|" +
		"speech.audio.delta|speech.audio.done|summary_text|text|text_delta|thinking|thinking_delta|title|tokens|" +
		"too_many_prompt_tokens|tool_reference|tool_search|tool_search_call|tool_search_output|" +
		"tool_search_tool_result|tool_search_tool_search_result|tool_use|transcript.text.delta|" +
		"transcript.text.done|transcription_segment|url|url_citation|web_fetch_result|web_fetch_tool_result|" +
		"web_fetch_tool_result_error|web_search|web_search_call|web_search_preview|web_search_result|" +
		"web_search_result_location|web_search_tool_result|x_search|x_search_call"),
	"urlRetrievalStatus": set("URL_RETRIEVAL_STATUS_SUCCESS"),
	"@type": set("type.googleapis.com/google.rpc.QuotaFailure|type.googleapis.com/google.rpc.RetryInfo|" +
		"type.googleapis.com/google.rpc.ErrorInfo|type.googleapis.com/google.rpc.LocalizedMessage"),
	"error_code": set("unavailable"),
	// Of responses, whose requests are echoed.
	"background": set("opaque|auto"), "moderation": set("auto"), "quality": set("auto|low|medium|high"), "size": set("auto|1024x1024|1536x1024|1024x1536"),
	"output_format": set("png|webp"), "effort": set("none|low|medium|high"), "verbosity": set("low|medium|high"), "summary": set("detailed|auto"),
	"mode": set("standard|explicit"), "context": set("current_turn|all_turns"), "execution": set("server|client"), "phase": set("final_answer|commentary"),
	"payer": set("developer"), "reason": set("max_output_tokens|content_filter"), "tool_choice": set("auto|required|none"), "truncation": set("auto|disabled"),
	"prompt_cache_retention": set("in_memory|24h"), "ttl": set("30m"), "ranker": set("auto"), "return_token_budget": set("default"),
	"require_approval": set("always|never"), "source_type": set("completion|prompt"), "currency": set("USD"), "allowed_callers": set("programmatic"),
	"search_content_types": set("text"), "syntax": set("lark"),
}

// opaqueContainers hold what a model or its user wrote for a tool, names included.
// In the events of a response the whole is under response.
var (
	opaqueContainers         = set("input|args|response|arguments|parameters|properties|metadata|schema|input_schema|output_schema|env|definition|attributes")
	opaqueResponseContainers = without(opaqueContainers, "response")
)

// numberContainers hold numbers that a text can be told from.
var numberContainers = set("embedding|values|category_scores|bytes|logprobs|top_logprobs|logprob")

// modelKeys are the members that name a model. Names of models are kept.
var modelKeys = set("model|modelVersion")

var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@/-]{0,63}$`)

// identifierKeys are the members whose values are compared, but mean nothing.
var identifierKeys = set("id|request_id|responseId|tool_use_id|tool_id|tool_name|name|system_fingerprint|encrypted_index|" +
	"item_id|call_id|caller_id|container_id|file_id|file_ids|vector_store_ids|previous_response_id|server_label|namespace|" +
	"prompt_cache_key|safety_identifier|fingerprint|speaker_id|approval_request_id")

// timeKeys are the members that hold a time or a duration, which clients parse.
var timeKeys = set("createTime|expires_at|retrieved_at|retryDelay")

var timeOrDuration = regexp.MustCompile(`^([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(Z|[+-][0-9:]+)?|[0-9.]+s)$`)

func without(words map[string]bool, word string) map[string]bool {
	rest := maps.Clone(words)
	delete(rest, word)
	return rest
}

func set(words string) map[string]bool {
	members := map[string]bool{}
	for word := range strings.SplitSeq(words, "|") {
		members[word] = true
	}
	return members
}
