package caddymodule

import (
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// checkChains finds sites whose faregate_meter is followed by a reverse_proxy that
// does not send what was held for. No handler is told what follows it, so that this
// waits until all are provisioned.
func (a *App) checkChains() error {
	loaded, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil //nolint:nilerr // no http app, no sites
	}
	app, ok := loaded.(*caddyhttp.App)
	if !ok {
		return nil
	}
	for _, server := range app.Servers {
		// A route with routes in it is a site, or a block, of its own; what stands
		// beside them is one chain.
		var rest chain
		for _, route := range server.Routes {
			var block chain
			block.add(route)
			if !block.nested {
				rest.add(route)
				continue
			}
			if err := block.check(server.Listen); err != nil {
				return err
			}
		}
		if err := rest.check(server.Listen); err != nil {
			return err
		}
	}
	return nil
}

// chain is what follows the first faregate_meter among some routes.
type chain struct {
	metered, nested        bool
	proxies, ownTransports int
}

func (c *chain) add(route caddyhttp.Route) {
	for _, handler := range route.Handlers {
		switch handler := handler.(type) {
		case *Meter:
			c.metered = true
		case *caddyhttp.Subroute:
			c.nested = true
			for _, inner := range handler.Routes {
				c.add(inner)
			}
		case *reverseproxy.Handler:
			if !c.metered {
				continue
			}
			c.proxies++
			if _, own := handler.Transport.(*Transport); own {
				c.ownTransports++
			}
		}
	}
}

func (c *chain) check(listen []string) error {
	if c.proxies == 0 || c.ownTransports > 0 {
		return nil
	}
	return fmt.Errorf("the site at %s has a reverse_proxy after faregate_meter without `dynamic faregate` and `transport faregate`, "+
		"so that nothing would reach a provider: add both to it, or write the one word faregate in place of the handlers", strings.Join(listen, ", "))
}
