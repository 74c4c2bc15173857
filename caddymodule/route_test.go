package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

func TestLoopbackListeners(t *testing.T) {
	for listen, want := range map[string]bool{
		"127.0.0.1:8080": true, "localhost:80": true, "[::1]:443": true, "unix//run/caddy.sock": true, "tcp4/127.0.0.5:9000": true,
		":443": false, "0.0.0.0:80": false, "192.0.2.1:80": false, "127.0.0.1:80 :443": false, "": false, "example.com:80": false,
	} {
		if got := loopbackListeners(strings.Fields(listen)); got != want {
			t.Errorf("%q: %v", listen, got)
		}
	}
}

func TestListsOfModelsShowWhatTheKeyMayCall(t *testing.T) {
	g := startGateway(t, gatewayOptions{models: []string{"claude-*", "gpt-4.1-mini"}})
	for path, header := range map[string]http.Header{
		"/v1/models":      bearer(g.secret),
		"/v1/models ":     xAPIKey(g.secret),
		"/v1beta/models":  googleKey(g.secret),
		"/v1beta/models ": bearer(g.secret),
	} {
		got := g.callWith(strings.TrimSpace(path), "", header)
		if got.status != http.StatusOK || !strings.Contains(string(got.body), "claude-haiku-4-5") ||
			!strings.Contains(string(got.body), "gpt-4.1-mini") || strings.Contains(string(got.body), `"gpt-4.1"`) ||
			strings.Contains(string(got.body), "gemini") {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	if got := g.callWith("/v1/models", "", http.Header{}); got.status != http.StatusUnauthorized {
		t.Errorf("without a key: %d", got.status)
	}
	if n := len(g.records(0)); n != 0 {
		t.Errorf("%d records of lists", n)
	}
}
