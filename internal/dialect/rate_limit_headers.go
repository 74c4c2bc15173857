package dialect

import (
	"net/http"
	"strconv"
	"time"
)

// RateLimit is how one of the caller's own limits stands; without a limit it is zero.
type RateLimit struct {
	Limit     int64         // per minute
	Remaining int64         // 0 or more
	Reset     time.Duration // until all of the limit remains again
}

// RateLimits are the caller's limits that its dialect has names for.
type RateLimits struct {
	Requests, Tokens RateLimit
}

// rateLimitNames are the header fields of a kind of limit, in canonical form: the
// limit, what remains and the reset.
type rateLimitNames struct{ requests, tokens [3]string }

// OpenAI: its rate limits guide, "Rate limits in headers". Anthropic: its rate limits
// page, "Response headers"; what it splits into input and output tokens is one limit
// here, and so is told as anthropic-ratelimit-tokens. The Gemini API has no such fields.
var rateLimitHeaders = [...]rateLimitNames{
	OpenAI: {
		requests: [3]string{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests"},
		tokens:   [3]string{"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"},
	},
	Anthropic: {
		requests: [3]string{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset"},
		tokens:   [3]string{"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"},
	},
	Google: {},
}

// SetRateLimits tells a caller in its dialect's header fields how its limits stand.
// It must be called before the answer begins, of a stream too. A limit that is not
// set is not told.
//
//	OpenAI:    x-ratelimit-limit-requests: 60
//	           x-ratelimit-remaining-requests: 59
//	           x-ratelimit-reset-requests: 1s          (or 12ms, 34.142s, 6m0s)
//	Anthropic: anthropic-ratelimit-requests-limit: 60
//	           anthropic-ratelimit-requests-remaining: 59
//	           anthropic-ratelimit-requests-reset: 2026-11-23T10:00:01Z
func SetRateLimits(header http.Header, d Dialect, limits RateLimits, now time.Time) {
	if int(d) >= len(rateLimitHeaders) {
		return
	}
	setRateLimit(header, d, rateLimitHeaders[d].requests, limits.Requests, now)
	setRateLimit(header, d, rateLimitHeaders[d].tokens, limits.Tokens, now)
}

func setRateLimit(header http.Header, d Dialect, names [3]string, limit RateLimit, now time.Time) {
	if names[0] == "" || limit.Limit <= 0 {
		return
	}
	// One text and one list for the three, of which each has its own part: every answer
	// has them.
	var space [96]byte
	text := strconv.AppendInt(space[:0], limit.Limit, 10)
	first := len(text)
	text = strconv.AppendInt(text, max(limit.Remaining, 0), 10)
	second := len(text)
	text = appendReset(text, d, limit.Reset, now)
	whole := string(text)
	values := []string{whole[:first], whole[first:second], whole[second:]}
	for i, name := range names {
		header[name] = values[i : i+1 : i+1]
	}
}

func appendReset(text []byte, d Dialect, reset time.Duration, now time.Time) []byte {
	if d != Anthropic {
		return append(text, roundUp(reset, time.Millisecond).String()...)
	}
	// Whole seconds, as the provider sends them, and never too early.
	at := now.Add(max(reset, 0)).UTC()
	if whole := at.Truncate(time.Second); whole != at {
		at = whole.Add(time.Second)
	}
	return at.AppendFormat(text, time.RFC3339)
}

// SetRetryAfter tells a caller when to try again, in whole seconds rounded up, and to
// the SDKs that ask for it first (OpenAI's and Anthropic's) in milliseconds. Google's
// look into the error's body, where EncodeError writes a google.rpc.RetryInfo. It
// says nothing if the time is not positive.
func SetRetryAfter(header http.Header, d Dialect, wait time.Duration) {
	if wait <= 0 {
		return
	}
	header["Retry-After"] = []string{strconv.FormatInt(wholeSeconds(wait), 10)}
	if d != Google {
		header["Retry-After-Ms"] = []string{strconv.FormatInt(int64(roundUp(wait, time.Millisecond)/time.Millisecond), 10)}
	}
}

// roundUp makes a time a multiple of a unit; one before now is none.
func roundUp(wait, unit time.Duration) time.Duration {
	if wait <= 0 {
		return 0
	}
	whole := wait.Truncate(unit)
	if whole < wait {
		whole += unit
	}
	return whole
}
