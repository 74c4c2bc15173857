package usage

import (
	"bytes"

	"github.com/faregate/faregate/metering/tokens"
)

// The events of a stream differ in little: each is the one before with another
// piece of text and another number. A shortcut remembers how what they share was
// read, as paths with a value between each two, and does the same again without
// reading it. As a scanner goes by its place and the bytes alone, the result is
// the same.
type shortcut struct {
	paths [maxPaths]path
	count int

	// last is the event that the next unknown one is compared with.
	last       [maxShortcut]byte
	lastLength int
	hits       uint // of the paths
	misses     uint // since
}

const (
	maxShortcut = 512 // bytes of an event that are compared
	minShortcut = 24  // bytes of a first path, for it to be worth it
	maxPaths    = 4
	maxCalls    = 64
)

// path is a piece of a document that was read from a known place on.
type path struct {
	text  []byte
	calls []call        // what the reader heard of it, and the cutter
	full  bool          // there were more
	names []byte        // the texts of the calls
	texts []tokens.Text // what others are made of
	base  int           // the offset where it began
	after place
}

func (p *path) add(c call) {
	if p.full = len(p.calls) == maxCalls; !p.full {
		p.calls = append(p.calls, c)
	}
}

func (p *path) addSample(piece []byte) {
	from := len(p.names)
	p.names = add(p.names, piece)
	p.add(call{kind: callSample, from: from, to: len(p.names)})
}

func (p *path) addCut(kind callKind, f field, at int) {
	p.add(call{kind: kind, field: f, from: at - p.base})
}

type callKind uint8

const (
	callBegin callKind = iota
	callEnd
	callValue
	callLength
	callComma
	callKey
	callNull
	callClose
	callSample
)

type call struct {
	kind     callKind
	field    field
	value    kind
	from, to int // of names; from the path's start; from of texts
}

// place is where a scanner is between two values, or at the start of a text.
type place struct {
	state   scanState
	depth   int
	stack   [8]frame
	current *node
}

// feed reads the first piece of a document.
func (q *shortcut) feed(s *scanner, text []byte) {
	if q.hits++; q.hits&(q.hits-1) == 0 && q.hits <= 64 { // the paths may be those of an odd pair
		q.learn(s, text)
		return
	}
	at := 0
	for i := range q.paths[:q.count] {
		p := &q.paths[i]
		if !bytes.HasPrefix(text[at:], p.text) {
			q.miss(s, text, at)
			return
		}
		p.take(s, s.base+at)
		if at += len(p.text); at == len(text) {
			q.misses = 0
			return
		}
		if at = s.readOne(text, at); s.state != scanAfter {
			break
		}
	}
	if q.count == 0 {
		q.miss(s, text, at)
		return
	}
	s.feedFrom(text, at)
}

// forget overwrites what was kept of events.
func (q *shortcut) forget() {
	clear(q.last[:])
	for i := range q.paths {
		p := &q.paths[i]
		clear(p.text[:cap(p.text)])
		clear(p.names[:cap(p.names)])
	}
	q.count, q.lastLength = 0, 0
}

// miss reads the rest of an event that is not as remembered.
func (q *shortcut) miss(s *scanner, text []byte, at int) {
	q.misses++
	if at == 0 && (q.misses < 16 || q.misses%64 == 0) {
		q.learn(s, text)
		return
	}
	if q.misses > 16 { // not these any more
		q.count = 0
	}
	s.feedFrom(text, at)
}

// learn reads a document and remembers what it shares with the last one.
func (q *shortcut) learn(s *scanner, text []byte) {
	last := q.last[:q.lastLength]
	q.count = 0
	at, lastAt := 0, 0
	for q.count < maxPaths && s.state != scanFailed {
		n := sharedWith(last[lastAt:], text[at:])
		if n == 0 || q.count == 0 && n < minShortcut {
			break
		}
		recorded := q.paths[q.count].record(s, text, at, at+n)
		at += n
		if !recorded {
			break
		}
		q.count++
		inText := s.state == scanInString
		if lastAt = afterValue(last, lastAt+n, inText); lastAt < 0 {
			break
		}
		if at = s.readOne(text, at); s.state != scanAfter {
			break
		}
	}
	q.lastLength = copy(q.last[:], text)
	s.feedFrom(text, at)
}

// sharedWith is how far text is like last, up to where a value begins, or whole.
func sharedWith(last, text []byte) int {
	n := 0
	for n < len(last) && n < len(text) && last[n] == text[n] {
		n++
	}
	if n == len(last) && n == len(text) {
		return n
	}
	text = text[:n]
	end := 0
	for _, start := range valueStarts {
		if i := bytes.LastIndex(text, start); i >= 0 {
			end = max(end, i+len(start))
		}
	}
	return end
}

var valueStarts = [...][]byte{[]byte(`":`), []byte(`":"`), []byte(`": "`)}

