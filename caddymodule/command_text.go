package caddymodule

import (
	"errors"
	"fmt"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/caddyserver/caddy/v2"
)

// mostText bounds reasons, notes and references, in characters.
const mostText = 200

// plainText checks a text that an operator wrote: it is shown in terminals and
// tables later, where control characters could do harm.
func plainText(flag, text string) (string, error) {
	if !utf8.ValidString(text) || utf8.RuneCountInString(text) > mostText {
		return "", fmt.Errorf("--%s: use at most %d characters of text", flag, mostText)
	}
	for _, r := range text {
		if !unicode.IsPrint(r) {
			return "", fmt.Errorf("--%s: use letters, digits, spaces and punctuation in one line", flag)
		}
	}
	return text, nil
}

var errMoment = errors.New("write a moment like 2026-11-23T08:00:00Z, a day (UTC) like 2026-11-23, or how long ago like 24h or 7d")

// parseMoment reads a moment from a flag: RFC 3339, as the tables show it, a day in UTC
// (its beginning), or a duration back from now. Empty is the zero moment.
func parseMoment(flag, text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	for _, layout := range []string{time.RFC3339, shownLayout} {
		if moment, err := time.Parse(layout, text); err == nil {
			return moment, nil
		}
	}
	if day, err := time.Parse(time.DateOnly, text); err == nil {
		return day, nil
	}
	if ago, err := caddy.ParseDuration(text); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	return time.Time{}, fmt.Errorf("--%s %q: %w", flag, text, errMoment)
}
