package usage

import (
	"bytes"

	"github.com/go-json-experiment/json/jsontext"
)

// startText forgets the string or literal before.
func (s *scanner) startText() {
	s.length, s.overflow, s.escaped, s.escapes = 0, false, false, false
}

// stringEnd finds the closing quote of the string that p[i:] is inside of. It
// returns its index, or len(p) if the string goes on in the next piece.
func (s *scanner) stringEnd(p []byte, i int) (end int, closed bool) {
	if s.escaped {
		s.escaped = false
		i++
	}
	// Most strings are short: a plain loop is quicker than the call.
	for limit := min(i+16, len(p)); i < limit; i++ {
		switch p[i] {
		case '"':
			return i, true
		case '\\':
			s.escapes = true
			i++
		}
	}
	if i > len(p) {
		s.escaped = true
		return len(p), false
	}
	for quote := -1; ; {
		if quote < i {
			offset := bytes.IndexByte(p[i:], '"')
			if offset < 0 {
				quote = len(p)
			} else {
				quote = i + offset
			}
		}
		backslash := bytes.IndexByte(p[i:quote], '\\')
		if backslash < 0 {
			return quote, quote < len(p)
		}
		s.escapes = true
		i += backslash + 2
		if i > len(p) {
			s.escaped = true
			return len(p), false
		}
	}
}

func (s *scanner) readString(p []byte, i int) int {
	end, closed := s.stringEnd(p, i)
	n := s.current
	if n == nil || n.take == takeNothing {
		if closed {
			s.afterValue()
			return end + 1
		}
		return end
	}
	if n.take == takeValue {
		value, ok := s.gather(p[i:end], closed)
		if !closed {
			return end
		}
		if !ok {
			value = nil
		} else if s.escapes {
			value = s.decode(value)
		}
		s.reader.value(n.field, kindString, value)
	} else {
		s.text.add(p[i:end])
		if s.sample != nil && s.sample.field == n.field {
			s.sample.add(p[i:end])
		}
		if !closed {
			return end
		}
		if n.take != takePresence || s.text.Bytes > 0 {
			s.reader.length(n.field, &s.text.Text)
		}
	}
	s.afterValue()
	return end + 1
}

func (s *scanner) readKey(p []byte, i int) int {
	end, closed := s.stringEnd(p, i)
	name, ok := s.gather(p[i:end], closed)
	if !closed {
		return end
	}
	s.current = nil
	if ok {
		if s.escapes {
			name = s.decode(name)
		}
		s.current = s.stack[s.depth-1].node.member(name)
	}
	s.state = scanColon
	if end+1 < len(p) && p[end+1] == ':' { // saves a turn of the loop
		s.state = scanValue
		return end + 2
	}
	return end + 1
}

func (s *scanner) readLiteral(p []byte, i int) int {
	end := i
	for end < len(p) && !delimiter[p[end]] {
		end++
	}
	closed := end < len(p)
	n := s.current
	if n == nil || n.take == takeNothing {
		if closed {
			s.afterValue()
		}
		return end
	}
	value, ok := s.gather(p[i:end], closed)
	if !closed {
		return end
	}
	if !ok && value[0] != '-' && (value[0] < '0' || value[0] > '9') {
		s.state = scanFailed
		return end
	}
	k := kindNumber // of one that is too long, the beginning
	if len(value) > 0 {
		switch value[0] {
		case 'n':
			k = kindNull
			if string(value) != "null" {
				s.state = scanFailed
				return end
			}
			if s.depth == 1 {
				s.cuts.null(n.field, s.base+end)
			}
		case 't', 'f':
			k = kindBool
		}
	}
	switch {
	case n.take == takeValue:
		s.reader.value(n.field, k, value)
	case n.take == takeSize && k != kindNull: // no output is a mere number or word: takePresence leaves it
		s.text = textCounter{}
		s.text.Add(value)
		s.reader.length(n.field, &s.text.Text)
	}
	s.afterValue()
	return end
}

// gather returns the whole of a value that may span pieces; ok is false if it
// was too long to be of interest, and the value its beginning.
func (s *scanner) gather(piece []byte, last bool) (value []byte, ok bool) {
	if last && s.length == 0 {
		return piece[:min(len(piece), maxValue)], len(piece) <= maxValue
	}
	copied := copy(s.scratch[s.length:], piece)
	s.length += copied
	s.overflow = s.overflow || copied < len(piece)
	return s.scratch[:s.length], !s.overflow
}

// decode resolves the escapes of a string. It is rare enough to allocate; what it
// returns is valid until the next call.
func (s *scanner) decode(value []byte) []byte {
	if s.decoded == nil {
		s.decoded = make([]byte, 2*(maxValue+2))
	}
	// Nothing gets longer by it. (Invalid UTF-8 would, and is an error.)
	quoted := append(append(append(s.decoded[:0:maxValue+2], '"'), value...), '"')
	decoded, err := jsontext.AppendUnquote(s.decoded[maxValue+2:maxValue+2], quoted)
	if err != nil {
		return nil
	}
	return decoded
}

// readSkipped passes over an object or array by counting brackets outside of strings.
func (s *scanner) readSkipped(p []byte, i int) int {
	start := i
	over := false
	for i < len(p) {
		if s.state == scanInSkippedText {
			end, closed := s.stringEnd(p, i)
			if !closed {
				i = end
				break
			}
			s.state = scanInSkipped
			i = end + 1
			continue
		}
		c := bracket[p[i]]
		i++
		if c == bracketNone {
			continue
		}
		if c == bracketQuote {
			s.state = scanInSkippedText
			continue
		}
		if c == bracketOpen {
			s.skipDepth++
			continue
		}
		s.skipDepth--
		if s.skipDepth == 0 {
			over = true
			break
		}
	}
	if s.sizing {
		s.text.Add(p[start:i])
	}
	if over {
		if s.sizing && (s.current.take != takePresence || s.text.Bytes > int64(len("{}"))) {
			s.reader.length(s.current.field, &s.text.Text)
		}
		s.sizing = false
		s.afterValue()
	}
	return i
}

const (
	bracketNone = iota
	bracketQuote
	bracketOpen
	bracketClose
)

var bracket = [256]uint8{'"': bracketQuote, '{': bracketOpen, '[': bracketOpen, '}': bracketClose, ']': bracketClose}

var delimiter = [256]bool{',': true, '}': true, ']': true, ' ': true, '\n': true, '\r': true, '\t': true, '"': true, '{': true, '[': true, ':': true}
