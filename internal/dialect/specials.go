package dialect

import (
	"encoding/binary"
	"math/bits"
)

const (
	eachByte = 0x0101010101010101
	highBits = 0x8080808080808080
)

// blockSize is how many bytes of a string are looked at together, one bit of a word for each.
const blockSize = 64

// special marks bytes that are control characters, quotes or backslashes, by their high
// bits. The lowest mark is exact: a borrow into a byte needs a marked one below it
// ("Hacker's Delight", 6-1, finding zero bytes). With one bit turned over a quote comes
// next after the control characters, and a space after it.
func special(word uint64) uint64 {
	return ((word ^ eachByte*('"'^' ') - eachByte*(' '+1)) | (word ^ eachByte*'\\' - eachByte)) &^ word
}

// findSpecialsByWord is findSpecials for any processor.
func findSpecialsByWord(data []byte, specials []uint64) (nonASCII bool) {
	high := uint64(0)
	for n := range specials {
		block := (*[blockSize]byte)(data[n*blockSize:])
		any := uint64(0)
		for i := 0; i < blockSize; i += 8 {
			word := binary.LittleEndian.Uint64(block[i:])
			any |= special(word)
			high |= word
		}
		specials[n] = 0
		if any&highBits == 0 {
			continue
		}
		for i := 0; i < blockSize; i += 8 {
			specials[n] |= specialBytes(binary.LittleEndian.Uint64(block[i:])) << i
		}
	}
	return high&highBits != 0
}

// specialBytes has a bit for each byte of the word that is special.
func specialBytes(word uint64) (marks uint64) {
	for left := special(word) & highBits; left != 0; {
		at := bits.TrailingZeros64(left) &^ 7
		marks |= 1 << (at >> 3)
		word |= highBits >> (56 - at) // neither the byte nor those below it are special any more
		left = special(word) & highBits
	}
	return marks
}
