package caddymodule

import (
	"context"
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// theRuntime is the one that the gateway uses.
func (g *gateway) theRuntime() *runtime {
	g.t.Helper()
	var found *runtime
	runtimes.Range(func(_, value any) bool {
		found = value.(*runtime)
		return false
	})
	if found == nil {
		g.t.Fatal("no runtime")
	}
	return found
}

// everyDialect sends the same request in each dialect with the given key and
// checks status, text and Retry-After.
func (g *gateway) everyDialect(secret string, status int, says string) {
	g.t.Helper()
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		began := time.Now()
		got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), d.header(secret))
		_, message := dialectError(g.t, d.name, got)
		if got.status != status || !strings.Contains(message, says) || got.header.Get("Retry-After") == "" {
			g.t.Errorf("%s: %d, Retry-After %q: %s", d.name, got.status, got.header.Get("Retry-After"), message)
		}
		if waited := time.Since(began); waited > 5*time.Second {
			g.t.Errorf("%s: answered after %s", d.name, waited)
		}
	}
}

func TestAStoreThatDoesNotAnswerIsSaidSo(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	_, unseen := g.createKey(nil, time.Time{})
	// Every look-up fails from now on, as with a file system that is gone.
	if err := g.theRuntime().store.Close(); err != nil {
		t.Fatal(err)
	}
	g.everyDialect(unseen, http.StatusServiceUnavailable, "cannot reach its accounts")
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}

func TestAStoppingGatewayTakesNoNewRequests(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	rt := g.theRuntime()
	stopping := func(yes bool) {
		rt.mutex.Lock()
		rt.closing = yes
		rt.mutex.Unlock()
	}
	stopping(true)
	g.everyDialect(g.secret, http.StatusServiceUnavailable, "restarting")
	stopping(false)
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}

func TestPlainHTTPFromElsewhereIsRefused(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	loaded, err := caddy.ActiveContext().App("faregate")
	if err != nil {
		t.Fatal(err)
	}
	app := loaded.(*App)
	for name, c := range map[string]struct {
		remote, forwarded string
		tls, trusted      bool
		insecure          bool
		refused           bool
	}{
		"another machine":             {remote: "192.0.2.1:4711", refused: true},
		"another machine, IPv6":       {remote: "[2001:db8::1]:4711", refused: true},
		"over TLS":                    {remote: "192.0.2.1:4711", tls: true},
		"loopback":                    {remote: "127.0.0.1:4711"},
		"loopback, IPv6":              {remote: "[::1]:4711"},
		"a socket":                    {remote: "@"},
		"allowed":                     {remote: "192.0.2.1:4711", insecure: true},
		"a proxy that says https":     {remote: "192.0.2.9:80", trusted: true, forwarded: "https"},
		"a proxy that says http":      {remote: "127.0.0.1:80", trusted: true, forwarded: "http", refused: true},
		"anybody who says https":      {remote: "192.0.2.1:4711", forwarded: "https", refused: true},
		"what only begins like local": {remote: "127.0.0.1.example:80", refused: true},
	} {
		t.Run(name, func(t *testing.T) {
			request := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "/v1/chat/completions", strings.NewReader(chatBody))
			request.RemoteAddr = c.remote
			request.Header.Set("Authorization", "Bearer "+g.secret)
			if c.forwarded != "" {
				request.Header.Set("X-Forwarded-Proto", c.forwarded)
			}
			if c.tls {
				request.TLS = new(tls.ConnectionState)
			}
			variables := map[string]any{caddyhttp.TrustedProxyVarKey: c.trusted}
			request = request.WithContext(context.WithValue(request.Context(), caddyhttp.VarsCtxKey, variables))
			answer := httptest.NewRecorder()
			reached := false
			handler := &Authenticate{Insecure: c.insecure, app: app, logger: app.logger}
			if err := handler.ServeHTTP(answer, request, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
				reached = true
				return nil
			})); err != nil {
				t.Fatal(err)
			}
			if reached == c.refused {
				t.Errorf("let through: %v", reached)
			}
			if c.refused && (answer.Code != http.StatusForbidden || !strings.Contains(answer.Body.String(), "by https")) {
				t.Errorf("%d %s", answer.Code, answer.Body)
			}
		})
	}
}
