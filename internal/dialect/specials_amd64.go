package dialect

import "golang.org/x/sys/cpu"

// byVector says that the processor, and the system, know the instructions of specials_amd64.s.
var byVector = cpu.X86.HasAVX2

// findSpecials sets, for each block of the data, the bits of the bytes that are control
// characters, quotes or backslashes, and tells whether any byte is not ASCII. There must be
// as many whole blocks as specials, and at least one.
func findSpecials(data []byte, specials []uint64) (nonASCII bool) {
	if !byVector {
		return findSpecialsByWord(data, specials)
	}
	data = data[:len(specials)*blockSize]
	return findSpecialsByVector(&data[0], len(specials), &specials[0]) != 0
}

// findSpecialsByVector reads so many blocks, at least one, and returns the high bits of all
// of their bytes, put together.
//
//go:noescape
func findSpecialsByVector(data *byte, blocks int, specials *uint64) (high uint32)
