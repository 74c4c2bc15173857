package auth

import (
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/crypto/argon2"
	"golang.org/x/text/unicode/norm"
)

// PasswordHash is an encoded password hash with its parameters, as it is stored:
// string(hash). It hides itself from printing and encoding.
type PasswordHash string

// String hides the hash.
func (PasswordHash) String() string { return "[hash]" }

// GoString hides the hash.
func (PasswordHash) GoString() string { return "[hash]" }

// Format hides the hash under every verb.
func (PasswordHash) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "[hash]") }

// MarshalText hides the hash.
func (PasswordHash) MarshalText() ([]byte, error) { return []byte("[hash]"), nil }

// The mistakes with passwords.
var (
	ErrPassword      = errors.New("not a usable password")
	ErrWrongPassword = errors.New("wrong password")
	ErrPasswordHash  = errors.New("the stored password hash cannot be read")
)

type argon2Parameters struct {
	memory  uint32 // KiB
	time    uint32
	threads uint8
}

// The minimum of the OWASP Password Storage Cheat Sheet for argon2id: 19 MiB, two
// passes, one thread.
var passwordParameters = argon2Parameters{memory: 19 * 1024, time: 2, threads: 1}

// Stored parameters above these are refused, so that a damaged row cannot take the
// machine's memory.
var greatestParameters = argon2Parameters{memory: 256 * 1024, time: 16, threads: 16}

const (
	saltBytes = 16 // RFC 9106, 3.1
	tagBytes  = 32
	// 12 characters: OWASP ASVS 4.0.3, 2.1.1.
	leastPasswordRunes   = 12
	greatestPasswordSize = 1024 // bytes; bounds the work that a stranger can ask for
)

// HashPassword checks the length of a password and hashes it with argon2id and a
// salt read from random. It takes some 19 MiB of memory and tens of milliseconds:
// the caller bounds how many run at once.
func HashPassword(random io.Reader, password string) (PasswordHash, error) {
	switch {
	case !utf8.ValidString(password) || strings.ContainsAny(password, "\x00\r\n"):
		return "", fmt.Errorf("%w: it must be one line of UTF-8 text", ErrPassword)
	case utf8.RuneCountInString(password) < leastPasswordRunes:
		return "", fmt.Errorf("%w: use at least %d characters; a few words are better than a few signs", ErrPassword, leastPasswordRunes)
	case len(password) > greatestPasswordSize:
		return "", fmt.Errorf("%w: use at most %d bytes", ErrPassword, greatestPasswordSize)
	}
	salt := make([]byte, saltBytes)
	if _, err := io.ReadFull(random, salt); err != nil {
		return "", fmt.Errorf("make a password's salt: %w", err)
	}
	tag := passwordParameters.derive(password, salt, tagBytes)
	return PasswordHash(fmt.Sprintf("$argon2id$v=%d$m=%d,t=%d,p=%d$%s$%s", argon2.Version,
		passwordParameters.memory, passwordParameters.time, passwordParameters.threads,
		base64.RawStdEncoding.EncodeToString(salt), base64.RawStdEncoding.EncodeToString(tag))), nil
}

// CheckPassword compares a password with its stored hash: nil, ErrWrongPassword, or
// ErrPasswordHash. An empty hash (an account that is unknown or has no password)
// takes as long as a wrong password, so that the time tells nothing. Where rehash is
// true, the password is right and its hash was made with other parameters than
// today's: store a new one.
func CheckPassword(stored PasswordHash, password string) (rehash bool, err error) {
	if len(password) > greatestPasswordSize {
		return false, ErrWrongPassword
	}
	if stored == "" {
		passwordParameters.derive(password, make([]byte, saltBytes), tagBytes)
		return false, ErrWrongPassword
	}
	parameters, salt, tag, err := parsePasswordHash(string(stored))
	if err != nil {
		return false, err
	}
	if subtle.ConstantTimeCompare(tag, parameters.derive(password, salt, len(tag))) != 1 {
		return false, ErrWrongPassword
	}
	return parameters != passwordParameters || len(salt) != saltBytes || len(tag) != tagBytes, nil
}

// derive normalises first, as keyboards write the same letter in different ways
// (NIST SP 800-63B, 3.1.1.2, asks for NFKC or NFC).
func (p argon2Parameters) derive(password string, salt []byte, size int) []byte {
	return argon2.IDKey(norm.NFKC.Bytes([]byte(password)), salt, p.time, p.memory, p.threads, uint32(size))
}

func parsePasswordHash(stored string) (p argon2Parameters, salt, tag []byte, err error) {
	parts := strings.Split(stored, "$")
	if len(parts) != 6 || parts[0] != "" || parts[1] != "argon2id" || parts[2] != fmt.Sprintf("v=%d", argon2.Version) {
		return p, nil, nil, ErrPasswordHash
	}
	if n, err := fmt.Sscanf(parts[3], "m=%d,t=%d,p=%d", &p.memory, &p.time, &p.threads); n != 3 || err != nil {
		return p, nil, nil, ErrPasswordHash
	}
	salt, saltErr := base64.RawStdEncoding.DecodeString(parts[4])
	tag, tagErr := base64.RawStdEncoding.DecodeString(parts[5])
	switch most := greatestParameters; {
	case saltErr != nil, tagErr != nil, len(salt) < 8, len(tag) < 16, len(tag) > 64,
		p.time < 1, p.threads < 1, p.memory < 8*uint32(p.threads),
		p.memory > most.memory, p.time > most.time, p.threads > most.threads:
		return p, nil, nil, ErrPasswordHash
	}
	return p, salt, tag, nil
}
