package usage

import "bytes"

// token is what the splitter found next in an event stream.
type token uint8

const (
	tokenOther token = iota // nothing to read: comments, field names, line ends
	tokenData               // a piece of the event's data
	tokenJoin               // a further data line begins: the data goes on with a line feed
	tokenType               // a piece of the event's type; an empty one begins it anew
	tokenEnd                // the event is over
)

type splitState uint8

const (
	splitName  splitState = iota // at the start of a line or in a field name
	splitSpace                   // after the colon, where one space is left out
	splitValue                   // in a value that matters
	splitRest                    // in a line that does not matter
)

// splitter cuts an event stream into events by the grammar of
// https://html.spec.whatwg.org/multipage/server-sent-events.html: lines end in
// LF, CRLF or CR, and pieces may end anywhere. It keeps no content.
type splitter struct {
	state   splitState
	started bool // past the first line, where a byte order mark may stand
	afterCR bool // a LF now belongs to the line end before it
	name    [12]byte
	length  int // of name; len(name)+1 when it is too long to be of interest
	value   token
	data    bool // the event has a data line
	content bool // the event has a line of any kind
}

var (
	dataPrefix    = []byte("data: ")
	byteOrderMark = []byte("\xEF\xBB\xBF")
)

// next reads the start of p, which is not empty, and consumes n ≥ 1 bytes of it.
// p[from:to] is what the token is about.
func (s *splitter) next(p []byte) (n int, t token, from, to int) {
	if s.afterCR {
		s.afterCR = false
		if p[0] == '\n' {
			return 1, tokenOther, 0, 0
		}
	}
	switch s.state {
	case splitName:
		// The usual line, all at once.
		if s.length == 0 && !s.data && bytes.HasPrefix(p, dataPrefix) {
			s.state, s.value, s.data, s.content = splitValue, tokenData, true, true
			end := len(dataPrefix) + lineEnd(p[len(dataPrefix):])
			return end, tokenData, len(dataPrefix), end
		}
		return s.nextName(p)
	case splitSpace:
		s.state = splitValue
		if s.value == tokenOther {
			s.state = splitRest
		}
		if p[0] == ' ' {
			return 1, tokenOther, 0, 0
		}
	}
	end := lineEnd(p)
	if end > 0 {
		if s.state == splitRest {
			return end, tokenOther, 0, 0
		}
		return end, s.value, 0, end
	}
	return s.endLine(p), tokenOther, 0, 0
}

// usual consumes the rest of an event that is one line of data and a blank one, as nearly
// all are: n bytes, of which p[from:to] is the data. It is for both tokens at once, and does
// nothing and returns 0 where the rest is anything else, or is not all of it there.
func (s *splitter) usual(p []byte) (n, from, to int) {
	if s.state != splitName || s.length != 0 || s.data || s.afterCR || !bytes.HasPrefix(p, dataPrefix) {
		return 0, 0, 0
	}
	from = len(dataPrefix)
	to = bytes.IndexByte(p[from:], '\n') + from
	if n = to + 2; to < from || n > len(p) {
		return 0, 0, 0
	}
	if p[to-1] == '\r' {
		to--
		if n++; n > len(p) || p[n-2] != '\r' {
			return 0, 0, 0
		}
	}
	if p[n-1] != '\n' || bytes.IndexByte(p[from:to], '\r') >= 0 {
		return 0, 0, 0
	}
	s.started, s.value, s.content = true, tokenData, false
	return n, from, to
}

// atLine tells whether an event is about to begin with something other than a
// line feed, which would belong to the line before.
func (s *splitter) atLine() bool {
	return s.state == splitName && s.length == 0 && !s.content
}

// nextName reads a line up to its colon.
func (s *splitter) nextName(p []byte) (n int, t token, from, to int) {
	for i, c := range p {
		switch c {
		case '\n', '\r':
			if i > 0 {
				return i, tokenOther, 0, 0
			}
			if !s.started && string(s.name[:min(s.length, len(s.name))]) == string(byteOrderMark) {
				s.length = 0
			}
			blank := s.length == 0
			if !blank {
				// A line without a colon is a field with an empty value.
				t = s.chooseField()
			}
			n = s.endLine(p)
			if blank {
				ended := s.content
				s.content, s.data = false, false
				if ended {
					return n, tokenEnd, 0, 0
				}
			}
			return n, t, 0, 0
		case ':':
			s.state = splitSpace
			return i + 1, s.chooseField(), 0, 0
		}
		if s.length < len(s.name) {
			s.name[s.length] = c
			s.length++
		} else {
			s.length = len(s.name) + 1
		}
	}
	return len(p), tokenOther, 0, 0
}

// chooseField decides by its name what becomes of the line's value. A second
// data line joins the first with a line feed.
func (s *splitter) chooseField() token {
	name := s.name[:min(s.length, len(s.name))]
	if !s.started {
		name = bytes.TrimPrefix(name, byteOrderMark)
	}
	s.content = true
	s.value = tokenOther
	switch string(name) {
	case "data":
		s.value = tokenData
		if s.data {
			return tokenJoin
		}
		s.data = true
	case "event":
		s.value = tokenType
		return tokenType
	}
	return tokenOther
}

// endLine consumes the line end at the start of p.
func (s *splitter) endLine(p []byte) int {
	s.state, s.length, s.started = splitName, 0, true
	if p[0] == '\r' {
		if len(p) > 1 && p[1] == '\n' {
			return 2
		}
		s.afterCR = len(p) == 1
	}
	return 1
}

// lineEnd returns the index of the first line end in p, or len(p).
func lineEnd(p []byte) int {
	end := bytes.IndexByte(p, '\n')
	if end < 0 {
		end = len(p)
	}
	if cr := bytes.IndexByte(p[:end], '\r'); cr >= 0 {
		return cr
	}
	return end
}
