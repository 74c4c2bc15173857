//go:build !amd64

package dialect

// findSpecials sets, for each block of the data, the bits of the bytes that are control
// characters, quotes or backslashes, and tells whether any byte is not ASCII. There must be
// as many whole blocks as specials.
func findSpecials(data []byte, specials []uint64) (nonASCII bool) {
	return findSpecialsByWord(data, specials)
}
