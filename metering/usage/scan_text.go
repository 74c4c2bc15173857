package usage

import (
	"bytes"
	"encoding/binary"
	"math/bits"
)

// textCounter counts the bytes and characters that an encoded JSON string stands
// for. Pieces may end anywhere, also inside an escape or a character.
type textCounter struct {
	bytes, runes int64
	escape       bool   // a backslash was read
	digits       int    // hexadecimal digits due
	unit         uint16 // the UTF-16 unit so far
}

func (t *textCounter) add(piece []byte) {
	for len(piece) > 0 {
		switch {
		case t.escape:
			t.escape = false
			if piece[0] == 'u' {
				t.digits, t.unit = 4, 0
			} else {
				t.bytes++
				t.runes++
			}
			piece = piece[1:]
		case t.digits > 0:
			t.unit = t.unit<<4 | hexadecimal(piece[0])
			t.digits--
			if t.digits == 0 {
				t.addUnit()
			}
			piece = piece[1:]
		default:
			end := bytes.IndexByte(piece, '\\')
			if end < 0 {
				t.addRaw(piece)
				return
			}
			t.addRaw(piece[:end])
			t.escape = true
			piece = piece[end+1:]
		}
	}
}

// addRaw counts text that has no escapes. A character counts with its first byte.
func (t *textCounter) addRaw(piece []byte) {
	t.bytes += int64(len(piece))
	for len(piece) >= 8 {
		word := binary.LittleEndian.Uint64(piece)
		continues := word >> 7 &^ (word >> 6) & 0x0101010101010101
		t.runes += int64(8 - bits.OnesCount64(continues))
		piece = piece[8:]
	}
	for _, c := range piece {
		if int8(c) >= -64 { // not 10xxxxxx, which continues a character
			t.runes++
		}
	}
}

func (t *textCounter) addUnit() {
	switch {
	case t.unit >= 0xD800 && t.unit < 0xDC00: // high surrogate: half of four bytes
		t.bytes += 2
		t.runes++
	case t.unit >= 0xDC00 && t.unit < 0xE000: // low surrogate: the other half
		t.bytes += 2
	case t.unit < 0x80:
		t.bytes++
		t.runes++
	case t.unit < 0x800:
		t.bytes += 2
		t.runes++
	default:
		t.bytes += 3
		t.runes++
	}
}

func hexadecimal(c byte) uint16 {
	switch {
	case c >= '0' && c <= '9':
		return uint16(c - '0')
	case c >= 'a' && c <= 'f':
		return uint16(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return uint16(c-'A') + 10
	}
	return 0
}
