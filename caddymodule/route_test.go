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

func TestOneModelIsShownToThoseWhoMayCallIt(t *testing.T) {
	g := startGateway(t, gatewayOptions{models: []string{"claude-*", "gpt-4.1-mini", "gemini-2.5-flash"}})
	for _, row := range []struct {
		path   string
		header http.Header
		want   string
	}{
		{"/v1/models/gpt-4.1-mini", bearer(g.secret), `{"id":"gpt-4.1-mini","object":"model"`},
		{"/v1/models/claude-haiku-4-5", xAPIKey(g.secret), `{"type":"model","id":"claude-haiku-4-5"`},
		{"/v1beta/models/gemini-2.5-flash", googleKey(g.secret), `{"name":"models/gemini-2.5-flash"`},
	} {
		got := g.callWith(row.path, "", row.header)
		if got.status != http.StatusOK || !strings.HasPrefix(string(got.body), row.want) {
			t.Errorf("%s: %d %s", row.path, got.status, got.body)
		}
	}
	for path, status := range map[string]int{
		"/v1/models/gpt-4.1": http.StatusForbidden, "/v1/models/no-such-model": http.StatusNotFound,
		"/v1beta/models/no-such-model": http.StatusNotFound, "/v1/models/simulator/demo": http.StatusNotFound,
	} {
		if got := g.callWith(path, "", bearer(g.secret)); got.status != status {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
}
