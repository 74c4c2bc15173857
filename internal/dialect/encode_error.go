package dialect

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/go-json-experiment/json/jsontext"
)

// EncodeError returns an error of ours as an answer in the dialect's shape, with
// the header fields that make its SDKs do the right thing.
func EncodeError(d Dialect, problem *Error) (status int, header http.Header, body []byte) {
	body = appendError(nil, d, problem)
	header = make(http.Header, 6)
	header["Content-Type"] = []string{"application/json"}
	header["Content-Length"] = []string{strconv.Itoa(len(body))}
	if problem.RequestID != "" {
		header[RequestIDHeader(d)] = []string{problem.RequestID}
	}
	SetRetryAfter(header, d, problem.RetryAfter)
	switch catalogue[problem.Code].retry {
	case retryNever:
		header["X-Should-Retry"] = []string{"false"}
	case retryAlways:
		header["X-Should-Retry"] = []string{"true"}
	}
	if problem.Status == http.StatusUnauthorized {
		header["Www-Authenticate"] = []string{"Bearer"} // RFC 9110 section 15.5.2 requires one
	}
	if problem.Allow != "" {
		header["Allow"] = []string{problem.Allow}
	}
	return problem.Status, header, body
}

// WriteError answers a request with an error of ours in the dialect's shape.
func WriteError(w http.ResponseWriter, d Dialect, problem *Error) {
	status, header, body := EncodeError(d, problem)
	target := w.Header()
	for name, values := range header {
		target[name] = values
	}
	w.WriteHeader(status)
	_, _ = w.Write(body) // a client that has left needs no error
}

// StreamError returns the server-sent event that ends a stream which has begun, so
// that the dialect's SDKs raise an error and do not take the answer for complete.
// An answer in JSON, Gemini's stream without alt=sse included, has no such thing:
// there the connection must be cut.
func StreamError(operation Operation, problem *Error) []byte {
	event := []byte("data: ")
	end := "\n\n"
	d := operation.Dialect
	switch {
	case operation.read == readsResponses:
		// openai-openapi, ResponseErrorEvent, which has no object error; OpenAI's SDKs
		// raise on that.
		event = append(event[:0], `event: error
data: {"type":"error","sequence_number":0,"param":null,"code":`...)
		event = appendString(event, string(problem.Code))
		event = append(event, `,"message":`...)
		event = appendString(event, problem.Message)
		event = append(event, ',')
		return append(append(event, appendError(nil, d, problem)[1:]...), end...)
	case d == Anthropic:
		// Anthropic's SDKs raise on the event's name.
		event = []byte("event: error\ndata: ")
	case d == Google:
		end = "\r\n\r\n" // Gemini's own line ends
	}
	return append(appendError(event, d, problem), end...)
}

// RequestIDHeader is the response header field where the dialect's SDKs look for
// the id of a request, to show it in their errors.
func RequestIDHeader(d Dialect) string {
	if d == Anthropic {
		return "Request-Id"
	}
	return "X-Request-Id"
}

// appendError writes the error's body on one line, as a server-sent event needs it.
func appendError(to []byte, d Dialect, problem *Error) []byte {
	known, ok := catalogue[problem.Code]
	if !ok {
		known = catalogue[CodeInternal]
	}
	switch d {
	case Anthropic:
		// platform.claude.com, api/errors, "Error shapes".
		to = append(to, `{"type":"error","error":{"type":`...)
		to = appendString(to, known.anthropic)
		to = append(to, `,"message":`...)
		to = appendString(to, problem.Message)
		// Beside Anthropic's own members: one type stands for several of our codes.
		to = append(to, `,"code":`...)
		to = appendString(to, string(problem.Code))
		if problem.Code == CodeThread {
			// Anthropic's SDKs go on without a thread when they are told so.
			to = append(to, `,"details":{"error_code":"thread_unsupported_request"}`...)
		}
		to = append(to, '}')
		if problem.RequestID != "" {
			to = append(to, `,"request_id":`...)
			to = appendString(to, problem.RequestID)
		}
		return append(to, '}')
	case Google:
		return appendGoogleError(to, known, problem)
	}
	// openai-openapi, schema Error: param and code are required and may be null.
	to = append(to, `{"error":{"message":`...)
	to = appendString(to, problem.Message)
	to = append(to, `,"type":`...)
	to = appendString(to, known.openAI)
	to = append(to, `,"param":`...)
	if problem.Param == "" {
		to = append(to, "null"...)
	} else {
		to = appendString(to, problem.Param)
	}
	to = append(to, `,"code":`...)
	to = appendString(to, string(problem.Code))
	return append(to, "}}"...)
}

// appendGoogleError writes google.rpc.Status as its HTTP mapping has it, with the
// standard details of google/rpc/error_details.proto.
func appendGoogleError(to []byte, known entry, problem *Error) []byte {
	reason := known.reason
	if reason == "" {
		reason = strings.ToUpper(string(problem.Code))
	}
	to = append(to, `{"error":{"code":`...)
	to = strconv.AppendInt(to, int64(problem.Status), 10)
	to = append(to, `,"message":`...)
	to = appendString(to, problem.Message)
	to = append(to, `,"status":`...)
	to = appendString(to, known.google)
	to = append(to, `,"details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":`...)
	to = appendString(to, reason)
	to = append(to, `,"domain":"faregate"}`...)
	if problem.Param != "" {
		to = append(to, `,{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":`...)
		to = appendString(to, problem.Param)
		to = append(to, "}]}"...)
	}
	if problem.RetryAfter > 0 {
		// The Gemini API says here, not in a header, when to try again.
		to = append(to, `,{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"`...)
		to = strconv.AppendInt(to, wholeSeconds(problem.RetryAfter), 10)
		to = append(to, `s"}`...)
	}
	if problem.RequestID != "" {
		to = append(to, `,{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":`...)
		to = appendString(to, problem.RequestID)
		to = append(to, '}')
	}
	return append(to, "]}}"...)
}

func wholeSeconds(d time.Duration) int64 {
	return int64((d + time.Second - 1) / time.Second)
}

// appendString writes a JSON string. Bytes that are not UTF-8 become U+FFFD.
func appendString(to []byte, text string) []byte {
	quoted, err := jsontext.AppendQuote(to, strings.ToValidUTF8(text, "\uFFFD"))
	if err != nil { // only for invalid UTF-8, which is gone
		return append(to, `""`...)
	}
	return quoted
}
