package dialect

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

var limitsNow = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func headerOf(pairs ...string) http.Header {
	header := http.Header{}
	for i := 0; i < len(pairs); i += 2 {
		header.Set(pairs[i], pairs[i+1])
	}
	return header
}

func TestRateLimitsOfEachProvider(t *testing.T) {
	for name, row := range map[string]struct {
		header           http.Header
		requests, tokens Allowance
		thousandths      int64
	}{
		"nothing": {http.Header{}, Allowance{}, Allowance{}, 1000},
		"openai": {headerOf("x-ratelimit-limit-requests", "10000", "x-ratelimit-remaining-requests", "9999", "x-ratelimit-reset-requests", "8.64s",
			"x-ratelimit-limit-tokens", "200000", "x-ratelimit-remaining-tokens", "50000", "x-ratelimit-reset-tokens", "1m30.5s"),
			Allowance{true, 10000, 9999, limitsNow.Add(8640 * time.Millisecond)}, Allowance{true, 200000, 50000, limitsNow.Add(90500 * time.Millisecond)}, 250},
		"groq": {headerOf("x-ratelimit-limit-tokens", "6000", "x-ratelimit-remaining-tokens", "0", "x-ratelimit-reset-tokens", "130ms"),
			Allowance{}, Allowance{true, 6000, 0, limitsNow.Add(130 * time.Millisecond)}, 0},
		"anthropic: the tightest of the tokens": {headerOf("anthropic-ratelimit-requests-limit", "4000", "anthropic-ratelimit-requests-remaining", "3999", "anthropic-ratelimit-requests-reset", "2026-11-01T12:00:01Z",
			"anthropic-ratelimit-tokens-limit", "1000", "anthropic-ratelimit-tokens-remaining", "900", "anthropic-ratelimit-tokens-reset", "2026-11-01T12:00:02Z",
			"anthropic-ratelimit-output-tokens-limit", "100", "anthropic-ratelimit-output-tokens-remaining", "10", "anthropic-ratelimit-output-tokens-reset", "2026-11-01T13:00:03+01:00"),
			Allowance{true, 4000, 3999, limitsNow.Add(time.Second)}, Allowance{true, 100, 10, limitsNow.Add(3 * time.Second)}, 100},
		"azure: the window bounds a reset of no steady unit": {headerOf("x-ratelimit-limit-requests", "120", "x-ratelimit-remaining-requests", "119", "x-ratelimit-reset-requests", "500", "x-ratelimit-renewalperiod-requests", "60"),
			Allowance{true, 120, 119, limitsNow.Add(time.Minute)}, Allowance{}, 991},
		"mistral": {headerOf("x-ratelimit-limit-req-10-second", "60", "x-ratelimit-remaining-req-10-second", "6", "x-ratelimit-limit-tokens-minute", "2000000", "x-ratelimit-remaining-tokens-minute", "1999829"),
			Allowance{true, 60, 6, limitsNow.Add(10 * time.Second)}, Allowance{true, 2000000, 1999829, limitsNow.Add(time.Minute)}, 100},
		"cerebras": {headerOf("x-ratelimit-limit-requests-day", "1000", "x-ratelimit-remaining-requests-day", "500", "x-ratelimit-reset-requests-day", "33011.5"),
			Allowance{true, 1000, 500, limitsNow.Add(33011500 * time.Millisecond)}, Allowance{}, 500},
		"together": {headerOf("x-ratelimit-limit", "2", "x-ratelimit-remaining", "0", "x-ratelimit-reset", "1"),
			Allowance{true, 2, 0, limitsNow.Add(time.Second)}, Allowance{}, 0},
		"openrouter": {headerOf("x-ratelimit-limit", "20", "x-ratelimit-remaining", "10", "x-ratelimit-reset", "1793534405000"),
			Allowance{true, 20, 10, limitsNow.Add(5 * time.Second)}, Allowance{}, 500},
		"a limit is not said":        {headerOf("x-ratelimit-remaining-requests", "119"), Allowance{true, 0, 119, limitsNow.Add(time.Minute)}, Allowance{}, 1000},
		"what is no number is none":  {headerOf("x-ratelimit-limit-requests", "10", "x-ratelimit-remaining-requests", "-1"), Allowance{}, Allowance{}, 1000},
		"a reset in the past is now": {headerOf("anthropic-ratelimit-requests-remaining", "0", "anthropic-ratelimit-requests-reset", "2020-01-01T00:00:00Z"), Allowance{true, 0, 0, limitsNow}, Allowance{}, 0},
	} {
		got := ReadProviderLimits(row.header, limitsNow)
		for _, pair := range [][2]Allowance{{got.Requests, row.requests}, {got.Tokens, row.tokens}} {
			if pair[0].Known != pair[1].Known || pair[0].Limit != pair[1].Limit || pair[0].Remaining != pair[1].Remaining || !pair[0].Reset.Equal(pair[1].Reset) {
				t.Errorf("%s: %+v, want %+v", name, pair[0], pair[1])
			}
		}
		if _, thousandths := got.Tightest(); thousandths != row.thousandths {
			t.Errorf("%s: %d thousandths left, want %d", name, thousandths, row.thousandths)
		}
	}
}

