package usage

import "github.com/faregate/faregate/metering/tokens"

// The places of interest in a chat completion and in a chunk of a streamed one.
const (
	chatChoices field = iota + 1
	chatChoice
	chatIndex
	chatFinish
	chatText
	chatCall
	chatThinking
	chatReasoningContent
	chatReasoning
	chatReasoningDetail
	chatMedia
	chatOther
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
	name := size(chatCall)
	function := output(chatOther, nil, member{"name", name}, member{"arguments", text})
	call := output(chatOther, []string{"id", "type", "extra_content"},
		member{"function", function},
		member{"custom", output(chatOther, nil, member{"name", name}, member{"input", text})},
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

// chatRoot is the shape of a chat completion, completionRoot that of one of the
// older kind, whose text stands by itself. Together sends both in one.
var (
	chatRoot       = chatDocument(member{"delta", chatMessage}, member{"message", chatMessage})
	completionRoot = chatDocument(member{"text", length(chatText)})
)

func chatDocument(content ...member) *node {
	return &node{members: append([]member{
		{"choices", &node{field: chatChoices, marks: true, element: &node{field: chatChoice, marks: true, members: append([]member{
			{"index", value(chatIndex)},
			{"finish_reason", value(chatFinish)},
		}, content...)}}},
		{"x_groq", &node{members: []member{
			{"usage", openAIUsageNode},
			{"error", value(openAIError)},
		}}},
	}, openAICommon...)}
}

// chat reads completions, chat and others.
type chat struct {
	openAI
	choices choices

	// Of the choice being read.
	index          int64
	choiceFinished bool
	// Its reasoning, as each of the three names has it.
	reasoningContent, reasoningText, reasoningDetails tokens.Text

	sawChoices, sawChoice bool // in the event being read
}

// longer returns the longer of two texts.
func longer(a, b *tokens.Text) *tokens.Text {
	if b.Bytes > a.Bytes {
		return b
	}
	return a
}

func (c *chat) begin(f field) {
	switch f {
	case chatChoices:
		c.sawChoices = true
	case chatChoice:
		c.sawChoice = true
		c.index, c.choiceFinished = 0, false
		c.reasoningContent, c.reasoningText, c.reasoningDetails = tokens.Text{}, tokens.Text{}, tokens.Text{}
	default:
		c.openAI.begin(f)
	}
}

func (c *chat) end(f field) {
	switch f {
	case chatChoice:
		// Some servers send visible reasoning under several names at once.
		c.reasoning(longer(longer(&c.reasoningContent, &c.reasoningText), &c.reasoningDetails))
		if c.choiceFinished {
			c.finishing = true
			c.final = c.choices.finish(c.index) || c.final
		}
	default:
		c.openAI.end(f)
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
	default:
		c.openAI.value(f, k, text)
	}
}

func (c *chat) length(f field, text *tokens.Text) {
	switch f {
	case openAIErrorText:
		c.errorSays = true
	case chatCall:
		c.call(text)
	case chatThinking:
		c.reasoning(text)
	case chatReasoningContent:
		c.reasoningContent = *text
	case chatReasoning:
		c.reasoningText = *text
	case chatReasoningDetail:
		c.reasoningDetails.Join(text)
	case chatMedia:
		c.media(text.Bytes)
	case chatOther:
		c.present()
	default:
		c.text(text)
	}
}

func (c *chat) endDocument(whole bool) {
	c.commit(whole)
	c.sawChoices, c.sawChoice = false, false
}

func (c *chat) fill(r *Report) {
	c.openAI.fill(r)
	r.Usage.Units.Milliseconds = 0 // Mistral's, of audio that is counted in tokens too
}

// extraUsage tells whether the event is the one that include_usage adds at the
// end: usage and no choices. Azure's first chunk has no choices either, but no usage.
func (c *chat) extraUsage() bool { return c.sawUsage && c.sawChoices && !c.sawChoice && !c.failed }
