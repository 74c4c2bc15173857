package dialect

import (
	"net/url"
	"strings"
)

// Request is what is read of a request that lets a model generate. It keeps the
// body's bytes and places in them; it holds no content of its own.
type Request struct {
	Operation Operation
	// Model is what the caller calls it.
	Model string
	// Stream says that the answer comes in pieces: as server-sent events, or for
	// Gemini without SSE as one JSON array.
	Stream bool
	// SSE says that a stream comes as server-sent events.
	SSE bool
	// Choices is how many answers are asked for, at least 1.
	Choices int
	// Generated is how many answers are generated for them, where that is more; 0 if
	// not.
	Generated int
	// OutputCap is the most tokens that the caller wants generated for each choice,
	// reasoning included; 0 if it did not say.
	OutputCap int64
	// ThinkingBudget is how many of them may go into reasoning; 0 if not said.
	ThinkingBudget int64
	// IncludeUsage says that the caller asked for usage in a chat stream.
	IncludeUsage bool
	// ServiceTier, Speed and Geo are what the caller asked for, empty if nothing:
	// names of 1 to 64 bytes that may have prices of their own.
	ServiceTier, Speed, Geo string
	// ContentType is the body's, where it is no JSON.
	ContentType string
	// Images is what a request for images asks for.
	Images Images
	// Characters is how many are to be spoken.
	Characters int64
	// AudioBytes is the size of the file to be written down, and ResponseFormat how.
	AudioBytes     int64
	ResponseFormat string
	// Tools are the tools that run at the provider.
	Tools []ServerTool
	// NoReasoning says that the caller turned reasoning off in so many words, and
	// AsksReasoning that it asked for some. One who contradicts itself does both.
	NoReasoning, AsksReasoning bool
	// OldSearch says that web searches are made with the older tool, web_search_preview,
	// which has a price of its own.
	OldSearch bool
	// LongCache says that caches are to be kept for hours.
	LongCache bool
	// Reach is which kinds of priced tokens the request can lead to.
	Reach Reach

	prompts   int  // texts that the model reads each by itself; 0 if there is one
	unbounded int  // pieces of input that are not in the body, or whose tokens its bytes do not tell
	images    int  // whose tokens are bounded each
	media     bool // other input than texts, whose tokens our own count cannot know
	imageSize int  // bytes of the body that are images
	toolKinds int  // tools of the provider's own, whose descriptions are not in the body
	tooled    bool // Anthropic's: there are tools, which the provider puts a prompt before
	beta      bool // ?beta=true
	noOutput  bool // the operation generates no text
	audio     span // the file to be written down

	standardCap    int64 // what the operation generates where the caller does not say
	toolCallsAdded bool  // responses: max_tool_calls is ours

	conversation conversation

	body   []byte
	places places
}

// ServerTool is a tool that runs at the provider, within one request.
type ServerTool struct {
	// Name is the tool's kind, as web_search.
	Name string
	// MaxUses is how often it may run.
	MaxUses int64
}

// ParseRequest reads the body of a request that lets a model generate, strictly:
// what two parsers could read in two ways is refused, as what is authorised and
// held for must be what the provider reads. model and stream are what Match read
// in the path; rawQuery is the query without credentials. The body must not change
// while the Request is used.
//
// Every error is an *Error. Refused are, beside what is malformed, content that
// the provider would keep, models other than the one called, and provider-side
// tools without a bound on their uses.
func ParseRequest(operation Operation, model string, stream bool, rawQuery string, body []byte) (*Request, error) {
	r := &Request{Operation: operation, Choices: 1, Reach: everything, body: body}
	var err error
	if operation.Dialect == Google {
		r.Model, r.Stream = model, stream
	}
	switch operation.read {
	case readsMessages:
		err = r.readMessages(rawQuery)
	case readsGenerate:
		err = r.readGenerate(rawQuery)
	case readsCountTokens:
		err = r.readContents(countBody)
	case readsEmbedContent:
		err = r.readContents(embedBody)
	case readsCompletions:
		err = r.readCompletions()
	case readsResponses:
		err = r.readResponses()
	case readsImages:
		err = r.readImages()
	case readsSpeech:
		err = r.readSpeech()
	case readsEmbeddings:
		err = r.readInput("")
	case readsModerations:
		err = r.readInput(standardModeration)
	default:
		err = r.readChat()
	}
	if err != nil {
		return nil, err
	}
	return r, nil
}

