package usage

// KnownFinishReason tells whether a finish reason is one of the formats' own. Any
// other word of a provider is not to be kept.
func KnownFinishReason(reason string) bool { return finishReasons[reason] }

// KnownServiceTier tells whether a service tier is one that a provider documents.
func KnownServiceTier(tier string) bool { return serviceTiers[tier] }

var finishReasons = setOf(
	// OpenAI chat and its compatible providers
	"stop", "length", "tool_calls", "content_filter", "function_call", "model_length", "eos", "error", "insufficient_system_resource",
	// Responses: the status, and why it is incomplete
	"completed", "complete", "failed", "cancelled", "queued", "in_progress", "incomplete",
	"incomplete:max_output_tokens", "incomplete:content_filter", "incomplete:max_tool_calls",
	// Anthropic
	"end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal", "model_context_window_exceeded", "compaction",
	// Gemini
	"STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "LANGUAGE", "OTHER", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII",
	"MALFORMED_FUNCTION_CALL", "IMAGE_SAFETY", "IMAGE_PROHIBITED_CONTENT", "IMAGE_OTHER", "NO_IMAGE", "IMAGE_RECITATION",
	"UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE", "MALFORMED_RESPONSE", "FINISH_REASON_UNSPECIFIED",
)

var serviceTiers = setOf(
	"default", "auto", "flex", "priority", "fast", "scale", "standard", "batch", "on_demand", "performance", "unspecified",
	"ON_DEMAND", "ON_DEMAND_FLEX", "ON_DEMAND_PRIORITY", "PROVISIONED_THROUGHPUT",
)

func setOf(words ...string) map[string]bool {
	set := make(map[string]bool, len(words))
	for _, word := range words {
		set[word] = true
	}
	return set
}
