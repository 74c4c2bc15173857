package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/metering"
)

const proxyPiece = "reverse_proxy {\n\tdynamic faregate\n\ttransport faregate\n}"

// handle and route sort before most directives (httpcaddyfile, directives.go): a
// handler that sorts after them is passed by.
func TestTheKeyIsAskedForWhereverTheProxyIs(t *testing.T) {
	sites := map[string]string{
		"pieces, proxy in handle": "faregate_auth\nfaregate_route\nfaregate_meter\nhandle {\n" + proxyPiece + "\n}",
		"pieces, proxy in route":  "faregate_auth\nfaregate_route\nfaregate_meter\nroute {\n" + proxyPiece + "\n}",
		"pieces, backwards":       proxyPiece + "\nfaregate_meter\nfaregate_route\nfaregate_auth",
		"one word in handle":      "handle /v1/* {\n\tfaregate\n}\nhandle {\n\trespond 404\n}",
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{site: site})
			for _, header := range []http.Header{{}, bearer(g.secret[:len(g.secret)-1] + "~")} {
				if got := g.callWith(chatJSON.path, chatJSON.body, header); got.status != http.StatusUnauthorized {
					t.Errorf("without a valid key: %d %v %s", got.status, got.err, got.body)
				}
			}
			if n := len(g.provider.Requests()); n != 0 {
				t.Errorf("the provider was asked %d times", n)
			}
			if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
				t.Errorf("with a key: %d %v %s", got.status, got.err, got.body)
			}
			if record := g.records(1)[0]; record.Basis != metering.BasisMeasured || record.Cost <= 0 {
				t.Errorf("record %+v", record)
			}
		})
	}
}

// Handlers that are missing or in the wrong order: the provider must see nothing, as
// it would be asked in the operator's name and at the operator's cost.
func TestAMisorderedChainIsNoOpenRelay(t *testing.T) {
	sites := map[string]string{
		"proxy alone":               proxyPiece,
		"proxy with an upstream":    "reverse_proxy PROVIDER {\n\ttransport faregate\n}",
		"authentication alone":      "faregate_auth\n" + proxyPiece,
		"no meter":                  "faregate_auth\nfaregate_route\n" + proxyPiece,
		"no authentication":         "faregate_route\nfaregate_meter\n" + proxyPiece,
		"no route":                  "faregate_auth\nfaregate_meter\n" + proxyPiece,
		"meter first":               "route {\n\tfaregate_meter\n\tfaregate_auth\n\tfaregate_route\n\t" + proxyPiece + "\n}",
		"route before auth":         "route {\n\tfaregate_route\n\tfaregate_auth\n\tfaregate_meter\n\t" + proxyPiece + "\n}",
		"meter after the proxy":     "route {\n\tfaregate_auth\n\tfaregate_route\n\t" + proxyPiece + "\n\tfaregate_meter\n}",
		"authentication elsewhere":  "handle /other/* {\n\tfaregate_auth\n}\nhandle {\n\t" + proxyPiece + "\n}",
		"meter for other addresses": "faregate_auth\nfaregate_route\nfaregate_meter /other/*\n" + proxyPiece,
	}
	for name, site := range sites {
		t.Run(name, func(t *testing.T) {
			g := newGateway(t, gatewayOptions{site: site})
			g.config = strings.Replace(g.config, "PROVIDER", strings.TrimPrefix(g.provider.URL, "http://"), 1)
			g.run()
			credit := g.balance()
			for _, w := range wireDocuments {
				for _, header := range []http.Header{w.header(g.secret), {"Api-Key": {g.secret}}, {}} {
					path := w.path
					if len(header) == 0 {
						path += "?key=" + g.secret
					}
					got := g.callWith(path, w.body, header)
					if got.err != nil || got.status < 400 || len(got.body) == 0 {
						t.Errorf("%s: %d %v %s", w.name, got.status, got.err, got.body)
					}
				}
			}
			if requests := g.provider.Requests(); len(requests) != 0 {
				t.Errorf("the provider was asked: %+v", requests[0])
			}
			if g.balance() != credit {
				t.Errorf("something was charged")
			}
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			log := g.log()
			if !strings.Contains(log, "order") && !strings.Contains(log, "refused to send") {
				t.Error("the log does not say what is wrong")
			}
			for _, secret := range []string{g.secret, providerKey} {
				if strings.Contains(log, secret) {
					t.Errorf("a key is in the log: %s", lineWith(log, secret))
				}
			}
		})
	}
}
