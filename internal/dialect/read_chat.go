package dialect

import (
	"bytes"

	"github.com/faregate/faregate/metering/usage"
)

// Fields of chat completions.
const (
	chatModel field = iota + 1
	chatStream
	chatChoices
	chatCap
	chatOldCap
	chatStreamOptions
	chatIncludeUsage
	chatStore
	chatTier
	chatBackground
	chatDeferred
	chatSearchOptions
	chatSearchParameters
	chatSearch
	chatInterpreter
	chatAudio
	chatFile
	chatTool
	chatToolType
	chatImage
	chatVideo
	chatAudioInput
	chatAudioData
	chatUnknownInput
	chatAddress
	chatFileData
	chatPartType
	chatModalities
	chatModality
	chatVoice
	chatEffort
	chatThinkingType
	chatMessage
	chatRole
	chatText
	chatCacheKey
	chatSession
	chatUser
	chatLifetime
	chatGoogleExtra
	chatThinkingBudget
	chatReasoning
	chatReasoningCap
)

// chatRefusals are the members of chat completions that are not supported.
var chatRefusals = map[field]refusal{
	chatStore:            {"store", becauseKept},
	chatBackground:       {"background", becauseLater},
	chatDeferred:         {"deferred", becauseLater},
	chatSearchOptions:    {"web_search_options", becauseUncapped},
	chatSearchParameters: {"search_parameters", becauseUncapped},
	chatSearch:           {"enable_search", becauseUncapped},
	chatInterpreter:      {"enable_code_interpreter", becauseUncapped},
	chatAudio:            {"messages.audio.id", becauseStored},
	chatFile:             {"file.file_id", becauseStored},
	chatGoogleExtra:      {"extra_body.google", "only thinking_config, thought_tag_marker and safety_settings are taken. Put all content into the request."},
}

