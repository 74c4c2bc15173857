package usage

import "github.com/faregate/faregate/metering/tokens"

// recorder writes down what a reader hears, and what a cutter and a sample do, while a
// path is read.
type recorder struct {
	reader
	shortcut *shortcut
	calls    int // of the shortcut's
	names    int // bytes of the shortcut's
	full     bool
	base     int // the offset where the path began

	// What the cutter was told since the last member that was cut out: whether an open
	// range was closed, and the indexes of the last comma and of the last key after that.
	closed     bool
	comma, key int
}

const noCall = -1

// start prepares for the first path.
func (r *recorder) start(q *shortcut) {
	r.shortcut, r.calls, r.names, r.full = q, 0, 0, false
	q.texts = q.texts[:0]
}

// path reads a piece of the text, and remembers it if it ends between values.
func (r *recorder) path(s *scanner, text []byte, from, to int) bool {
	q := r.shortcut
	p := &q.paths[q.count]
	p.from, p.to, p.call = from, to, r.calls
	r.base = s.base + from
	r.forgetCuts()
	r.reader, s.reader = s.reader, r
	if s.cuts.field != 0 {
		s.cuts.log = r
	}
	if s.sample != nil {
		s.sample.log = r
		defer func() { s.sample.log = nil }()
	}
	s.feedFrom(text[:to], from)
	s.reader, s.cuts.log, r.reader = r.reader, nil, nil
	p.end = r.calls
	return !r.full && s.between() && p.after.mark(s)
}

// add writes down a call, and returns its index.
func (r *recorder) add(c call) int {
	if r.calls == len(r.shortcut.calls) {
		r.full = true
		return noCall
	}
	r.shortcut.calls[r.calls] = c
	r.calls++
	return r.calls - 1
}

// addText writes down a call with a text.
func (r *recorder) addText(c call, text []byte) {
	from := r.names
	r.names += copy(r.shortcut.names[from:], text)
	if r.names-from < len(text) {
		r.full = true
		return
	}
	c.from, c.to = uint16(from), uint16(r.names)
	r.add(c)
}

func (r *recorder) addSample(piece []byte) { r.addText(call{kind: callSample}, piece) }

// addCut writes down what the cutter is told. Of what it hears between two members that
// are cut out, the first key ends the range before it, and the last key and comma say where
// the next one begins: those between are left out.
func (r *recorder) addCut(kind callKind, f field, at int) {
	c := call{kind: kind, field: f, from: uint16(at - r.base)}
	switch {
	case kind == callNull:
		r.add(c)
		r.forgetCuts()
	case kind == callComma:
		r.addLast(&r.comma, c)
	case !r.closed: // by a key, or by the end of the object
		r.closed = true
		r.add(c)
	case kind == callKey:
		r.addLast(&r.key, c)
	}
}

// addLast writes down a call in the place of the last of its kind.
func (r *recorder) addLast(index *int, c call) {
	if *index == noCall {
		*index = r.add(c)
		return
	}
	r.shortcut.calls[*index] = c
}

func (r *recorder) forgetCuts() { r.closed, r.comma, r.key = false, noCall, noCall }

func (r *recorder) begin(f field) {
	r.add(call{kind: callBegin, field: f})
	r.reader.begin(f)
}

func (r *recorder) end(f field) {
	r.add(call{kind: callEnd, field: f})
	r.reader.end(f)
}

func (r *recorder) value(f field, k kind, text []byte) {
	r.addText(call{kind: callValue, field: f, value: k}, text)
	r.reader.value(f, k, text)
}

func (r *recorder) length(f field, text *tokens.Text) {
	r.add(call{kind: callLength, field: f, from: uint16(len(r.shortcut.texts))})
	r.shortcut.texts = append(r.shortcut.texts, *text)
	r.reader.length(f, text)
}
