package caddymodule

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/dustin/go-humanize"
)

// registerDirectives makes the chain usable as one word and piece by piece. The
// pieces sort before handle and route, so that a terminal handle cannot pass them
// by (httpcaddyfile, directives.go); in this order, as several directives placed
// before the same one keep the order of their registration.
func registerDirectives() {
	httpcaddyfile.RegisterHandlerDirective("faregate_auth", parseAuthenticate)
	httpcaddyfile.RegisterHandlerDirective("faregate_route", parseRoute)
	httpcaddyfile.RegisterHandlerDirective("faregate_meter", parseMeter)
	httpcaddyfile.RegisterDirective("faregate", parseChain)
	httpcaddyfile.RegisterDirectiveOrder("faregate_auth", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("faregate_route", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("faregate_meter", httpcaddyfile.Before, "basic_auth")
	httpcaddyfile.RegisterDirectiveOrder("faregate", httpcaddyfile.Before, "reverse_proxy")
}

// parseAuthenticate reads
//
//	faregate_auth [<matcher>] {
//		insecure
//		cors <origins...>
//	}
func parseAuthenticate(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Authenticate)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive faregate_auth.
func (h *Authenticate) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Err("faregate_auth takes no arguments but a matcher")
	}
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "insecure":
			err = h.parseInsecure(d)
		case "cors":
			err = h.parseCORS(d)
		default:
			err = unknownSubdirective(d, "faregate_auth", "insecure or cors")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (h *Authenticate) parseInsecure(d *caddyfile.Dispenser) error {
	if d.NextArg() {
		return d.Err("insecure takes no arguments")
	}
	h.Insecure = true
	return nil
}

// parseRoute reads
//
//	faregate_route [<matcher>] {
//		max_body <size>
//	}
func parseRoute(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Route)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive faregate_route.
func (h *Route) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() {
		return d.Err("faregate_route takes no arguments but a matcher")
	}
	for d.NextBlock(0) {
		if d.Val() != "max_body" {
			return unknownSubdirective(d, "faregate_route", "max_body")
		}
		if err := h.parseMaxBody(d); err != nil {
			return err
		}
	}
	return nil
}

func (h *Route) parseMaxBody(d *caddyfile.Dispenser) error { return parseSize(d, &h.MaxBody, "32MB") }

// parseSize reads a line with one size.
func parseSize(d *caddyfile.Dispenser, into *int64, example string) error {
	name := d.Val()
	var text string
	if !d.AllArgs(&text) {
		return d.Errf("%s takes one size, like %s", name, example)
	}
	if *into != 0 {
		return d.Errf("%s is given twice", name)
	}
	size, err := humanize.ParseBytes(text)
	if err != nil || size == 0 || size > 1<<40 {
		return d.Errf("%s %q is not a size, like %s", name, text, example)
	}
	*into = int64(size)
	return nil
}

// parseMeter reads
//
//	faregate_meter [<matcher>]
func parseMeter(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
	handler := new(Meter)
	return handler, handler.UnmarshalCaddyfile(h.Dispenser)
}

// UnmarshalCaddyfile reads the directive faregate_meter.
func (h *Meter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next() // the directive's name
	if d.NextArg() || d.NextBlock(0) {
		return d.Err("faregate_meter takes no arguments but a matcher")
	}
	return nil
}

// proxySubdirectives are those of reverse_proxy that cannot break the chain.
var proxySubdirectives = []string{
	"flush_interval", "stream_timeout", "stream_close_delay", "stream_buffer_size",
	"header_down", "handle_response", "trusted_proxies",
}

