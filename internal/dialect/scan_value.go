package dialect

import (
	"encoding/binary"
	"math/bits"
)

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// text reads the rest of a string, whose opening quote is before i, and returns
// where it ends.
func (s *scanner) text(i int) int {
	data := s.data
	high := uint64(0) // high bits that were seen
	words := 0        // that were plain, in a row
	// Eight bytes at a time, as prompts and images are nearly all of a body.
	for i+8 <= len(data) {
		word := binary.LittleEndian.Uint64(data[i:])
		marks := special(word) & highBits
		if marks == 0 {
			high |= word
			i += 8
			if words++; words == longText/8 {
				i, high = plainBlocks(data, i, high)
				words = 0
			}
			continue
		}
		words = 0
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

// longText is how many bytes in a row stand for themselves where more are likely to
// follow, as in an image: in prose and code there is an escape before.
const longText = 128

// plainBlocks skips what stands for itself, as far as it comes in whole blocks, and adds
// the high bits that were seen.
func plainBlocks(data []byte, i int, high uint64) (int, uint64) {
	for ; i+32 <= len(data); i += 32 {
		block := (*[32]byte)(data[i:])
		a, b := binary.LittleEndian.Uint64(block[:]), binary.LittleEndian.Uint64(block[8:])
		c, d := binary.LittleEndian.Uint64(block[16:]), binary.LittleEndian.Uint64(block[24:])
		if (special(a)|special(b)|special(c)|special(d))&highBits != 0 {
			break
		}
		high |= a | b | c | d
	}
	return i, high
}

// special marks bytes that are control characters, quotes or backslashes, by their high
// bits. The lowest mark is exact: a borrow into a byte needs a marked one below it
// ("Hacker's Delight", 6-1, finding zero bytes). With one bit turned over a quote comes
// next after the control characters, and a space after it.
func special(word uint64) uint64 {
	return ((word ^ eachByte*('"'^' ') - eachByte*(' '+1)) | (word ^ eachByte*'\\' - eachByte)) &^ word
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
