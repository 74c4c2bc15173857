package usage

// geminiUsageNode is the usageMetadata of generations.
var geminiUsageNode = geminiUsageOf(
	member{"totalTokenCount", value(geminiSum)},
	member{"promptTokensDetails", geminiDetails(geminiPromptDetail)},
	member{"candidatesTokenCount", value(geminiCandidates)},
	member{"thoughtsTokenCount", value(geminiThoughts)},
	member{"toolUsePromptTokenCount", value(geminiToolUse)},
	member{"cachedContentTokenCount", value(geminiCached)},
	member{"cacheTokensDetails", geminiDetails(geminiCachedDetail)},
	member{"candidatesTokensDetails", geminiDetails(geminiOutputDetail)},
	member{"toolUsePromptTokensDetails", geminiDetails(geminiToolUseDetail)},
)

func geminiUsageOf(members ...member) *node {
	return &node{field: geminiUsage, marks: true, members: append([]member{
		{"promptTokenCount", value(geminiPrompt)},
		{"serviceTier", value(geminiTier)},
		{"trafficType", value(geminiTier)},
	}, members...)}
}

func geminiDetails(f field) *node {
	return &node{element: &node{field: f, marks: true, members: []member{
		{"modality", value(geminiModality)},
		{"tokenCount", value(geminiTokens)},
	}}}
}

var geminiErrorNode = &node{field: geminiError, take: takeValue, marks: true, members: []member{
	{"code", value(geminiErrorWord)},
	{"status", value(geminiErrorWord)},
}}

// geminiEmbedRoot is the shape of embeddings. Vertex's older ones, under
// predictions, have their tokens beside each and their characters at the end.
var geminiEmbedRoot = func() *node {
	statistics := &node{members: []member{
		{"token_count", value(geminiEmbedded)},
		{"tokenCount", value(geminiEmbedded)},
	}}
	embedding := &node{field: geminiEmbedding, marks: true, members: []member{{"statistics", statistics}}}
	return &node{members: []member{
		{"embedding", embedding},
		{"embeddings", &node{element: embedding}},
		{"predictions", &node{element: &node{members: []member{{"embeddings", embedding}}}}},
		{"metadata", &node{members: []member{{"billableCharacterCount", value(geminiCharacters)}}}},
		// Gemini names the details in the singular, Vertex does not.
		{"usageMetadata", geminiUsageOf(
			member{"promptTokenDetails", geminiDetails(geminiPromptDetail)},
			member{"promptTokensDetails", geminiDetails(geminiPromptDetail)},
			member{"totalTokenCount", value(geminiTotal)},
		)},
		{"modelVersion", value(geminiModel)},
		{"error", geminiErrorNode},
	}}
}()
