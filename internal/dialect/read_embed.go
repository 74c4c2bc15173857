package dialect

// countBody is what is read of countTokens: contents, or a body of generateContent
// inside (ai.google.dev, api/tokens).
var countBody = &place{names: []member{
	{text: "contents", at: googleContents},
	{text: "generateContentRequest", snake: "generate_content_request", at: &place{names: []member{
		{text: "model", at: &place{field: generateModel}},
		{text: "contents", at: googleContents},
		{text: "systemInstruction", snake: "system_instruction", at: googleContent},
		{text: "cachedContent", snake: "cached_content", at: &place{field: generateCached}},
	}}},
	{text: "model", at: &place{field: generateModel}},
	{text: "cachedContent", snake: "cached_content", at: &place{field: generateCached}},
}}

// embedBody is what is read of embedContent and batchEmbedContents (ai.google.dev,
// api/embeddings).
var embedBody = &place{names: []member{
	{text: "model", at: &place{field: generateModel}},
	{text: "content", at: googleContent},
	{text: "requests", at: &place{each: &place{field: generateRequest, names: []member{
		{text: "model", at: &place{field: generateModel}},
		{text: "content", at: googleContent},
	}}}},
}}

// readContents reads a body of one of Google's operations that generate nothing.
func (r *Request) readContents(body *place) error {
	b := &reading{request: r, scanner: scanner{snake: true}}
	err := b.scan(body, func(f field, start, end int) *Error {
		switch f {
		case generateModel:
			return b.sameModel(start, end)
		case generateRequest:
			r.prompts++
			return nil
		case generateCached:
			return b.refuse("cachedContent", becauseStored, start, end)
		}
		return b.visitPart(f, start, end)
	})
	r.noOutput = true
	return err
}
