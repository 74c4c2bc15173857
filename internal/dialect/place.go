package dialect

import (
	"unicode/utf16"
	"unicode/utf8"
)

// field names a place whose value is of interest.
type field uint8

// noField is the field of places that are only passed through.
const noField field = 0

// place is a place in the tree of a body, in terms of what may be found there. A
// place can have members and elements both: then either is read.
type place struct {
	field  field
	names  []member // of an object; at most 64
	others *place   // of an object: all members that names does not have
	each   *place   // of an array
	enters bool     // visit is called also when an object begins
}

// member is a member of an object by name.
type member struct {
	text  string // as the provider documents it
	snake string // its other spelling, where there is one
	at    *place
}

// lookup finds the name that begins at a byte among those of interest, and returns
// its index, -1 if it is none of them. A name that is not one but that some parsers
// would take for one is an error, which it notes: Go's encoding/json, as others,
// ignores case (also of ſ and K, which fold to s and k), and escapes are decoded
// by all.
func (s *scanner) lookup(names []member, start int) (index int, ok bool) {
	end := start
	for s.data[end] != '"' {
		if s.data[end] == '\\' {
			end++
		}
		end++
	}
	key := s.data[start:end]
	for n := range names {
		if string(key) == names[n].text || names[n].snake != "" && string(key) == names[n].snake {
			return n, true
		}
	}
	var folded [maxName]byte
	length := s.fold(&folded, key)
	for n := range names {
		if s.sameFolded(names[n].text, folded[:length]) {
			s.problem = twin(names[n].text)
			return -1, false
		}
	}
	return -1, true
}

// maxName bounds the folded names that can be of interest.
const maxName = 32

// fold writes a key decoded, in lower case and, where two spellings are read,
// without underscores. It returns 0 for a key that cannot equal a name of interest.
func (s *scanner) fold(to *[maxName]byte, key []byte) int {
	n := 0
	for i := 0; i < len(key); {
		r := rune(key[i])
		switch {
		case r == '\\':
			var size int
			r, size = unescape(key[i:])
			i += size
		case r >= utf8.RuneSelf:
			var size int
			r, size = utf8.DecodeRune(key[i:])
			i += size
		default:
			i++
		}
		switch {
		case 'A' <= r && r <= 'Z':
			r += 'a' - 'A'
		case r == 'ſ':
			r = 's'
		case r == '\u212A': // the Kelvin sign
			r = 'k'
		case r == '_' && s.snake:
			continue
		case r >= utf8.RuneSelf:
			return 0
		}
		if n == maxName {
			return 0
		}
		to[n] = byte(r)
		n++
	}
	return n
}

// sameFolded compares a documented name with a folded key.
func (s *scanner) sameFolded(name string, folded []byte) bool {
	n := 0
	for _, c := range []byte(name) {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c == '_' && s.snake {
			continue
		}
		if n == len(folded) || folded[n] != c {
			return false
		}
		n++
	}
	return n == len(folded)
}

// unescape decodes the valid escape sequence that text begins with, and says how
// long it is.
func unescape(text []byte) (rune, int) {
	switch c := text[1]; c {
	case 'b':
		return '\b', 2
	case 'f':
		return '\f', 2
	case 'n':
		return '\n', 2
	case 'r':
		return '\r', 2
	case 't':
		return '\t', 2
	case 'u':
		r := unit(text[2:])
		if utf16.IsSurrogate(r) {
			if len(text) >= 12 && text[6] == '\\' && text[7] == 'u' {
				if pair := utf16.DecodeRune(r, unit(text[8:])); pair != utf8.RuneError {
					return pair, 12
				}
			}
			return utf8.RuneError, 6
		}
		return r, 6
	default: // ", \ and / stand for themselves
		return rune(c), 2
	}
}

// unit decodes four hexadecimal digits.
func unit(text []byte) rune {
	return hexDigit(text[0])<<12 | hexDigit(text[1])<<8 | hexDigit(text[2])<<4 | hexDigit(text[3])
}

func twice(name string) *Error {
	return NewError(CodeAmbiguousJSON).WithParam(name).WithMessage("The request body has " + name + " twice in the same object. Send it once.")
}

func twin(name string) *Error {
	return NewError(CodeAmbiguousJSON).WithParam(name).WithMessage("The request body has a member that some parsers read as " + name +
		" though it is spelled differently. Spell it exactly so, without escapes, and send it once.")
}