// parseChain reads the directive that stands for the whole chain:
//
//	faregate [<matcher>] {
//		insecure
//		cors <origins...>
//		max_body <size>
//		# and these of reverse_proxy: flush_interval, stream_timeout,
//		# stream_close_delay, stream_buffer_size, header_down,
//		# handle_response, trusted_proxies
//	}
//
// It expands to faregate_auth, faregate_route, faregate_meter and a reverse_proxy
// with the upstream source and the transport of Faregate.
func parseChain(h httpcaddyfile.Helper) ([]httpcaddyfile.ConfigValue, error) {
	h.Next() // the directive's name
	matchers, err := h.ExtractMatcherSet()
	if err != nil {
		return nil, err
	}
	h.Next() // the name again: ExtractMatcherSet has gone back to before it
	var (
		authenticate Authenticate
		route        Route
		meter        Meter
	)
	// reverse_proxy reads what is left of the tokens when ours are deleted.
	tokens := h.NewFromNextSegment()
	tokens.Next() // the name, of the copy
	if tokens.NextArg() {
		return nil, tokens.Err("faregate takes no addresses: providers are configured in the faregate global option")
	}
	for tokens.NextBlock(0) {
		switch name := tokens.Val(); {
		case name == "insecure":
			if err := authenticate.parseInsecure(tokens); err != nil {
				return nil, err
			}
			tokens.Delete()
		case name == "cors":
			if err := authenticate.parseCORS(tokens); err != nil {
				return nil, err
			}
			tokens.DeleteN(1 + len(authenticate.CORS))
		case name == "max_body":
			if err := route.parseMaxBody(tokens); err != nil {
				return nil, err
			}
			tokens.DeleteN(2)
		case strings.HasPrefix(name, "@"), slices.Contains(proxySubdirectives, name): // @: a response matcher, for handle_response
			tokens.NextSegment() // over its arguments and block, to the next one
		default:
			return nil, tokens.Errf("faregate cannot pass %q on to reverse_proxy: providers, credentials and retries are Faregate's own matter. "+
				"It takes insecure, cors and max_body, and of reverse_proxy %s", name, strings.Join(proxySubdirectives, ", "))
		}
	}
	tokens.Reset()
	proxy := new(reverseproxy.Handler)
	if err := proxy.UnmarshalCaddyfile(tokens); err != nil {
		return nil, err
	}
	if err := proxy.FinalizeUnmarshalCaddyfile(h); err != nil {
		return nil, err
	}
	for _, handling := range proxy.HandleResponse {
		if !errorsOnly(handling.Match) {
			return nil, h.Err("handle_response would take answers away that the caller pays for: give it a matcher with status codes of 400 and above only")
		}
	}
	proxy.DynamicUpstreamsRaw = caddyconfig.JSONModuleObject(Upstreams{}, "source", "faregate", nil)
	proxy.TransportRaw = caddyconfig.JSONModuleObject(Transport{}, "protocol", "faregate", nil)
	chain := &caddyhttp.Subroute{Routes: caddyhttp.RouteList{{HandlersRaw: []json.RawMessage{
		caddyconfig.JSONModuleObject(&authenticate, "handler", "faregate_auth", nil),
		caddyconfig.JSONModuleObject(&route, "handler", "faregate_route", nil),
		caddyconfig.JSONModuleObject(&meter, "handler", "faregate_meter", nil),
		caddyconfig.JSONModuleObject(proxy, "handler", "reverse_proxy", nil),
	}}}}
	return h.NewRoute(matchers, chain), nil
}

// errorsOnly tells whether a matcher takes no answer but errors. Codes below ten
// stand for their class (caddyhttp, StatusCodeMatches).
func errorsOnly(matcher *caddyhttp.ResponseMatcher) bool {
	if matcher == nil || len(matcher.StatusCode) == 0 {
		return false
	}
	for _, code := range matcher.StatusCode {
		if code != 4 && code != 5 && code < 400 {
			return false
		}
	}
	return true
}

// Interface guards
var (
	_ caddyfile.Unmarshaler = (*Authenticate)(nil)
	_ caddyfile.Unmarshaler = (*Route)(nil)
	_ caddyfile.Unmarshaler = (*Meter)(nil)
)
