package usage

import "bytes"

var (
	doneMarker = []byte("[DONE]")
	errorType  = []byte("error")
	lineFeed   = []byte("\n")
)

// feedStream reads a piece of an event stream that is passed unchanged.
func (m *Meter) feedStream(p []byte) []byte {
	from := -1    // of p, where withholding begins
	eventAt := -1 // of p, where the current event begins
	if !m.split.content {
		eventAt = 0
	}
	if m.terminal {
		from = 0
	}
	released := false
	for i := 0; i < len(p); {
		n, token, start, end := 0, tokenOther, 0, 0
		if m.atBare(p[i]) {
			n = m.readBare(p[i:])
		} else {
			n, token, start, end = m.split.next(p[i:])
			m.readToken(token, p[i+start:i+end])
		}
		if token == tokenEnd && m.reopened {
			from, released = -1, true
		}
		if from < 0 && m.outcome.final {
			from = max(eventAt, 0)
			if eventAt < 0 {
				from = i
			}
		}
		i += n
		if token == tokenEnd {
			eventAt = i
		}
	}
	if from < 0 {
		from = len(p)
	}
	pass := p[:from]
	if released {
		m.out = add(m.out[:0], m.withheld, pass)
		m.withheld = m.withheld[:0]
		pass = m.out
		m.terminal = false
	}
	if from < len(p) {
		m.withhold(p[from:])
	}
	return pass
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
