package dialect

import (
	"errors"
	"net/url"
	"strings"
)

var errModelName = errors.New("not a model's name")

// ProviderURL builds the address of an operation at a provider. The model is the
// provider's name for it, from the plan. base is the provider's: with its version
// (/v1) for OpenAI's dialect, with or without for the others. Of the caller's query
// only what is known goes on: beta=true of Anthropic's beta SDK, alt=sse of Gemini.
func ProviderURL(operation Operation, base *url.URL, model string, request *Request) (*url.URL, error) {
	if !ValidModelName(model) {
		return nil, errModelName
	}
	address := *base
	address.RawPath, address.RawQuery, address.Fragment = "", "", ""
	root := strings.TrimRight(base.Path, "/")
	switch operation.Dialect {
	case Anthropic:
		address.Path = strings.TrimSuffix(root, "/v1") + operation.path
		if request.beta {
			address.RawQuery = "beta=true"
		}
	case Google:
		if !versioned(root) {
			root += "/v1beta"
		}
		// All bytes of a valid name but the slash, which separates segments, stand
		// for themselves in a path (RFC 3986 section 3.3), so nothing needs escaping.
		verb := operation.path
		if request.Stream {
			verb = streamVerb
			if request.SSE {
				address.RawQuery = "alt=sse"
			}
		}
		address.Path = root + "/models/" + model + verb
	default:
		address.Path = root + operation.path
	}
	return &address, nil
}

// CompatibleURL is the address of a second dialect at a Google provider: path is behind
// the version.
func CompatibleURL(base *url.URL, path string) *url.URL {
	address := *base
	root := strings.TrimRight(base.Path, "/")
	if !versioned(root) {
		root += "/v1beta"
	}
	address.Path, address.RawPath = root+path, ""
	return &address
}

func versioned(path string) bool {
	return strings.HasSuffix(path, "/v1beta") || strings.HasSuffix(path, "/v1alpha") || strings.HasSuffix(path, "/v1")
}