// chatBody is what is read of POST /v1/chat/completions (openai-openapi,
// CreateChatCompletionRequest), and of the extensions of compatible providers what
// costs or keeps more than the answer: models, plugins and provider (OpenRouter), deferred and
// search_parameters (xAI), cached contents (extra_body of Gemini, gemini-api/docs/openai).
var chatBody = func() *place {
	address := []member{{text: "url", at: &place{field: chatAddress}}}
	unknown := &place{field: chatUnknownInput}
	part := &place{others: unknown, names: []member{
		{text: "type", at: &place{field: chatPartType}},
		{text: "text", at: &place{field: chatText}},
		{text: "refusal"},
		{text: "cache_control"},
		{text: "image_url", at: &place{names: address, field: chatImage}},
		{text: "video_url", at: &place{names: address, field: chatVideo}},
		{text: "audio_url", at: &place{names: address, field: chatAudioInput}},
		{text: "input_audio", at: &place{names: []member{{text: "data", at: &place{field: chatAudioData}}}, field: chatAudioInput}},
		{text: "file", at: &place{names: []member{
			{text: "file_id", at: &place{field: chatFile}},
			{text: "file_data", at: &place{field: chatFileData}},
			{text: "file_url", at: &place{field: chatFileData}},
		}, field: chatUnknownInput}},
	}}
	message := &place{field: chatMessage, enters: true, others: unknown, names: []member{
		{text: "role", at: &place{field: chatRole}},
		{text: "name"},
		{text: "tool_calls"},
		{text: "tool_call_id"},
		{text: "function_call"},
		{text: "refusal"},
		{text: "reasoning_content"},
		{text: "content", at: &place{field: chatText, names: part.names, others: unknown, each: part}},
		{text: "audio", at: &place{names: []member{{text: "id", at: &place{field: chatAudio}}}}},
	}}
	tool := &place{field: chatTool, enters: true, names: []member{{text: "type", at: &place{field: chatToolType}}}}
	google := &place{others: &place{field: chatGoogleExtra}, names: []member{
		{text: "thinking_config", at: &place{names: []member{{text: "thinking_budget", at: &place{field: chatThinkingBudget}}}}},
		{text: "thought_tag_marker"},
		{text: "safety_settings"},
	}}
	return &place{names: append([]member{
		{text: "model", at: &place{field: chatModel}},
		{text: "google", at: google},
		{text: "extra_body", at: &place{names: []member{{text: "google", at: google}}}},
		{text: "messages", at: &place{each: message}},
		{text: "stream", at: &place{field: chatStream}},
		{text: "n", at: &place{field: chatChoices}},
		{text: "max_completion_tokens", at: &place{field: chatCap}},
		{text: "max_tokens", at: &place{field: chatOldCap}},
		{text: "stream_options", at: &place{field: chatStreamOptions, names: []member{
			{text: "include_usage", at: &place{field: chatIncludeUsage}},
		}}},
		{text: "store", at: &place{field: chatStore}},
		{text: "service_tier", at: &place{field: chatTier}},
		{text: "background", at: &place{field: chatBackground}},
		{text: "deferred", at: &place{field: chatDeferred}},
		{text: "web_search_options", at: &place{field: chatSearchOptions}},
		{text: "search_parameters", at: &place{field: chatSearchParameters}},
		{text: "enable_search", at: &place{field: chatSearch}},                // Alibaba
		{text: "enable_code_interpreter", at: &place{field: chatInterpreter}}, // Alibaba
		{text: "tools", at: &place{each: tool}},
		{text: "modalities", at: &place{field: chatModalities, each: &place{field: chatModality}}},
		{text: "audio", at: &place{field: chatVoice}},
		{text: "prompt_cache_key", at: &place{field: chatCacheKey}},
		{text: "session_id", at: &place{field: chatSession}}, // OpenRouter
		{text: "user", at: &place{field: chatUser}},
		{text: "safety_identifier", at: &place{field: chatUser}},
		{text: "reasoning_effort", at: &place{field: chatEffort}},
		{text: "reasoning", at: &place{names: []member{ // OpenRouter
			{text: "effort", at: &place{field: chatEffort}},
			{text: "max_tokens", at: &place{field: chatReasoningCap}},
			{text: "enabled", at: &place{field: chatReasoning}},
		}}},
		{text: "prompt_cache_options", at: &place{names: []member{{text: "ttl", at: &place{field: chatLifetime}}}}},
		{text: "thinking", at: &place{names: []member{{text: "type", at: &place{field: chatThinkingType}}}}},
	}, routingMembers...)}
}()

const (
	maxChoices   = 128 // OpenAI's own limit of n
	maxOutputCap = 1 << 30
)

