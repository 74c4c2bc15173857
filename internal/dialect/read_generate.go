package dialect

import (
	"bytes"
	"strings"
)

// Fields of Gemini's generateContent.
const (
	generateModel field = iota + 1
	generateSettings
	generateCap
	generateChoices
	generateThinking
	generateBudget
	generateTier
	generateCached
	generateStore
	generateMedia
	generateMediaType
	generateData
	generateFile
	generateFileAddress
	generateComputer
	generateOtherTool
	generateModalities
	generateModality
	generateUnknown
	generateContents
	generateText
	generateSystem
	generateRequest // one of several for embeddings
)

// googleContent is one of contents, and googleContents are they, as all of Google's
// operations have them. Google's servers read a single object in place of an array
// of one.
var googleContent, googleContents = func() (content, contents *place) {
	media := &place{field: generateMedia, enters: true, names: []member{
		{text: "mimeType", snake: "mime_type", at: &place{field: generateMediaType}},
		{text: "data", at: &place{field: generateData}},
	}}
	file := &place{field: generateFile, names: []member{
		{text: "fileUri", snake: "file_uri", at: &place{field: generateFileAddress}},
	}}
	unknown := &place{field: generateUnknown}
	part := &place{others: unknown}
	parts := &place{others: unknown, each: part}
	part.names = []member{
		{text: "text", at: &place{field: generateText}},
		{text: "thought"},
		{text: "thoughtSignature", snake: "thought_signature"},
		{text: "functionCall", snake: "function_call"},
		{text: "executableCode", snake: "executable_code"},
		{text: "codeExecutionResult", snake: "code_execution_result"},
		{text: "inlineData", snake: "inline_data", at: media},
		{text: "fileData", snake: "file_data", at: file},
		{text: "functionResponse", snake: "function_response", at: &place{names: []member{{text: "parts", at: parts}}}},
	}
	parts.names = part.names
	content = &place{others: unknown, names: []member{{text: "parts", at: parts}, {text: "role"}}}
	turn := &place{field: generateContents, others: unknown, names: content.names}
	return content, &place{others: unknown, names: content.names, each: turn}
}()

// generateBody is what is read of generateContent (ai.google.dev, api/generate-content).
// Protobuf's JSON mapping reads both spellings of a name.
var generateBody = func() *place {
	tool := &place{others: &place{field: generateOtherTool}, names: []member{
		{text: "functionDeclarations", snake: "function_declarations"},
		{text: "computerUse", snake: "computer_use", at: &place{field: generateComputer}},
	}}
	return &place{names: []member{
		{text: "model", at: &place{field: generateModel}},
		{text: "contents", at: googleContents},
		{text: "systemInstruction", snake: "system_instruction", at: &place{field: generateSystem, enters: true, others: googleContent.others, names: googleContent.names}},
		{text: "generationConfig", snake: "generation_config", at: &place{field: generateSettings, names: []member{
			{text: "maxOutputTokens", snake: "max_output_tokens", at: &place{field: generateCap}},
			{text: "candidateCount", snake: "candidate_count", at: &place{field: generateChoices}},
			{text: "responseModalities", snake: "response_modalities", at: &place{field: generateModalities, each: &place{field: generateModality}}},
			{text: "thinkingConfig", snake: "thinking_config", at: &place{field: generateThinking, names: []member{
				{text: "thinkingBudget", snake: "thinking_budget", at: &place{field: generateBudget}},
			}}},
		}}},
		{text: "tools", at: &place{names: tool.names, others: tool.others, each: tool}},
		{text: "serviceTier", snake: "service_tier", at: &place{field: generateTier}},
		{text: "cachedContent", snake: "cached_content", at: &place{field: generateCached}},
		{text: "continuationToken", snake: "continuation_token", at: &place{field: generateCached}},
		{text: "store", at: &place{field: generateStore}},
	}}
}()

// readGenerate reads a body of generateContent. The model and whether a stream is
// asked for are in the path.
func (r *Request) readGenerate(rawQuery string) error {
	alt, err := queryValue(rawQuery, "alt")
	if err != nil {
		return err
	}
	switch alt {
	case "", "json":
	case "sse":
		r.SSE = r.Stream
	default:
		return invalid("alt", "must be sse or json")
	}
	b := &reading{request: r, scanner: scanner{snake: true}}
	// Models that can draw or speak do so unless something else is asked for.
	r.Reach = Reach{CacheWrite: true, OutputAudio: true, OutputImage: true}
	instructions := false // the texts that are read are the system's
	return b.scan(generateBody, func(f field, start, end int) (problem *Error) {
		switch f {
		case generateModel:
			return b.sameModel(start, end)
		case generateSettings:
			r.places.settings = span{start, end}
			return b.object("generationConfig", start, end)
		case generateCap:
			r.places.outputCap = span{start, end}
			r.OutputCap, problem = b.integer("generationConfig.maxOutputTokens", start, end, 1, maxOutputCap)
		case generateChoices:
			return b.choices("generationConfig.candidateCount", start, end)
		case generateThinking:
			return b.object("generationConfig.thinkingConfig", start, end)
		case generateBudget:
			return b.budget("generationConfig.thinkingConfig.thinkingBudget", start, end)
		case generateSystem:
			instructions = end < 0
		case generateText:
			if instructions {
				b.systemText(start, end)
			} else {
				b.headText(start, end)
			}
		case generateContents:
			r.conversation.begun = true // the first one is the user's
		case generateTier:
			r.ServiceTier, problem = b.enumerated("serviceTier", start, end)
		case generateCached:
			return b.refuse("cachedContent", becauseStored, start, end)
		case generateStore:
			return b.refuse("store", becauseKept, start, end)
		case generateComputer:
			r.toolKinds++
		case generateOtherTool:
			return b.refuse("tools", becauseUncapped, start, end)
		default:
			return b.visitPart(f, start, end)
		}
		return problem
	})
}

// visitPart reads the parts of contents.
func (b *reading) visitPart(f field, start, end int) *Error {
	switch f {
	case generateMedia:
		if end < 0 {
			b.mediaBegins()
		} else {
			b.mediaEnds()
		}
	case generateMediaType:
		b.mediaType(start, end)
	case generateData:
		b.mediaSize = end - start
	case generateFile:
		if !b.null(start, end) {
			b.request.unbounded++
			b.request.Reach.anyInput()
		}
	case generateUnknown:
		b.request.Reach.anyInput()
	case generateModality:
		b.modality(start, end)
	case generateModalities:
		b.modalities(start, end)
	case generateFileAddress:
		address := b.prefix(start, end)
		stored := bytes.HasPrefix(address, []byte("files/")) || bytes.Contains(address, []byte("generativelanguage.googleapis.com/"))
		clear(b.beginning[:])
		if stored {
			return unsupported("fileData", becauseStored)
		}
	}
	return nil
}

// sameModel reads a model's name in the body, which must be that of the path.
func (b *reading) sameModel(start, end int) *Error {
	name, problem := b.string("model", start, end, maxModelName+len(modelsPrefix))
	if problem != nil {
		return problem
	}
	if name != "" && strings.TrimPrefix(name, modelsPrefix) != b.request.Model {
		return invalid("model", "in the body is another one than in the path. Leave it out of the body")
	}
	if name != "" {
		b.request.places.models = append(b.request.places.models, span{start, end})
	}
	return nil
}

const modelsPrefix = "models/"
