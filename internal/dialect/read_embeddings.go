package dialect

// Fields of operations without generated text.
const (
	inputModel field = iota + 1
	inputStream
	inputTexts
	inputText
)

// embeddingsBody is what is read of POST /v1/embeddings and /v1/moderations
// (openai-openapi, CreateEmbeddingRequest, CreateModerationRequest).
var embeddingsBody = &place{names: []member{
	{text: "model", at: &place{field: inputModel}},
	{text: "input", at: &place{field: inputTexts, each: &place{field: inputText}}},
	{text: "stream", at: &place{field: inputStream}},
	{text: "provider", at: routingPlace},
}}

// standardModeration is the model where a moderation names none (openai-openapi,
// CreateModerationRequest).
const standardModeration = "omni-moderation-latest"

// readInput reads a body of embeddings or moderations.
func (r *Request) readInput(standardModel string) error {
	b := &reading{request: r}
	err := b.scan(embeddingsBody, func(f field, start, end int) *Error {
		switch f {
		case inputStream:
			stream, problem := b.boolean("stream", start, end)
			if problem == nil && stream {
				problem = unsupported("stream", "this operation answers at once.")
			}
			return problem
		case inputTexts, inputText:
			b.embedded(f, start)
			return nil
		case routing:
			return b.routed(f, start, end)
		}
		if b.null(start, end) && standardModel != "" {
			r.places.model = span{start, end}
			return nil
		}
		return b.modelName(start, end)
	})
	if err != nil {
		return err
	}
	if r.Model == "" {
		r.Model = standardModel
	}
	if r.Model == "" {
		return noModel()
	}
	r.noOutput = true
	return nil
}

// embedded notes what is to be embedded: a text, tokens in place of one, or a list of
// those. An object is of a compatible provider's that embeds images, too, and those may be
// anywhere.
func (b *reading) embedded(f field, start int) {
	r := b.request
	switch b.scanner.data[start] {
	case '{':
		r.unbounded++
	case '"', '[':
	default:
		return // a token
	}
	if f == inputText {
		r.prompts++
	}
}
