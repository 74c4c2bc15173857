package usage

// The places of interest in a chat completion and in a chunk of a streamed one.
const (
	chatModel field = iota + 1
	chatTier
	chatError
	chatErrorWord
	chatChoices
	chatChoice
	chatIndex
	chatFinish
	chatText
	chatThinking
	chatReasoningContent
	chatReasoning
	chatReasoningDetail
	chatMedia
	chatOther
	chatUsage
	chatPrompt
	chatCompletion
	chatTotal
	chatCached
	chatCachedHit
	chatMissed
	chatWritten
	chatPromptAudio
	chatPromptImage
	chatPromptVideo
	chatReasoningTokens
	chatOutputAudio
	chatOutputImage
	chatSearches
)

// chatMessage is a message, or its delta: what counts as output.
var chatMessage = func() *node {
	// Content is a text, or parts of text and of thinking (Mistral). Some servers
	// send objects where others send them encoded: arguments, reasoning.
	text := size(chatText)
	part := output(chatOther, []string{"type"},
		member{"text", text},
		member{"thinking", thinking()},
	)
	content := size(chatText)
	content.element = part
	function := output(chatOther, nil, member{"name", text}, member{"arguments", text})
	call := output(chatOther, []string{"id", "type", "extra_content"},
		member{"function", function},
		member{"custom", output(chatOther, nil, member{"name", text}, member{"input", text})},
	)
	image := output(chatOther, []string{"type"},
		member{"image_url", output(chatOther, []string{"detail"}, member{"url", length(chatMedia)})},
	)
	// What OpenRouter says of the reasoning beside its text: encrypted data is present.
	detail := output(chatOther, []string{"type", "id", "format", "signature", "provider"},
		member{"text", length(chatReasoningDetail)},
		member{"summary", length(chatReasoningDetail)},
	)
	return output(chatOther,
		// Remarks, not output: Groq's channel, Vercel's provider_metadata, Google's
		// signatures, the sources of a search.
		[]string{"role", "name", "id", "channel", "annotations", "provider_metadata", "extra_content", "thought_signature"},
		member{"content", content},
		member{"tool_calls", list(chatOther, call)},
		member{"reasoning_content", size(chatReasoningContent)},
		member{"reasoning", size(chatReasoning)},
		member{"reasoning_details", list(chatOther, detail)},
		member{"refusal", text},
		member{"function_call", function},
		member{"audio", output(chatOther, []string{"id"}, member{"transcript", text}, member{"data", length(chatMedia)})},
		member{"images", list(chatOther, image)},
	)
}()

// thinking is a text, or parts of it.
func thinking() *node {
	n := size(chatThinking)
	n.element = output(chatOther, []string{"type"}, member{"text", size(chatThinking)})
	return n
}

// chatUsageNode has the names of every compatible provider.
var chatUsageNode = &node{field: chatUsage, take: takeValue, marks: true, members: []member{
	{"prompt_tokens", value(chatPrompt)},
	{"completion_tokens", value(chatCompletion)},
	{"total_tokens", value(chatTotal)},
	{"prompt_tokens_details", &node{members: []member{
		{"cached_tokens", value(chatCached)},
		{"audio_tokens", value(chatPromptAudio)},
		{"cache_write_tokens", value(chatWritten)},
		{"image_tokens", value(chatPromptImage)},
		{"video_tokens", value(chatPromptVideo)},
	}}},
	{"completion_tokens_details", &node{members: []member{
		{"reasoning_tokens", value(chatReasoningTokens)},
		{"audio_tokens", value(chatOutputAudio)},
		{"image_tokens", value(chatOutputImage)},
	}}},
	{"prompt_cache_hit_tokens", value(chatCachedHit)},                                                   // DeepSeek
	{"prompt_cache_miss_tokens", value(chatMissed)},                                                     // DeepSeek
	{"cached_tokens", value(chatCached)},                                                                // Together
	{"num_cached_tokens", value(chatCached)},                                                            // Mistral
	{"cache_creation_input_tokens", value(chatWritten)},                                                 // Vercel AI gateway
	{"service_tier", value(chatTier)},                                                                   // Mistral
	{"server_tool_use_details", &node{members: []member{{"web_search_requests", value(chatSearches)}}}}, // OpenRouter
	{"server_tool_use", &node{members: []member{{"web_search_requests", value(chatSearches)}}}},
}}

