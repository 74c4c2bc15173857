package caddymodule

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Caddy starts apps in the random order of a map (caddy.go, run): the http app may
// serve requests before Faregate has started.
func TestARequestThatComesBeforeTheStartIsServed(t *testing.T) {
	g := newGateway(t, gatewayOptions{})
	t.Setenv("XDG_DATA_HOME", g.directory)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(g.config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := ctx.App("faregate")
	if err != nil {
		t.Fatal(err)
	}
	app := loaded.(*App)
	defer func() {
		if err := app.Cleanup(); err != nil {
			t.Error(err)
		}
	}()
	gate := &Authenticate{app: app, logger: app.logger}
	request := httptest.NewRequest(http.MethodPost, "http://127.0.0.1"+chatJSON.path, strings.NewReader(chatJSON.body))
	request.RemoteAddr = "127.0.0.1:1"
	request.Header = bearer(g.secret)
	response := httptest.NewRecorder()
	request = caddyhttp.PrepareRequest(request, caddy.NewReplacer(), response, &caddyhttp.Server{})
	passed := false
	if err := gate.ServeHTTP(response, request, caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error {
		passed = true
		return nil
	})); err != nil {
		t.Fatal(err)
	}
	if !passed {
		t.Errorf("refused: %d %s", response.Code, response.Body)
	}
	// It has started once, whoever asked for it first.
	if err := app.Start(); err != nil {
		t.Error(err)
	}
}
