package caddymodule

import (
	"context"
	"errors"
	"net/http"
	"runtime/debug"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/google/uuid"
	"github.com/jub0bs/cors"
	"go.uber.org/zap"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/dialect"
)

// Authenticate verifies the caller's Faregate key (module http.handlers.faregate_auth).
// It must be the first of our handlers.
//
// It takes the credential from wherever the dialects' SDKs put it, removes it from
// headers, query and request URI, looks its hash up, and takes the request into the
// limits of its key, its account and its client's address. From there on it owns the
// answer: every error below it becomes an answer in the caller's dialect, so that
// Caddy's own error log never sees the request.
type Authenticate struct {
	// Allows clients to call over plain HTTP from other machines. Keys and prompts
	// then cross the network in clear. Loopback clients and trusted proxies that
	// say https (X-Forwarded-Proto) need no permission.
	Insecure bool `json:"insecure,omitempty"`

	// The origins of pages that may call from browsers, like https://app.example.com;
	// "*" stands for all. Browsers' own credentials are never allowed. Default: none.
	CORS []string `json:"cors,omitempty"`

	app    *App
	logger *zap.Logger
	cors   *cors.Middleware // nil without origins
}

// CaddyModule returns the Caddy module information.
func (Authenticate) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.faregate_auth",
		New: func() caddy.Module { return new(Authenticate) },
	}
}

// Provision finds the app.
func (h *Authenticate) Provision(ctx caddy.Context) error {
	app, err := appOf(ctx)
	if err != nil {
		return err
	}
	h.app, h.logger = app, app.logger
	h.cors, err = newCORS(h.CORS)
	return err
}

// ServeHTTP verifies the key and answers every error of the handlers below. It
// returns nil always.
func (h *Authenticate) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.app.AccessLog != accessLogCaddy {
		caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	}
	if span := spanOf(r); span != nil && h.app.AccessLog != accessLogCaddy {
		keepPrivate(span, r)
	}
	h.acrossOrigins(w, r, func(w http.ResponseWriter, r *http.Request) {
		if !h.answerSideCall(w, r) {
			h.answer(w, r, next)
		}
	})
	return nil
}

// answer verifies the key, and calls the handlers below.
func (h *Authenticate) answer(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) {
	ex := &Exchange{
		app: h.app, runtime: h.app.runtime,
		id: uuid.Must(uuid.NewV7()).String(), startedAt: h.app.now(), client: r.Context(), header: r.Header,
		dialect: dialect.Guess(r.URL.Path, r.Header),
	}
	ex.left = ex.client.Done()
	ex.delivery, ex.span = newDelivery(w, h.app.now), spanOf(r)
	ex.attach(r)
	ex.delivery.Header().Set("Faregate-Request-Id", ex.id)
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		// A cache on the way knows by Authorization alone that an answer is for one caller
		// (RFC 9111 section 3.5), and by none of the other places that a key can be in.
		ex.delivery.Header().Set("Cache-Control", "no-store")
	}

	defer func() {
		if problem := recover(); problem != nil {
			h.settleAfterPanic(ex, problem)
		}
		if ex.settlement == nil {
			logRefusal(h.app.accessLines(), ex, h.app.now())
			measured.refused(ex)
		}
		if ex.span != nil {
			ex.traceExchange(r.URL.Path)
		}
	}()
	// The credential goes first, whatever else is wrong with the request.
	r = forgetOriginalQuery(r)
	secret, err := dialect.TakeCredential(r)
	switch {
	case err != nil:
	case !h.Insecure && !secureClient(r):
		err = errPlainHTTP
	case caddy.Exiting() || !ex.runtime.acquire():
		err = errShuttingDown
	default:
		defer ex.runtime.release() // after the refusal's record, too
		err = h.serve(ex, secret, r, next)
	}
	if err != nil {
		if ex.body == nil {
			leaveBodyUnasked(ex.delivery.Header(), r)
		}
		ex.fail(err)
	}
}

// leaveBodyUnasked lets the refusal of a request go out at once whose client waits to be
// asked for the body. net/http would read that first, as it does not see through Caddy's
// wrapper of the body who waits for whom (server.go, cw.writeHeader), and both would wait
// until Caddy's time-out.
func leaveBodyUnasked(answer http.Header, r *http.Request) {
	if r.ProtoMajor == 1 && r.Header.Get("Expect") != "" {
		answer.Set("Connection", "close")
	}
}

func (h *Authenticate) serve(ex *Exchange, secret string, r *http.Request, next caddyhttp.Handler) error {
	if err := h.app.begin(); err != nil {
		return errors.Join(auth.ErrUnavailable, err)
	}
	address := clientAddress(r)
	principal, err := h.identify(r.Context(), secret, address)
	if err != nil {
		return err
	}
	ex.principal = principal
	if replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		// Caddy's access log takes its user_id from here (server.go, logRequest).
		replacer.Set("http.auth.user.id", principal.KeyID)
	}
	if !principal.Addresses.Allows(address) {
		return errAddressNotAllowed
	}
	if err := ex.admit(address); err != nil {
		return err
	}
	defer ex.dismiss()
	return next.ServeHTTP(ex.delivery, r)
}

// forgetOriginalQuery takes a key out of the copy of the request that Caddy keeps
// for its placeholders of the original URI (server.go, PrepareRequest).
func forgetOriginalQuery(r *http.Request) *http.Request {
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok || r.URL.RawQuery == "" {
		return r
	}
	address := *original.URL
	address.RawQuery = dialect.WithoutCredential(address.RawQuery)
	address.User = nil
	original.URL, original.RequestURI = &address, address.RequestURI()
	if replacer, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		// Caddy's own placeholders look into the first context of the request, which
		// cannot be changed (replacer.go, addHTTPVarsToReplacer).
		prefix := ""
		if address.RawQuery != "" {
			prefix = "?"
		}
		replacer.Set("http.request.orig_uri", original.RequestURI)
		replacer.Set("http.request.orig_uri.query", address.RawQuery)
		replacer.Set("http.request.orig_uri.prefixed_query", prefix+address.RawQuery)
	}
	return r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
}

// settleAfterPanic keeps a panic from reaching net/http, which would print it with
// the client's address. http.ErrAbortHandler goes on: it cuts the connection, which
// is what it is for, and prints nothing.
func (h *Authenticate) settleAfterPanic(ex *Exchange, problem any) {
	if problem == http.ErrAbortHandler { //nolint:errorlint // net/http compares it the same way
		panic(problem)
	}
	// The value of the panic may quote what was being handled; the stack cannot.
	h.logger.Error("internal error", zap.String("request_id", ex.id), zap.ByteString("stack", debug.Stack()))
	if ex.delivery.status != 0 {
		panic(http.ErrAbortHandler)
	}
	ex.fail(errInternal)
}

// secureClient tells whether what the client sends stays between it and us.
func secureClient(r *http.Request) bool {
	if r.TLS != nil {
		return true
	}
	if trusted, _ := caddyhttp.GetVar(r.Context(), caddyhttp.TrustedProxyVarKey).(bool); trusted {
		return r.Header.Get("X-Forwarded-Proto") == "https"
	}
	return loopbackAddress(r.RemoteAddr)
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Authenticate)(nil)
	_ caddyhttp.MiddlewareHandler = (*Authenticate)(nil)
)
