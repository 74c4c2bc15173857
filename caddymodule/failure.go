package caddymodule

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
)

// failure is an attempt that gave no answer to pass on, or a provider's error.
type failure struct {
	status    int
	header    http.Header // what may be passed on
	body      []byte      // pooled; only of an error that may be passed on
	class     dialect.ProviderErrorClass
	passOn    bool // the error is the caller's own business: pass it on as it is
	retryable bool
	// outcome is what it tells of the provider's health; nothing where nothing was sent.
	outcome upstream.Outcome
	err     error
}

// unsent is a failure of ours before anything was sent.
func unsent(err error) *failure { return &failure{err: err} }

// unanswered is a failure to send a request or to get an answer to it.
func unanswered(err error) *failure {
	return &failure{err: err, retryable: true, outcome: upstream.Outcome{Result: upstream.ResultOfError(err)}}
}

// inAnswer is a failure under a status of success.
func inAnswer(class dialect.ProviderErrorClass, status int) *failure {
	return &failure{
		status: status, class: class, retryable: class.Retryable(),
		outcome: upstream.Outcome{Result: upstream.ResultOf(class, 0)},
	}
}

// readFailure reads a provider's error and decides what becomes of it.
func readFailure(d dialect.Dialect, response *http.Response, now time.Time) *failure {
	if response.StatusCode < 200 {
		// 101 is the only one that comes here (net/http, persistConn.readResponse). Its body is
		// the connection itself, which no context ends.
		_ = response.Body.Close()
		return inAnswer(dialect.ProviderInvalidAnswer, http.StatusBadGateway)
	}
	body, whole := readPooled(io.LimitReader(response.Body, maxErrorBody+1))
	_ = response.Body.Close()
	complete := whole && len(body) <= maxErrorBody
	f := &failure{status: response.StatusCode, header: make(http.Header, 4), body: dialect.ErrorForCallers(d, body)}
	dialect.CopyResponseHeader(f.header, response.Header)
	f.class = dialect.ClassifyProviderError(d, response.StatusCode, body)
	f.retryable = f.class.Retryable()
	// A page of some server on the way is nothing that an SDK reads, and may name machines.
	f.passOn = complete && f.class == dialect.ProviderCallerError && json.Valid(f.body)
	f.outcome = upstream.Outcome{
		Result: upstream.ResultOf(f.class, f.status), Limits: dialect.ReadProviderLimits(response.Header, now),
	}
	if !f.class.CallersOwn() {
		f.outcome.Wait = dialect.ProviderWait(response.Header, body, now)
	}
	if !f.passOn {
		f.forget()
	}
	return f
}

// readPooled reads to the end, or to where reading fails; whole tells that it was the end.
func readPooled(source io.Reader) (read []byte, whole bool) {
	buffer := takeBuffer(bodySizes[0])
	for {
		if len(buffer) == cap(buffer) {
			buffer = appendPooled(buffer, []byte{0})
			buffer = buffer[:len(buffer)-1]
		}
		n, err := source.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if err != nil {
			return buffer, errors.Is(err, io.EOF)
		}
	}
}

// quotes tells whether the provider's words have a secret in them.
func (f *failure) quotes(secret string) bool {
	return secret != "" && bytes.Contains(f.body, []byte(secret))
}

// forget wipes the provider's words, which may quote the request: they are not passed on.
func (f *failure) forget() {
	giveBuffer(f.body)
	f.passOn, f.body = false, nil
}

// rank orders failures by how much they tell the caller: what the caller can
// mend first, then when to try again, then anything else.
func (f *failure) rank() int {
	switch {
	case f.passOn:
		return 3
	case f.status == http.StatusTooManyRequests:
		return 2
	case f.status != 0:
		return 1
	}
	return 0
}

// response passes the provider's error on.
func (f *failure) response(r *http.Request, d dialect.Dialect, requestID string) *http.Response {
	f.header.Del("Content-Length")
	dialect.AddHeader(f.header, dialect.RequestIDHeader(d), requestID)
	return &http.Response{
		Status: http.StatusText(f.status), StatusCode: f.status, Header: f.header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: &failureBody{failure: f, unread: f.body}, ContentLength: int64(len(f.body)), Request: r,
	}
}

// failureBody is a provider's error on its way to the client. It is wiped when it is
// closed, as the answers are.
type failureBody struct {
	failure *failure
	unread  []byte
	filled  int
}

func (b *failureBody) Read(p []byte) (int, error) {
	n := copy(p, b.unread)
	if n == 0 && len(p) > 0 {
		clear(p[:min(b.filled, len(p))]) // as responseBody.Read does
		return 0, io.EOF
	}
	b.unread, b.filled = b.unread[n:], max(b.filled, n)
	return n, nil
}

func (b *failureBody) Close() error {
	b.unread = nil
	b.failure.forget()
	return nil
}

// problem is our own text for the provider's failure.
func (f *failure) problem(requestID string) *dialect.Error {
	problem := dialect.NewError(f.class.Code())
	if errors.Is(f.err, errBodyMemory) {
		return problemOf(0, f.err).WithRequestID(requestID)
	}
	if f.outcome.Result == upstream.TimedOut {
		problem = dialect.NewError(dialect.CodeProviderTimedOut)
	}
	switch {
	case !f.class.CallersOwn():
	case f.status == http.StatusRequestEntityTooLarge:
		problem = dialect.NewError(dialect.CodeBodyTooLarge).
			WithMessage("The request is larger than its provider accepts. Send less: fewer or smaller images and files, or a shorter prompt.")
	default:
		problem = problem.WithMessage("The provider of this model refused the request, and gave no reason that can be passed on. Nothing was charged. Check the request's parameters, or call another model.")
		problem.Status = f.status
	}
	problem.RequestID = requestID
	problem.RetryAfter = f.outcome.Wait
	return problem
}

// reason says why an attempt failed, without quoting what the provider sent.
func (f *failure) reason() string {
	var (
		dns         *net.DNSError
		certificate *tls.CertificateVerificationError
		authority   x509.UnknownAuthorityError
		operation   *net.OpError
	)
	switch {
	case f.err == nil:
		return f.class.String()
	case errors.Is(f.err, errBodyMemory):
		return "no memory for the request's body"
	case errors.Is(f.err, upstream.ErrAddressRefused):
		return "its name leads to a private network, and its block does not say private"
	case errors.As(f.err, &dns):
		return "name not found"
	case errors.As(f.err, &certificate), errors.As(f.err, &authority):
		return "certificate not trusted"
	case errors.Is(f.err, errEncodingUnknown), errors.Is(f.err, errDecodedTooLong):
		return f.err.Error()
	case f.outcome.Result == upstream.TimedOut:
		return "timed out"
	case errors.Is(f.err, context.Canceled):
		return "cancelled"
	case errors.As(f.err, &operation) && operation.Op == "dial":
		return "cannot connect"
	}
	return "connection failed"
}
