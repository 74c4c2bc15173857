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
	tell("GET", "/", http.StatusOK)
	tell("GET", "/favicon.ico", http.StatusUnauthorized)
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

func TestHeadIsAnsweredWhereGetIs(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for _, path := range []string{"/v1/models", "/v1/models/gpt-4.1-mini", "/v1beta/models", "/v1beta/models/gemini-2.5-flash", "/healthz", "/"} {
		whole, head := g.send(http.MethodGet, path, "", bearer(g.secret)), g.send(http.MethodHead, path, "", bearer(g.secret))
		if head.status != http.StatusOK || whole.status != http.StatusOK || len(head.body) != 0 || len(whole.body) == 0 {
			t.Errorf("%s: HEAD %d with %d bytes, GET %d", path, head.status, len(head.body), whole.status)
		}
		if head.header.Get("Content-Type") != whole.header.Get("Content-Type") {
			t.Errorf("%s: HEAD tells %v", path, head.header)
		}
	}
	got := g.send(http.MethodHead, "/v1/chat/completions", "", bearer(g.secret))
	if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" || len(got.body) != 0 {
		t.Errorf("HEAD of a call: %d %v", got.status, got.header)
	}
}

func TestOptionsTellsTheMethods(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for path, allow := range map[string]string{
		"/v1/chat/completions": "POST, OPTIONS", "/v1/messages/count_tokens": "POST, OPTIONS",
		"/v1beta/models/gemini-2.5-flash:generateContent": "POST, OPTIONS", "/v1/models": "GET, HEAD, OPTIONS", "/": "GET, HEAD, OPTIONS",
	} {
		// A browser's question, too: without the header fields that it looks for, it does not let the page call.
		asking := http.Header{"Origin": {"https://app.example"}, "Access-Control-Request-Method": {"POST"}}
		for _, header := range []http.Header{{}, asking} {
			got := g.send(http.MethodOptions, path, "", header)
			if got.status != http.StatusNoContent || got.header.Get("Allow") != allow || got.header.Get("Access-Control-Allow-Origin") != "" {
				t.Errorf("%s: %d %v", path, got.status, got.header)
			}
		}
	}
	// The key comes first where there is nothing.
	if got := g.send(http.MethodOptions, "/v1/nothing", "", nil); got.status != http.StatusUnauthorized {
		t.Errorf("nothing, without a key: %d", got.status)
	}
	if got := g.send(http.MethodOptions, "/v1/nothing", "", bearer(g.secret)); got.status != http.StatusNotFound {
		t.Errorf("nothing: %d", got.status)
	}
}

func TestOnlyWhatBelongsToTheDirectiveIsAnswered(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: "handle /v1/* {\n\tfaregate\n}\nhandle {\n\trespond \"the site's own\" 200\n}"})
	for _, method := range []string{http.MethodGet, http.MethodOptions} {
		if got := g.send(method, "/", "", nil); got.status != http.StatusOK || string(got.body) != "the site's own" {
			t.Errorf("%s: %d %s", method, got.status, got.body)
		}
	}
	if got := g.send(http.MethodOptions, "/v1/messages", "", nil); got.status != http.StatusNoContent {
		t.Errorf("ours: %d %s", got.status, got.body)
	}
}
