package caddymodule

import (
	"context"
	"io"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
)

// Transport sends a planned request to its provider, and to the next one while
// nothing of an answer has reached the client (module
// http.reverse_proxy.transport.faregate). All attempts are made inside one
// RoundTrip: reverse_proxy's own retries lose the provider's answer.
//
// It refuses to send anything that was not authorised and held for, so that
// handlers in the wrong order never make an open relay.
type Transport struct {
	app *App
	// headerUnread tells that reverse_proxy only copies the header of an answer.
	headerUnread bool
}

// CaddyModule returns the Caddy module information.
func (Transport) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.transport.faregate",
		New: func() caddy.Module { return new(Transport) },
	}
}

// Provision finds the app.
func (t *Transport) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	t.app = app
	t.headerUnread = headerUnread(ctx.Modules())
	return nil
}

// RoundTrip makes the attempts. It returns an answer for whatever goes wrong but
// the client's leaving, as reverse_proxy would write an error to Caddy's log.
func (t *Transport) RoundTrip(r *http.Request) (*http.Response, error) {
	defer leaveNothingToLog(r)
	ex := exchangeOf(r.Context())
	if ex == nil || ex.settlement == nil || ex.plan == nil || ex.used {
		keepOutOfLogs(r)
		problem := dialect.NewError(dialect.CodeInternal)
		t.app.logger.Error("refused to send a request: " + errNoPlan.Error())
		return errorResponse(r, dialect.Guess(r.URL.Path, r.Header), problem), nil
	}
	ex.used = true
	tries := tries{exchange: ex, request: r}
	defer tries.release() // should anything panic
	for {
		call, err := ex.plan.Begin(ex.client)
		if err != nil {
			return tries.none(err)
		}
		tries.running = &call
		covered, err := ex.cover(call.Attempt)
		if err != nil {
			call.Done(upstream.Outcome{})
			if response, err := tries.uncovered(call.Attempt, err); response != nil || err != nil {
				return response, err
			}
			continue
		}
		if !ex.settlement.try(call.Attempt, covered.bound) {
			call.Done(upstream.Outcome{})
			// The gateway stops, and has settled it without a charge.
			return errorResponse(r, ex.dialect, dialect.NewError(dialect.CodeShuttingDown).WithRequestID(ex.id)), nil
		}
		measured.attempts.WithLabelValues(call.Provider.Name).Inc()
		ex.sent = false
		ex.tellCap(covered)
		response, failed := t.attempt(ex, r, &call, covered)
		if failed == nil {
			tries.running = nil // the body ends it
			return response, nil
		}
		call.Done(failed.outcome)
		if ex.clientLeft() {
			// A provider's refusal costs nothing, whoever is there to hear of it.
			if failed.status >= http.StatusBadRequest {
				ex.providerStatus = failed.status
			}
			failed.forget()
			return nil, context.Canceled
		}
		t.logFailure(ex, call.Attempt, failed)
		tries.failed(failed)
		ex.sent = false // a client that leaves before the next one has it owes nothing for this one
		if !failed.retryable {
			return tries.none(upstream.ErrExhausted)
		}
	}
}

// UnmarshalCaddyfile reads `transport faregate`, which takes nothing more.
func (*Transport) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() || d.NextBlock(0) {
		return d.Err("transport faregate takes no options: providers are configured in the faregate global option")
	}
	return nil
}

// errorResponse is an error of ours as a response for reverse_proxy to pass on.
func errorResponse(r *http.Request, d dialect.Dialect, problem *dialect.Error) *http.Response {
	status, header, body := dialect.EncodeError(d, problem)
	return &http.Response{
		Status: http.StatusText(status), StatusCode: status, Header: header,
		Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Body: io.NopCloser(strings.NewReader(string(body))), ContentLength: int64(len(body)), Request: r,
	}
}

// Interface guards
var (
	_ caddy.Provisioner     = (*Transport)(nil)
	_ http.RoundTripper     = (*Transport)(nil)
	_ caddyfile.Unmarshaler = (*Transport)(nil)
)
