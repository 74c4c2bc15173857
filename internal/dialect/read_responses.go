package dialect

import (
	"strings"

	"github.com/faregate/faregate/metering/usage"
)

// Fields of OpenAI's responses.
const (
	responsesModel field = iota + 1
	responsesStream
	responsesCap
	responsesToolCalls
	responsesStore
	responsesBackground
	responsesPrevious
	responsesConversation
	responsesPrompt
	responsesTier
	responsesTool
	responsesToolType
	responsesToolExecution
	responsesNamespaceType
	responsesItemType
	responsesImage
	responsesFile
	responsesFileData
	responsesItem
	responsesRole
	responsesText
	responsesInstructions
	responsesCacheKey
	responsesUser
	responsesLifetime
	responsesEffort
	responsesSummary
	responsesSound
	responsesCompaction
	responsesSearchParameters
)

// responsesRefusals are the members of responses that are not supported.
var responsesRefusals = map[field]refusal{
	responsesStore:        {"store", becauseKept},
	responsesBackground:   {"background", becauseLater},
	responsesPrevious:     {"previous_response_id", becauseStored},
	responsesConversation: {"conversation", becauseStored},
	responsesPrompt:       {"prompt", becauseStored},
	responsesFile:         {"file_id", becauseStored},

	responsesSearchParameters: {"search_parameters", becauseUncapped},
}

// responsesBody is what is read of POST /v1/responses, /v1/responses/compact and
// /v1/responses/input_tokens (openai-openapi, CreateResponse, CompactResource).
var responsesBody = func() *place {
	part := &place{names: []member{
		{text: "image_url", at: &place{field: responsesImage}},
		{text: "video_url", at: &place{field: responsesImage}}, // OpenRouter
		{text: "file_id", at: &place{field: responsesFile}},
		{text: "file_data", at: &place{field: responsesFileData}},
		{text: "file_url", at: &place{field: responsesFileData}},
		{text: "input_audio", at: &place{field: responsesSound}},
	}}
	part.names = append(part.names, member{text: "text", at: &place{field: responsesText}})
	content := &place{field: responsesText, names: part.names, each: part}
	tool := &place{field: responsesTool, enters: true, names: []member{
		{text: "type", at: &place{field: responsesToolType}},
		{text: "execution", at: &place{field: responsesToolExecution}},
		{text: "tools", at: &place{each: &place{names: []member{{text: "type", at: &place{field: responsesNamespaceType}}}}}},
	}}
	item := &place{field: responsesItem, enters: true, names: append([]member{
		{text: "role", at: &place{field: responsesRole}},
		{text: "type", at: &place{field: responsesItemType}},
		{text: "content", at: content},
		{text: "output", at: content},           // of a tool's result
		{text: "tools", at: &place{each: tool}}, // additional_tools, which newer Codex has all its tools in
	}, part.names...)}
	return &place{names: append([]member{
		{text: "model", at: &place{field: responsesModel}},
		{text: "input", at: &place{field: responsesText, each: item}},
		{text: "instructions", at: &place{field: responsesInstructions}},
		{text: "prompt_cache_key", at: &place{field: responsesCacheKey}},
		{text: "user", at: &place{field: responsesUser}},
		{text: "safety_identifier", at: &place{field: responsesUser}},
		{text: "stream", at: &place{field: responsesStream}},
		{text: "max_output_tokens", at: &place{field: responsesCap}},
		{text: "max_tool_calls", at: &place{field: responsesToolCalls}},
		{text: "store", at: &place{field: responsesStore}},
		{text: "background", at: &place{field: responsesBackground}},
		{text: "previous_response_id", at: &place{field: responsesPrevious}},
		{text: "conversation", at: &place{field: responsesConversation}},
		{text: "prompt", at: &place{field: responsesPrompt}},
		{text: "service_tier", at: &place{field: responsesTier}},
		{text: "reasoning", at: &place{names: []member{
			{text: "effort", at: &place{field: responsesEffort}},
			{text: "summary", at: &place{field: responsesSummary}},
		}}},
		{text: "prompt_cache_options", at: &place{names: []member{{text: "ttl", at: &place{field: responsesLifetime}}}}},
		{text: "tools", at: &place{each: tool}},
		{text: "context_management", at: &place{each: &place{field: responsesCompaction}}},
		{text: "search_parameters", at: &place{field: responsesSearchParameters}}, // xAI
	}, routingMembers...)}
}()