// ParseForm is ParseRequest for an Operation that IsForm: contentType says how the
// body is cut.
func ParseForm(operation Operation, contentType string, body []byte) (*Request, error) {
	r := &Request{Operation: operation, Choices: 1, Reach: everything, body: body}
	if problem := r.readForm(contentType); problem != nil {
		return nil, problem
	}
	return r, nil
}

// String keeps a request that is printed by mistake from showing its body.
func (r *Request) String() string { return r.Operation.Name + " " + r.Model }

// GoString is String for %#v.
func (r *Request) GoString() string { return r.String() }

// HasUnboundedInput tells whether some of the input is not in the body, as a file
// behind an address, or its tokens cannot be bounded by its bytes, as a PDF's.
// Then only the model's input limit bounds it.
func (r *Request) HasUnboundedInput() bool { return r.unbounded > 0 }

// Prompts is how many texts the model reads each by itself, so that each may be as long
// as the longest that it reads.
func (r *Request) Prompts() int64 { return int64(max(r.prompts, 1)) }

// HasMedia tells whether some of the input is no text, so that our own count of it,
// EstimateInput, can be far from what the provider's is.
func (r *Request) HasMedia() bool {
	return r.media || r.unbounded > 0 || r.images > 0 || r.AudioBytes > 0
}

// WebSearches is how many web searches the request can make at most.
func (r *Request) WebSearches() int64 {
	var most int64
	for _, tool := range r.Tools {
		if tool.Name == webSearch {
			most += tool.MaxUses
		}
	}
	return most
}

// Passes is how often the model can read its input within the request: once, and
// again after each use of a tool at the provider.
func (r *Request) Passes() int64 {
	passes := int64(1)
	for _, tool := range r.Tools {
		passes += tool.MaxUses
	}
	return passes
}

// OutputPasses is how often the model can generate up to its output cap: once, and
// once more for each time that it may shorten the conversation first.
func (r *Request) OutputPasses() int64 {
	passes := int64(1)
	for _, tool := range r.Tools {
		if tool.Name == compaction {
			passes += tool.MaxUses
		}
	}
	return passes
}

// OutputBound is the most tokens that an operation generates which takes no cap, with
// a model of this output limit.
func (r *Request) OutputBound(limit int64) int64 {
	switch {
	case r.Images.Count > 0:
		return r.Images.OutputBound()
	case r.noOutput:
		return 0
	case r.Characters > 0:
		return speechOverhead + r.Characters*speechTokens
	}
	return limit
}

// CanCapOutput tells whether the operation lets a request say how much is generated.
func (r *Request) CanCapOutput() bool {
	switch r.Operation.read {
	case readsSpeech, readsAudioForm:
		return false
	}
	return !r.noOutput && r.Operation.Kind == Generate && r.Operation.Name != compactResponses.Name
}

// StandardOutputCap is how much is generated for each choice where the caller gives no
// cap and the model's limit is not what counts; 0 if it is. It must then be sent.
func (r *Request) StandardOutputCap() int64 {
	if r.OutputCap > 0 {
		return 0
	}
	return r.standardCap
}

// queryValue returns the one value of a query parameter; two are an error, as
// servers differ in which of them they take.
func queryValue(rawQuery, name string) (string, error) {
	if rawQuery == "" {
		return "", nil
	}
	value, seen := "", false
	for parameter := range strings.SplitSeq(rawQuery, "&") {
		key, escaped, _ := strings.Cut(parameter, "=")
		decoded, err := url.QueryUnescape(key)
		if err != nil || decoded != name {
			continue
		}
		if seen {
			return "", NewError(CodeInvalidRequest).WithParam(name).WithMessage("The query has " + name + " twice. Send it once.")
		}
		seen = true
		if value, err = url.QueryUnescape(escaped); err != nil {
			return "", NewError(CodeInvalidRequest).WithParam(name).WithMessage("The query parameter " + name + " is not escaped properly.")
		}
	}
	return value, nil
}
