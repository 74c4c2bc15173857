package auth

import (
	"errors"
	"fmt"
	"net/mail"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The mistakes in what an account holder or an operator names.
var (
	ErrEmail    = errors.New("not a usable e-mail address")
	ErrUsername = errors.New("not a usable username")
	ErrKeyName  = errors.New("not a usable key name")
	ErrGroup    = errors.New("not a usable group name")
)

// NormalizeEmail checks an e-mail address and writes it in lower case, the form in
// which addresses are kept and compared. Mail systems may tell local parts apart by
// case (RFC 5321, 2.4), but none that matters does, and one person must not
// hold two accounts by accident.
func NormalizeEmail(text string) (string, error) {
	text = strings.TrimSpace(text)
	local, domain, found := strings.Cut(text, "@")
	parsed, err := mail.ParseAddress(text)
	switch {
	case text == "" || !found:
		return "", fmt.Errorf("%w: write it like name@example.com", ErrEmail)
	case !ascii(text):
		return "", fmt.Errorf("%w: it has letters outside ASCII; write an international domain in its xn-- form", ErrEmail)
	case err != nil || parsed.Address != text:
		return "", fmt.Errorf("%w: write only the address, like name@example.com", ErrEmail)
	case strings.ContainsAny(text, " \"\\[]"):
		return "", fmt.Errorf("%w: quoted names and address literals are not supported; write it like name@example.com", ErrEmail)
	case len(local) > 64 || len(text) > 254: // RFC 5321, 4.5.3.1, with erratum 1690
		return "", fmt.Errorf("%w: it is too long (64 characters before the @, 254 in all)", ErrEmail)
	case !strings.Contains(domain, "."):
		return "", fmt.Errorf("%w: the domain %q has no dot; write it like name@example.com", ErrEmail, domain)
	}
	return strings.ToLower(text), nil
}

func ascii(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// A username is shorter than a UUID and has no @, so that it can stand wherever
// an id or an e-mail address can and is never mistaken for one.
var username = regexp.MustCompile(`^[a-z0-9][a-z0-9._-]{1,31}$`)

// NormalizeUsername checks a username and writes it in lower case, the form in
// which usernames are kept and compared.
func NormalizeUsername(text string) (string, error) {
	lower := strings.ToLower(strings.TrimSpace(text))
	if !ascii(text) || !username.MatchString(lower) {
		return "", fmt.Errorf("%w: use 2 to 32 of the characters a-z, 0-9, '.', '_' and '-', beginning with a letter or digit", ErrUsername)
	}
	return lower, nil
}

const maxKeyName = 64

// NormalizeKeyName checks the name that a holder gives to a key and trims the space
// around it.
func NormalizeKeyName(text string) (string, error) {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return "", fmt.Errorf("%w: it is empty; say what the key is for, like laptop or ci", ErrKeyName)
	case !utf8.ValidString(text) || strings.ContainsFunc(text, unprintable):
		return "", fmt.Errorf("%w: it has control or invisible characters; use letters, digits, spaces and punctuation", ErrKeyName)
	case utf8.RuneCountInString(text) > maxKeyName:
		return "", fmt.Errorf("%w: it is longer than %d characters", ErrKeyName, maxKeyName)
	case strings.Contains(text, secretPrefix):
		// A slip of the hand: names are shown in lists, so a secret must not become one.
		return "", fmt.Errorf("%w: it contains %s, as a key's secret does; a name is shown to others", ErrKeyName, secretPrefix)
	}
	return text, nil
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

var group = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

// ValidateGroup checks the name of a price group; the empty name is the default group.
func ValidateGroup(text string) error {
	if text != "" && !group.MatchString(text) {
		return fmt.Errorf("%w: use up to 32 of the characters a-z, 0-9, '_' and '-', beginning with a letter or digit", ErrGroup)
	}
	return nil
}