var chatRoot = &node{members: []member{
	{"choices", &node{field: chatChoices, marks: true, element: &node{field: chatChoice, marks: true, members: []member{
		{"index", value(chatIndex)},
		{"delta", chatMessage},
		{"finish_reason", value(chatFinish)},
		{"message", chatMessage},
	}}}},
	{"model", value(chatModel)},
	{"usage", chatUsageNode},
	{"service_tier", value(chatTier)},
	{"error", &node{field: chatError, take: takeValue, marks: true, members: []member{
		{"code", value(chatErrorWord)},
		{"type", value(chatErrorWord)},
	}}},
	{"x_groq", &node{members: []member{
		{"usage", chatUsageNode},
		{"error", value(chatError)},
	}}},
}}

// chat reads chat completions.
type chat struct {
	outcome
	profile Profile
	choices choices

	// Of the choice being read.
	index          int64
	choiceFinished bool
	// Its reasoning, as each of the three names has it.
	reasoningContent, reasoningText, reasoningDetails length2

	// Of the event being read.
	sawChoices, sawChoice, sawUsage bool

	counts, last chatCounts
	reported     bool
}

// length2 is the length of a text in bytes and characters.
type length2 struct{ bytes, runes int64 }

func (c *chat) begin(f field) {
	switch f {
	case chatChoices:
		c.sawChoices = true
	case chatChoice:
		c.sawChoice = true
		c.index, c.choiceFinished = 0, false
		c.reasoningContent, c.reasoningText, c.reasoningDetails = length2{}, length2{}, length2{}
	case chatUsage:
		c.counts = chatCounts{}
	}
}

func (c *chat) end(f field) {
	switch f {
	case chatChoice:
		// Some servers send visible reasoning under several names at once.
		longest := c.reasoningContent
		for _, other := range []length2{c.reasoningText, c.reasoningDetails} {
			if other.bytes > longest.bytes {
				longest = other
			}
		}
		c.reasoning(longest.bytes, longest.runes)
		if c.choiceFinished {
			c.finishing = true
			c.final = c.choices.finish(c.index) || c.final
		}
	case chatUsage:
		// The last one holds: some providers send running counts in every chunk.
		c.sawUsage = true
		if c.counts != (chatCounts{}) {
			c.last, c.reported = c.counts, true
		}
	case chatError:
		c.fail()
	}
}

func (c *chat) value(f field, k kind, text []byte) {
	if k == kindNull {
		return
	}
	switch f {
	case chatIndex:
		c.index = count(text)
	case chatFinish:
		if len(text) > 0 {
			c.choiceFinished = true
			setName(&c.finishReason, text)
		}
	case chatModel:
		if len(text) > 0 { // empty in Azure's first chunk
			setName(&c.model, text)
		}
	case chatTier:
		setName(&c.serviceTier, text)
	case chatError:
		if k == kindString { // xAI: the error's text in place of an object
			c.fail()
		}
	case chatErrorWord:
		c.errorKind = c.errorKind.refine(text)
	default:
		if k == kindNumber {
			c.counts.set(f, count(text))
		}
	}
}

func (c *chat) length(f field, bytes, runes int64) {
	switch f {
	case chatThinking:
		c.reasoning(bytes, runes)
	case chatReasoningContent:
		c.reasoningContent = length2{bytes, runes}
	case chatReasoning:
		c.reasoningText = length2{bytes, runes}
	case chatReasoningDetail:
		c.reasoningDetails.bytes += bytes
		c.reasoningDetails.runes += runes
	case chatMedia:
		c.media(bytes)
	case chatOther:
		c.present()
	default:
		c.text(bytes, runes)
	}
}

func (c *chat) endEvent() { c.sawChoices, c.sawChoice, c.sawUsage = false, false, false }

// extraUsage tells whether the event is the one that include_usage adds at the
// end: usage and no choices. Azure's first chunk has no choices either, but no usage.
func (c *chat) extraUsage() bool { return c.sawUsage && c.sawChoices && !c.sawChoice && !c.failed }

func (c *chat) common() *outcome { return &c.outcome }

func (c *chat) fill(r *Report) {
	r.Usage = c.last.usage(c.profile)
	r.Reported = c.reported
}
