package dialect

// Fields of completions.
const (
	completionsModel field = iota + 1
	completionsPrompt
	completionsStream
	completionsChoices
	completionsBestOf
	completionsCap
	completionsStreamOptions
	completionsIncludeUsage
	completionsTier
)

// completionsBody is what is read of POST /v1/completions (openai-openapi,
// CreateCompletionRequest).
var completionsBody = &place{names: append([]member{
	{text: "model", at: &place{field: completionsModel}},
	{text: "prompt", at: &place{field: completionsPrompt}},
	{text: "stream", at: &place{field: completionsStream}},
	{text: "n", at: &place{field: completionsChoices}},
	{text: "best_of", at: &place{field: completionsBestOf}},
	{text: "max_tokens", at: &place{field: completionsCap}},
	{text: "stream_options", at: &place{field: completionsStreamOptions, names: []member{
		{text: "include_usage", at: &place{field: completionsIncludeUsage}},
	}}},
	{text: "service_tier", at: &place{field: completionsTier}},
}, routingMembers...)}

// standardCompletionCap is the output cap where a request has none (openai-openapi,
// max_tokens of completions). Compatible servers have others, so it is always sent.
const standardCompletionCap = 16

// readCompletions reads a body of completions.
func (r *Request) readCompletions() error {
	b := &reading{request: r}
	prompts, bestOf := 1, int64(1)
	err := b.scan(completionsBody, func(f field, start, end int) (problem *Error) {
		switch f {
		case completionsModel:
			return b.modelName(start, end)
		case completionsPrompt:
			if r.conversation.heads == 0 {
				b.headText(start, min(end, start+1+headEdge+1)) // it grows at its end
			}
			prompts, problem = b.prompts(start, end)
		case completionsStream:
			r.Stream, problem = b.boolean("stream", start, end)
			r.SSE = r.Stream
		case completionsChoices:
			return b.choices("n", start, end)
		case routing, routingModels, routingFallbacks, routingPlugins:
			return b.routed(f, start, end)
		case completionsBestOf:
			bestOf, problem = b.integer("best_of", start, end, 1, maxChoices)
		case completionsCap:
			r.places.outputCap = span{start, end}
			r.OutputCap, problem = b.integer("max_tokens", start, end, 1, maxOutputCap)
		case completionsStreamOptions:
			r.places.streamOptions = span{start, end}
			return b.object("stream_options", start, end)
		case completionsIncludeUsage:
			r.places.streamOptionUse = span{start, end}
			r.IncludeUsage, problem = b.boolean("stream_options.include_usage", start, end)
		case completionsTier:
			r.ServiceTier, problem = b.enumerated("service_tier", start, end)
		}
		return problem
	})
	switch {
	case err != nil:
		return err
	case r.Model == "":
		return noModel()
	}
	r.standardCap = standardCompletionCap
	r.prompts = prompts
	r.Choices *= prompts
	r.Generated = max(r.Choices, prompts*int(bestOf))
	return nil
}

// maxPrompts bounds the prompts of one request (openai-openapi: of embeddings).
const maxPrompts = 2048

// prompts counts the prompts: a string or an array of tokens is one, an array of
// those as many as it has.
func (b *reading) prompts(start, end int) (int, *Error) {
	data := b.scanner.data
	if data[start] != '[' {
		return 1, nil
	}
	first := data[b.scanner.space(start+1)]
	if first != '"' && first != '[' {
		return 1, nil // of tokens, or none
	}
	// The grammar is known to be right: elements are counted by the commas between them.
	count, depth := 1, 0
	for i := start + 1; i < end-1; i++ {
		switch data[i] {
		case '"':
			for i++; data[i] != '"'; i++ {
				if data[i] == '\\' {
					i++
				}
			}
		case '[', '{':
			depth++
		case ']', '}':
			depth--
		case ',':
			if depth == 0 {
				count++
			}
		}
	}
	if count > maxPrompts {
		return 0, invalid("prompt", "must have at most 2048 elements")
	}
	return count, nil
}
