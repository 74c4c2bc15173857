package caddymodule

import (
	"cmp"
	"errors"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// Meter holds the worst-case price of a request before it is sent, and guarantees
// exactly one settlement afterwards (module http.handlers.faregate_meter). It needs
// faregate_auth and faregate_route before it, and reverse_proxy with the transport
// faregate after it.
type Meter struct {
	app *App
}

// CaddyModule returns the Caddy module information.
func (Meter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.faregate_meter",
		New: func() caddy.Module { return new(Meter) },
	}
}

// Provision finds the app.
func (h *Meter) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	h.app = app
	return nil
}

// ServeHTTP holds, calls the next handler, and settles what is not settled yet.
func (h *Meter) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ex := exchangeOf(r.Context())
	if ex == nil || ex.principal == nil || ex.model == nil {
		return misordered(w, r, h.app.logger, "faregate_meter needs faregate_auth and faregate_route before it")
	}
	if err := h.hold(ex); err != nil {
		return err
	}
	// Deferred, as reverse_proxy may panic (reverseproxy.go, finalizeResponse).
	bodySettles := false
	defer func() {
		if !bodySettles {
			// Whoever has settled it before has the last word.
			_ = ex.settlement.settle(ex.unanswered())
		}
	}()
	defer func() {
		if ex.response != nil {
			// The settlement is the body's: it may go on reading for the usage.
			_ = ex.response.Close()
			bodySettles = true
		}
	}()
	if err := next.ServeHTTP(ex.delivery, ex.proxyRequest(r)); err != nil {
		// Answered here, so that the settlement below knows with what.
		ex.fail(errors.Join(errProxy, err))
		return nil
	}
	if ex.response != nil && ex.response.broken() {
		// The answer is incomplete and cannot say so itself: cut the connection.
		_ = ex.delivery.FlushError()
		panic(http.ErrAbortHandler)
	}
	return nil
}

// hold places the hold, and makes what settles it.
func (h *Meter) hold(ex *Exchange) error {
	rates, version, ok := ex.model.Rates(ex.startedAt)
	if !ok {
		return errNoPrice
	}
	markup := h.app.groupOf(ex.principal).markup()
	rates = rates.Times(markup)
	ex.endCounts = ex.onlyEndCounts(rates)
	s := &settlement{
		runtime: ex.runtime, logger: h.app.logger, lines: h.app.accessLines(), now: h.app.now, rates: rates,
		catalogue: ex.catalogue, model: ex.model,
		reasons:         ex.mayReason(),
		reasonsOpenly:   ex.operation.Format == usage.OpenAIChat && !ex.model.Reasons(),
		estimatedSpeech: ex.request.EstimatedSpeech(), estimatedImage: ex.likelyImage(rates), kinds: ex.kinds(), free: ex.operation.Kind == dialect.Free,
		admission: ex.admission, markup: markup, span: ex.span,
		record: metering.Record{
			ID: ex.id, AccountID: ex.principal.AccountID, KeyID: ex.principal.KeyID, StartedAt: ex.startedAt,
			Operation: ex.operation.Name, Dialect: ex.dialect.String(), ModelRequested: ex.model.Name,
			Streamed: ex.request.Stream, PriceVersion: version,
		},
	}
	// Last, so that nothing that reads the request can fail while credit is held and
	// nobody is there to release it.
	var err error
	if s.hold, err = ex.placeAdmitted(rates); err != nil {
		return err
	}
	ex.settlement = s
	ex.runtime.enter(s)
	return nil
}

// proxyRequest is the request as reverse_proxy sees it: it clones headers and logs
// them with the address and the URI, so there is nothing left in it to log. The
// transport builds the provider's request from the Exchange.
func (ex *Exchange) proxyRequest(r *http.Request) *http.Request {
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "")
	proxied := r.WithContext(r.Context())
	proxied.Header = make(http.Header, 4)
	proxied.RemoteAddr = "@" // as of a Unix socket: reverse_proxy looks for no address in it
	proxied.Body, proxied.ContentLength, proxied.TransferEncoding = http.NoBody, 0, nil
	proxied.URL = &url.URL{Path: r.URL.Path}
	proxied.RequestURI = r.URL.Path
	return proxied
}

// unanswered describes a request for which no provider's answer was passed on.
func (ex *Exchange) unanswered() answer {
	ending := metering.EndedUnsent
	if ex.providerStatus >= 400 {
		ending = metering.EndedComplete
	} else if ex.clientLeft() && ex.sent {
		ending = metering.EndedByClient
	}
	a := answer{ending: ending, input: ex.request.EstimateInput}
	if ex.seen != nil {
		a.report = *ex.seen
	}
	if ending != metering.EndedByClient {
		a.httpStatus = cmp.Or(ex.delivery.status, ex.providerStatus)
	}
	return a
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Meter)(nil)
	_ caddyhttp.MiddlewareHandler = (*Meter)(nil)
)
