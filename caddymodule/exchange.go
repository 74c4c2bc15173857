package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.opentelemetry.io/otel/trace"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/usage"
)

// Exchange is all the state of one request on its way through the chain. It is
// made by faregate_auth, used once, and never outlives the handler: what goes on
// after it (a drain, a late settlement) holds a settlement and nothing of this.
type Exchange struct {
	app       *App
	runtime   *runtime
	id        string // UUIDv7, ours
	startedAt time.Time
	client    context.Context // the client's request: done when the client has left
	left      <-chan struct{} // the end of client; asked for each piece of a stream
	delivery  *delivery
	span      trace.Span  // Caddy's, of the request; nil if nobody records one
	header    http.Header // the client's, without credentials; for allow-lists only

	principal *auth.Principal
	admission *admission
	dialect   dialect.Dialect
	operation dialect.Operation
	request   *dialect.Request
	body      *requestBody
	catalogue *upstream.Catalogue // with the prices that the request began with
	model     *upstream.Model
	plan      *upstream.Plan
	// modelName is the catalogue's for the model that was asked for, also where it is refused;
	// empty where this gateway serves none of that name.
	modelName string

	settlement *settlement
	// endCounts tells that only the end of the provider's answer says what it costs, so
	// that it is read to its end after the client has left, unless told otherwise.
	endCounts bool
	// wanted is the worst case that the hold was placed for, and granted what of it the
	// hold covers.
	wanted, granted allowance
	// wantedOf is what of an attempt wanted depends on.
	wantedOf upstream.Limits
	// response is what the transport returned, to be closed whatever happens.
	response *responseBody
	// seen is what the meter had read of an answer that was given up; nil if there was none.
	seen *usage.Report
	// sent tells whether a provider was given the whole request.
	sent bool
	// providerStatus is the status of the provider's answer that is passed on.
	providerStatus int
	// used refuses a second pass through the transport.
	used bool
	// problem is what was answered in place of a provider's response.
	problem *dialect.Error
}

// exchangeVar is where the Exchange lives among Caddy's request variables.
const exchangeVar = "faregate.exchange"

// exchangeOf returns the request's Exchange, or nil if no faregate_auth has run.
func exchangeOf(ctx context.Context) *Exchange {
	ex, _ := caddyhttp.GetVar(ctx, exchangeVar).(*Exchange)
	return ex
}

// String keeps {http.vars.faregate.exchange} from printing the fields.
func (ex *Exchange) String() string { return ex.id }

// GoString keeps %#v from printing the fields.
func (ex *Exchange) GoString() string { return ex.id }

// clientLeft tells whether the client has gone.
func (ex *Exchange) clientLeft() bool {
	if ex.delivery.failed.Load() {
		return true
	}
	select {
	case <-ex.left:
		return true
	default:
		return false
	}
}

// attach makes the Exchange and its placeholders known to the rest of the chain.
func (ex *Exchange) attach(r *http.Request) {
	caddyhttp.SetVar(r.Context(), exchangeVar, ex)
	if replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		replacer.Map(ex.placeholder)
	}
}

// placeholder answers {faregate.*}.
func (ex *Exchange) placeholder(key string) (any, bool) {
	switch key {
	case "faregate.request.id":
		return ex.id, true
	case "faregate.account.id":
		if ex.principal != nil {
			return ex.principal.AccountID, true
		}
		return "", true
	case "faregate.key.id":
		if ex.principal != nil {
			return ex.principal.KeyID, true
		}
		return "", true
	case "faregate.model":
		if ex.model != nil {
			return ex.model.Name, true
		}
		return "", true
	case "faregate.provider":
		if ex.settlement != nil {
			return ex.settlement.provider(), true
		}
		return "", true
	}
	return nil, false
}
