package tokens

import (
	"sync"
	"unicode/utf8"

	"github.com/tiktoken-go/tokenizer/codec"
)

// encoding is one of OpenAI's, read into memory when it is first needed: that takes
// some tens of milliseconds and some megabytes, which no request pays whose provider
// reports its usage.
type encoding struct{ codec func() *codec.Codec }

var (
	o200kBase  = encoding{codec: sync.OnceValue(codec.NewO200kBase)}
	cl100kBase = encoding{codec: sync.OnceValue(codec.NewCl100kBase)}
)

// maxPiece bounds what is given to the tokenizer at once: some texts, as lines with
// nothing but blanks, take it the square of their length.
const maxPiece = 1 << 10

// count counts the tokens of a text. The text is cut where a word begins, which is where
// the tokenizer cuts it anyway; where none begins for half of maxPiece, anywhere between
// two characters. The tokenizer's own copies of a piece are left to the garbage collector.
func (e *encoding) count(text []byte) (n int64) {
	c := e.codec()
	for len(text) > 0 {
		piece := text[:pieceEnd(text)]
		text = text[len(piece):]
		tokens, err := c.Count(string(piece))
		if err != nil { // a limit of the tokenizer's own
			tokens = len(piece)
		}
		n += int64(tokens)
	}
	return n
}

// pieceEnd is where the first piece of a text ends.
func pieceEnd(text []byte) int {
	if len(text) <= maxPiece {
		return len(text)
	}
	for i := maxPiece - 1; i > maxPiece/2; i-- {
		if text[i] == ' ' && letter(text[i-1]) && letter(text[i+1]) {
			return i
		}
	}
	end := maxPiece
	for end > maxPiece-utf8.UTFMax && !utf8.RuneStart(text[end]) {
		end--
	}
	return end
}

func letter(c byte) bool { return c|0x20 >= 'a' && c|0x20 <= 'z' }
