package dialect

import (
	"strconv"

	"github.com/segmentio/asm/utf8" // as the standard library's, but at one speed in all languages
)

// maxDepth bounds how deep a body may nest. Real requests stay below 50; parsers
// of providers give up between 100 (protobuf) and 10,000.
const maxDepth = 128

// scanner checks that a text is strictly JSON (RFC 8259, in UTF-8, without byte
// order mark) and reports the values at the places of a tree on the way. Below
// places that are not in the tree it checks grammar only. It keeps no text.
type scanner struct {
	data []byte
	// snake says that names may be written in lowerCamelCase or snake_case, as
	// protobuf's JSON mapping reads both.
	snake bool
	// visit is called for each value at a place that has a field, when the value
	// was read; data[start:end] is the value. For an object at a place that says
	// enters, it is called before with end = -1.
	visit func(f field, start, end int) *Error

	// caching is set where the name of a member, anywhere, speaks of a cache, or may do so
	// as it is written with escapes.
	caching bool

	nonASCII bool
	problem  *Error
}

// scan reads the whole text.
func (s *scanner) scan(root *place) *Error {
	i := s.space(0)
	if i < len(s.data) && s.data[i] != '{' && s.data[i] != 0xEF {
		if end := s.skip(i, 0); end >= 0 && s.space(end) == len(s.data) {
			return NewError(CodeInvalidJSON).WithMessage("The request body must be a JSON object.")
		}
		return s.invalid(i)
	}
	end := s.value(i, 0, root)
	if end < 0 {
		return s.problem
	}
	if end = s.space(end); end != len(s.data) {
		return NewError(CodeInvalidJSON).WithMessage("The request body goes on after the end of its JSON object, at byte " + strconv.Itoa(end) + ". Send one object.")
	}
	if s.nonASCII && !utf8.Valid(s.data) {
		return NewError(CodeInvalidJSON).WithMessage("The request body is not UTF-8. Encode it as UTF-8 without byte order mark.")
	}
	return nil
}

// invalid notes that the text is no JSON at a byte, and returns the error. What is
// noted first stays.
func (s *scanner) invalid(at int) *Error {
	if s.problem != nil {
		return s.problem
	}
	switch {
	case len(s.data) == 0:
		s.problem = NewError(CodeInvalidJSON).WithMessage("The request has no body. Send a JSON object.")
	case at >= len(s.data):
		s.problem = NewError(CodeInvalidJSON).WithMessage("The request body ends before its JSON does.")
	default:
		s.problem = NewError(CodeInvalidJSON).WithMessage("The request body is not valid JSON at byte " + strconv.Itoa(at) + ".")
	}
	return s.problem
}

// fail is invalid for the functions that return where they got to.
func (s *scanner) fail(at int) int {
	_ = s.invalid(at) // kept in s.problem
	return -1
}

func (s *scanner) tooDeep() int {
	s.problem = NewError(CodeInvalidJSON).WithMessage("The request body nests deeper than " + strconv.Itoa(maxDepth) + " levels. Make it flatter.")
	return -1
}

// value reads a value that begins at i, at a place, and returns where it ends.
func (s *scanner) value(i, depth int, p *place) int {
	if p == nil {
		return s.skip(i, depth)
	}
	if i >= len(s.data) {
		return s.fail(i)
	}
	end := 0
	switch c := s.data[i]; {
	case c == '{' && p.names != nil:
		if p.enters {
			if s.problem = s.visit(p.field, i, -1); s.problem != nil {
				return -1
			}
		}
		end = s.object(i, depth, p)
	case c == '[' && p.each != nil:
		end = s.array(i, depth, p)
	default:
		end = s.skip(i, depth)
	}
	if end >= 0 && p.field != noField {
		if s.problem = s.visit(p.field, i, end); s.problem != nil {
			return -1
		}
	}
	return end
}

