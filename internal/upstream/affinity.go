package upstream

import (
	"encoding/binary"
	"math"

	"golang.org/x/crypto/blake2b"
)

// Affinity makes a digest of what tells a conversation: the account's id, so that
// accounts do not meet, and what the caller names it by, or pieces of its beginning; 0,
// for none, where there are none. It is the same on all gateways of one configuration,
// and cannot be turned back without the providers' keys.
func (s *Selector) Affinity(accountID string, conversation []byte) uint64 {
	if len(conversation) == 0 {
		return 0
	}
	told := blake2b.Sum256(conversation)
	var space [3 * blake2b.Size256]byte
	text := append(append(append(space[:0], s.affinityKey[:]...), told[:]...), accountID...)
	sum := blake2b.Sum256(text)
	return max(binary.BigEndian.Uint64(sum[:]), 1)
}

// affinityKeyOf makes the key of all digests out of a secret that gateways share: the
// first provider key that there is.
func affinityKeyOf(providers []*Provider) [blake2b.Size256]byte {
	for _, provider := range providers {
		for _, credential := range provider.credentials {
			if secret := credential.key.secret; secret != "" {
				return blake2b.Sum256([]byte("faregate affinity\x00" + provider.Name + "\x00" + secret))
			}
		}
	}
	return [blake2b.Size256]byte{} // none is shared: all that could be known of it is in memory anyway
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
