package usage

import (
	"bytes"

	"github.com/faregate/faregate/metering/tokens"
)

// textCounter counts the text that an encoded JSON string stands for. Pieces may end
// anywhere, also inside an escape or a character.
type textCounter struct {
	tokens.Text
	escape bool   // a backslash was read
	digits int    // hexadecimal digits due
	unit   uint16 // the UTF-16 unit so far
}

func (t *textCounter) add(piece []byte) {
	for len(piece) > 0 {
		switch {
		case t.escape:
			t.escape = false
			switch c := piece[0]; c {
			case 'u':
				t.digits, t.unit = 4, 0
			case 'n', 'r', 't', 'b', 'f':
				t.AddLead('\n', 1)
			default:
				t.AddLead(c, 1)
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
				t.Add(piece)
				return
			}
			t.Add(piece[:end])
			t.escape = true
			piece = piece[end+1:]
		}
	}
}

// addUnit counts a unit of UTF-16 as the bytes that it makes of UTF-8.
func (t *textCounter) addUnit() {
	switch unit := t.unit; {
	case unit >= 0xD800 && unit < 0xDC00: // high surrogate: half of four bytes
		t.AddLead(0xF0, 2)
	case unit >= 0xDC00 && unit < 0xE000: // low surrogate: the other half
		t.Bytes += 2
	case unit < 0x80:
		t.AddLead(byte(unit), 1)
	case unit < 0x800:
		t.AddLead(byte(0xC0|unit>>6), 2)
	default:
		t.AddLead(byte(0xE0|unit>>12), 3)
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
