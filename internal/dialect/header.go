package dialect

import (
	"net/http"
	"strings"
	"time"
)

// Values of header fields that many requests share; nobody may change them.
var (
	jsonContent      = []string{"application/json"}
	faregateAgent    = []string{"faregate"}
	defaultAnthropic = []string{"2023-06-01"}
)

// forwarded are the header fields of a caller that go on to a provider. All
// others stay: organisation and project (they select the operator's accounts),
// forwarding and cookies (they tell who the caller is), user agents and the SDKs'
// telemetry.
var forwarded = [...][]string{
	OpenAI:    {"Openai-Beta", "Idempotency-Key"},
	Anthropic: {"Anthropic-Version", "Idempotency-Key"},
	Google:    {"X-Goog-Api-Client"},
}

// CopyRequestHeader fills the header of a request to a provider. It takes only
// what is on the allow-list from the caller's, and shares the values' slices.
func CopyRequestHeader(d Dialect, provider, caller http.Header) {
	for _, name := range forwarded[d] {
		if values := caller[name]; len(values) > 0 {
			provider[name] = values
		}
	}
	provider["Accept"] = jsonContent
	if accept := caller["Accept"]; len(accept) == 1 && metered(accept[0]) {
		provider["Accept"] = accept
	}
	// The body was read as JSON, whatever the caller called it.
	provider["Content-Type"] = jsonContent
	// Else net/http would name itself.
	provider["User-Agent"] = faregateAgent
	if d == Anthropic {
		if len(provider["Anthropic-Version"]) == 0 {
			provider["Anthropic-Version"] = defaultAnthropic
		}
		if betas := knownBetas(caller["Anthropic-Beta"]); betas != "" {
			provider["Anthropic-Beta"] = []string{betas}
		}
	}
}

// metered tells whether a caller accepts only what usage can be read from, so that
// nobody talks a provider into answering in protobuf.
func metered(accept string) bool {
	for media := range strings.SplitSeq(accept, ",") {
		switch strings.TrimSpace(media) {
		case "application/json", "text/event-stream", "*/*":
		default:
			return false
		}
	}
	return true
}

// ProviderKey is a provider's key as header fields have it. It is made once, so that no
// request leaves a copy of the key in memory, and shared: nobody may change the values.
type ProviderKey struct{ plain, bearer []string }

// NewProviderKey makes the values.
func NewProviderKey(secret string) ProviderKey {
	return ProviderKey{plain: []string{secret}, bearer: []string{"Bearer " + secret}}
}

// Set puts the key where the API of a dialect wants it.
func (k ProviderKey) Set(d Dialect, header http.Header) {
	switch d {
	case Anthropic:
		header["X-Api-Key"] = k.plain
	case Google:
		header["X-Goog-Api-Key"] = k.plain
	default:
		header["Authorization"] = k.bearer
	}
}

// SetAs puts the key, as it is, into a field of another name, in canonical form.
func (k ProviderKey) SetAs(name string, header http.Header) { header[name] = k.plain }

// String keeps the key from being printed.
func (ProviderKey) String() string { return "a provider's key" }

// GoString is String.
func (k ProviderKey) GoString() string { return k.String() }

// returned are the header fields of a provider's answer that go on to the caller.
// All others stay: the operator's organisation, account and rate limits, cookies,
// connection matters, and the provider's request ids, in whose place the caller
// gets ours.
var returned = [...]string{"Content-Type", "Content-Length", "Cache-Control", "Retry-After", "Retry-After-Ms", "X-Should-Retry"}

// CopyResponseHeader adds to the header of the answer to a caller what is on the
// allow-list of the provider's, and shares the values' slices. Values that are not what
// the field is for stay behind: at level DEBUG Caddy logs the header of an answer, and a
// provider may write into it what it likes.
func CopyResponseHeader(caller, provider http.Header) {
	for _, name := range returned {
		values := provider[name]
		switch {
		case len(values) == 1 && plainValue(name, values[0]):
			addHeader(caller, name, values)
		case len(values) > 0 && name == "Content-Type":
			// What it is may be known where its parameters are not.
			if kind, _, err := ParseMediaType(values[0]); err == nil && len(kind) <= longestValue {
				AddHeader(caller, name, kind)
			}
		}
	}
}

// AddHeader is http.Header.Add for names in canonical form.
func AddHeader(header http.Header, name, value string) { addHeader(header, name, []string{value}) }

// addHeader shares the values' slice where there are none before.
func addHeader(header http.Header, name string, values []string) {
	if before := header[name]; len(before) > 0 {
		values = append(before[:len(before):len(before)], values...)
	}
	header[name] = values
}

// longestValue bounds the header values that are passed on.
const longestValue = 100

// plainValue tells whether a field of the answer says what it is there to say.
func plainValue(name, value string) bool {
	if len(value) > longestValue {
		return false
	}
	switch name {
	case "Content-Type":
		_, parameters, err := ParseMediaType(value)
		for parameter, value := range parameters {
			if !typeParameters[parameter] || strings.Trim(strings.ToLower(value), "abcdefghijklmnopqrstuvwxyz0123456789-") != "" || len(value) > 16 {
				return false
			}
		}
		return err == nil
	case "Content-Length", "Retry-After-Ms":
		return strings.Trim(value, "0123456789.") == ""
	case "Retry-After":
		if _, err := http.ParseTime(value); err == nil {
			return true
		}
		return strings.Trim(value, "0123456789.") == ""
	case "X-Should-Retry":
		return value == "true" || value == "false"
	case "Cache-Control":
		for directive := range strings.SplitSeq(value, ",") {
			word, number, _ := strings.Cut(strings.ToLower(strings.TrimSpace(directive)), "=")
			if !cacheDirectives[word] || strings.Trim(number, "0123456789") != "" {
				return false
			}
		}
		return true
	}
	return false
}

var (
	typeParameters  = map[string]bool{"charset": true, "rate": true, "channels": true, "codec": true, "codecs": true}
	cacheDirectives = map[string]bool{ // RFC 9111 section 5.2.2
		"no-cache": true, "no-store": true, "no-transform": true, "must-revalidate": true, "proxy-revalidate": true, "must-understand": true,
		"private": true, "public": true, "max-age": true, "s-maxage": true,
	}
)

// longestRetryAfter bounds what a provider can make callers wait.
const longestRetryAfter = 24 * time.Hour

// RetryAfter says when a provider wants to be asked again, as its header says it
// in milliseconds or seconds; 0 if it does not. Dates are not read: none of the
// providers sends one.
func RetryAfter(header http.Header) time.Duration {
	if wait := parseWait(header.Get("Retry-After-Ms"), "ms"); wait > 0 {
		return wait
	}
	return parseWait(header.Get("Retry-After"), "s")
}

func parseWait(number, unit string) time.Duration {
	if len(number) > 20 || strings.Trim(number, "0123456789.") != "" {
		return 0
	}
	wait, err := time.ParseDuration(number + unit)
	if err != nil {
		return 0
	}
	return min(wait, longestRetryAfter)
}
