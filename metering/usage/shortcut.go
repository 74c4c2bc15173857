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
//
// All of it is one piece of memory: between two events of a stream come those of many
// others, and every place that has left the processor's caches meanwhile is waited for.
type shortcut struct {
	hits   uint // of the paths
	misses uint // since
	whole  bool // the paths were all of the last event, but for values
	count  int  // of paths

	// last is the event that the next unknown one is compared with. The paths are of it.
	last       [maxShortcut]byte
	lastLength int

	paths  [maxPaths]path
	calls  [maxCalls]call
	names  [maxNames]byte // the texts of the calls
	texts  []tokens.Text  // what others are made of
	record recorder
}

const (
	maxShortcut = 512 // bytes of an event that are compared
	minShortcut = 24  // bytes of a first path, for it to be worth it
	maxPaths    = 4
	maxCalls    = 64
	maxNames    = 256
)

// path is a piece of a document that was read from a known place on.
type path struct {
	from, to  int // of last
	call, end int // of calls: what the reader heard of it, and the cutter
	after     place
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

// call is what was heard of a path. Its numbers are small, as a path is.
type call struct {
	kind     callKind
	field    field
	value    kind
	from, to uint16 // of names; from the path's start; from of texts
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
	whole := q.whole
	q.whole = false
	if q.hits++; !whole && q.hits&(q.hits-1) == 0 && q.hits <= 64 { // the paths may be those of an odd pair
		q.learn(s, text)
		return
	}
	at := 0
	for i := range q.paths[:q.count] {
		p := &q.paths[i]
		if !bytes.HasPrefix(text[at:], q.last[p.from:p.to]) {
			q.miss(s, text, at)
			return
		}
		q.take(p, s, s.base+at)
		if at += p.to - p.from; at == len(text) {
			q.misses, q.whole = 0, true
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
	clear(q.names[:])
	q.count, q.lastLength = 0, 0
}

// miss reads the rest of an event that is not as remembered.
func (q *shortcut) miss(s *scanner, text []byte, at int) {
	q.misses++
	// One or two odd events are the end of a stream, or a remark in it.
	if at == 0 && (q.misses > 2 && q.misses < 16 || q.misses%64 == 0) {
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
	q.record.start(q)
	at, lastAt := 0, 0
	for q.count < maxPaths && s.state != scanFailed {
		n := sharedWith(last[lastAt:], text[at:])
		if n == 0 || q.count == 0 && n < minShortcut || at+n > len(q.last) {
			break
		}
		recorded := q.record.path(s, text, at, at+n)
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

// take does what was done when the path was recorded, for a piece that begins at base.
func (q *shortcut) take(p *path, s *scanner, base int) {
	calls := q.calls[p.call:p.end]
	for i := range calls {
		switch c := &calls[i]; c.kind {
		case callBegin:
			s.reader.begin(c.field)
		case callEnd:
			s.reader.end(c.field)
		case callValue:
			s.reader.value(c.field, c.value, q.names[c.from:c.to])
		case callLength:
			s.reader.length(c.field, &q.texts[c.from])
		case callComma:
			s.cuts.comma(base + int(c.from))
		case callKey:
			s.cuts.key(base + int(c.from))
		case callNull:
			s.cuts.null(c.field, base+int(c.from))
		case callClose:
			s.cuts.close(base + int(c.from))
		case callSample:
			s.sample.add(q.names[c.from:c.to])
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
