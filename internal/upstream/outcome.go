package upstream

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"math"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

// Result is how an attempt went, as far as its provider's health is concerned.
type Result uint8

// The results.
const (
	// Abandoned: nobody can tell, as the client left, or nothing was sent.
	Abandoned Result = iota
	// Succeeded: an answer.
	Succeeded
	// CallersFault: the provider is well, the request is not.
	CallersFault
	// Refused: the key, or its account, is not accepted (401).
	Refused
	// NoCredit: the key's account is out of credit (402).
	NoCredit
	// LowCredit: the key's account has too little credit for this request (402, OpenRouter);
	// a smaller one, or one of a cheaper model, may be taken.
	LowCredit
	// Forbidden: the key may not do this (403). That can be the model's matter or even
	// the prompt's (OpenRouter: flagged by moderation), so the key stays in use.
	Forbidden
	// RateLimited: too many requests or tokens (429).
	RateLimited
	// Overloaded: too much to do (503, 529).
	Overloaded
	// Failed: an error of the provider's, or a broken connection.
	Failed
	// TimedOut: no answer in time.
	TimedOut
	// Unreachable: no connection could be made.
	Unreachable
	// ModelMissing: the provider does not serve the model (404).
	ModelMissing
)

var resultNames = [...]string{
	Abandoned: "abandoned", Succeeded: "succeeded", CallersFault: "callers_fault", Refused: "refused", NoCredit: "no_credit", LowCredit: "low_credit",
	Forbidden: "forbidden", RateLimited: "rate_limited", Overloaded: "overloaded", Failed: "failed", TimedOut: "timed_out",
	Unreachable: "unreachable", ModelMissing: "model_missing",
}

// String is the result's name in metrics and views.
func (r Result) String() string {
	if int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "unknown"
}

// Outcome is how an attempt went.
type Outcome struct {
	Result Result
	// Wait is how long the provider asks to be left alone; 0 if it does not say.
	// See dialect.ProviderWait.
	Wait time.Duration
	// Limits are those that the answer states.
	Limits dialect.ProviderLimits
	// Tokens are how many the answer took, for the key's rate.
	Tokens int64
}

// ResultOf judges a provider's error by its class and status (0 if it came inside an
// answer).
func ResultOf(class dialect.ProviderErrorClass, status int) Result {
	switch class {
	case dialect.ProviderCallerError:
		return CallersFault
	case dialect.ProviderRefusedCredential:
		switch status {
		case http.StatusForbidden, 0: // inside an answer nothing tells it from a 403
			return Forbidden
		case http.StatusPaymentRequired:
			return NoCredit
		}
		return Refused
	case dialect.ProviderQuota:
		return NoCredit
	case dialect.ProviderLowCredit:
		return LowCredit
	case dialect.ProviderRateLimited:
		return RateLimited
	case dialect.ProviderOverloaded:
		return Overloaded
	case dialect.ProviderModelNotFound:
		return ModelMissing
	}
	return Failed
}

// ResultOfError judges why a request could not be sent, or no answer came. Cancelling
// is the client's leaving.
func ResultOfError(err error) Result {
	var (
		operation   *net.OpError
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		timeout     interface{ Timeout() bool }
	)
	switch {
	case err == nil:
		return Succeeded
	case errors.Is(err, context.Canceled):
		return Abandoned
	case errors.As(err, &dns), errors.As(err, &certificate), errors.As(err, &authority), errors.Is(err, ErrAddressRefused),
		errors.As(err, &operation) && operation.Op == "dial":
		return Unreachable
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded),
		errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	}
	return Failed
}

// scope is whom a failure speaks of.
type scope uint8

const (
	ofNobody  scope = iota
	ofModel         // the key, for this model
	ofKey           // the key, for all models
	ofAddress       // all keys of the provider
)

// fault is what a result does to whom it speaks of.
type fault struct {
	scope scope
	// inRow is how many must come in a row before a cool-down begins. What the
	// provider itself asks for begins one at once.
	inRow int32
	// The first cool-down takes base, each further twice the one before, up to most.
	base, most time.Duration
	// mostAsked bounds how long the provider can ask to be left alone: a try now and
	// then costs nothing, and a broken header must not silence a key for a day.
	mostAsked time.Duration
	// lastResorts is below how many cool-downs in a row a request may still try where
	// nobody else is left, if the length of the cool-down is our guess and not the
	// provider's word.
	lastResorts int32
	// prompts tells that it can be the prompt's own matter, so that any caller can bring it
	// about, at will and for nothing: that must not keep the others out.
	prompts bool
}

const (
	// Errors that are no matter of the key: about half a minute.
	someLastResorts = 5
	// Of a refusal only the first cool-down: it can be an error of the provider's, too,
	// but it must not see a refused key forever.
	fewLastResorts = 2
	// Of what may have been meant for one prompt alone nobody knows whether the next will do.
	endlessLastResorts = math.MaxInt32
)

var faults = [...]fault{
	Abandoned: {}, Succeeded: {}, CallersFault: {},
	// Soon a try every few hours, and when the configuration is loaded again.
	Refused:  {scope: ofKey, inRow: 1, base: time.Minute, most: 4 * time.Hour, lastResorts: fewLastResorts},
	NoCredit: {scope: ofKey, inRow: 1, base: time.Minute, most: 4 * time.Hour, lastResorts: fewLastResorts},
	// One is enough for the operator to be told; each further one would be a message more.
	LowCredit: {scope: ofModel, inRow: 1, base: time.Minute, most: 10 * time.Minute, lastResorts: endlessLastResorts, prompts: true},
	// Providers that say nothing of when may have meant this one request, as it alone is
	// longer than the limit of a minute (OpenAI).
	RateLimited: {scope: ofModel, inRow: 1, base: time.Second, most: time.Minute, mostAsked: time.Hour, lastResorts: endlessLastResorts, prompts: true},
	// One error among many answers is no reason to leave a key alone: with all keys
	// as fallible, all would be left alone most of the time.
	Forbidden:    {scope: ofModel, inRow: 3, base: time.Second, most: 10 * time.Minute, mostAsked: time.Minute, lastResorts: endlessLastResorts, prompts: true},
	Overloaded:   {scope: ofModel, inRow: 3, base: time.Second, most: time.Minute, mostAsked: time.Minute, lastResorts: someLastResorts},
	Failed:       {scope: ofModel, inRow: 3, base: time.Second, most: time.Minute, mostAsked: time.Minute, lastResorts: someLastResorts},
	ModelMissing: {scope: ofModel, inRow: 3, base: time.Second, most: 10 * time.Minute, lastResorts: someLastResorts},
	// These cost the caller a long wait each.
	TimedOut:    {scope: ofModel, inRow: 1, base: 5 * time.Second, most: 2 * time.Minute, lastResorts: someLastResorts},
	Unreachable: {scope: ofAddress, inRow: 1, base: time.Second, most: time.Minute, lastResorts: someLastResorts},
}
