package usage

import "github.com/faregate/faregate/metering/tokens"

// The places of interest in Gemini's responses.
const (
	geminiCandidate field = iota + 1
	geminiIndex
	geminiFinish
	geminiPart
	geminiThought
	geminiArgument
	geminiPath
	geminiContinues
	geminiText
	geminiCall
	geminiMedia
	geminiOther
	geminiBlocked
	geminiModel
	geminiGrounding
	geminiQuery
	geminiUsage
	geminiPrompt
	geminiCandidates
	geminiThoughts
	geminiToolUse
	geminiCached
	geminiTier
	geminiPromptDetail
	geminiCachedDetail
	geminiOutputDetail
	geminiToolUseDetail
	geminiModality
	geminiTokens
	geminiError
	geminiErrorWord
	geminiTotal
	geminiSum
	geminiEmbedding
	geminiEmbedded
	geminiCharacters
)

var geminiRoot = func() *node {
	text := length(geminiText)
	// A call's arguments come whole, or a value at a time and long strings in
	// pieces (streamFunctionCallArguments). What tools answer is present, but none
	// of the model's output.
	argument := output(geminiOther, []string{"nullValue"},
		member{"jsonPath", length(geminiPath)},
		member{"willContinue", value(geminiContinues)},
		member{"stringValue", text},
		member{"numberValue", size(geminiText)},
		member{"boolValue", size(geminiText)},
	)
	argument.field, argument.marks = geminiArgument, true
	part := output(geminiOther, []string{"thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution"},
		member{"text", text},
		member{"functionCall", output(geminiOther, []string{"id"},
			member{"name", length(geminiCall)},
			member{"args", size(geminiText)},
			member{"partialArgs", list(geminiOther, argument)},
		)},
		member{"inlineData", output(geminiOther, []string{"mimeType", "displayName"}, member{"data", length(geminiMedia)})},
		member{"executableCode", output(geminiOther, []string{"language", "id"}, member{"code", text})},
		member{"thought", value(geminiThought)},
	)
	part.field, part.marks = geminiPart, true
	parts := list(geminiOther, part)
	candidate := &node{field: geminiCandidate, marks: true, members: []member{
		{"content", &node{members: []member{{"parts", parts}}}},
		{"finishReason", value(geminiFinish)},
		{"index", value(geminiIndex)},
		{"groundingMetadata", &node{field: geminiGrounding, marks: true, members: []member{
			{"webSearchQueries", &node{element: value(geminiQuery)}},
		}}},
	}}
	chunk := []member{
		{"candidates", &node{element: candidate}},
		{"usageMetadata", geminiUsageNode},
		{"modelVersion", value(geminiModel)},
		{"promptFeedback", &node{members: []member{{"blockReason", value(geminiBlocked)}}}},
		{"error", geminiErrorNode},
	}
	// A document is one response, or an array of them: the stream without alt=sse.
	return &node{members: chunk, element: &node{members: chunk}}
}()

// gemini reads Gemini's responses.
type gemini struct {
	outcome
	choices choices

	// Of the candidate being read.
	index             int64
	candidateFinished bool
	queries           int64

	// Of the part being read.
	thought, worded bool

	// Of the argument being read, and whether it goes on with the one before.
	path                 tokens.Text
	continues, continued bool

	searches, grounded int64

	modality       modality
	tokens         int64
	counts, last   geminiCounts
	reported, some bool
	sum, lastSum   int64 // the total that is told

	given    Units        // by the request
	embedded geminiCounts // as told beside embeddings
}

func (g *gemini) begin(f field) {
	switch f {
	case geminiCandidate:
		g.index, g.candidateFinished = 0, false
	case geminiPart:
		g.thought, g.worded = false, false
	case geminiArgument:
		g.path, g.continues = tokens.Text{}, false
	case geminiGrounding:
		g.queries = 0
	case geminiUsage:
		g.counts, g.some, g.sum = geminiCounts{}, false, 0
	case geminiPromptDetail, geminiCachedDetail, geminiOutputDetail, geminiToolUseDetail:
		g.modality, g.tokens = modalityText, 0
	}
}

