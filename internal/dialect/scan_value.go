package dialect

import (
	"encoding/binary"
	"math/bits"
)

// text reads the rest of a string, whose opening quote is before i, and returns
// where it ends.
func (s *scanner) text(i int) int {
	data := s.data
	high := uint64(0) // high bits that were seen
	long := i + shortText
	// Eight bytes at a time, until that is worth more.
	for i+8 <= len(data) {
		if i >= long {
			var ended bool
			if i, ended = s.longText(i); ended {
				s.nonASCII = s.nonASCII || high&highBits != 0
				return i
			}
			long = len(data)
			continue
		}
		word := binary.LittleEndian.Uint64(data[i:])
		marks := special(word) & highBits
		if marks == 0 {
			high |= word
			i += 8
			continue
		}
		at := bits.TrailingZeros64(marks)
		high |= word & (1<<at - 1)
		i += at >> 3
		switch c := data[i]; {
		case c == '"':
			s.nonASCII = s.nonASCII || high&highBits != 0
			return i + 1
		case c != '\\':
			return s.fail(i)
		case i+1 < len(data) && shortEscapes[data[i+1]]:
			i += 2
			continue
		}
		if i = s.escape(i); i < 0 {
			return -1
		}
	}
	for i < len(data) {
		switch c := data[i]; {
		case c == '"':
			s.nonASCII = s.nonASCII || high&highBits != 0
			return i + 1
		case c == '\\':
			if i = s.escape(i); i < 0 {
				return -1
			}
		case c < ' ':
			return s.fail(i)
		default:
			high |= uint64(c)
			i++
		}
	}
	return s.fail(i)
}

// shortText is how long strings are read by the word: most names and values are shorter.
const shortText = 64

// fewBlocks and manyBlocks are how many are looked at before what is in them is read: few
// at first, as a string is likely to end soon.
const fewBlocks, manyBlocks = 4, 64

// longText goes on reading a string: to its end, or to where less than a block is left.
// Prompts and images, which are nearly all of a body, are read here.
func (s *scanner) longText(i int) (end int, ended bool) {
	var specials [manyBlocks]uint64
	data := s.data
	second := 0 // 1 where a block begins with the second byte of an escape
	for ahead := fewBlocks; ; ahead = min(2*ahead, manyBlocks) {
		// With the byte after the last block, which may be that of an escape.
		blocks := min((len(data)-1-i)/blockSize, ahead)
		if blocks <= 0 {
			return i + second, false
		}
		s.nonASCII = findSpecials(data[i:], specials[:blocks]) || s.nonASCII
		for _, marks := range specials[:blocks] {
			marks &^= uint64(second)
			second = 0
			for marks != 0 {
				at := bits.TrailingZeros64(marks)
				switch c := data[i+at]; {
				case c == '"':
					return i + at + 1, true
				case c != '\\':
					return s.fail(i + at), true
				case !shortEscapes[data[i+at+1]] && s.escape(i+at) < 0:
					return -1, true
				}
				marks &^= 3 << at
				second = at / (blockSize - 1)
			}
			i += blockSize
		}
	}
}

// escape reads an escape sequence, whose backslash is at i.
func (s *scanner) escape(i int) int {
	if i+1 >= len(s.data) {
		return s.fail(i + 1)
	}
	if c := s.data[i+1]; c == 'u' {
		for n := 2; n < 6; n++ {
			if i+n >= len(s.data) || hexDigit(s.data[i+n]) < 0 {
				return s.fail(i + n)
			}
		}
		return i + 6
	} else if shortEscapes[c] {
		return i + 2
	}
	return s.fail(i + 1)
}

// shortEscapes are the bytes that may follow a backslash, but u.
var shortEscapes = [256]bool{'"': true, '\\': true, '/': true, 'b': true, 'f': true, 'n': true, 'r': true, 't': true}

func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c && c <= 'f':
		return rune(c - 'a' + 10)
	case 'A' <= c && c <= 'F':
		return rune(c - 'A' + 10)
	}
	return -1
}

func (s *scanner) literal(i int, want string) int {
	for n := range len(want) {
		if i+n >= len(s.data) || s.data[i+n] != want[n] {
			return s.fail(i + n)
		}
	}
	return i + len(want)
}

// number reads a number (RFC 8259 section 6).
func (s *scanner) number(i int) int {
	if i < len(s.data) && s.data[i] == '-' {
		i++
	}
	switch {
	case i < len(s.data) && s.data[i] == '0':
		i++
	default:
		if i = s.digits(i); i < 0 {
			return -1
		}
	}
	if i < len(s.data) && s.data[i] == '.' {
		if i = s.digits(i + 1); i < 0 {
			return -1
		}
	}
	if i < len(s.data) && (s.data[i] == 'e' || s.data[i] == 'E') {
		i++
		if i < len(s.data) && (s.data[i] == '+' || s.data[i] == '-') {
			i++
		}
		return s.digits(i)
	}
	return i
}

// digits reads at least one digit.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.data) && '0' <= s.data[i] && s.data[i] <= '9' {
		i++
	}
	if i == start {
		return s.fail(i)
	}
	return i
}
