package dialect

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
)

var (
	// ErrNoCredential says that a request carries no API key.
	ErrNoCredential = errors.New("no api key in the request")
	// ErrAmbiguousCredential says that a request carries two different API keys.
	// Which one is meant is not for us to guess: the other may belong to a
	// different account.
	ErrAmbiguousCredential = errors.New("two different api keys in the request")
)

// keyHeaders are where SDKs put a key as it is: Anthropic's, Google's, Azure's.
var keyHeaders = [...]string{"X-Api-Key", "X-Goog-Api-Key", "Api-Key"}

// TakeCredential returns the API key that a request carries, and removes every
// place where one can be from its headers, query and request URI, also on error.
// The same key in several places is one key. Errors are ErrNoCredential and
// ErrAmbiguousCredential.
//
// Caddy keeps a copy of the original URI in the request's context before any
// handler runs; WithoutCredential cleans such a copy.
func TakeCredential(r *http.Request) (secret string, err error) {
	found := ""
	ambiguous := false
	collect := func(candidate string) {
		switch {
		case candidate == "" || candidate == found:
		case found == "":
			found = candidate
		default:
			ambiguous = true
		}
	}
	for _, value := range r.Header["Authorization"] {
		scheme, token, _ := strings.Cut(strings.TrimSpace(value), " ")
		if strings.EqualFold(scheme, "Bearer") { // RFC 9110 section 11.1: schemes ignore case
			collect(strings.TrimSpace(token))
		}
	}
	delete(r.Header, "Authorization")
	for _, name := range keyHeaders {
		for _, value := range r.Header[name] {
			collect(strings.TrimSpace(value))
		}
		delete(r.Header, name)
	}
	// Browser SDKs put the key of a realtime socket here (openai-node, realtime/websocket).
	// Sockets are not served, which only a caller with a key is told.
	for _, value := range r.Header["Sec-Websocket-Protocol"] {
		for protocol := range strings.SplitSeq(value, ",") {
			if key, ok := strings.CutPrefix(strings.TrimSpace(protocol), "openai-insecure-api-key."); ok {
				collect(key)
			}
		}
	}
	delete(r.Header, "Sec-Websocket-Protocol")

	if r.URL != nil {
		r.URL.RawQuery = filterQuery(r.URL.RawQuery, collect)
		r.URL.User = nil
	}
	if path, query, ok := strings.Cut(r.RequestURI, "?"); ok {
		// It can differ from the URL, which handlers may have rewritten.
		if query = filterQuery(query, collect); query != "" {
			path += "?" + query
		}
		r.RequestURI = path
	}
	if scheme := strings.Index(r.RequestURI, "://"); scheme > 0 && r.RequestURI[0] != '/' {
		r.RequestURI = withoutUser(r.RequestURI, scheme+len("://"))
	}
	switch {
	case ambiguous:
		return "", ErrAmbiguousCredential
	case found == "":
		return "", ErrNoCredential
	}
	return found, nil
}

// withoutUser removes user:password@ from an address whose authority begins at start.
func withoutUser(address string, start int) string {
	end := len(address)
	if slash := strings.IndexAny(address[start:], "/?"); slash >= 0 {
		end = start + slash
	}
	if at := strings.LastIndexByte(address[start:end], '@'); at >= 0 {
		return address[:start] + address[start+at+1:]
	}
	return address
}

// WithoutCredential returns a raw query without the parameters that can carry an
// API key; all others stay as they are, in order.
func WithoutCredential(rawQuery string) string {
	return filterQuery(rawQuery, func(string) {})
}

// filterQuery takes the key parameters out of a raw query. Parameters end at & and
// also at ; as some servers read that as a separator too (WHATWG's predecessor,
// HTML 4 appendix B.2.2) and a key must not hide behind it.
func filterQuery(query string, collect func(string)) string {
	if !mayCarryKey(query) {
		return query
	}
	kept := make([]byte, 0, len(query))
	first := true
	for start := 0; start <= len(query); {
		end := len(query)
		if i := strings.IndexAny(query[start:], "&;"); i >= 0 {
			end = start + i
		}
		parameter := query[start:end]
		name, value, _ := strings.Cut(parameter, "=")
		if decoded, err := url.QueryUnescape(name); err == nil && strings.EqualFold(strings.TrimSpace(decoded), "key") {
			if decoded, err := url.QueryUnescape(value); err == nil {
				value = decoded
			}
			collect(strings.TrimSpace(value))
		} else {
			if !first {
				kept = append(kept, query[start-1])
			}
			first = false
			kept = append(kept, parameter...)
		}
		start = end + 1
	}
	return string(kept)
}

// mayCarryKey tells cheaply that most queries have no key parameter: its name has
// a y at the end, or an escape.
func mayCarryKey(query string) bool {
	return strings.ContainsAny(query, "yY%")
}
