package caddymodule

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// Upstreams gives reverse_proxy the one upstream that it needs to begin (module
// http.reverse_proxy.upstreams.faregate). Where requests really go is the
// transport's matter.
type Upstreams struct{}

// CaddyModule returns the Caddy module information.
func (Upstreams) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.reverse_proxy.upstreams.faregate",
		New: func() caddy.Module { return new(Upstreams) },
	}
}

var errNoPlan = errors.New("no authorised plan: faregate_auth, faregate_route and faregate_meter must run before reverse_proxy")

// GetUpstreams returns one upstream, at an address where nothing can be: with any
// other transport than ours nothing may reach a provider. An error would make
// reverse_proxy fall back to static upstreams (reverseproxy.go, proxyLoopIteration).
func (*Upstreams) GetUpstreams(*http.Request) ([]*reverseproxy.Upstream, error) {
	return []*reverseproxy.Upstream{{Dial: nowhere}}, nil
}

// nowhere is no address of a server: port 0 cannot be listened on (RFC 6335, 6).
const nowhere = "127.0.0.1:0"

// UnmarshalCaddyfile reads `dynamic faregate`, which takes nothing more.
func (*Upstreams) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the module's name
	if d.NextArg() || d.NextBlock(0) {
		return d.Err("dynamic faregate takes no arguments: providers are configured in the faregate global option")
	}
	return nil
}

// Interface guards
var (
	_ reverseproxy.UpstreamSource = (*Upstreams)(nil)
	_ caddyfile.Unmarshaler       = (*Upstreams)(nil)
)
