package usage

// The places of interest in a response of the Responses interface and in the
// events of a streamed one.
const (
	responseType field = iota + 1
	responseStatus
	responseReason
	responseDelta
	responseText
	responseCall
	responseReasoning
	responseMedia
	responseOther
	responsePreview
	responseOutputList
	responseListed
	responseAlone
	responseItemType
	responseRole
	responseAction
	responseContainer
	responseSearches
	responseImages
	responseTool
	responseToolKind
	responseToolModel
)

// responseItems are the shapes of an item of the output: in the list of a whole
// response, and alone in the event that ends it. Beside messages and reasoning
// items are calls: what the model wrote for them is output. What came back is not.
var responseItems, responseItemEvent = func() (list, event *node) {
	text := size(responseText)
	reasoning := size(responseReasoning)
	part := output(responseOther, []string{"type", "annotations", "logprobs"},
		member{"text", text},
		member{"refusal", text},
		member{"transcript", text},
		member{"data", length(responseMedia)},
	)
	content := size(responseText)
	content.element = part
	thought := size(responseReasoning)
	thought.element = output(responseOther, []string{"type"}, member{"text", reasoning})
	action := &node{take: takeSize, field: responseText, other: text, members: []member{{"type", value(responseAction)}}}
	item := func(f field) *node {
		n := output(responseOther,
			[]string{
				"id", "status", "phase", "call_id", "namespace", "caller", "execution", "server_label", "approval_request_id",
				"error", "results", "outputs", "output", "tools", "pending_safety_checks", "revised_prompt", "size", "quality",
				"background", "output_format", "fingerprint", "created_by", "max_output_length", "signature",
			},
			member{"type", value(responseItemType)},
			member{"role", value(responseRole)},
			member{"content", content},
			member{"summary", thought},
			member{"name", size(responseCall)},
			member{"arguments", text},
			member{"input", text},
			member{"code", text},
			member{"queries", text},
			member{"operation", text},
			member{"action", action},
			member{"container_id", value(responseContainer)},
			member{"result", length(responseMedia)},
		)
		n.field, n.marks = f, true
		return n
	}
	return &node{field: responseOutputList, marks: true, element: item(responseListed)}, item(responseAlone)
}()

var responseRoot = func() *node {
	images := openAIUsage(responseImages)
	response := append([]member{
		{"status", value(responseStatus)},
		{"incomplete_details", &node{members: []member{{"reason", value(responseReason)}}}},
		{"output", responseItems},
		{"tool_usage", &node{members: []member{
			{"web_search", &node{members: []member{{"num_requests", value(responseSearches)}}}},
			{"image_gen", images},
		}}},
		{"tools", &node{element: &node{field: responseTool, marks: true, members: []member{
			{"type", value(responseToolKind)},
			{"model", value(responseToolModel)},
		}}}},
	}, openAICommon...)
	return &node{members: append([]member{
		{"type", value(responseType)},
		{"delta", length(responseDelta)},
		{"response", &node{members: response}},
		{"item", responseItemEvent},
		{"partial_image_b64", presence(responsePreview)},
		{"code", value(openAIErrorWord)}, // of an error event
	}, response...)}
}()