// object reads an object whose members are of interest.
func (s *scanner) object(i, depth int, p *place) int {
	if depth++; depth > maxDepth {
		return s.tooDeep()
	}
	var seen uint64
	if i = s.space(i + 1); i < len(s.data) && s.data[i] == '}' {
		return i + 1
	}
	for {
		key := i + 1
		if i = s.key(i); i < 0 {
			return -1
		}
		child := p.others
		n, ok := s.lookup(p.names, key)
		if !ok {
			return -1
		}
		if n >= 0 {
			if seen&(1<<n) != 0 {
				s.problem = twice(p.names[n].text)
				return -1
			}
			seen |= 1 << n
			child = p.names[n].at
		}
		if i = s.value(i, depth, child); i < 0 {
			return -1
		}
		i = s.space(i)
		switch {
		case i < len(s.data) && s.data[i] == ',':
			i = s.space(i + 1)
		case i < len(s.data) && s.data[i] == '}':
			return i + 1
		default:
			return s.fail(i)
		}
	}
}

// array reads an array whose elements are of interest.
func (s *scanner) array(i, depth int, p *place) int {
	if depth++; depth > maxDepth {
		return s.tooDeep()
	}
	if i = s.space(i + 1); i < len(s.data) && s.data[i] == ']' {
		return i + 1
	}
	for {
		if i = s.value(i, depth, p.each); i < 0 {
			return -1
		}
		i = s.space(i)
		switch {
		case i < len(s.data) && s.data[i] == ',':
			i = s.space(i + 1)
		case i < len(s.data) && s.data[i] == ']':
			return i + 1
		default:
			return s.fail(i)
		}
	}
}

// skip checks the grammar of a value that begins at i and returns where it ends.
func (s *scanner) skip(i, depth int) int {
	// One bit for each open container: set for an object, clear for an array.
	var objects [maxDepth/64 + 1]uint64
	base := depth
	data := s.data
	for {
		if i >= len(data) {
			return s.fail(i)
		}
		switch c := data[i]; c {
		case '"':
			i = s.text(i + 1)
		case '{', '[':
			if depth++; depth > maxDepth {
				return s.tooDeep()
			}
			i = s.space(i + 1)
			if c == '{' {
				objects[depth>>6] |= 1 << (depth & 63)
			} else {
				objects[depth>>6] &^= 1 << (depth & 63)
			}
			if i < len(data) && data[i] == c+2 { // '}' is '{' + 2, ']' is '[' + 2
				i++
				depth--
				break
			}
			if c == '{' {
				if i = s.key(i); i < 0 {
					return -1
				}
			}
			continue
		case 't':
			i = s.literal(i, "true")
		case 'f':
			i = s.literal(i, "false")
		case 'n':
			i = s.literal(i, "null")
		default:
			i = s.number(i)
		}
		if i < 0 {
			return -1
		}
		// A value has ended: so may containers.
		for depth > base {
			if i = s.space(i); i >= len(data) {
				return s.fail(i)
			}
			inObject := objects[depth>>6]&(1<<(depth&63)) != 0
			c := data[i]
			if c == ',' {
				i = s.space(i + 1)
				if inObject {
					if i = s.key(i); i < 0 {
						return -1
					}
				}
				break
			}
			if inObject && c != '}' || !inObject && c != ']' {
				return s.fail(i)
			}
			i++
			depth--
		}
		if depth == base {
			return i
		}
	}
}

// key reads a member's name, which begins at i, and the colon, and returns where
// the value begins.
func (s *scanner) key(i int) int {
	if i >= len(s.data) || s.data[i] != '"' {
		return s.fail(i)
	}
	name := i + 1
	if i = s.text(name); i < 0 {
		return -1
	}
	s.caching = s.caching || speaksOfCache(s.data[name:i-1])
	if i = s.space(i); i >= len(s.data) || s.data[i] != ':' {
		return s.fail(i)
	}
	return s.space(i + 1)
}

// space skips white space.
func (s *scanner) space(i int) int {
	for i < len(s.data) {
		if c := s.data[i]; c > ' ' || c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
		i++
	}
	return i
}
