package usage

// maxStripped bounds how large an event may be to be edited; a larger one passes unedited.
const maxStripped = 1 << 20

// feedStripped reads a piece of a chat stream and takes out what
// stream_options.include_usage added to it. An event is passed when it is whole,
// as its end decides what becomes of its beginning. Where p begins with an event, nothing
// is copied: what is left of p moves together in p.
func (m *Meter) feedStripped(p []byte) []byte {
	if m.inPiece = !m.carries && !m.oversized; m.inPiece {
		m.pass = p[:0]
	} else {
		m.emptyOutput(min(len(m.event), maxShortcut) + len(p)) // with the event that goes on
		m.pass = m.out
	}
	for i := 0; i < len(p); {
		if m.split.afterCR && p[i] == '\n' && len(m.event) == 0 && !m.oversized {
			// The rest of the CRLF that ended the previous event goes where that went.
			m.split.next(p[i : i+1])
			if !m.dropped {
				m.extendEvent(p[i : i+1])
				m.flushEvent()
			}
			i++
			continue
		}
		if len(m.event) == 0 && !m.carries && !m.oversized && !m.bare {
			if n, start, end := m.usualEvent(p[i:]); n > 0 {
				m.event, m.scanner.base = p[i:i+n], start
				m.readToken(tokenData, p[i+start:i+end])
				m.readStripped(tokenEnd, nil)
				i += n
				continue
			}
		}
		if m.atBare(p[i]) {
			n := m.readBare(p[i:])
			m.extendEvent(p[i : i+n])
			if !m.bare || len(m.event) > maxStripped {
				m.flushEvent()
			}
			i += n
			continue
		}
		n, token, start, end := m.split.next(p[i:])
		m.scanner.base = len(m.event) + start
		m.extendEvent(p[i : i+n])
		m.readStripped(token, p[i+start:i+end])
		if m.oversized || len(m.event) > maxStripped {
			m.oversized = token != tokenEnd
			m.flushEvent()
		}
		i += n
	}
	m.carryEvent()
	return m.passed()
}

// usualEvent is the splitter's usual, but for events that are too large to be edited.
func (m *Meter) usualEvent(p []byte) (n, from, to int) {
	if len(p) > maxStripped {
		return 0, 0, 0
	}
	return m.split.usual(p)
}

// extendEvent adds the next bytes of what is fed to the event, which lies there too unless
// it began earlier.
func (m *Meter) extendEvent(next []byte) {
	switch {
	case m.carries:
		m.carried = add(m.carried, next)
		m.event = m.carried
	case len(m.event) == 0:
		m.event = next
	default:
		m.event = m.event[:len(m.event)+len(next)]
	}
}

// dropEvent forgets the event.
func (m *Meter) dropEvent() {
	m.event, m.carried, m.carries = nil, m.carried[:0], false
}

// carryEvent keeps an event that is not whole for the next piece.
func (m *Meter) carryEvent() {
	if len(m.event) == 0 || m.carries {
		return
	}
	m.carried = add(m.carried[:0], m.event)
	m.event, m.carries = m.carried, true
}

// passed returns what may go on.
func (m *Meter) passed() []byte {
	pass := m.pass
	if !m.inPiece {
		m.out = pass
	}
	m.pass = nil
	return pass
}

// readStripped reads what the splitter found, and passes the event at its end.
func (m *Meter) readStripped(t token, text []byte) {
	if t != tokenEnd {
		m.readToken(t, text)
		return
	}
	whole := m.scanner.done()
	extra := whole && m.chat.extraUsage()
	cuts := m.scanner.cuts
	m.endEvent()
	if m.oversized {
		return
	}
	if m.dropped = extra; extra {
		m.dropEvent()
		return
	}
	if whole {
		m.cutEvent(cuts.ranges())
	}
	m.flushEvent()
}

// cutEvent takes ranges out of the event.
func (m *Meter) cutEvent(ranges []cut) {
	kept := 0
	for i, r := range ranges {
		next := len(m.event)
		if i+1 < len(ranges) {
			next = ranges[i+1].from
		}
		if i == 0 {
			kept = r.from
		}
		kept += copy(m.event[kept:], m.event[r.to:next])
	}
	if len(ranges) > 0 {
		m.event = m.event[:kept]
	}
}

// flushEvent passes the event, or withholds it after the end.
func (m *Meter) flushEvent() {
	if m.reopened {
		if m.inPiece { // where there is no room for what came with earlier ones
			m.inPiece = false
			m.emptyOutput(len(m.pass) + len(m.withheld) + len(m.event))
			m.pass = add(m.out, m.pass)
		}
		m.pass = add(m.pass, m.withheld)
		m.withheld = m.withheld[:0]
		m.terminal, m.reopened = false, false
	}
	if m.terminal || m.outcome.final {
		m.withhold(m.event)
	} else {
		m.pass = add(m.pass, m.event)
	}
	m.dropEvent()
}