// readResponses reads a body of responses.
func (r *Request) readResponses() error {
	b := &reading{request: r}
	searches := false
	err := b.scan(responsesBody, func(f field, start, end int) (problem *Error) {
		here := span{start, end}
		switch f {
		case responsesModel:
			return b.modelName(start, end)
		case responsesStream:
			r.Stream, problem = b.boolean("stream", start, end)
			r.SSE = r.Stream
		case responsesCap:
			r.places.outputCap = here
			r.OutputCap, problem = b.integer("max_output_tokens", start, end, 1, maxOutputCap)
		case responsesToolCalls:
			r.places.toolCalls = here
			b.maxUses, problem = b.integer("max_tool_calls", start, end, 1, maxToolCalls)
		case responsesStore:
			r.places.store = here
			refused := responsesRefusals[f]
			return b.refuse(refused.param, refused.why, start, end)
		case responsesEffort:
			b.reasoning("none", start, end)
		case responsesSummary:
			r.AsksReasoning = r.AsksReasoning || !b.null(start, end)
		case responsesLifetime:
			r.LongCache = usage.LongLived(b.prefix(start, end))
		case responsesTier:
			r.ServiceTier, problem = b.enumerated("service_tier", start, end)
		case responsesTool:
			var search bool
			search, problem = b.responsesTool(end)
			searches = searches || search
		case responsesToolType:
			b.toolType, problem = b.string("tools.type", start, end, 64)
		case responsesToolExecution:
			b.toolExecution, problem = b.string("tools.execution", start, end, 64)
		case responsesNamespaceType:
			var kind string
			if kind, problem = b.string("tools.tools.type", start, end, 64); problem == nil && kind != "function" && kind != "custom" {
				problem = invalid("tools.tools.type", "must be function or custom: a namespace has no other tools")
			}
		case responsesItemType:
			if string(b.prefix(start, end)) == "item_reference" {
				return unsupported("input.type item_reference", becauseStored)
			}
		case responsesItem:
			b.message(end)
		case responsesRole:
			b.role(start, end)
		case responsesText:
			b.headText(start, end)
		case responsesInstructions:
			b.systemText(start, end)
		case responsesCacheKey:
			b.name(&r.conversation.cacheKey, start, end)
		case responsesUser:
			b.name(&r.conversation.user, start, end)
		case responsesCompaction:
			// All that there is of it shortens the conversation (guides/compaction).
			r.compacts()
		case responsesImage:
			b.mediaAddress(start, end)
		case routing, routingModels, routingFallbacks, routingPlugins:
			return b.routed(f, start, end)
		case responsesFileData:
			if !b.null(start, end) {
				r.unbounded++
			}
		case responsesSound:
			r.media = r.media || !b.null(start, end)
		default:
			refused := responsesRefusals[f]
			return b.refuse(refused.param, refused.why, start, end)
		}
		return problem
	})
	switch {
	case err != nil:
		return err
	case r.Model == "":
		return noModel()
	}
	if searches {
		r.toolCallsAdded = b.maxUses == 0
		if r.toolCallsAdded {
			b.maxUses = standardToolCalls
		}
		r.Tools = append(r.Tools, ServerTool{Name: webSearch, MaxUses: b.maxUses})
	}
	return nil
}

const (
	maxToolCalls = 1000
	// standardToolCalls is max_tool_calls where a request with tools of the
	// provider's has none: clients as Codex offer web search with every request.
	standardToolCalls = 4
)

// oldSearch is the older of OpenAI's two tools for searches of the web.
const oldSearch = "web_search_preview"

// responsesTool judges a tool when it begins and when it ends; search tells that it
// is a web search.
func (b *reading) responsesTool(end int) (search bool, problem *Error) {
	kind, execution := b.toolType, b.toolExecution
	b.toolType, b.toolExecution = "", ""
	if end < 0 {
		return false, nil
	}
	switch kind {
	case "", "function", "custom", "local_shell", "apply_patch", "namespace":
		return false, nil
	case "computer", "computer_use_preview":
		b.request.toolKinds++
		return false, nil
	case "web_search":
		b.request.toolKinds++
		return true, nil
	case "code_interpreter", "shell":
		return false, unsupported("tools.type "+kind, becauseContainer)
	case "file_search":
		return false, unsupported("tools.type file_search", becauseStored)
	case "tool_search":
		if execution == "client" {
			return false, nil // the caller looks, and sends what it found
		}
		return false, unsupported("tools.type tool_search", `the provider would search again and again, without a bound on what that costs. Set its execution to "client", or send the tools themselves.`)
	case "mcp", "image_generation", "programmatic_tool_calling":
		return false, unsupported("tools.type "+kind, becauseUncapped)
	}
	if kind == oldSearch || strings.HasPrefix(kind, oldSearch+"_2") {
		b.request.OldSearch = true
		b.request.toolKinds++
		return true, nil
	}
	if strings.HasPrefix(kind, "web_search_2") { // a dated version
		b.request.toolKinds++
		return true, nil
	}
	return false, unsupported("tools.type", becauseUncapped)
}
