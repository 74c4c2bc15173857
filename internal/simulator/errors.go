package simulator

import (
	"encoding/json"
	"fmt"
	"net/http"
)

// Dialect is a wire format of requests, answers and errors.
type Dialect uint8

// The dialects that the simulator speaks.
const (
	OpenAI Dialect = iota
	Anthropic
	Google
)

func (d Dialect) String() string {
	return [...]string{"openai", "anthropic", "google"}[d]
}

// retryAfterSeconds is what a refusal asks the client to wait.
const retryAfterSeconds = "7"

// ErrorResponse is the answer by which a provider of the dialect refuses with
// this status: 400, 401, 402, 403, 404, 408, 413, 429, 500, 503, 529. With 429,
// 503 and 529 it says when to come back: by Retry-After, Google in the body.
func ErrorResponse(d Dialect, status int) Response {
	problem := &problem{status: status, message: "simulated error"}
	p := problem.payload(d)
	return Response{Status: status, Body: p.body, ContentType: p.header.Get("Content-Type"), Header: p.header}
}

// ErrorBody is the dialect's error object for a status with a text of the
// caller's choice.
func ErrorBody(d Dialect, status int, message string) []byte {
	switch d {
	case Anthropic:
		return object(map[string]any{"type": "error", "request_id": "req_simulator", "error": map[string]any{
			"type": anthropicErrorType(status), "message": message,
		}})
	case Google:
		body := map[string]any{"code": status, "message": message, "status": googleStatus(status)}
		if status == http.StatusTooManyRequests {
			body["details"] = []any{map[string]any{
				"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": retryAfterSeconds + "s",
			}}
		}
		return object(map[string]any{"error": body})
	default:
		kind, code := openAIError(status)
		return object(map[string]any{"error": map[string]any{
			"message": message, "type": kind, "param": nil, "code": code,
		}})
	}
}

// ProviderHeader has what providers send beside an answer and what must not
// reach a gateway's clients: account, organisation, cookies and rate limits.
func ProviderHeader(d Dialect) http.Header {
	h := http.Header{}
	h.Set("Set-Cookie", "__cf_bm=simulator; path=/; secure; httponly")
	h.Set("Server", "simulator")
	h.Set("Cf-Ray", "8c0ffee0simulator-FRA")
	switch d {
	case Anthropic:
		h.Set("Request-Id", "req_simulator")
		h.Set("Anthropic-Organization-Id", "00000000-simulator")
		h.Set("Anthropic-Ratelimit-Requests-Remaining", "41")
		h.Set("Anthropic-Ratelimit-Input-Tokens-Remaining", "40000")
		h.Set("Anthropic-Ratelimit-Requests-Reset", "2026-11-01T00:00:07Z")
	case Google:
		h.Set("X-Gemini-Service-Tier", "standard")
		h.Set("Alt-Svc", `h3=":443"; ma=2592000`)
		h.Set("Server-Timing", "gfet4t7; dur=42")
	default:
		h.Set("X-Request-Id", "req_simulator")
		h.Set("Openai-Organization", "org-simulator")
		h.Set("Openai-Project", "proj_simulator")
		h.Set("Openai-Processing-Ms", "42")
		h.Set("Openai-Version", "2020-10-01")
		h.Set("X-Ratelimit-Remaining-Requests", "41")
		h.Set("X-Ratelimit-Remaining-Tokens", "40000")
		h.Set("X-Ratelimit-Reset-Tokens", "6m0s")
	}
	return h
}

// problem is a refusal.
type problem struct {
	status  int
	message string
}

func refusal(status int, format string, arguments ...any) *problem {
	return &problem{status: status, message: fmt.Sprintf(format, arguments...)}
}

func (e *problem) payload(d Dialect) payload {
	p := documentOf("application/json", e.status, ErrorBody(d, e.status, e.message))
	switch e.status {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable, statusOverloaded:
		if d != Google {
			p.header.Set("Retry-After", retryAfterSeconds)
		}
	}
	return p
}

// statusOverloaded is Anthropic's 529, which net/http does not know.
const statusOverloaded = 529

// anthropicErrorType follows platform.claude.com/docs/en/api/errors.
func anthropicErrorType(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "authentication_error"
	case http.StatusPaymentRequired:
		return "billing_error"
	case http.StatusForbidden:
		return "permission_error"
	case http.StatusNotFound:
		return "not_found_error"
	case http.StatusRequestEntityTooLarge:
		return "request_too_large"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "timeout_error"
	case http.StatusTooManyRequests:
		return "rate_limit_error"
	case statusOverloaded:
		return "overloaded_error"
	}
	if status >= 500 {
		return "api_error"
	}
	return "invalid_request_error"
}

// googleStatus follows google/rpc/code.proto.
func googleStatus(status int) string {
	switch status {
	case http.StatusUnauthorized:
		return "UNAUTHENTICATED"
	case http.StatusPaymentRequired:
		return "FAILED_PRECONDITION"
	case http.StatusForbidden:
		return "PERMISSION_DENIED"
	case http.StatusNotFound:
		return "NOT_FOUND"
	case http.StatusRequestTimeout, http.StatusGatewayTimeout:
		return "DEADLINE_EXCEEDED"
	case http.StatusTooManyRequests:
		return "RESOURCE_EXHAUSTED"
	case http.StatusServiceUnavailable, statusOverloaded:
		return "UNAVAILABLE"
	}
	if status >= 500 {
		return "INTERNAL"
	}
	return "INVALID_ARGUMENT"
}

// openAIError follows developers.openai.com/api/docs/guides/error-codes.
func openAIError(status int) (kind string, code any) {
	switch status {
	case http.StatusUnauthorized:
		return "invalid_request_error", "invalid_api_key"
	case http.StatusPaymentRequired:
		return "insufficient_quota", "insufficient_quota"
	case http.StatusNotFound:
		return "invalid_request_error", "model_not_found"
	case http.StatusTooManyRequests:
		return "requests", "rate_limit_exceeded"
	}
	if status >= 500 {
		return "server_error", nil
	}
	return "invalid_request_error", nil
}

// object marshals what cannot fail, with its keys sorted.
func object(value any) []byte {
	text, err := json.Marshal(value)
	if err != nil {
		panic(fmt.Sprintf("simulator: %v", err))
	}
	return text
}
