package caddymodule

import (
	"crypto/tls"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
)

// twofold are calls of models that two providers serve.
var twofold = []wire{
	{"chat", chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", "twofold", 1), bearer, ""},
	{"messages", messagesJSON.path, strings.Replace(messagesJSON.body, "claude-haiku-4-5", "twofold-messages", 1), xAPIKey, ""},
	{"gemini", strings.Replace(geminiJSON.path, "gemini-2.5-flash", "twofold-gemini", 1), geminiJSON.body, googleKey, ""},
	{"chat stream", chatStream.path, strings.Replace(chatStream.body, "gpt-4.1-mini", "twofold", 1), bearer, chatStream.terminal},
}

// Caddy's transport dials the address in the request's context and not the one in
// the URL (httptransport.go, dialContext), so that a second attempt can show
// provider B's key to provider A.
func TestEachProviderIsShownItsOwnKeyOnly(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: configuration})
	failures := []simulator.Response{
		simulator.ErrorResponse(simulator.OpenAI, 401),
		simulator.ErrorResponse(simulator.OpenAI, 429),
		simulator.ErrorResponse(simulator.OpenAI, 503),
		{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader},
		{Fault: simulator.Reset, FaultAt: simulator.BeforeHeader},
	}
	calls := 0
	for _, w := range twofold {
		for i, failed := range failures {
			g.forgetFailures()
			g.provider.Add(simulator.Step{Response: failed})
			got := g.callWith(w.path, w.body, w.header(g.secret))
			calls++
			if got.status != http.StatusOK || got.err != nil {
				t.Errorf("%s, failure %d: %d %v %s", w.name, i, got.status, got.err, got.body)
			}
		}
	}
	if first, second := len(g.provider.Requests()), len(other.Requests()); first != calls || second != calls {
		t.Errorf("the providers were asked %d and %d times, want %d", first, second, calls)
	}
	checkKeys(t, "first", g.provider, providerKey, otherKey, g.secret)
	checkKeys(t, "other", other, otherKey, providerKey, g.secret)
	for i, record := range g.records(calls) {
		if record.Attempts != 2 || !strings.HasPrefix(record.Provider, "other") {
			t.Errorf("call %d: %d attempts, provider %s", i, record.Attempts, record.Provider)
		}
	}
}

func TestEachProviderIsShownItsOwnKeyOnlyOverTLS(t *testing.T) {
	signer := newAuthority(t)
	secure := func(host, key string) (*simulator.Server, string) {
		server, err := simulator.Start("127.0.0.1:0", simulator.Options{Key: key, Record: true},
			&tls.Config{Certificates: []tls.Certificate{signer.certify(host)}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close(testContext(t)) })
		return server, strings.Replace(server.URL, "127.0.0.1", host, 1)
	}
	// The certificate of each is good for its own host only.
	first, firstURL := secure("localhost", providerKey)
	other, otherURL := secure("127.0.0.1", otherKey)
	g := startGateway(t, gatewayOptions{extra: `
		provider first {
			dialect openai
			base_url ` + firstURL + `/v1
			api_key {file.` + keyFile(t, providerKey) + `}
		}
		provider other {
			dialect openai
			base_url ` + otherURL + `/v1
			api_key {file.` + keyFile(t, otherKey) + `}
		}
		model twofold {
			to first/gpt-4.1-mini other/gpt-4.1-mini
			price input 1 output 1
		}`})
	trust(t, signer)
	const calls = 4
	for range calls {
		g.forgetFailures()
		first.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
		w := twofold[0]
		if got := g.callWith(w.path, w.body, w.header(g.secret)); got.status != http.StatusOK || got.err != nil {
			t.Fatalf("%d %v %s", got.status, got.err, got.body)
		}
	}
	for _, provider := range []struct {
		server   *simulator.Server
		url      string
		key, not string
	}{{first, firstURL, providerKey, otherKey}, {other, otherURL, otherKey, providerKey}} {
		requests := provider.server.Requests()
		if len(requests) != calls {
			t.Errorf("%s was asked %d times, want %d", provider.url, len(requests), calls)
		}
		address, err := url.Parse(provider.url)
		if err != nil {
			t.Fatal(err)
		}
		for _, request := range requests {
			if !request.TLS || request.Host != address.Host || request.Proto != "HTTP/2.0" {
				t.Errorf("%s was asked as %s, %s, TLS %t", provider.url, request.Host, request.Proto, request.TLS)
			}
		}
		checkKeys(t, provider.url, provider.server, provider.key, provider.not, g.secret)
	}
}

// A provider whose certificate is another's gets nothing, no key in particular.
func TestAProviderWithAWrongCertificateIsShownNothing(t *testing.T) {
	signer := newAuthority(t)
	server, err := simulator.Start("127.0.0.1:0", simulator.Options{Record: true},
		&tls.Config{Certificates: []tls.Certificate{signer.certify("api.example.com")}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(testContext(t)) })
	g := startGateway(t, gatewayOptions{extra: `
		provider impostor {
			dialect openai
			base_url ` + server.URL + `/v1
			api_key {file.` + keyFile(t, otherKey) + `}
		}
		model twofold {
			to impostor
			price input 1 output 1
		}`})
	trust(t, signer)
	w := twofold[0]
	if got := g.callWith(w.path, w.body, w.header(g.secret)); got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %v %s", got.status, got.err, got.body)
	}
	if n := len(server.Requests()); n != 0 {
		t.Errorf("%d requests came through", n)
	}
	if record := g.records(1)[0]; record.Cost != 0 {
		t.Errorf("record %+v", record)
	}
}

// trust makes the running gateway trust an authority, as the system's store would.
func trust(t *testing.T, signer *authority) {
	t.Helper()
	loaded, err := caddy.ActiveContext().AppIfConfigured("faregate")
	if err != nil {
		t.Fatal(err)
	}
	for _, transport := range loaded.(*App).transports {
		transport.TLSClientConfig = &tls.Config{RootCAs: signer.pool}
	}
}

func checkKeys(t *testing.T, name string, provider *simulator.Server, key string, not ...string) {
	t.Helper()
	for _, request := range provider.Requests() {
		if !headerHolds(request.Header, key) {
			t.Errorf("provider %s was not shown its key: %v", name, request.Header)
		}
		for _, secret := range not {
			if headerHolds(request.Header, secret) || strings.Contains(request.RequestURI, secret) || strings.Contains(string(request.Body), secret) {
				t.Errorf("provider %s was shown a key that is not its own", name)
			}
		}
	}
}
