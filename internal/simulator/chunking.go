package simulator

import "math/rand/v2"

// Chunking says where a body of size bytes is cut: at these offsets, in any
// order; those outside the body cut nothing. Each piece is written and flushed
// by itself, which over HTTP/1.1 makes it a chunk of its own and over HTTP/2 a
// DATA frame; a reader may still get several at once.
type Chunking func(size int) []int

// Every cuts after each n bytes.
func Every(n int) Chunking {
	return func(size int) []int {
		var cuts []int
		for at := n; n > 0 && at < size; at += n {
			cuts = append(cuts, at)
		}
		return cuts
	}
}

// Sizes cuts pieces of the given sizes; what remains is one piece.
func Sizes(sizes ...int) Chunking {
	return func(size int) []int {
		var cuts []int
		at := 0
		for _, n := range sizes {
			at += n
			cuts = append(cuts, at)
		}
		return cuts
	}
}

// Offsets cuts at the given offsets.
func Offsets(offsets ...int) Chunking {
	return func(int) []int { return offsets }
}

// Random cuts pieces of 1 to largest bytes; the same seed makes the same cuts.
func Random(seed uint64, largest int) Chunking {
	return func(size int) []int {
		random := rand.New(rand.NewPCG(seed, 0))
		var cuts []int
		for at := 0; largest > 0; {
			at += 1 + random.IntN(largest)
			if at >= size {
				break
			}
			cuts = append(cuts, at)
		}
		return cuts
	}
}