// afterValue is the index after the value at i, or after the text that i is inside
// of; negative if there is none.
func afterValue(text []byte, i int, inText bool) int {
	for !inText && i < len(text) && text[i] == ' ' {
		i++
	}
	if !inText && i < len(text) && text[i] == '"' {
		inText = true
		i++
	}
	for ; i < len(text); i++ {
		switch c := text[i]; {
		case inText && c == '\\':
			i++
		case inText && c == '"':
			return i + 1
		case !inText && delimiter[c]:
			return i
		}
	}
	return -1
}

// record reads a piece of the text, and remembers it if it ends between values.
func (p *path) record(s *scanner, text []byte, from, to int) bool {
	if p.calls == nil {
		p.calls = make([]call, 0, maxCalls/4)
	}
	p.text, p.calls, p.names, p.texts, p.full = p.text[:0], p.calls[:0], p.names[:0], p.texts[:0], false
	p.base = s.base + from
	listener := &recorder{reader: s.reader, path: p}
	s.reader = listener
	if s.cuts.field != 0 {
		s.cuts.log = p
	}
	if s.sample != nil {
		s.sample.log = p
		defer func() { s.sample.log = nil }()
	}
	s.feedFrom(text[:to], from)
	s.reader, s.cuts.log = listener.reader, nil
	if p.full || !s.between() || !p.after.mark(s) {
		return false
	}
	p.text = add(p.text, text[from:to])
	return true
}

// take does what record did, for a piece that begins at base.
func (p *path) take(s *scanner, base int) {
	for i := range p.calls {
		switch c := &p.calls[i]; c.kind {
		case callBegin:
			s.reader.begin(c.field)
		case callEnd:
			s.reader.end(c.field)
		case callValue:
			s.reader.value(c.field, c.value, p.names[c.from:c.to])
		case callLength:
			s.reader.length(c.field, &p.texts[c.from])
		case callComma:
			s.cuts.comma(base + c.from)
		case callKey:
			s.cuts.key(base + c.from)
		case callNull:
			s.cuts.null(c.field, base+c.from)
		case callClose:
			s.cuts.close(base + c.from)
		case callSample:
			s.sample.add(p.names[c.from:c.to])
		}
	}
	s.state, s.depth, s.current = p.after.state, p.after.depth, p.after.current
	copy(s.stack[:], p.after.stack[:p.after.depth])
	s.startText()
	s.text = textCounter{}
}

// mark notes where a scanner is, unless it is too deep.
func (p *place) mark(s *scanner) bool {
	if s.depth > len(p.stack) {
		return false
	}
	p.state, p.depth, p.current = s.state, s.depth, s.current
	copy(p.stack[:], s.stack[:s.depth])
	return true
}

// between tells whether the scanner is between two values or at the start of a
// text: it keeps nothing of a value.
func (s *scanner) between() bool {
	switch s.state {
	case scanInString:
		skipped := s.current == nil || s.current.take == takeNothing
		return !s.escaped && (skipped || !s.escapes && s.length == 0 && !s.overflow && s.text == textCounter{})
	case scanInKey, scanInLiteral, scanInSkipped, scanInSkippedText, scanFailed:
		return false
	}
	return true
}

// readOne reads the value that is due or being read.
func (s *scanner) readOne(p []byte, i int) int {
	if s.state == scanColon && i < len(p) && p[i] == ':' {
		s.state = scanValue
		i++
	}
	if s.state == scanValue {
		for i < len(p) && p[i] == ' ' {
			i++
		}
		if i < len(p) {
			i = s.startValue(p, i)
		}
	}
	switch s.state {
	case scanInString:
		return s.readString(p, i)
	case scanInLiteral:
		return s.readLiteral(p, i)
	}
	return i
}

// feedFrom feeds a document's piece from an index on.
func (s *scanner) feedFrom(text []byte, from int) {
	s.base += from
	s.feed(text[from:])
	s.base -= from
}

// recorder is a reader that writes down what another one hears.
type recorder struct {
	reader
	path *path
}

func (r *recorder) begin(f field) {
	r.path.add(call{kind: callBegin, field: f})
	r.reader.begin(f)
}

func (r *recorder) end(f field) {
	r.path.add(call{kind: callEnd, field: f})
	r.reader.end(f)
}

func (r *recorder) value(f field, k kind, text []byte) {
	from := len(r.path.names)
	r.path.names = add(r.path.names, text)
	r.path.add(call{kind: callValue, field: f, value: k, from: from, to: len(r.path.names)})
	r.reader.value(f, k, text)
}

func (r *recorder) length(f field, text *tokens.Text) {
	r.path.add(call{kind: callLength, field: f, from: len(r.path.texts)})
	r.path.texts = append(r.path.texts, *text)
	r.reader.length(f, text)
}
