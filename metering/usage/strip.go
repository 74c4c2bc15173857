package usage

// maxStripped bounds how large an event may be to be edited; a larger one passes unedited.
const maxStripped = 1 << 20

// feedStripped reads a piece of a chat stream and takes out what
// stream_options.include_usage added to it. An event is passed when it is whole,
// as its end decides what becomes of its beginning.
func (m *Meter) feedStripped(p []byte) []byte {
	m.emptyOutput(min(len(m.event), maxShortcut) + len(p)) // with the event that goes on
	for i := 0; i < len(p); {
		if m.split.afterCR && p[i] == '\n' && len(m.event) == 0 && !m.oversized {
			// The rest of the CRLF that ended the previous event goes where that went.
			m.split.next(p[i : i+1])
			if !m.dropped {
				m.event = add(m.event, lineFeed)
				m.flushEvent()
			}
			i++
			continue
		}
		if m.atBare(p[i]) {
			n := m.readBare(p[i:])
			m.event = add(m.event, p[i:i+n])
			m.flushEvent()
			i += n
			continue
		}
		n, token, start, end := m.split.next(p[i:])
		m.scanner.base = len(m.event) + start
		m.event = add(m.event, p[i:i+n])
		m.readStripped(token, p[i+start:i+end])
		if m.oversized || len(m.event) > maxStripped {
			m.oversized = token != tokenEnd
			m.flushEvent()
		}
		i += n
	}
	return m.out
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
		m.event = m.event[:0]
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
		m.out = add(m.out, m.withheld)
		m.withheld = m.withheld[:0]
		m.terminal, m.reopened = false, false
	}
	if m.terminal || m.outcome.final {
		m.withhold(m.event)
	} else {
		m.out = add(m.out, m.event)
	}
	m.event = m.event[:0]
}
