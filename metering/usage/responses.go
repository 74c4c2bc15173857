package usage

import "github.com/faregate/faregate/metering/tokens"

// responses reads the Responses interface. Its streams say everything up to three
// times: in deltas, in the items that they make, and in the whole at the end.
type responses struct {
	openAI

	// Of the document being read.
	event          responseEvent
	typed          bool // it is an event
	delta          tokens.Text
	status, reason string
	alone          responseItem   // the item that it is about
	hasAlone, told bool           // it has one, and says something of tools
	list           responseOutput // the list of its output
	listed         bool
	toolUse        responseTools

	item               responseItem // being read
	toolKind, toolName string       // of the tool being read

	items responseOutput // that have ended
	whole responseOutput // the last list
	tools responseTools
	// imageModel makes the images that the model asks for.
	imageModel string
	sample     *sample // of the text; nil: none
}

// responseTools is what a response says of the tools that it used.
type responseTools struct {
	searches int64
	told     bool // the number of searches
	images   openAICounts
}

func (r *responses) begin(f field) {
	switch f {
	case responseOutputList:
		r.list, r.listed = responseOutput{}, true
	case responseListed, responseAlone:
		r.item = responseItem{}
	case responseTool:
		r.toolKind, r.toolName = "", ""
	case responseImages:
		r.counts = openAICounts{}
	default:
		r.openAI.begin(f)
	}
}

func (r *responses) end(f field) {
	switch f {
	case responseListed:
		r.list.add(&r.item)
		r.content = r.content || r.item.shows()
	case responseAlone:
		r.alone, r.hasAlone = r.item, true
		r.content = r.content || r.item.shows()
	case responseTool:
		if r.toolKind == "image_generation" && r.toolName != "" {
			r.imageModel = r.toolName
		}
	case responseImages:
		r.toolUse.images, r.told = r.counts, true
	default:
		r.openAI.end(f)
	}
}

func (r *responses) value(f field, k kind, text []byte) {
	if k == kindNull {
		return
	}
	switch f {
	case responseType:
		r.typed, r.event = true, responseEventOf(text)
		switch r.event {
		case eventTerminal:
			r.final = true
		case eventFailed, eventError:
			r.fail()
		}
	case responseStatus:
		setName(&r.status, text)
	case responseReason:
		setName(&r.reason, text)
	case responseItemType:
		r.item.kind = itemKindOf(text)
	case responseRole:
		r.item.foreign = string(text) != "assistant"
	case responseAction:
		r.item.browsing = string(text) == "open_page" || string(text) == "find_in_page"
	case responseContainer:
		r.item.container = fingerprint(text)
	case responseSearches:
		if n := count(text); r.sensible(n) {
			r.toolUse.searches, r.toolUse.told, r.told = n, true, true
		}
	case responseToolKind:
		setName(&r.toolKind, text)
	case responseToolModel:
		setName(&r.toolName, text)
	default:
		r.openAI.value(f, k, text)
	}
}

func (r *responses) length(f field, text *tokens.Text) {
	switch f {
	case openAIErrorText:
		r.errorSays = true
	case responseDelta:
		r.delta = *text
	case responseCall:
		r.item.text.Join(text)
		r.item.text.Calls = 1
	case responseText:
		r.item.text.Join(text)
	case responseReasoning:
		r.item.thought.Join(text)
	case responseMedia:
		r.item.media += text.Bytes
	case responsePreview:
		r.present()
	default: // an item that has not the form of one, or something new in one
		r.item.present = true
	}
}

func (r *responses) endDocument(whole bool) {
	switch r.event {
	case eventText:
		r.text(&r.delta)
		if r.sample != nil {
			r.sample.wanted = true
		}
	case eventReasoning:
		r.reasoning(&r.delta)
	case eventAudio:
		r.media(r.delta.Bytes)
	case eventItemDone:
		r.items.add(&r.alone)
	}
	if whole && r.listed {
		r.whole = r.list
		r.reasoned = r.reasoned || r.list.thought
	}
	// What used no tools of the provider's says zero.
	if whole && r.told && r.toolUse != (responseTools{}) {
		r.tools = r.toolUse
	}
	if !r.typed || r.event == eventTerminal || r.event == eventFailed {
		r.finish()
	}
	r.commit(whole)
	r.event, r.typed, r.delta = eventOther, false, tokens.Text{}
	if r.listed || r.status != "" || r.hasAlone || r.told {
		r.alone, r.hasAlone, r.listed, r.toolUse, r.told = responseItem{}, false, false, responseTools{}, false
		r.status, r.reason = "", ""
	}
}

// finish notes how a response ended.
func (r *responses) finish() {
	switch {
	case r.status == "incomplete" && r.reason != "":
		r.finishReason = r.status + ":" + r.reason
	case r.status != "":
		r.finishReason = r.status
	}
	if r.status == "failed" {
		r.fail()
	}
}

func (r *responses) fill(report *Report) {
	// The interface includes reasoning with every provider.
	report.Usage = r.usage(ProfileStandard)
	report.Doubt = max(report.Doubt, r.last.doubt(&report.Usage))
	report.Reported = r.last.reported()
	report.ProviderCost = r.cost

	for _, other := range []*responseOutput{&r.items, &r.whole} {
		report.Output = *longer(&report.Output, &other.text)
		report.OutputMediaBytes = max(report.OutputMediaBytes, other.media)
	}
	// Numbers that the provider tells hold, else its calls are counted: xAI tells
	// those of all tools, OpenAI that of searches.
	counted := r.items.units.atLeast(r.whole.units)
	units := &report.Usage.Units
	switch {
	case r.last.told:
		counted = Units{Images: counted.Images}
	case r.tools.told:
		counted.WebSearch = r.tools.searches
	}
	*units = units.orElse(counted)
	if r.tools.images.reported() {
		report.Passes = append(report.Passes, Pass{Model: r.imageModel, Usage: r.tools.images.imageUsage(ProfileStandard, r.imageModel)})
	}
}
