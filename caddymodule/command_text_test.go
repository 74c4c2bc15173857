package caddymodule

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestParseMoment(t *testing.T) {
	now := time.Date(2026, 11, 23, 12, 0, 0, 500, time.UTC)
	for text, want := range map[string]time.Time{
		"": {}, "2026-11-20": time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC),
		"2026-11-20T08:30:00Z":             time.Date(2026, 11, 20, 8, 30, 0, 0, time.UTC),
		"2026-11-20T08:30:00.000250+02:00": time.Date(2026, 11, 20, 6, 30, 0, 250_000, time.UTC),
		"2026-11-20 08:30:01Z":             time.Date(2026, 11, 20, 8, 30, 1, 0, time.UTC),
		"24h":                              now.Add(-24 * time.Hour), "7d": now.Add(-7 * 24 * time.Hour), "0s": now, "1h30m": now.Add(-90 * time.Minute),
	} {
		got, err := parseMoment("since", text, now)
		if err != nil || !got.Equal(want) {
			t.Errorf("%q: got %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"yesterday", "-24h", "2026-13-01", "2026-11-20 08:30", "08:30", "24", "1.5.2026"} {
		if got, err := parseMoment("until", text, now); !errors.Is(err, errMoment) || !strings.Contains(err.Error(), "--until") {
			t.Errorf("%q: got %s, %v", text, got, err)
		}
	}
}

func TestPlainText(t *testing.T) {
	for _, text := range []string{"", "paid by bank transfer, invoice 17", "größer ✓", strings.Repeat("ä", mostText)} {
		if got, err := plainText("note", text); err != nil || got != text {
			t.Errorf("%q: got %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"two\nlines", "\x1b]0;title\a", "a\u202eb", "\xff", strings.Repeat("a", mostText+1)} {
		if _, err := plainText("note", text); err == nil || !strings.Contains(err.Error(), "--note") {
			t.Errorf("%q: %v", text, err)
		}
	}
}
