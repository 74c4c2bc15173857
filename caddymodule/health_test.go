package caddymodule

import (
	"net/http"
	"testing"
)

func TestHealthIsToldWithoutAKey(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	tell := func(method, path string, want int) {
		t.Helper()
		request, err := http.NewRequestWithContext(testContext(t), method, g.url+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		response, err := http.DefaultClient.Do(request)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = response.Body.Close() }()
		if response.StatusCode != want || (response.Header.Get("Retry-After") != "") != (want == http.StatusServiceUnavailable) {
			t.Errorf("%s %s: %d %v, want %d", method, path, response.StatusCode, response.Header, want)
		}
	}
	tell("GET", "/healthz", http.StatusOK)
	tell("HEAD", "/readyz", http.StatusOK)
	tell("GET", "/readyz", http.StatusOK)
	tell("HEAD", "/", http.StatusOK)
	tell("GET", "/", http.StatusUnauthorized)
	tell("POST", "/readyz", http.StatusUnauthorized)
	tell("GET", "/readyz/x", http.StatusUnauthorized)

	var rt *runtime
	runtimes.Range(func(_, value any) bool {
		rt = value.(*runtime)
		return true
	})
	rt.stopPoll() // else it would find out that the store answers
	rt.polling.Wait()
	rt.silent.Store(true)
	tell("GET", "/readyz", http.StatusServiceUnavailable)
	tell("GET", "/healthz", http.StatusOK)
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" {
		t.Errorf("%d %v", got.status, got.header)
	}
	if got := g.callWith("/v1/models", "", bearer(g.secret)); got.status != http.StatusOK {
		t.Errorf("a list needs no store: %d", got.status)
	}
	rt.silent.Store(false)
	tell("GET", "/readyz", http.StatusOK)
}
