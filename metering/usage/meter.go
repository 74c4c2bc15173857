package usage

import (
	"errors"
	"sync"
)

// maxWithheld bounds what is withheld. The last event of a Gemini stream can
// hold an image of some megabytes.
const maxWithheld = 16 << 20

// format is what a Meter asks of the reader of a wire format.
type format interface {
	reader
	endDocument(whole bool) // a document was read, to its end or not
	common() *outcome
	fill(*Report)
}

// Meter reads one response. It is not safe for concurrent use.
type Meter struct {
	home    *meterMemory // that it is in; nil once it is released
	options Options
	format  format
	chat    *chat // format, when it is that
	outcome *outcome

	split    splitter
	scanner  scanner
	shortcut *shortcut // of streams
	sample   sample
	root     *node
	bare     bool // a document outside of all events is being read
	marked   int  // bytes of a document's byte order mark that were seen

	// Of the event being read.
	head       [6]byte // the start of its data
	headLength int
	kind       [8]byte // its type
	kindLength int
	data       bool // it has data
	wasFinal   bool // the generation was over before it
	reopened   bool // it took back that the generation was over

	terminal bool // bytes are being withheld
	withheld []byte
	out      []byte // bytes to pass that are not the caller's

	// Of streams.
	carried      []byte // an event that began earlier
	oversized    bool   // the event is passed on as it comes, and unedited
	lastWithheld int    // of withheld, where its last event begins

	// Of stripped streams.
	event   []byte // the event being read, in what is fed or in carried
	carries bool   // it is the one being read
	pass    []byte // what goes on of what is fed, there or in out
	inPiece bool   // it is there
	dropped bool   // the event before was dropped

	fed      bool
	finished bool
	err      error

	report Report // where the last one was filled in: it would be allocated each time
}

// NewMeter returns a Meter for one response.
func NewMeter(options Options) *Meter {
	m := newMeter(options.Framing)
	m.options = options
	m.options.StripUsage = options.StripUsage && (options.Format == OpenAIChat || options.Format == OpenAICompletions) && options.Framing == SSE
	wanted := choices{wanted: max(options.Choices, 1)}
	switch options.Format {
	case AnthropicMessages:
		m.format, m.scanner.root = &messages{}, messageRoot
	case GeminiGenerate:
		m.format, m.scanner.root = &gemini{choices: wanted}, geminiRoot
	case GeminiEmbed:
		m.format, m.scanner.root = &gemini{choices: wanted, given: options.Units}, geminiEmbedRoot
	case OpenAIResponses:
		m.format, m.scanner.root = &responses{openAI: openAI{longCache: options.LongCache}}, responseRoot
	case OpenAIChat:
		m.readChat(options, wanted)
		m.format, m.scanner.root = m.chat, chatRoot
	case OpenAICompletions:
		m.readChat(options, wanted)
		m.format, m.scanner.root = m.chat, completionRoot
	default:
		m.format = &answer{format: options.Format, wanted: wanted.wanted, given: options.Units, longestAudio: options.LongestAudio, openAI: openAI{profile: options.Profile, longCache: options.LongCache}}
		m.scanner.root = answerRoots[options.Format]
	}
	m.outcome = m.format.common()
	m.scanner.reader = m.format
	m.root = m.scanner.root
	if m.options.StripUsage {
		m.scanner.cuts.field = openAIUsageObject
	}
	if options.Estimator.HasTokenizer() && wanted.wanted == 1 {
		m.sampleOutput()
	}
	m.scanner.reset()
	return m
}

// meterMemory is what most responses need, in one piece. It is some KiB, which a request
// would pay more for to be allocated than to be wiped.
type meterMemory struct {
	meter Meter
	chat  chat
	paths shortcut // of streams, each of whose events needs it
}

var meterMemories = sync.Pool{New: func() any { return new(meterMemory) }}

func newMeter(framing Framing) *Meter {
	home := meterMemories.Get().(*meterMemory)
	m := &home.meter
	m.home = home
	if framing == SSE {
		m.shortcut = &home.paths
	}
	return m
}

func (m *Meter) readChat(options Options, wanted choices) {
	m.chat = &m.home.chat
	m.chat.choices, m.chat.profile, m.chat.longCache = wanted, options.Profile, options.LongCache
}

// Release forgets the response, as Forget does, and gives the Meter's memory to another
// one. Nothing of the Meter may be used any more.
func (m *Meter) Release() {
	home := m.home
	if home == nil {
		return
	}
	carried := m.carried[:0]
	m.Forget() // overwrites what carried has room for
	if m.shortcut != nil {
		home.paths = shortcut{}
	}
	if m.chat != nil {
		home.chat = chat{}
	}
	*m = Meter{}
	if cap(carried) <= smallOutput {
		m.carried = carried
	}
	meterMemories.Put(home)
}

// Feed reads the next piece of the response and returns the bytes that may go to
// the client now. They are p's or the Meter's own, valid until the next call.
// Unless usage is stripped, all that is passed and then withheld is the
// response, unchanged. Stripping may overwrite p.
func (m *Meter) Feed(p []byte) (pass []byte) {
	if len(p) == 0 {
		return nil
	}
	m.fed = true
	switch {
	case m.options.Framing == JSON:
		return m.feedDocument(p)
	case m.options.Framing == Raw:
		return m.feedRaw(p)
	case m.options.StripUsage:
		return m.feedStripped(p)
	}
	return m.feedStream(p)
}