// readChat reads a body of chat completions.
func (r *Request) readChat() error {
	b := &reading{request: r}
	var outputCap, oldCap int64
	// Caches are written to unasked, where that has a price. Speech has to be asked for;
	// some compatible servers answer with images unasked.
	r.Reach = Reach{CacheWrite: true, OutputImage: true}
	err := b.scan(chatBody, func(f field, start, end int) (problem *Error) {
		here := span{start, end}
		switch f {
		case chatModel:
			return b.modelName(start, end)
		case chatStream:
			r.Stream, problem = b.boolean("stream", start, end)
			r.SSE = r.Stream
		case chatChoices:
			return b.choices("n", start, end)
		case chatCap:
			r.places.outputCap = here
			outputCap, problem = b.integer("max_completion_tokens", start, end, 1, maxOutputCap)
		case chatOldCap:
			r.places.oldOutputCap = here
			oldCap, problem = b.integer("max_tokens", start, end, 1, maxOutputCap)
		case chatStreamOptions:
			r.places.streamOptions = here
			return b.object("stream_options", start, end)
		case chatIncludeUsage:
			r.places.streamOptionUse = here
			r.IncludeUsage, problem = b.boolean("stream_options.include_usage", start, end)
		case chatTier:
			r.ServiceTier, problem = b.enumerated("service_tier", start, end)
		case chatLifetime:
			r.LongCache = usage.LongLived(b.prefix(start, end))
		case chatTool:
			return b.chatTool(end)
		case chatToolType:
			b.toolType, problem = b.string("tools.type", start, end, 64)
		case chatMessage:
			b.message(end)
		case chatRole:
			b.role(start, end)
		case chatText:
			b.headText(start, end)
		case chatCacheKey:
			b.name(&r.conversation.cacheKey, start, end)
		case chatSession:
			b.name(&r.conversation.session, start, end)
		case chatUser:
			b.name(&r.conversation.user, start, end)
		case chatEffort:
			b.reasoning("none", start, end)
		case chatThinkingType:
			b.reasoning("disabled", start, end)
		case chatReasoning:
			r.AsksReasoning = r.AsksReasoning || b.scanner.data[start] == 't'
		case chatReasoningCap:
			r.AsksReasoning = r.AsksReasoning || !b.null(start, end)
		case routing, routingModels, routingFallbacks, routingPlugins:
			return b.routed(f, start, end)
		case chatThinkingBudget:
			return b.budget("thinking_budget", start, end)
		default:
			if refused, ok := chatRefusals[f]; ok {
				return b.refuse(refused.param, refused.why, start, end)
			}
			b.chatMedia(f, start, end)
		}
		return problem
	})
	switch {
	case err != nil:
		return err
	case r.Model == "":
		return noModel()
	case outputCap > 0 && oldCap > 0 && outputCap != oldCap:
		return NewError(CodeInvalidRequest).WithParam("max_tokens").
			WithMessage("max_tokens and max_completion_tokens differ. Send one of them.")
	}
	r.OutputCap = max(outputCap, oldCap)
	return nil
}

// chatMedia notes what media the request has, and what it asks for.
func (b *reading) chatMedia(f field, start, end int) {
	r := b.request
	if b.null(start, end) {
		return
	}
	switch f {
	case chatPartType:
		switch string(b.prefix(start, end)) {
		case "text", "refusal":
		case "image_url", "video_url", "audio_url", "input_audio":
			r.media = true
		case "thinking": // Mistral, which has the text of it in the part
			r.Reach.anyInput()
		case "file":
			r.media = true
			r.Reach.anyInput()
		default: // as Mistral's document_url: what is there may be of any length
			r.media = true
			r.unbounded++
			r.Reach.anyInput()
		}
	case chatUnknownInput:
		r.Reach.anyInput()
	case chatFileData:
		r.unbounded++
	case chatAddress:
		b.mediaAddress(start, end)
	case chatAudioData: // Alibaba takes an address in place of the data
		if bytes.Contains(b.prefix(start, end), []byte("://")) {
			b.mediaAddress(start, end)
		}
	case chatImage, chatVideo, chatAudioInput:
		r.media = true
		r.Reach.InputImage = r.Reach.InputImage || f == chatImage
		r.Reach.InputVideo = r.Reach.InputVideo || f == chatVideo
		r.Reach.InputAudio = r.Reach.InputAudio || f != chatImage // a video has a sound
		if b.scanner.data[start] == '"' {                         // the address itself, and not an object that holds it
			b.mediaAddress(start, end)
		}
	case chatVoice:
		b.asked.audio, r.Reach.OutputAudio = true, true
	case chatModality:
		b.modality(start, end)
	case chatModalities:
		b.modalities(start, end)
	}
}

func (b *reading) choices(param string, start, end int) *Error {
	n, problem := b.integer(param, start, end, 1, maxChoices)
	b.request.Choices = max(int(n), 1)
	return problem
}

// chatTool judges a tool when it begins and when it ends.
func (b *reading) chatTool(end int) *Error {
	kind := b.toolType
	b.toolType = ""
	if end < 0 || kind == "" || kind == "function" || kind == "custom" {
		return nil
	}
	return unsupported("tools", becauseUncapped)
}

func noModel() *Error {
	return NewError(CodeInvalidRequest).WithParam("model").
		WithMessage("model is missing. Name one of those that GET /v1/models lists.")
}
