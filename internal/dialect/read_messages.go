package dialect

import (
	"bytes"
	"strings"
)

// Fields of Anthropic's messages.
const (
	messagesModel field = iota + 1
	messagesStream
	messagesCap
	messagesThinking
	messagesThinkingType
	messagesBudget
	messagesTier
	messagesSpeed
	messagesGeo
	messagesContainer
	messagesServers
	messagesThread
	messagesCompaction
	messagesEditType
	messagesSource
	messagesSourceType
	messagesMediaType
	messagesData
	messagesStored
	messagesTool
	messagesToolType
	messagesMaxUses
	messagesMessage
	messagesText
	messagesSystem
	messagesUser
)

// messagesBody is what is read of POST /v1/messages (platform.claude.com,
// api/messages, and the types of Anthropic's SDK 1.12).
var messagesBody = func() *place {
	part := &place{}
	content := &place{field: messagesText, each: part}
	source := &place{field: messagesSource, enters: true, names: []member{
		{text: "type", at: &place{field: messagesSourceType}},
		{text: "media_type", at: &place{field: messagesMediaType}},
		{text: "data", at: &place{field: messagesData}},
		{text: "content", at: content},
	}}
	tool := &place{field: messagesTool, enters: true, names: []member{
		{text: "type", at: &place{field: messagesToolType}},
		{text: "max_uses", at: &place{field: messagesMaxUses}},
	}}
	part.names = []member{
		{text: "text", at: &place{field: messagesText}},
		{text: "source", at: source},
		{text: "tool", at: &place{names: []member{{text: "definition", at: tool}}}}, // of a tool_addition
		{text: "content", at: content},                                              // of a tool's result
		{text: "file_id", at: &place{field: messagesStored}},
	}
	system := &place{field: messagesSystem, each: &place{names: append([]member{{text: "text", at: &place{field: messagesSystem}}}, part.names[1:]...)}}
	message := &place{field: messagesMessage, names: []member{{text: "content", at: content}}}
	edit := &place{names: []member{{text: "type", at: &place{field: messagesEditType}}}}
	return &place{names: append([]member{
		{text: "model", at: &place{field: messagesModel}},
		{text: "messages", at: &place{each: message}},
		{text: "system", at: system},
		{text: "stream", at: &place{field: messagesStream}},
		{text: "max_tokens", at: &place{field: messagesCap}},
		{text: "thinking", at: &place{field: messagesThinking, names: []member{
			{text: "type", at: &place{field: messagesThinkingType}},
			{text: "budget_tokens", at: &place{field: messagesBudget}},
		}}},
		{text: "service_tier", at: &place{field: messagesTier}},
		{text: "speed", at: &place{field: messagesSpeed}},
		{text: "inference_geo", at: &place{field: messagesGeo}},
		{text: "container", at: &place{field: messagesContainer}},
		{text: "mcp_servers", at: &place{field: messagesServers}},
		{text: "thread", at: &place{field: messagesThread}},
		{text: "compaction", at: &place{field: messagesCompaction}},
		{text: "context_management", at: &place{names: []member{{text: "edits", at: &place{each: edit}}}}},
		{text: "tools", at: &place{each: tool}},
		{text: "metadata", at: &place{names: []member{{text: "user_id", at: &place{field: messagesUser}}}}},
	}, routingMembers...)}
}()

// readMessages reads a body of Anthropic's messages.
func (r *Request) readMessages(rawQuery string) error {
	beta, err := queryValue(rawQuery, "beta")
	if err != nil {
		return err
	}
	r.beta = beta == "true"
	b := &reading{request: r}
	err = b.scan(messagesBody, func(f field, start, end int) (problem *Error) {
		switch f {
		case messagesModel:
			return b.modelName(start, end)
		case messagesStream:
			r.Stream, problem = b.boolean("stream", start, end)
			r.SSE = r.Stream
		case messagesCap:
			r.places.outputCap = span{start, end}
			r.OutputCap, problem = b.integer("max_tokens", start, end, 1, maxOutputCap)
		case messagesThinking:
			return b.object("thinking", start, end)
		case messagesThinkingType:
			b.reasoning("disabled", start, end)
		case messagesBudget:
			r.ThinkingBudget, problem = b.integer("thinking.budget_tokens", start, end, 1, maxOutputCap)
		case messagesTier:
			r.ServiceTier, problem = b.enumerated("service_tier", start, end)
		case messagesSpeed:
			r.Speed, problem = b.enumerated("speed", start, end)
		case messagesGeo:
			r.Geo, problem = b.enumerated("inference_geo", start, end)
		case routing, routingModels, routingFallbacks, routingPlugins:
			return b.routed(f, start, end) // fallbacks are Anthropic's, too
		case messagesContainer:
			return b.refuse("container", becauseContainer, start, end)
		case messagesServers:
			return b.refuse("mcp_servers", becauseUncapped, start, end)
		case messagesThread:
			if !b.null(start, end) {
				return NewError(CodeThread).WithParam("thread")
			}
		case messagesCompaction:
			if !b.null(start, end) {
				r.compacts()
			}
		case messagesEditType:
			if bytes.HasPrefix(b.prefix(start, end), []byte("compact_")) {
				r.compacts()
			}
		case messagesMessage:
			r.conversation.begun = true // the first message is the user's
		case messagesText:
			b.headText(start, end)
		case messagesSystem:
			b.systemText(start, end)
		case messagesUser:
			b.name(&r.conversation.user, start, end)
		default:
			return b.visitContent(f, start, end)
		}
		return problem
	})
	switch {
	case err != nil:
		return err
	case r.Model == "":
		return noModel()
	case r.OutputCap == 0 && r.Operation.Kind != Free:
		return NewError(CodeInvalidRequest).WithParam("max_tokens").
			WithMessage("max_tokens is missing. Say how many tokens the answer may have at most.")
	}
	// Claude writes to its cache only where cache_control says so, at a block or, automatic,
	// at the top (build-with-claude/prompt-caching). What a loop of the provider's own tools
	// writes is not documented.
	r.Reach = everything
	r.Reach.CacheWrite = b.scanner.caching || len(r.Tools) > 0
	return nil
}