func (g *gemini) end(f field) {
	switch f {
	case geminiEmbedding:
		g.present()
	case geminiCandidate:
		if g.candidateFinished {
			g.finishing = true
			g.final = g.choices.finish(g.index) || g.final
		}
	case geminiPart:
		g.reasoned = g.reasoned || g.thought && g.worded
	case geminiArgument:
		// The path stands for the names and brackets around a value, which are
		// output too. It is said again with every piece of the value.
		if !g.continued {
			g.text(&g.path)
		}
		g.continued = g.continues
	case geminiGrounding:
		// Grounding without a query is of another source than the search.
		if g.queries > 0 {
			g.searches = max(g.searches, g.queries)
			g.grounded = 1
		}
	case geminiUsage:
		// Counts are cumulative, but a stream may restart them: the last object
		// that has counts holds, whole. Vertex sends some with trafficType only.
		if g.some {
			g.last, g.lastSum = g.counts, g.sum
			g.reported = g.reported || g.counts != (geminiCounts{})
		}
	case geminiPromptDetail:
		g.counts.promptBy[g.modality] = plus(g.counts.promptBy[g.modality], g.tokens)
	case geminiToolUseDetail:
		g.counts.promptBy[g.modality] = plus(g.counts.promptBy[g.modality], g.tokens)
	case geminiCachedDetail:
		g.counts.cachedBy[g.modality] = plus(g.counts.cachedBy[g.modality], g.tokens)
	case geminiOutputDetail:
		g.counts.outputBy[g.modality] = plus(g.counts.outputBy[g.modality], g.tokens)
	case geminiError:
		g.fail()
	}
}

func (g *gemini) value(f field, k kind, text []byte) {
	if k == kindNull {
		return
	}
	switch f {
	case geminiIndex:
		g.index = count(text)
	case geminiFinish:
		g.candidateFinished = true
		setName(&g.finishReason, enumeration(geminiFinishReasons, k, text))
	case geminiBlocked:
		// A blocked prompt has no candidates, and is charged.
		g.final = true
		setName(&g.finishReason, text)
	case geminiThought:
		g.thought = k == kindBool && text[0] == 't'
	case geminiContinues:
		g.continues = k == kindBool && text[0] == 't'
	case geminiModel:
		setName(&g.model, text)
	case geminiQuery:
		if len(text) > 0 {
			g.queries++
		}
	case geminiTier:
		setName(&g.serviceTier, enumeration(geminiTraffic, k, text))
	case geminiModality:
		g.modality = modalityOf(enumeration(geminiModalities, k, text))
	case geminiSum:
		g.sum = g.judged(k, text)
	case geminiTokens:
		g.tokens = g.judged(k, text)
	case geminiError:
		if k == kindString {
			g.fail()
		}
	case geminiErrorWord:
		g.errorKind = g.errorKind.refine(text)
	case geminiEmbedded:
		g.embedded.prompt = plus(g.embedded.prompt, g.judged(k, text))
	case geminiCharacters:
		g.embedded.characters = g.judged(k, text)
	default:
		g.some = true
		g.counts.set(f, g.judged(k, text))
	}
}

func (g *gemini) length(f field, text *tokens.Text) {
	switch f {
	case geminiMedia:
		g.media(text.Bytes)
	case geminiCall:
		g.call(text)
	case geminiPath:
		g.path = *text
	case geminiPart, geminiArgument, geminiOther:
		g.present()
	default:
		g.text(text)
		g.worded = g.worded || text.Bytes > 0
	}
}

func (g *gemini) endDocument(bool) {}

func (g *gemini) common() *outcome { return &g.outcome }

func (g *gemini) fill(r *Report) {
	counts := g.last
	if !g.reported {
		counts = g.embedded
	}
	r.Usage = counts.usage()
	r.Doubt = max(r.Doubt, counts.doubt(g.lastSum))
	r.Usage.Units.WebSearch = g.searches
	if oldGrounding(g.model) {
		r.Usage.Units.WebSearch = g.grounded
	}
	r.Usage.Units.Characters = g.embedded.characters
	r.Usage.Units = r.Usage.Units.orElse(g.given)
	r.Reported = g.reported || g.embedded != (geminiCounts{})
}