// Finish says that the provider ended the response. It returns further bytes to
// pass, as Feed does. It is not to be called for a broken connection.
func (m *Meter) Finish() (pass []byte) {
	m.finished = true
	if m.shortcut != nil {
		m.shortcut.forget()
	}
	switch m.options.Framing {
	case Raw:
		return nil
	case JSON:
		if m.err == nil && !m.scanner.done() {
			m.err = ErrTruncated
		}
		return nil
	}
	m.finishEvent()
	if images, ok := m.format.(*answer); ok {
		images.endBody()
	}
	if m.err == nil && !m.complete() && !m.outcome.failed {
		m.err = ErrTruncated
	}
	return m.out
}

// finishEvent ends the last event, whose blank line may lack. One of which a part lacks is
// not passed.
func (m *Meter) finishEvent() {
	cut := m.bare || m.headLength > 0 && m.head[0] == '{' && !m.scanner.done()
	m.out = m.out[:0]
	if m.options.StripUsage {
		if cut {
			m.dropEvent()
		}
		m.pass, m.inPiece = m.out, false
		m.readStripped(tokenEnd, nil)
		m.passed()
		return
	}
	if m.data {
		m.endEvent()
	}
	switch {
	case cut:
	case m.terminal, m.outcome.final:
		m.withhold(m.carried)
	default:
		m.out = add(m.out, m.carried)
	}
}

// Withheld returns the bytes from the point on after which no more content can
// follow, to be passed once the settlement is durable.
func (m *Meter) Withheld() []byte { return m.withheld }

// Err is that of the Report.
func (m *Meter) Err() error { return m.err }

// Report says what the response said so far.
func (m *Meter) Report() Report {
	o := m.outcome
	m.report = Report{
		Final: m.over(), Complete: m.complete(),
		Failed: o.failed, ErrorKind: o.errorKind,
		Content: o.content, Output: o.output, OutputMediaBytes: o.encoded, VisibleReasoning: o.reasoned,
		Model: o.model, FinishReason: o.finishReason, ServiceTier: o.serviceTier, Speed: o.speed, Geo: o.geo,
		Err: m.err, Doubt: o.doubt,
	}
	r := &m.report
	if !o.failed {
		r.ErrorKind = ErrorNone
	}
	m.format.fill(r)
	if m.options.Format != AnthropicMessages {
		r.Provisional = r.Reported && !r.Final && m.options.Estimator.Count(nil, &r.Output) > 2*r.Usage.OutputTotal
	}
	return *r
}

// over tells whether no more content can follow.
func (m *Meter) over() bool {
	switch m.options.Framing {
	case Raw:
		return m.finished
	case JSON:
		return m.scanner.done() || m.scanner.inArray() && m.outcome.final
	}
	return m.outcome.final
}

// complete tells whether the whole answer arrived. A stream of OpenAI's ends with
// a marker, which not every server sends, and of responses and images only some
// do: these end with the body, as Gemini's.
func (m *Meter) complete() bool {
	switch {
	case m.options.Framing == JSON:
		return m.scanner.done()
	case m.options.Framing == Raw:
		return m.finished
	case m.outcome.ended:
		// The end of its last event may still be on its way, and is the client's too.
		return m.finished || !m.split.content && !m.split.afterCR
	}
	return m.finished && m.outcome.final && m.options.Format != AnthropicMessages
}

// withhold keeps bytes back.
func (m *Meter) withhold(p []byte) {
	m.terminal = true
	if len(m.withheld)+len(p) > maxWithheld {
		m.err = ErrTooLarge
	}
	if errors.Is(m.err, ErrTooLarge) {
		return // what was dropped must not leave a gap
	}
	if m.withheld == nil {
		m.withheld = takeOutput(len(p))
	}
	m.withheld = add(m.withheld, p)
}

// unmarked leaves out the byte order mark that a document may begin with.
func (m *Meter) unmarked(p []byte) []byte {
	for m.marked < len(byteOrderMark) && len(p) > 0 {
		if p[0] != byteOrderMark[m.marked] {
			m.marked = len(byteOrderMark)
			break
		}
		m.marked++
		p = p[1:]
	}
	return p
}

// feedDocument reads a piece of a JSON response. The piece in which the
// document, or the generation of a streamed array, ends is withheld whole. An element of an
// array is passed when it is whole, as it may be an error.
func (m *Meter) feedDocument(p []byte) []byte {
	text := m.unmarked(p)
	mark := len(p) - len(text)
	m.scanner.valueEnd = 0
	if !m.scanner.done() {
		m.scanner.single = true
		text = text[m.scanner.feed(text):]
		m.scanner.single = false
		if m.scanner.done() {
			m.format.endDocument(true)
		}
	}
	m.scanner.feed(text)
	if m.scanner.failed() && m.err == nil {
		m.err = ErrMalformed
	}
	switch {
	case m.terminal || m.over():
		if len(m.carried) > 0 {
			m.withhold(m.carried)
			m.carried = m.carried[:0]
		}
		m.withhold(p)
		return nil
	case m.scanner.inArray() && m.scanner.depth > 1:
		return m.passElements(p, mark)
	case len(m.carried) > 0:
		return m.passAfter(false, p)
	}
	return p
}

// passElements passes what was fed up to the end of an array's last element, if there is one
// in it, and keeps what follows. mark is the length of a byte order mark before it.
func (m *Meter) passElements(p []byte, mark int) []byte {
	if m.scanner.valueEnd == 0 {
		if len(m.carried)+len(p) > maxKept {
			return m.passAfter(false, p)
		}
		m.carried = add(m.carried, p)
		return nil
	}
	end := mark + m.scanner.valueEnd
	pass := p[:end]
	if len(m.carried) > 0 {
		pass = m.passAfter(false, pass)
	}
	m.carried = add(m.carried, p[end:])
	return pass
}
