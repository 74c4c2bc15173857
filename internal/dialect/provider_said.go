package dialect

import (
	"bytes"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"
)

// providerError is what the dialects' error bodies say, taken together.
type providerError struct {
	code, kind, status string
	message            jsonText
	reasons            []string
	wait               time.Duration
}

// jsonText is a JSON value where it lies. What providers say may quote the request, so
// no copy is made of it; encoding/json would make one into a json.RawMessage.
type jsonText []byte

// UnmarshalJSON keeps the place: json.Unmarshal gives a part of what it was given.
func (t *jsonText) UnmarshalJSON(value []byte) error {
	*t = value
	return nil
}

// begins tells whether it is a string that begins with a text.
func (t jsonText) begins(text string) bool {
	return len(t) > len(text) && t[0] == '"' && string(t[1:len(text)+1]) == text
}

// readProviderError reads an error body; one that is no JSON, as a cut one, says nothing.
func readProviderError(body []byte) providerError {
	body = bytes.TrimSpace(body)
	if len(body) > 1 && body[0] == '[' { // Gemini's stream without alt=sse: the error in an array
		body = body[1 : len(body)-1]
	}
	var outer struct {
		Error jsonText `json:"error"`
		Code  jsonText `json:"code"`
	}
	if decode(body, &outer) != nil {
		return providerError{}
	}
	var inner struct {
		Code    jsonText `json:"code"`
		Type    string   `json:"type"`
		Status  string   `json:"status"`
		Message jsonText `json:"message"`
		Details []struct {
			Reason     string `json:"reason"`
			RetryDelay string `json:"retryDelay"`
		} `json:"details"`
	}
	if len(outer.Error) > 2 && outer.Error[0] == '"' {
		return providerError{code: text(outer.Code), message: outer.Error} // xAI: {"code":"…","error":"text"}
	}
	if decode(outer.Error, &inner) != nil {
		return providerError{}
	}
	said := providerError{code: text(inner.Code), kind: inner.Type, status: inner.Status, message: inner.Message}
	for _, detail := range inner.Details {
		said.reasons = append(said.reasons, detail.Reason)
		if strings.HasSuffix(detail.RetryDelay, "s") {
			said.wait = max(said.wait, parseWait(strings.TrimSuffix(detail.RetryDelay, "s"), "s"))
		}
	}
	return said
}

// decode is json.Unmarshal that keeps what it could read where some member has
// another type than expected: providers differ.
func decode(data []byte, into any) error {
	err := json.Unmarshal(data, into)
	var mismatch *json.UnmarshalTypeError
	if errors.As(err, &mismatch) {
		return nil
	}
	return err
}

// text returns a JSON string's value, and nothing for any other value.
func text(value jsonText) string {
	var decoded string
	if json.Unmarshal(value, &decoded) != nil {
		return ""
	}
	return decoded
}

// lowCredit tells whether a 402 is about what this one request may cost: a smaller one can
// still be paid for.
func (e providerError) lowCredit() bool {
	return e.message.begins("This request requires more credits, or fewer max_tokens") || // OpenRouter
		e.message.begins("Prompt tokens limit exceeded") // OpenRouter, of the prompt alone
}

// quota tells whether the gateway's account at the provider is out of credit.
func (e providerError) quota() bool {
	return e.code == "insufficient_quota" || e.kind == "insufficient_quota" || // OpenAI, under 429
		e.code == "billing_hard_limit_reached" || // OpenAI, under 400
		e.kind == "billing_error" || // Anthropic, under 402
		// Anthropic, an invalid_request_error under 400: no credit, or a limit of the account's own.
		e.message.begins("Your credit balance is too low") || e.message.begins("You have reached your specified API usage limits")
}

// refused tells whether a 400 is about the gateway's own key or account.
func (e providerError) refused(d Dialect) bool {
	if d == Google {
		// FAILED_PRECONDITION: region or billing, ai.google.dev/gemini-api/docs/troubleshooting.
		return e.status == "FAILED_PRECONDITION" || slices.Contains(e.reasons, "API_KEY_INVALID")
	}
	return e.code == "invalid_api_key" || e.message.begins("Incorrect API key provided") || // xAI, under 400
		e.code == "organization_restricted" || // Groq
		e.message.begins("This organization has been disabled") // Anthropic
}

// lacksModel tells whether a 400 says that the gateway's account may not use the model, or
// not in this way: OpenAI streams some models only to organizations that it has verified.
func (e providerError) lacksModel() bool {
	return e.code == "model_not_found" || e.message.begins("Your organization must be verified")
}

// RetryAfterBody says when a provider wants to be asked again, as the body of its
// error says it; 0 if it does not. Gemini does (google.rpc.RetryInfo), and has no
// header for it.
func RetryAfterBody(body []byte) time.Duration { return readProviderError(body).wait }
