package dialect

import (
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Allowance is what is left of one rate limit of a provider.
type Allowance struct {
	// Known tells whether the answer says what is left.
	Known bool
	// Limit is the whole; 0 where the answer does not say it.
	Limit, Remaining int64
	// Reset is when the whole is there again; zero where the answer does not say it.
	Reset time.Time
}

// thousandths is how much of the whole is left; the whole if that is unknown.
func (a Allowance) thousandths() int64 {
	switch {
	case !a.Known || a.Remaining > 0 && a.Limit <= 0:
		return 1000
	case a.Remaining <= 0:
		return 0
	}
	return min(1000, int64(float64(a.Remaining)/float64(a.Limit)*1000))
}

// ProviderLimits is what the header of a provider's answer says of how much more it
// will take. The zero value says nothing.
type ProviderLimits struct {
	Requests Allowance
	// Tokens is the tightest where input and output, or several windows, are
	// limited apart.
	Tokens Allowance
}

// Tightest is the allowance of which least is left, and its thousandths: 1000 where
// nothing is known.
func (r ProviderLimits) Tightest() (tightest Allowance, thousandths int64) {
	requests, tokens := r.Requests.thousandths(), r.Tokens.thousandths()
	if tokens < requests || !r.Requests.Known {
		return r.Tokens, tokens
	}
	return r.Requests, requests
}

// limitHeader names the fields that speak of one limit. Names are canonical.
type limitHeader struct {
	limit, remaining, reset string
	// period is Azure's, in seconds: it bounds the reset, whose bare numbers have no
	// steady unit there (recorded: 500 for half a second, 1 for one).
	period string
	tokens bool
	// window is when all is there again, for providers that do not say it.
	window time.Duration
}

// limitHeaders are the providers' fields: recorded but for Cerebras'
// (inference-docs.cerebras.ai, rate limits) and the last (IETF draft
// ratelimit-headers up to 07).
var limitHeaders = [...]limitHeader{
	// OpenAI, Azure, Groq, xAI (which sends no reset).
	{limit: "X-Ratelimit-Limit-Requests", remaining: "X-Ratelimit-Remaining-Requests", reset: "X-Ratelimit-Reset-Requests", period: "X-Ratelimit-Renewalperiod-Requests", window: time.Minute},
	{limit: "X-Ratelimit-Limit-Tokens", remaining: "X-Ratelimit-Remaining-Tokens", reset: "X-Ratelimit-Reset-Tokens", period: "X-Ratelimit-Renewalperiod-Tokens", tokens: true, window: time.Minute},
	// Anthropic.
	{limit: "Anthropic-Ratelimit-Requests-Limit", remaining: "Anthropic-Ratelimit-Requests-Remaining", reset: "Anthropic-Ratelimit-Requests-Reset"},
	{limit: "Anthropic-Ratelimit-Tokens-Limit", remaining: "Anthropic-Ratelimit-Tokens-Remaining", reset: "Anthropic-Ratelimit-Tokens-Reset", tokens: true},
	{limit: "Anthropic-Ratelimit-Input-Tokens-Limit", remaining: "Anthropic-Ratelimit-Input-Tokens-Remaining", reset: "Anthropic-Ratelimit-Input-Tokens-Reset", tokens: true},
	{limit: "Anthropic-Ratelimit-Output-Tokens-Limit", remaining: "Anthropic-Ratelimit-Output-Tokens-Remaining", reset: "Anthropic-Ratelimit-Output-Tokens-Reset", tokens: true},
	// Mistral; the tokens' also Cerebras', with a reset.
	{limit: "X-Ratelimit-Limit-Req-Minute", remaining: "X-Ratelimit-Remaining-Req-Minute", window: time.Minute},
	{limit: "X-Ratelimit-Limit-Req-10-Second", remaining: "X-Ratelimit-Remaining-Req-10-Second", window: 10 * time.Second},
	{limit: "X-Ratelimit-Limit-Tokens-Minute", remaining: "X-Ratelimit-Remaining-Tokens-Minute", reset: "X-Ratelimit-Reset-Tokens-Minute", tokens: true, window: time.Minute},
	{limit: "X-Ratelimit-Limit-Requests-Day", remaining: "X-Ratelimit-Remaining-Requests-Day", reset: "X-Ratelimit-Reset-Requests-Day"},
	// Together (seconds), OpenRouter (milliseconds since 1970).
	{limit: "X-Ratelimit-Limit", remaining: "X-Ratelimit-Remaining", reset: "X-Ratelimit-Reset", window: time.Minute},
	{limit: "Ratelimit-Limit", remaining: "Ratelimit-Remaining", reset: "Ratelimit-Reset", window: time.Minute},
}

// ReadProviderLimits reads what a provider's answer, of any status, says of its limits.
// Where a provider limits one thing several times, the tightest counts.
func ReadProviderLimits(header http.Header, now time.Time) ProviderLimits {
	var limits ProviderLimits
	for i := range limitHeaders {
		names := &limitHeaders[i]
		remaining, ok := parseCount(first(header, names.remaining))
		if !ok {
			continue
		}
		limit, _ := parseCount(first(header, names.limit))
		found := Allowance{Known: true, Limit: limit, Remaining: remaining, Reset: names.resetAt(header, now)}
		into := &limits.Requests
		if names.tokens {
			into = &limits.Tokens
		}
		if !into.Known || found.thousandths() < into.thousandths() {
			*into = found
		}
	}
	return limits
}

func (l *limitHeader) resetAt(header http.Header, now time.Time) time.Time {
	if l.reset != "" {
		if reset, ok := parseMoment(first(header, l.reset), now); ok {
			if period, ok := parseCount(first(header, l.period)); ok {
				reset = earlier(reset, now.Add(time.Duration(min(period, 86400))*time.Second))
			}
			return reset
		}
	}
	if l.window > 0 {
		return now.Add(l.window)
	}
	return time.Time{}
}

// ProviderWait says how long a provider that refused a request wants to be left
// alone: as Retry-After-Ms or Retry-After says (seconds or a date), else the body
// (see RetryAfterBody), else until the limit that is used up is there again. It is 0
// if nothing is said, and a day at most. Only for refusals: providers send
// Retry-After with good answers too.
func ProviderWait(header http.Header, body []byte, now time.Time) time.Duration {
	if wait := RetryAfter(header); wait > 0 {
		return wait
	}
	if moment, err := http.ParseTime(first(header, "Retry-After")); err == nil && moment.After(now) {
		return min(moment.Sub(now), longestRetryAfter)
	}
	if wait := RetryAfterBody(body); wait > 0 {
		return wait
	}
	var wait time.Duration
	limits := ReadProviderLimits(header, now)
	for _, allowance := range [...]Allowance{limits.Requests, limits.Tokens} {
		if allowance.Known && allowance.Remaining <= 0 && allowance.Reset.After(now) {
			wait = max(wait, allowance.Reset.Sub(now))
		}
	}
	return min(wait, longestRetryAfter)
}

// parseMoment reads when something happens: an RFC 3339 time, a duration such as
// 1m30.5s, 130ms or 2d1h, a number of seconds, or one of seconds or milliseconds
// since 1970. Moments past a day from now are a day from now, past ones are now.
func parseMoment(text string, now time.Time) (time.Time, bool) {
	if text == "" || len(text) > 40 {
		return time.Time{}, false
	}
	var moment time.Time
	var err error
	// By their shape, as the errors of trying each in turn cost more than all else
	// that is read of an answer's header.
	if len(text) > 10 && text[4] == '-' && text[10] == 'T' {
		if moment, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return time.Time{}, false
		}
	} else if last := text[len(text)-1]; last >= 'a' && last <= 'z' {
		wait, ok := parseDays(text)
		if !ok {
			return time.Time{}, false
		}
		moment = now.Add(wait)
	} else {
		number, err := strconv.ParseFloat(text, 64)
		switch {
		case err != nil:
			return time.Time{}, false
		case !(number >= 0 && number < 1e15): // NaN too
			return time.Time{}, false
		case number > 1e11:
			moment = time.UnixMilli(int64(number))
		case number > 1e9:
			moment = time.Unix(int64(number), 0)
		default:
			moment = now.Add(time.Duration(min(number, longestRetryAfter.Seconds()) * float64(time.Second)))
		}
	}
	if moment.Before(now) {
		return now, true
	}
	return earlier(moment, now.Add(longestRetryAfter)), true
}

// parseDays is time.ParseDuration that knows days.
func parseDays(text string) (time.Duration, bool) {
	var days int64
	if count, rest, ok := strings.Cut(text, "d"); ok {
		var err error
		if days, err = strconv.ParseInt(count, 10, 16); err != nil || days < 0 {
			return 0, false
		}
		if text = rest; text == "" {
			text = "0s"
		}
	}
	wait, err := time.ParseDuration(text)
	if err != nil || wait < 0 {
		return 0, false
	}
	return min(wait, longestRetryAfter) + time.Duration(days)*24*time.Hour, true
}

// parseCount reads a whole number that is not negative.
func parseCount(text string) (int64, bool) {
	if text == "" {
		return 0, false // as most fields are missing, and an error costs
	}
	number, err := strconv.ParseInt(text, 10, 64)
	return number, err == nil && number >= 0
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// first is http.Header.Get for a canonical name.
func first(header http.Header, name string) string {
	if values := header[name]; len(values) > 0 {
		return values[0]
	}
	return ""
}