// visitContent reads the parts of messages and the tools.
func (b *reading) visitContent(f field, start, end int) (problem *Error) {
	switch f {
	case messagesSource:
		if end < 0 {
			b.mediaBegins()
		} else {
			b.mediaEnds()
		}
	case messagesSourceType:
		switch string(b.prefix(start, end)) {
		case "url":
			b.request.unbounded++
		case "file":
			return unsupported("source.type file", becauseStored)
		}
	case messagesMediaType:
		b.mediaType(start, end)
	case messagesData:
		b.mediaSize = end - start
	case messagesStored:
		return b.refuse("file_id", becauseStored, start, end)
	case messagesTool:
		return b.messagesTool(end)
	case messagesToolType:
		b.toolType, problem = b.string("tools.type", start, end, 64)
	case messagesMaxUses:
		b.maxUses, problem = b.integer("tools.max_uses", start, end, 1, 1000)
	}
	return problem
}

// Tools that run at the provider.
const (
	webSearch  = "web_search"
	webFetch   = "web_fetch"
	toolSearch = "tool_search"
	compaction = "compaction"
)

// compacts notes that the model may read its input once more, to shorten it.
func (r *Request) compacts() {
	r.Tools = append(r.Tools, ServerTool{Name: compaction, MaxUses: 1})
}

// maxLoops is how often Anthropic lets a model go on after its own tools within a
// request (build-with-claude/handling-stop-reasons, "pause_turn": 10 by default).
const maxLoops = 10

// messagesTool judges a tool when it begins and when it ends.
func (b *reading) messagesTool(end int) *Error {
	kind, maxUses := b.toolType, b.maxUses
	b.toolType, b.maxUses = "", 0
	b.request.tooled = true
	if end < 0 || kind == "" || kind == "custom" {
		return nil
	}
	b.request.toolKinds++
	tool := ServerTool{MaxUses: maxUses}
	switch {
	case runsAtCaller(kind):
		return nil
	case dated(kind, webSearch):
		tool.Name = webSearch
	case dated(kind, webFetch):
		tool.Name = webFetch
	case strings.HasPrefix(kind, "tool_search_tool_"):
		tool.Name, tool.MaxUses = toolSearch, maxLoops
	case strings.HasPrefix(kind, "code_execution_"):
		return unsupported("tools.type code_execution", becauseContainer)
	case strings.HasPrefix(kind, "advisor_"):
		return unsupported("tools.type advisor", becauseModels)
	default:
		return unsupported("tools.type", becauseUncapped)
	}
	if tool.MaxUses == 0 && b.request.Operation.Kind != Free {
		return NewError(CodeUnsupported).WithParam("tools.max_uses").
			WithMessage("The tool " + tool.Name + " needs max_uses here: it runs at the provider, and what it costs at most must be known before. Set max_uses to the number of uses that you allow.")
	}
	b.request.Tools = append(b.request.Tools, tool)
	return nil
}

// runsAtCaller tells whether the caller runs the tools of a kind, and the provider
// only knows how to describe them to the model.
func runsAtCaller(kind string) bool {
	for _, name := range [...]string{"bash", "text_editor", "computer", "memory", "computer_toolset", "browser_toolset"} {
		if dated(kind, name) {
			return true
		}
	}
	return false
}

// dated tells whether a kind is a name followed by _ and a date.
func dated(kind, name string) bool {
	date, ok := strings.CutPrefix(kind, name+"_")
	if !ok || len(date) != 8 {
		return false
	}
	for _, c := range []byte(date) {
		if c < '0' || c > '9' {
			return false
		}
	}
	return true
}
