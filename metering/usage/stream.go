package usage

import "bytes"

var (
	doneMarker = []byte("[DONE]")
	errorType  = []byte("error")
	lineFeed   = []byte("\n")
)

// maxKept bounds how large an event may be to be passed as a whole; a larger one, as with an
// image, passes as it comes.
const maxKept = 32 << 10

// feedStream reads a piece of an event stream that is passed unchanged, event by event: half
// of one could not be taken back where it turns out to be an error, or where the provider
// breaks off in it, and SDKs would fail at it before they see an error of ours.
func (m *Meter) feedStream(p []byte) []byte {
	from := -1       // of p, where withholding begins
	heldToo := false // the current event's beginning is withheld, too
	eventAt := -1    // of p, where the current event begins
	if m.betweenEvents() {
		eventAt = 0
	}
	if m.terminal {
		from = 0
	}
	released := false
	withholdFinal := func(i int) {
		switch {
		case from >= 0 || !m.outcome.final:
		case eventAt >= 0:
			from = eventAt
		case m.oversized: // its beginning is with the client
			from = i
		default:
			from, heldToo = 0, true
		}
	}
	for i := 0; i < len(p); {
		n, token, start, end := 0, tokenOther, 0, 0
		if !m.bare {
			n, start, end = m.split.usual(p[i:])
		}
		switch {
		case n > 0:
			m.readToken(tokenData, p[i+start:i+end])
			withholdFinal(i)
			token = tokenEnd
			m.readToken(token, nil)
		case m.atBare(p[i]):
			n = m.readBare(p[i:])
		default:
			n, token, start, end = m.split.next(p[i:])
			m.readToken(token, p[i+start:i+end])
		}
		if token == tokenEnd && m.reopened {
			from, heldToo, released = -1, false, true
		}
		withholdFinal(i)
		i += n
		if m.betweenEvents() {
			eventAt, m.oversized = i, false
		}
	}
	if from < 0 {
		return m.passEvents(p, eventAt, released)
	}
	pass := p[:from]
	switch {
	case heldToo && released: // an event that takes the end back, and is one itself
		pass = m.releaseEarlier()
	case heldToo:
		m.lastWithheld = len(m.withheld)
		m.withhold(m.carried)
		m.carried = m.carried[:0]
	case released || len(m.carried) > 0:
		pass = m.passAfter(released, pass)
	}
	if eventAt >= 0 {
		m.lastWithheld = len(m.withheld) + eventAt - from
	}
	if from < len(p) {
		m.withhold(p[from:])
	}
	return pass
}

// betweenEvents tells whether all that was read belongs to events that are over.
func (m *Meter) betweenEvents() bool { return !m.bare && m.split.atLine() }

// passEvents passes what was fed as far as it is whole events, and keeps the event that
// begins at eventAt, or began earlier, for the next piece.
func (m *Meter) passEvents(p []byte, eventAt int, released bool) []byte {
	if m.oversized || m.betweenEvents() {
		eventAt = len(p)
	}
	kept := len(p) - eventAt
	if eventAt < 0 {
		kept = len(m.carried) + len(p)
	}
	if kept > maxKept {
		eventAt, m.oversized = len(p), true
	}
	if eventAt < 0 {
		m.carried = add(m.carried, p)
		return nil
	}
	pass := p[:eventAt]
	if released || len(m.carried) > 0 {
		pass = m.passAfter(released, pass)
	}
	m.carried = add(m.carried[:0], p[eventAt:])
	return pass
}

// passAfter is what goes on before and with pass: what was withheld, if that is released,
// and what was kept of an event.
func (m *Meter) passAfter(released bool, pass []byte) []byte {
	var withheld []byte
	if released {
		withheld = m.withheld
		m.withheld, m.terminal = m.withheld[:0], false
	}
	m.emptyOutput(len(withheld) + len(m.carried) + len(pass))
	m.out = add(m.out, withheld, m.carried, pass)
	m.carried = m.carried[:0]
	return m.out
}

// releaseEarlier passes what is withheld of the events before the last.
func (m *Meter) releaseEarlier() []byte {
	last := min(m.lastWithheld, len(m.withheld)) // the rest may have been too much to keep
	m.emptyOutput(last)
	m.out = add(m.out, m.withheld[:last])
	m.withheld = m.withheld[:copy(m.withheld, m.withheld[last:])]
	m.lastWithheld = 0
	return m.out
}

// readToken reads what the splitter found.
func (m *Meter) readToken(t token, text []byte) {
	switch t {
	case tokenData:
		m.data = m.data || len(text) > 0
		m.readData(text)
	case tokenJoin:
		m.readData(lineFeed)
	case tokenType:
		if len(text) == 0 {
			m.kindLength = 0
		}
		m.kindLength += copy(m.kind[m.kindLength:], text)
	case tokenEnd:
		m.endEvent()
	}
}

// readData reads a piece of an event's data, which is a JSON object or a marker.
func (m *Meter) readData(text []byte) {
	first := m.headLength == 0
	if m.headLength < len(m.head) {
		m.headLength += copy(m.head[m.headLength:], text)
	}
	if m.headLength > 0 && m.head[0] == doneMarker[0] {
		if bytes.Equal(m.head[:m.headLength], doneMarker) {
			m.outcome.ended, m.outcome.final = true, true
		}
		return
	}
	if first {
		m.shortcut.feed(&m.scanner, text)
	} else {
		m.scanner.feed(text)
	}
}

// endEvent judges the event that was read.
func (m *Meter) endEvent() {
	if bytes.Equal(m.kind[:m.kindLength], errorType) && m.data && !m.outcome.failed {
		m.outcome.fail()
	}
	// Data of another kind, say a word to keep the connection alive, does no harm.
	if m.headLength > 0 && m.head[0] == '{' && !m.scanner.done() && m.err == nil {
		m.err = ErrMalformed
	}
	m.format.endDocument(m.scanner.done())
	// Content after the end takes the end back: some servers give every chunk a
	// finish reason.
	o := m.outcome
	m.reopened = m.wasFinal && o.fresh && !o.ended && !o.failed
	if m.reopened {
		o.final = o.finishing
	}
	m.wasFinal = o.final
	o.fresh, o.finishing = false, false
	m.sample.keep()
	m.data, m.headLength, m.kindLength = false, 0, 0
	m.scanner.reset()
}
