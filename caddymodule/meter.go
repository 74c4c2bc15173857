package caddymodule

import (
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/price"
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

// hold places the hold, with a lower output cap if the worst case does not fit
// into what the account has.
func (h *Meter) hold(ex *Exchange) error {
	rates, version, ok := ex.model.Rates(ex.startedAt)
	if !ok {
		return errNoPrice
	}
	bound, err := worstCase(ex)
	if err != nil {
		return err
	}
	held, err := h.placeHold(ex, rates, bound)
	if err != nil {
		return err
	}
	ex.drains = !ex.request.Stream || len(ex.request.Tools) > 0 || rates.OwnPrice(price.OutputAudio) || rates.OwnPrice(price.OutputImage)
	if ex.lowered > 0 {
		ex.delivery.Header().Set("Faregate-Output-Cap", strconv.FormatInt(ex.lowered, 10))
	}
	ex.settlement = &settlement{
		runtime: ex.runtime, logger: h.app.logger, now: h.app.now, hold: held, rates: rates,
		estimatedInput: ex.request.EstimatedInput(), catalogue: ex.catalogue, model: ex.model,
		record: metering.Record{
			ID: ex.id, AccountID: ex.principal.AccountID, KeyID: ex.principal.KeyID, StartedAt: ex.startedAt,
			Operation: ex.operation.Name, Dialect: ex.dialect.String(), ModelRequested: ex.request.Model,
			Streamed: ex.request.Stream, PriceVersion: version,
		},
	}
	ex.runtime.enter(ex.settlement)
	return nil
}

func (h *Meter) placeHold(ex *Exchange, rates *price.Rates, bound price.Bound) (*ledger.Hold, error) {
	amount, err := rates.Hold(bound)
	if err != nil {
		return nil, err
	}
	held, err := ex.runtime.ledger.Hold(ex.client, ex.principal.AccountID, amount)
	var insufficient *ledger.InsufficientError
	if !errors.As(err, &insufficient) {
		return held, err
	}
	choices := int64(ex.request.Choices) * ex.request.OutputPasses()
	affordable := rates.OutputTokensWithin(bound, insufficient.Available) / choices
	least := int64(leastOutputCap)
	if ex.request.ThinkingBudget > 0 {
		least += ex.request.ThinkingBudget
	}
	if affordable < least || affordable >= bound.OutputTokens/choices {
		return nil, err
	}
	bound.OutputTokens = affordable * choices
	if amount, err = rates.Hold(bound); err != nil {
		return nil, err
	}
	if held, err = ex.runtime.ledger.Hold(ex.client, ex.principal.AccountID, amount); err != nil {
		return nil, err
	}
	ex.lowered = affordable
	return held, nil
}

// leastOutputCap is the shortest answer worth asking for.
const leastOutputCap = 1024

// defaultOutputCap bounds the output of a model whose limit is not known, when the
// caller gives no cap.
const defaultOutputCap = 16384

// worstCase says how much the request can use at most.
func worstCase(ex *Exchange) (price.Bound, error) {
	request, model := ex.request, ex.model
	bound := price.Bound{
		InputTokens: request.InputBound(), WebSearches: request.WebSearches(),
		Conditions: price.Conditions{ServiceTier: request.ServiceTier, Speed: request.Speed, Geo: request.Geo},
	}
	bound.AnyConditions = request.ServiceTier == "auto"
	if passes := request.Passes(); passes > 1 || request.HasUnboundedInput() {
		// What is not in the body is bounded by what the model can read, each time
		// that it reads.
		if model.ContextLength == 0 {
			return bound, errUnboundedInput
		}
		bound.InputTokens = model.ContextLength * passes
	} else if model.ContextLength > 0 && !model.LimitsDiffer {
		bound.InputTokens = min(bound.InputTokens, model.ContextLength)
	}
	outputCap := request.OutputCap
	switch {
	case outputCap == 0 && model.OutputLimit > 0:
		outputCap = model.OutputLimit
	case outputCap == 0:
		outputCap = defaultOutputCap
		ex.lowered = outputCap // it must be told to the provider to hold
	}
	if model.LimitsDiffer && outputCap != request.OutputCap {
		ex.lowered = outputCap // another provider of the model may allow more
	}
	bound.OutputTokens = outputCap * int64(request.Choices) * request.OutputPasses()
	return bound, nil
}

// proxyRequest is the request as reverse_proxy sees it: it clones headers and logs
// them with the address and the URI, so there is nothing left in it to log. The
// transport builds the provider's request from the Exchange.
func (ex *Exchange) proxyRequest(r *http.Request) *http.Request {
	caddyhttp.SetVar(r.Context(), caddyhttp.ClientIPVarKey, "")
	proxied := r.WithContext(r.Context())
	proxied.Header = make(http.Header, 4)
	proxied.RemoteAddr = ""
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
		return answer{ending: metering.EndedByClient, report: ex.seen}
	}
	status := ex.delivery.status
	if status == 0 {
		status = ex.providerStatus
	}
	return answer{ending: ending, httpStatus: status, report: ex.seen}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Meter)(nil)
	_ caddyhttp.MiddlewareHandler = (*Meter)(nil)
)
