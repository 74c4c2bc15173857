package auth

import (
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/big"
	"strings"

	"golang.org/x/crypto/blake2b"
)

// The parts of a key's secret: prefix, random digits, checksum digits.
const (
	secretPrefix   = "sk-fg-"
	randomBytes    = 32
	randomDigits   = 43 // the fewest base62 digits that hold 256 bits
	checksumDigits = 6  // the fewest base62 digits that hold 32 bits
	secretLength   = len(secretPrefix) + randomDigits + checksumDigits
)

// base62 counts digits, then capital, then small letters: ASCII order, so that
// secrets sort as their numbers do.
const base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

// hashTag separates these hashes from any other use of BLAKE2b on the same text.
const hashTag = "faregate key secret v1\x00"

// ErrMalformedKey says that a text cannot be a Faregate key: it was cut, mistyped,
// or belongs to something else.
var ErrMalformedKey = errors.New("malformed key: a Faregate key is sk-fg- followed by 49 letters and digits; copy it whole")

// Secret is the text of a key. It hides itself from every form of printing and
// encoding; only Reveal shows it.
type Secret struct {
	// A pointer, as fmt calls no methods on unexported fields of other types: it
	// prints an address there.
	text *string
}

// NewSecret makes a secret of 256 bits that it reads from random.
func NewSecret(random io.Reader) (Secret, error) {
	var bits [randomBytes]byte
	if _, err := io.ReadFull(random, bits[:]); err != nil {
		return Secret{}, fmt.Errorf("make a key's secret: %w", err)
	}
	text := make([]byte, 0, secretLength)
	text = append(text, secretPrefix...)
	text = appendBase62(text, new(big.Int).SetBytes(bits[:]), randomDigits)
	text = appendBase62(text, big.NewInt(int64(crc32.ChecksumIEEE(text))), checksumDigits)
	whole := string(text)
	return Secret{&whole}, nil
}

// Reveal gives the secret's text, to be shown to its holder once. The zero
// Secret has none.
func (s Secret) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

const redacted = "[secret]"

// String hides the secret.
func (Secret) String() string { return redacted }

// GoString hides the secret.
func (Secret) GoString() string { return redacted }

// Format hides the secret under every verb, %x and %d included.
func (Secret) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, redacted) }

// MarshalText hides the secret.
func (Secret) MarshalText() ([]byte, error) { return []byte(redacted), nil }

func appendBase62(text []byte, number *big.Int, digits int) []byte {
	start := len(text)
	text = append(text, strings.Repeat("0", digits)...)
	base, digit := big.NewInt(int64(len(base62))), new(big.Int)
	for i := len(text) - 1; i >= start; i-- {
		number.QuoRem(number, base, digit)
		text[i] = base62[digit.Int64()]
	}
	return text
}

// Hash is what is kept of a secret: BLAKE2b-256 of a domain tag and the whole text.
// A fast hash is enough, as nobody can try out 256 random bits.
type Hash [blake2b.Size256]byte

// HashSecret checks the form of a key's text and hashes it. Its only error is
// ErrMalformedKey, which never quotes the text.
func HashSecret(text string) (Hash, error) {
	if !wellFormed(text) {
		return Hash{}, ErrMalformedKey
	}
	var tagged [len(hashTag) + secretLength]byte
	copy(tagged[copy(tagged[:], hashTag):], text)
	return blake2b.Sum256(tagged[:]), nil
}

// wellFormed checks length, prefix, alphabet and checksum. The checksum is no
// defence, only a guard against typing mistakes and needless look-ups.
func wellFormed(text string) bool {
	if len(text) != secretLength || text[:len(secretPrefix)] != secretPrefix {
		return false
	}
	const checked = secretLength - checksumDigits
	for i := len(secretPrefix); i < checked; i++ {
		if digitValue(text[i]) < 0 {
			return false
		}
	}
	var sum uint64
	for i := checked; i < secretLength; i++ {
		value := digitValue(text[i])
		if value < 0 {
			return false
		}
		sum = sum*uint64(len(base62)) + uint64(value)
	}
	return sum == uint64(checksum(text[:checked]))
}

// checksum is crc32.ChecksumIEEE of a string, without the allocation that a copy
// of the text for that function would cost on every request.
func checksum(text string) uint32 {
	sum := ^uint32(0)
	for i := range len(text) {
		sum = crc32.IEEETable[byte(sum)^text[i]] ^ sum>>8
	}
	return ^sum
}

func digitValue(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'A' && c <= 'Z':
		return int(c-'A') + 10
	case c >= 'a' && c <= 'z':
		return int(c-'a') + 36
	}
	return -1
}

// A hash opens nothing, but whoever sees one in a log can recognise the key by it:
// it stays out of every printed form too.

// String hides the hash.
func (Hash) String() string { return "[hash]" }

// GoString hides the hash.
func (Hash) GoString() string { return "[hash]" }

// Format hides the hash under every verb.
func (Hash) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[hash]") }

// MarshalText hides the hash; stores keep h[:].
func (Hash) MarshalText() ([]byte, error) { return []byte("[hash]"), nil }

// ParseHash reads a hash that was kept as bytes (h[:]).
func ParseHash(stored []byte) (Hash, error) {
	if len(stored) != blake2b.Size256 {
		return Hash{}, fmt.Errorf("a stored key hash has %d bytes, not %d", len(stored), blake2b.Size256)
	}
	return Hash(stored), nil
}
