package upstream

import (
	"math"

	"golang.org/x/crypto/blake2b"
)

// AffinityOf makes a digest of what tells a conversation: the account's id, so that
// accounts do not meet, and what the caller names it by, or its beginning. It is the
// same on all nodes, never 0, and cannot be turned back.
func AffinityOf(parts ...string) uint64 {
	hash, err := blake2b.New(8, nil)
	if err != nil {
		panic(err) // only for impossible sizes
	}
	var length [8]byte
	for _, part := range parts {
		for i := range length {
			length[i] = byte(len(part) >> (8 * i))
		}
		_, _ = hash.Write(length[:])
		_, _ = hash.Write([]byte(part))
	}
	var digest uint64
	for _, b := range hash.Sum(nil) {
		digest = digest<<8 | uint64(b)
	}
	return max(digest, 1)
}

// mix spreads the bits of a number over all of another (splitmix64's finaliser).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// rendezvous scores a key for a conversation: the highest score has it. A key has it
// with a probability of its part of the weights, and others' coming and going moves
// only the conversations that they take or leave (Wang, Ravishankar, "Weighted
// rendezvous hashing").
// A score that is not above the highest may be returned as 0.
func rendezvous(affinity, spread uint64, weight, highest float64) float64 {
	uniform := (float64(mix(affinity^spread)>>11) + 0.5) / (1 << 53)
	if weight <= highest*(1-uniform) { // as -ln u >= 1-u: spares most logarithms
		return 0
	}
	return weight / -math.Log(uniform)
}
