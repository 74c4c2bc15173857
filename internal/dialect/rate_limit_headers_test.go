package dialect

import (
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

func TestRateLimitHeaders(t *testing.T) {
	now := time.Date(2026, 11, 23, 10, 0, 0, 300_000_000, time.FixedZone("east", 3600))
	limits := RateLimits{
		Requests: RateLimit{Limit: 60, Remaining: 59, Reset: time.Second},
		Tokens:   RateLimit{Limit: 150_000, Remaining: 149_976, Reset: 6 * time.Minute},
	}
	for d, want := range map[Dialect]map[string]string{
		OpenAI: {
			"x-ratelimit-limit-requests": "60", "x-ratelimit-remaining-requests": "59", "x-ratelimit-reset-requests": "1s",
			"x-ratelimit-limit-tokens": "150000", "x-ratelimit-remaining-tokens": "149976", "x-ratelimit-reset-tokens": "6m0s",
		},
		Anthropic: {
			"anthropic-ratelimit-requests-limit": "60", "anthropic-ratelimit-requests-remaining": "59", "anthropic-ratelimit-requests-reset": "2026-11-23T09:00:02Z",
			"anthropic-ratelimit-tokens-limit": "150000", "anthropic-ratelimit-tokens-remaining": "149976", "anthropic-ratelimit-tokens-reset": "2026-11-23T09:06:01Z",
		},
		Google: {},
		99:     {},
	} {
		w := httptest.NewRecorder()
		SetRateLimits(w.Header(), d, limits, now)
		wantHeader(t, w.Header(), want)
	}
}

// wantHeader compares what a client sees: names without their case, one value each.
func wantHeader(t *testing.T, header http.Header, want map[string]string) {
	t.Helper()
	got := map[string]string{}
	for name, values := range header {
		if name != http.CanonicalHeaderKey(name) || len(values) != 1 {
			t.Errorf("%s: %v", name, values)
		}
		got[strings.ToLower(name)] = values[0]
	}
	if !maps.Equal(got, want) {
		t.Errorf("got %v\nwant %v", got, want)
	}
}

func TestRateLimitHeadersWithoutLimits(t *testing.T) {
	for _, d := range []Dialect{OpenAI, Anthropic, Google} {
		header := http.Header{}
		SetRateLimits(header, d, RateLimits{Tokens: RateLimit{Limit: -1, Remaining: 5}}, time.Now())
		wantHeader(t, header, map[string]string{})
		SetRateLimits(header, d, RateLimits{Tokens: RateLimit{Limit: 5, Remaining: -3, Reset: -time.Hour}}, time.Unix(0, 0))
		want := map[Dialect]map[string]string{
			OpenAI:    {"x-ratelimit-limit-tokens": "5", "x-ratelimit-remaining-tokens": "0", "x-ratelimit-reset-tokens": "0s"},
			Anthropic: {"anthropic-ratelimit-tokens-limit": "5", "anthropic-ratelimit-tokens-remaining": "0", "anthropic-ratelimit-tokens-reset": "1970-01-01T00:00:00Z"},
		}[d]
		wantHeader(t, header, want)
	}
}

// The forms that OpenAI itself sends, and times rounded so that nobody comes early.
func TestRateLimitResetForms(t *testing.T) {
	for reset, want := range map[time.Duration]string{
		0: "0s", 1: "1ms", 12 * time.Millisecond: "12ms", 34_142 * time.Millisecond: "34.142s", 34_142*time.Millisecond + 1: "34.143s",
		time.Minute: "1m0s", time.Hour + time.Minute: "1h1m0s",
	} {
		header := http.Header{}
		SetRateLimits(header, OpenAI, RateLimits{Requests: RateLimit{Limit: 1, Reset: reset}}, time.Now())
		if got := header.Get("x-ratelimit-reset-requests"); got != want {
			t.Errorf("%d ns: %q, want %q", reset, got, want)
		}
	}
}

// What the SDKs read back is never shorter than what was meant.
func TestRetryAfterHeader(t *testing.T) {
	for wait, want := range map[time.Duration]string{
		1: "1 1", time.Millisecond: "1 1", 1500 * time.Millisecond: "2 1500", time.Second: "1 1000", time.Second + 1: "2 1001", time.Hour: "3600 3600000", 0: " ", -5: " ",
	} {
		for _, d := range []Dialect{OpenAI, Anthropic, Google} {
			header := http.Header{}
			SetRetryAfter(header, d, wait)
			seconds, milliseconds, _ := strings.Cut(want, " ")
			if d == Google {
				milliseconds = ""
			}
			if got := fmt.Sprint(header.Get("Retry-After"), " ", header.Get("Retry-After-Ms")); got != seconds+" "+milliseconds {
				t.Errorf("%v, %s: %q", d, wait, got)
			}
			if wait > 0 && RetryAfter(header) < wait {
				t.Errorf("%v, %s: read back as %s", d, wait, RetryAfter(header))
			}
		}
	}
}

// Gemini's SDKs find the time in the body of the error.
func TestRetryInfoOfARefusal(t *testing.T) {
	problem := NewError(CodeProviderRateLimited)
	problem.RetryAfter = 1500 * time.Millisecond
	status, header, body := EncodeError(Google, problem)
	if status != 429 || header.Get("Retry-After") != "2" || RetryAfterBody(body) != 2*time.Second {
		t.Errorf("%d %v %s", status, header, body)
	}
}
