package dialect

import (
	"bytes"
	"encoding/json"
	"net/http"

	"github.com/faregate/faregate/metering/usage"
)

// ProviderErrorClass is whose business a provider's error is.
type ProviderErrorClass uint8

// The classes of providers' errors.
const (
	ProviderFailed            ProviderErrorClass = iota // it broke, or could not be reached
	ProviderCallerError                                 // the request is at fault, everywhere the same
	ProviderRefusedCredential                           // the gateway's key, account or region is refused
	ProviderQuota                                       // the gateway's account there has no credit left
	ProviderLowCredit                                   // it has too little left for this request
	ProviderRateLimited                                 // the gateway's account asks too often
	ProviderOverloaded                                  // it has too much to do
	ProviderModelNotFound                               // it does not serve the model, or not to us
	ProviderInvalidAnswer                               // what it sent is not what its API sends
)

var classes = [...]struct {
	name   string
	status int
	code   Code
}{
	ProviderFailed:            {"failed", http.StatusInternalServerError, CodeProviderDown},
	ProviderCallerError:       {"caller_error", http.StatusBadRequest, CodeInvalidRequest},
	ProviderRefusedCredential: {"refused_credential", http.StatusUnauthorized, CodeProviderRefused},
	ProviderQuota:             {"quota", http.StatusTooManyRequests, CodeProviderRefused},
	ProviderLowCredit:         {"low_credit", http.StatusPaymentRequired, CodeProviderRefused},
	ProviderRateLimited:       {"rate_limited", http.StatusTooManyRequests, CodeProviderRateLimited},
	ProviderOverloaded:        {"overloaded", http.StatusServiceUnavailable, CodeProviderOverloaded},
	ProviderModelNotFound:     {"model_not_found", http.StatusNotFound, CodeProviderLacksModel},
	ProviderInvalidAnswer:     {"invalid_answer", http.StatusBadGateway, CodeProviderDown},
}

// String returns the class's name for logs and metrics.
func (c ProviderErrorClass) String() string { return classes[c].name }

// Status is the HTTP status that usually says the same.
func (c ProviderErrorClass) Status() int { return classes[c].status }

// Code is the error of ours to answer with when no other provider is left. Errors
// of the caller's own pass as the provider said them.
func (c ProviderErrorClass) Code() Code { return classes[c].code }

// CallersOwn tells whether the error is about the request, so that the provider's
// words for it may go on to the caller.
func (c ProviderErrorClass) CallersOwn() bool { return c == ProviderCallerError }

// Retryable tells whether another provider may do better.
func (c ProviderErrorClass) Retryable() bool { return c != ProviderCallerError }

// ClassifyProviderError judges a provider's answer with a status of 400 and above
// by its status and the first bytes of its body, which may be cut.
func ClassifyProviderError(d Dialect, status int, body []byte) ProviderErrorClass {
	said := readProviderError(body)
	switch {
	case status == http.StatusPaymentRequired && said.lowCredit():
		return ProviderLowCredit
	case status == http.StatusUnauthorized, status == http.StatusPaymentRequired, status == http.StatusForbidden:
		if said.quota() {
			return ProviderQuota
		}
		return ProviderRefusedCredential
	case status == http.StatusNotFound:
		return ProviderModelNotFound // on an operation of ours nothing else can be missing
	case status == http.StatusTooManyRequests:
		if said.quota() {
			return ProviderQuota
		}
		return ProviderRateLimited
	case status == http.StatusServiceUnavailable, status == 529: // 529: Anthropic, api/errors
		return ProviderOverloaded
	case status == http.StatusRequestTimeout, status >= 500, status < 400:
		return ProviderFailed
	case status == http.StatusBadRequest:
		switch {
		case said.quota():
			return ProviderQuota
		case said.refused(d):
			return ProviderRefusedCredential
		case said.lacksModel():
			return ProviderModelNotFound
		}
	}
	return ProviderCallerError
}

// ErrorForCallers is a provider's error as the dialect's SDKs read it: at Gemini's
// OpenAI-compatible address it stands in an array, which OpenAI's do not look into.
func ErrorForCallers(d Dialect, body []byte) []byte {
	whole := bytes.TrimSpace(body)
	if d != OpenAI || len(whole) < 2 || whole[0] != '[' || whole[len(whole)-1] != ']' {
		return body
	}
	if only := bytes.TrimSpace(whole[1 : len(whole)-1]); json.Valid(only) {
		return only
	}
	return body
}

// ClassifyStreamError judges an error that came under status 200.
func ClassifyStreamError(kind usage.ErrorKind) ProviderErrorClass {
	switch kind {
	case usage.ErrorInvalidRequest, usage.ErrorContentFilter:
		return ProviderCallerError
	case usage.ErrorAuthentication, usage.ErrorPermission:
		return ProviderRefusedCredential
	case usage.ErrorNotFound:
		return ProviderModelNotFound
	case usage.ErrorRateLimited:
		return ProviderRateLimited
	case usage.ErrorQuota:
		return ProviderQuota
	case usage.ErrorOverloaded:
		return ProviderOverloaded
	}
	return ProviderFailed
}
