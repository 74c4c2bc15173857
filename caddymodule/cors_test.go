package caddymodule

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// What browsers ask for the SDKs' sake: the header fields that the official ones send.
var preflightHeaders = map[string]string{
	"/v1/chat/completions": "authorization,content-type,openai-beta,openai-organization,openai-project,x-stainless-arch,x-stainless-helper-method," +
		"x-stainless-lang,x-stainless-os,x-stainless-package-version,x-stainless-retry-count,x-stainless-runtime,x-stainless-runtime-version,x-stainless-timeout",
	"/v1/messages": "anthropic-beta,anthropic-dangerous-direct-browser-access,anthropic-version,authorization,content-type,faregate-provider,x-api-key,x-stainless-lang",
	"/v1beta/models/gemini-2.5-flash:generateContent": "content-type,x-goog-api-client,x-goog-api-key",
}

// allows does what a browser does with an answer to its question (Fetch, "CORS-preflight
// fetch"), for a call without the browser's credentials.
func allows(header http.Header, origin, method, fields string) bool {
	if allowed := header.Get("Access-Control-Allow-Origin"); allowed != "*" && allowed != origin {
		return false
	}
	methods := strings.Split(strings.ReplaceAll(header.Get("Access-Control-Allow-Methods"), " ", ""), ",")
	if !slices.Contains([]string{"GET", "HEAD", "POST"}, method) && !slices.Contains(methods, method) {
		return false
	}
	named := strings.Split(strings.ReplaceAll(strings.ToLower(header.Get("Access-Control-Allow-Headers")), " ", ""), ",")
	for field := range strings.SplitSeq(fields, ",") {
		if !slices.Contains(named, field) && (field == "authorization" || !slices.Contains(named, "*")) {
			return false
		}
	}
	return true
}

func TestPagesOfAllowedOriginsCanCall(t *testing.T) {
	const here, elsewhere = "https://app.example.com", "https://other.example"
	for _, c := range []struct {
		origins string
		foreign bool // pages of elsewhere can call too
	}{
		{"cors https://app.example.com http://localhost:3000", false},
		{"cors https://*.example.com", false},
		{"cors *", true},
	} {
		t.Run(c.origins, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{site: "faregate {\n\t\t" + c.origins + "\n\t}"})
			for path, fields := range preflightHeaders {
				ask := func(origin string) reply {
					return g.send(http.MethodOptions, path, "", http.Header{
						"Origin": {origin}, "Access-Control-Request-Method": {"POST"}, "Access-Control-Request-Headers": {fields},
					})
				}
				got := ask(here)
				if got.status/100 != 2 || !allows(got.header, here, "POST", fields) || got.header.Get("Access-Control-Max-Age") == "" {
					t.Errorf("%s: %d %v", path, got.status, got.header)
				}
				if got := ask(elsewhere); allows(got.header, elsewhere, "POST", fields) != c.foreign {
					t.Errorf("%s, from elsewhere: %d %v", path, got.status, got.header)
				}
			}
			if n := len(g.provider.Requests()); n != 0 {
				t.Fatalf("%d questions of browsers reached the provider", n)
			}
			for name, call := range map[string]struct {
				secret, body string
				status       int
			}{
				"answer":  {g.secret, chatJSON.body, 200},
				"stream":  {g.secret, chatStream.body, 200},
				"refusal": {"sk-nobody", chatJSON.body, 401},
				"mistake": {g.secret, "{", 400},
			} {
				for _, origin := range []string{here, elsewhere} {
					header := bearer(call.secret)
					header.Set("Origin", origin)
					got := g.callWith(chatJSON.path, call.body, header)
					// A browser shows a page no answer, and no error, without these.
					readable := allows(got.header, origin, "POST", "content-type") || got.header.Get("Access-Control-Allow-Origin") != ""
					if got.status != call.status || readable != (origin == here || c.foreign) {
						t.Errorf("%s from %s: %d %v", name, origin, got.status, got.header)
					}
					if readable && got.header.Get("Access-Control-Expose-Headers") != "*" || got.header.Get("Access-Control-Allow-Credentials") != "" {
						t.Errorf("%s from %s: %v", name, origin, got.header)
					}
					// An answer that depends on the origin says so to caches.
					if c.origins != "cors *" && !slices.Contains(got.header.Values("Vary"), "Origin") {
						t.Errorf("%s from %s: Vary %v", name, origin, got.header.Values("Vary"))
					}
				}
			}
			// Without an origin all is as ever.
			if got := g.call(chatJSON.path, chatJSON.body); got.status != 200 {
				t.Errorf("no browser: %d %s", got.status, got.body)
			}
		})
	}
}

func TestPagesCannotCallUnlessConfigured(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	header := bearer(g.secret)
	header.Set("Origin", "https://app.example.com")
	got := g.callWith(chatJSON.path, chatJSON.body, header)
	for name := range got.header {
		if strings.HasPrefix(name, "Access-Control-") {
			t.Errorf("%s: %q", name, got.header.Get(name))
		}
	}
}

func TestOriginsThatAreNone(t *testing.T) {
	for _, line := range []string{"cors", "cors app.example.com", "cors https://app.example.com/path", "cors null", "cors https://*.com", "cors https://a.example *.b\n\t\tcors *", "cors *\n\t\tcors *"} {
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(":8080 {\n\tfaregate {\n\t\t"+line+"\n\t}\n}\n"), nil)
		if err == nil || !strings.Contains(err.Error(), "Caddyfile:") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%q: %v", line, err)
		}
	}
}
