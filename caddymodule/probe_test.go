package caddymodule

import (
	"context"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// probe is a handler of the tests' own, to be put anywhere into a chain.
type probe struct{}

type probeFunc func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error

var probing atomic.Pointer[probeFunc]

func (probe) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.faregate_probe", New: func() caddy.Module { return new(probe) }}
}

func (probe) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if f := probing.Load(); f != nil {
		return (*f)(w, r, next)
	}
	return next.ServeHTTP(w, r)
}

func init() {
	caddy.RegisterModule(probe{})
	httpcaddyfile.RegisterHandlerDirective("faregate_probe", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return new(probe), nil
	})
}

// probedSite has a probe before the chain.
const probedSite = "route {\n\tfaregate_probe\n\tfaregate\n}"

// probeWith sets what probes do for the rest of the test.
func probeWith(t *testing.T, f probeFunc) {
	probing.Store(&f)
	t.Cleanup(func() { probing.Store(nil) })
}

// departures tells when the server has noticed that a client has left.
type departures struct {
	mutex sync.Mutex
	next  chan struct{}
}

// watchDepartures makes the probes watch for clients that leave, one at a time.
func watchDepartures(t *testing.T) *departures {
	d := new(departures)
	probeWith(t, func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		stop := context.AfterFunc(r.Context(), d.noticed)
		defer stop()
		return next.ServeHTTP(w, r)
	})
	return d
}

// expect must be called before the client's request; the channel is closed when its
// leaving was noticed.
func (d *departures) expect() <-chan struct{} {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.next = make(chan struct{})
	return d.next
}

func (d *departures) noticed() {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.next != nil {
		close(d.next)
		d.next = nil
	}
}

// Interface guards
var _ caddyhttp.MiddlewareHandler = (*probe)(nil)