func TestMoments(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"1m30.5s": 90500 * time.Millisecond, "6m0s": 6 * time.Minute, "26ms": 26 * time.Millisecond, "0s": 0, "0": 0, "7": 7 * time.Second, "1.5": 1500 * time.Millisecond,
		"1d": 24 * time.Hour, "2h1m": 121 * time.Minute, "9d9h": 24 * time.Hour, "99999999": 24 * time.Hour, "1793534403": 3 * time.Second, "1793534403250": 3250 * time.Millisecond,
		"2026-11-01T12:00:09.5Z": 9500 * time.Millisecond, "2999-01-01T00:00:00Z": 24 * time.Hour,
	} {
		if got, ok := parseMoment(text, limitsNow); !ok || got.Sub(limitsNow) != want {
			t.Errorf("%s: %v %v, want %v", text, got.Sub(limitsNow), ok, want)
		}
	}
	for _, text := range []string{"", "soon", "-1", "-5s", "NaN", "Inf", "1e300", "xd", "-1d", "1d1", strings.Repeat("1", 41)} {
		if got, ok := parseMoment(text, limitsNow); ok {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}

func TestHowLongAProviderWantsToBeLeftAlone(t *testing.T) {
	for name, row := range map[string]struct {
		header http.Header
		body   string
		want   time.Duration
	}{
		"nothing":              {http.Header{}, "", 0},
		"seconds":              {headerOf("Retry-After", "31"), "", 31 * time.Second},
		"milliseconds first":   {headerOf("Retry-After", "31", "Retry-After-Ms", "1500"), "", 1500 * time.Millisecond},
		"a date":               {headerOf("Retry-After", "Sun, 01 Nov 2026 12:02:00 GMT"), "", 2 * time.Minute},
		"a date past":          {headerOf("Retry-After", "Sun, 01 Nov 2026 11:02:00 GMT"), "", 0},
		"a date far away":      {headerOf("Retry-After", "Sun, 01 Nov 2037 11:02:00 GMT"), "", 24 * time.Hour},
		"gemini's body":        {http.Header{}, `{"error":{"code":429,"details":[{"retryDelay":"34.4s"}]}}`, 34400 * time.Millisecond},
		"the used-up limit":    {headerOf("x-ratelimit-remaining-requests", "5", "x-ratelimit-reset-requests", "10m", "x-ratelimit-remaining-tokens", "0", "x-ratelimit-reset-tokens", "1m30.5s"), "", 90500 * time.Millisecond},
		"the later of two":     {headerOf("x-ratelimit-remaining-requests", "0", "x-ratelimit-reset-requests", "10m", "x-ratelimit-remaining-tokens", "0", "x-ratelimit-reset-tokens", "1s"), "", 10 * time.Minute},
		"an rfc 3339 date":     {headerOf("anthropic-ratelimit-tokens-remaining", "0", "anthropic-ratelimit-tokens-reset", "2026-11-01T12:00:20Z"), "", 20 * time.Second},
		"a limit with a rest":  {headerOf("x-ratelimit-remaining-requests", "5", "x-ratelimit-reset-requests", "10m"), "", 0},
		"what cannot be meant": {headerOf("Retry-After", "soon"), "", 0},
	} {
		if got := ProviderWait(row.header, []byte(row.body), limitsNow); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
}

// Recorded answers carry limits of six providers; none is near its end but one.
func TestRecordedRateLimitsAreRead(t *testing.T) {
	files, err := filepath.Glob("../../../shared/fixtures/*/*/case.json")
	if err != nil {
		t.Fatal(err)
	}
	if len(files) == 0 {
		t.Skip("no recordings beside the repository")
	}
	read := map[string]int{}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var one struct {
			Provider string
			Response struct{ Headers map[string]string }
		}
		if err := json.Unmarshal(data, &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		header := http.Header{}
		says := false
		for name, value := range one.Response.Headers {
			header.Set(name, value)
			says = says || strings.Contains(name, "remaining-req") || strings.Contains(name, "remaining-tok") || strings.HasSuffix(name, "tokens-remaining")
		}
		limits := ReadProviderLimits(header, limitsNow)
		if says != (limits.Requests.Known || limits.Tokens.Known) && header.Get("X-Ratelimit-Remaining") == "" && header.Get("X-Ratelimit-Remaining-Tokens_usage_based") == "" {
			t.Errorf("%s: %v", file, limits)
		}
		if !limits.Requests.Known && !limits.Tokens.Known {
			continue
		}
		read[one.Provider]++
		tightest, thousandths := limits.Tightest()
		if thousandths < 100 && one.Provider != "together" {
			t.Errorf("%s: %d thousandths left of %+v", file, thousandths, tightest)
		}
		for _, allowance := range []Allowance{limits.Requests, limits.Tokens} {
			if allowance.Known && (allowance.Reset.Before(limitsNow) || allowance.Reset.After(limitsNow.Add(2*time.Minute))) {
				t.Errorf("%s: resets at %v", file, allowance.Reset)
			}
		}
	}
	for provider, atLeast := range map[string]int{"openai": 40, "anthropic": 15, "azure-openai": 5, "mistral": 4, "groq": 2, "xai": 3, "together": 2} {
		if read[provider] < atLeast {
			t.Errorf("limits of %s were read in %d answers, want %d", provider, read[provider], atLeast)
		}
	}
}

func BenchmarkReadProviderLimits(b *testing.B) {
	header := headerOf("x-ratelimit-limit-requests", "10000", "x-ratelimit-remaining-requests", "9999", "x-ratelimit-reset-requests", "8.64s",
		"x-ratelimit-limit-tokens", "200000", "x-ratelimit-remaining-tokens", "50000", "x-ratelimit-reset-tokens", "1m30.5s")
	for b.Loop() {
		ReadProviderLimits(header, limitsNow)
	}
}
