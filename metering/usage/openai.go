package usage

import "bytes"

// The places that OpenAI's formats have in common.
const (
	openAIUsageObject field = iota + 128
	openAIModel
	openAITier
	openAILifetime
	openAIError
	openAIErrorWord
	openAIErrorText
	countPrompt
	countCompletion
	countTotal
	countInput
	countOutput
	countCached
	countCachedAudio
	countCachedImage
	countCachedHit
	countMissed
	countWritten
	countPromptAudio
	countPromptImage
	countPromptVideo
	countReasoning
	countOutputText
	countOutputAudio
	countOutputImage
	countSearches
	countXSearches
	countFiles
	countInterpreters
	countSeconds
	countPages
	countCost
	countTicks
	countMarketCost
)

var (
	openAIUsageNode = openAIUsage(openAIUsageObject)
	// An error is an object, or a text (xAI). One that says nothing is none: there are servers
	// that give each chunk the member.
	openAIErrorNode = &node{field: openAIError, take: takeValue, marks: true, members: []member{
		{"code", value(openAIErrorWord)},
		{"type", value(openAIErrorWord)},
	}, other: presence(openAIErrorText)}
	// openAICommon are the members that the documents of every format have.
	openAICommon = []member{
		{"model", value(openAIModel)},
		{"usage", openAIUsageNode},
		{"service_tier", value(openAITier)},
		{"error", openAIErrorNode},
		{"prompt_cache_options", &node{members: []member{{"ttl", value(openAILifetime)}}}},
	}
)

// openAI reads what OpenAI's formats have in common.
type openAI struct {
	outcome
	profile Profile

	// counts are those of the usage object being read, found the last of the
	// document that are not all zero, last those of the last whole document that
	// has any: some providers send running counts.
	counts, found, last openAICounts
	sawUsage            bool  // in this document
	errorSays           bool  // the error being read has something in it
	cost                int64 // in pico-dollars, as last told

	// longCache tells that what is written to a cache stays there for long, which has a
	// price of its own.
	longCache bool
}

func (o *openAI) begin(f field) {
	switch f {
	case openAIUsageObject:
		o.counts = openAICounts{}
	case openAIError:
		o.errorSays = false
	}
}

func (o *openAI) end(f field) {
	switch f {
	case openAIUsageObject:
		o.sawUsage = true
		if o.counts.cost > 0 {
			o.cost = o.counts.cost
		}
		if o.counts.reported() {
			o.found = o.counts
		}
	case openAIError:
		if o.errorSays {
			o.fail()
		}
	}
}

func (o *openAI) value(f field, k kind, text []byte) {
	switch f {
	case openAIModel:
		if len(text) > 0 { // empty in Azure's first chunk
			setName(&o.model, text)
		}
	case openAITier:
		setName(&o.serviceTier, text)
	case openAILifetime:
		o.longCache = LongLived(text)
	case openAIError:
		if k == kindString && len(text) > 0 {
			o.fail()
		}
	case openAIErrorWord:
		o.errorSays = o.errorSays || k != kindNull && len(text) > 0 && string(text) != "0"
		o.errorKind = o.errorKind.refine(text)
	default:
		switch f {
		case countCost, countTicks, countMarketCost:
		case countSeconds:
			if !o.sensible(decimal(text, 3)) {
				return
			}
		default:
			o.judged(k, text)
		}
		o.counts.set(f, text)
	}
}

// commit takes over the usage of a document, unless that is broken.
func (o *openAI) commit(whole bool) (more bool) {
	if !o.sawUsage {
		return false
	}
	if whole && o.found.reported() {
		o.last, more = o.found, true
	}
	o.found, o.sawUsage = openAICounts{}, false
	return more
}

func (o *openAI) common() *outcome { return &o.outcome }

func (o *openAI) fill(r *Report) {
	r.Usage = o.usage(o.profile)
	r.Doubt = max(r.Doubt, o.last.doubt(&r.Usage))
	r.Reported = o.last.reported()
	r.ProviderCost = o.cost
}

// usage is what was reported last.
func (o *openAI) usage(profile Profile) Usage {
	u := o.last.usage(profile, o.model)
	if o.longCache {
		u.CacheWrite, u.CacheWrite1h = 0, u.CacheWrite
	}
	return u
}

// LongLived tells whether a lifetime in a cache is one of hours: the usual one of
// OpenAI's is 30m, the long one 12h.
func LongLived(lifetime []byte) bool {
	return bytes.HasSuffix(lifetime, []byte("h")) || bytes.HasSuffix(lifetime, []byte("d"))
}

// reported tells whether there is anything but a cost.
func (c openAICounts) reported() bool {
	c.cost, c.marketCost, c.told = 0, false, false
	return c != openAICounts{}
}
