package caddymodule

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/upstream"
)

// What a provider's name leads to is known only when it is dialled.
func TestANameThatLeadsInsideIsNotDialled(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	app := g.theApp()
	for provider := range app.transports {
		app.transports[provider] = newTransport(false, time.Second) // as if its address were a name
	}
	got := g.call(chatJSON.path, chatJSON.body)
	if got.status != http.StatusServiceUnavailable || got.errorCode() != "provider_unavailable" || strings.Contains(string(got.body), "127.0.0.1") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
	waitFor(t, "the log to say why", func() bool { return strings.Contains(g.log(), "does not say private") })
	for provider := range app.transports {
		app.transports[provider] = newTransport(true, time.Second)
	}
	g.forgetFailures()
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Errorf("a private provider: %d %s", got.status, got.body)
	}
}

func TestWhoMayBeOnAPrivateNetwork(t *testing.T) {
	for _, row := range []struct {
		provider Provider
		private  bool
	}{
		{Provider{Name: "openai"}, false},
		{Provider{Name: "house", BaseURL: "https://llm.example.com/v1"}, false},
		{Provider{Name: "house", BaseURL: "https://llm.example.com/v1", Private: true}, true},
		{Provider{Name: "house", BaseURL: "https://8.8.8.8/v1"}, false},
		{Provider{Name: "house", BaseURL: "https://10.1.2.3/v1"}, true},
		{Provider{Name: "house", BaseURL: "https://[fd00::1]/v1"}, true},
		{Provider{Name: "house", BaseURL: "https://[::ffff:192.168.0.1]/v1"}, true},
		{Provider{Name: "house", BaseURL: "http://127.0.0.1:8000/v1"}, true},
		{Provider{Name: "house", BaseURL: "http://localhost:8000/v1"}, true},
		{Provider{Name: "house", BaseURL: "https://127.0.0.1.example.com/v1"}, false},
		{Provider{Name: "house", BaseURL: "https://localhost.example.com/v1"}, false},
		{Provider{Name: "ollama"}, true},
		{Provider{Name: "vllm", BaseURL: "https://llm.internal.example.com/v1"}, true},
	} {
		address, err := row.provider.address()
		if err != nil {
			t.Errorf("%+v: %v", row.provider, err)
			continue
		}
		if got := row.provider.onPrivateNetwork(address); got != row.private {
			t.Errorf("%+v: private %t, want %t", row.provider, got, row.private)
		}
	}
	for _, address := range []string{"https://169.254.169.254/v1", "https://[fd00:ec2::254]/v1", "https://0.0.0.0/v1", "https://[::ffff:169.254.169.254]/v1"} {
		provider := Provider{Name: "house", BaseURL: address, Private: true}
		if _, err := provider.address(); !errors.Is(err, upstream.ErrAddressRefused) {
			t.Errorf("%s: %v", address, err)
		}
	}
}

// A redirect would take the prompt and the key elsewhere.
func TestRedirectsAreNotFollowed(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: configuration})
	for _, status := range []int{301, 302, 303, 307, 308} {
		g.forgetFailures()
		g.provider.Add(simulator.Step{Response: simulator.Response{
			Status: status, Body: []byte("moved"), Header: http.Header{"Location": {other.URL + "/v1/chat/completions"}},
		}})
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusServiceUnavailable || got.header.Get("Location") != "" {
			t.Errorf("%d: %d %v %s", status, got.status, got.header, got.body)
		}
	}
	if n := len(other.Requests()); n != 0 {
		t.Errorf("%d redirects were followed", n)
	}
}
