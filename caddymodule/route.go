package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/dustin/go-humanize"
	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
)

// defaultMaxBody is how long a request body may be unless configured.
const defaultMaxBody = 32 << 20

// Route recognises the operation, reads the request body once and resolves the
// model to the attempts that may be made (module http.handlers.faregate_route). It
// needs faregate_auth before it.
//
// It answers the lists of models, and what a request has cost, itself.
type Route struct {
	// The longest request body, in bytes. Default: 32 MiB.
	MaxBody int64 `json:"max_body,omitempty"`

	app *App
	// local tells whether the site listens on loopback addresses only.
	local bool
}

// CaddyModule returns the Caddy module information.
func (Route) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.faregate_route",
		New: func() caddy.Module { return new(Route) },
	}
}

// Provision finds the app.
func (h *Route) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	h.app = app
	if h.MaxBody < 0 {
		return fmt.Errorf("max_body %d is not a size: it is a number of bytes", h.MaxBody)
	}
	if h.MaxBody == 0 {
		h.MaxBody = defaultMaxBody
	}
	if need := memoryFor(h.MaxBody); app.BodyMemory < need {
		return fmt.Errorf("body_memory is %s, but one request of the longest that max_body allows (%s) takes up to %s while it is read and sent",
			humanize.IBytes(uint64(app.BodyMemory)), humanize.IBytes(uint64(h.MaxBody)), humanize.IBytes(uint64(need)))
	}
	server, ok := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	h.local = ok && loopbackListeners(server.Listen)
	if len(app.simulators) > 0 && !h.local {
		app.logger.Warn("this site can be reached from other machines, so it does not serve the simulator; bind it to 127.0.0.1 for that",
			zap.Strings("listen", server.Listen))
	}
	return nil
}

// loopbackListeners tells whether addresses to listen on cannot be reached from
// other machines: the simulator costs nobody anything, so strangers must not reach it.
func loopbackListeners(listen []string) bool {
	for _, text := range listen {
		address, err := caddy.ParseNetworkAddress(text)
		if err != nil || !address.IsUnixNetwork() && !loopbackHost(address.Host) {
			return false
		}
	}
	return len(listen) > 0
}

// ServeHTTP plans the request and calls the next handler.
func (h *Route) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	ex := exchangeOf(r.Context())
	if ex == nil || ex.principal == nil {
		return misordered(w, r, h.app.logger, "faregate_route needs faregate_auth before it")
	}
	if upgrades(r) {
		return dialect.NewError(dialect.CodeUpgrade)
	}
	operation, model, stream, err := dialect.Match(r.Method, r.URL.Path, ex.dialect)
	if err != nil {
		return err
	}
	ex.operation, ex.dialect = operation, operation.Dialect
	switch operation.Kind {
	case dialect.ListModels:
		h.listModels(ex)
		return nil
	case dialect.ShowModel:
		return h.showModel(ex, model)
	case dialect.ShowGeneration:
		return h.showGeneration(ex, r)
	}
	if err := ex.runtime.ready(); err != nil {
		return err
	}
	if err := ex.runtime.load.enter(h.app); err != nil {
		return err
	}
	defer ex.runtime.load.leave()
	if err := operation.CheckContent(r.Header); err != nil {
		return err
	}
	ex.body, err = h.readBody(ex, r)
	if errors.Is(err, errBodyTooLarge) {
		return dialect.NewError(dialect.CodeBodyTooLarge).WithMessage("The request body is larger than " + humanize.Comma(h.MaxBody) +
			" bytes, the most that this gateway accepts. Send less: fewer or smaller images and files, or a shorter prompt.")
	}
	if err != nil {
		return errors.Join(err, errBodyUnreadable)
	}
	defer func() { ex.body.release() }()
	if operation.IsForm() {
		ex.request, err = dialect.ParseForm(operation, r.Header.Get("Content-Type"), ex.body.bytes)
	} else {
		ex.request, err = dialect.ParseRequest(operation, model, stream, r.URL.RawQuery, ex.body.bytes)
	}
	if err != nil {
		return err
	}
	if err := h.plan(ex); err != nil {
		return err
	}
	return next.ServeHTTP(w, r)
}

// upgrades tells whether a WebSocket is asked for (RFC 6455 section 4.1, RFC 8441). Other
// upgrades are offers, as of HTTP/2, which a server need not take (RFC 9110 section 7.8).
func upgrades(r *http.Request) bool {
	if r.Method == http.MethodConnect {
		return true
	}
	for _, value := range r.Header["Upgrade"] {
		if strings.Contains(strings.ToLower(value), "websocket") {
			return true
		}
	}
	return false
}

// readBody reads the request's body, for as long as it comes.
func (h *Route) readBody(ex *Exchange, r *http.Request) (*requestBody, error) {
	//nolint:bodyclose // a response controller, no response
	connection := http.NewResponseController(ex.delivery.ResponseWriter)
	return readRequestBody(r.Body, r.ContentLength, bodyLimits{
		most: h.MaxBody, share: bodyShare{memory: bodiesMemory, limit: h.app.BodyMemory}, now: ex.app.now,
		deadline: func(at time.Time) {
			// What has no deadlines is no connection to a client.
			_ = connection.SetReadDeadline(at)
		},
	})
}

// plan resolves the model that is called, and checks that this key may call it.
func (h *Route) plan(ex *Exchange) error {
	name := ex.request.Model
	catalogue := h.app.catalogue()
	model, err := catalogue.Find(name)
	if err != nil {
		return err
	}
	if model.Simulator() && !h.local {
		return upstream.ErrUnknownModel
	}
	ex.modelName = model.Name
	if !ex.principal.AllowsModel(model.Name) && !ex.principal.AllowsModel(name) {
		return errModelNotAllowed
	}
	plan, err := ex.planFor(model)
	if errors.Is(err, upstream.ErrOtherDialect) {
		return &otherDialectError{dialects: model.Dialects()}
	}
	if err != nil {
		return err
	}
	ex.catalogue, ex.model, ex.plan = catalogue, model, plan
	return nil
}

// listModels answers the models that this key may call, in the caller's shape.
func (h *Route) listModels(ex *Exchange) {
	var models []dialect.ModelInfo
	for _, model := range h.app.catalogue().Models() {
		if model.Simulator() && !h.local || !ex.principal.AllowsModel(model.Name) || !model.Promised(ex.requiredPolicy()) {
			continue
		}
		models = append(models, modelInfo(model))
	}
	dialect.WriteModels(ex.delivery, ex.operation.Dialect, models)
}

// showModel answers one model, if this key may call it, by the name that the caller
// knows it by.
func (h *Route) showModel(ex *Exchange, name string) error {
	model, err := h.app.catalogue().Find(name)
	if err != nil {
		return err
	}
	if model.Simulator() && !h.local {
		return upstream.ErrUnknownModel
	}
	if !ex.principal.AllowsModel(model.Name) && !ex.principal.AllowsModel(name) {
		return errModelNotAllowed
	}
	if required := ex.requiredPolicy(); !model.Promised(required) {
		return &upstream.DataPolicyError{Required: required}
	}
	shown := modelInfo(model)
	shown.ID = name
	dialect.WriteModel(ex.delivery, ex.operation.Dialect, shown)
	return nil
}

func modelInfo(model *upstream.Model) dialect.ModelInfo {
	return dialect.ModelInfo{
		ID: model.Name, Owner: model.Owner, DisplayName: model.Name,
		ContextLength: model.ContextLength, OutputLimit: model.OutputLimit,
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Route)(nil)
	_ caddyhttp.MiddlewareHandler = (*Route)(nil)
)
