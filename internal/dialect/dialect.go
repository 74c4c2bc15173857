// Package dialect is what is known of requests: who asks for what, in whose
// dialect, with which credential, up to how much, and how an error must look so
// that the caller's SDK does the right thing. Request bytes are read here and
// nowhere else; response bytes only where they are a provider's error.
//
//	secret, err := dialect.TakeCredential(r) // gone from r, whatever happens
//	operation, model, stream, err := dialect.Match(r.Method, r.URL.Path, dialect.Guess(r.URL.Path, r.Header))
//	request, err := dialect.ParseRequest(operation, model, stream, r.URL.RawQuery, body)
//	pieces, err := request.Body(dialect.Edit{Model: "gpt-5.6-2026-09-01", IncludeUsage: true})
//
// Bodies are edited as bytes: what is not edited stays as the caller wrote it, in
// order and white space too, so that unknown fields reach the provider untouched.
// Error texts never quote what a request holds.
package dialect

import (
	"net/http"
	"strings"
)

// Dialect is a family of API: how requests, answers and errors look.
type Dialect uint8

// The dialects.
const (
	OpenAI    Dialect = iota // and all that are compatible
	Anthropic                // messages
	Google                   // Gemini API
)

var dialectNames = [...]string{OpenAI: "openai", Anthropic: "anthropic", Google: "google"}

// String returns the name in records and configuration: openai, anthropic or google.
func (d Dialect) String() string {
	if int(d) < len(dialectNames) {
		return dialectNames[d]
	}
	return "unknown"
}

// Guess tells whose SDK a request comes from, also where its path is unknown, so
// that an error can have the shape which that SDK reads. Call it before
// TakeCredential, which removes one of the signs.
func Guess(path string, header http.Header) Dialect {
	switch {
	case strings.HasPrefix(path, compatiblePrefix):
		return OpenAI
	case strings.HasPrefix(path, "/v1beta/"), strings.HasPrefix(path, "/v1alpha/"), strings.HasPrefix(path, "/upload/v1beta/"),
		strings.HasPrefix(path, "/ws/google."): // the Live API's sockets
		return Google
	case path == messagesPath, strings.HasPrefix(path, messagesPath+"/"):
		return Anthropic
	case path == chatPath:
		return OpenAI
	case has(header, "Anthropic-Version"), has(header, "X-Api-Key"):
		return Anthropic
	case has(header, "X-Goog-Api-Key"):
		return Google
	}
	return OpenAI
}

// has tells whether a header field is present. The name must be canonical.
func has(header http.Header, name string) bool { return len(header[name]) > 0 }
