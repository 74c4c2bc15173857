package caddymodule

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

// everyHeader is what clients, proxies and browsers send beside a key.
var everyHeader = http.Header{
	"Openai-Organization": {"org-1"}, "Openai-Project": {"proj_1"}, "Cookie": {"a=b"}, "X-Forwarded-For": {"203.0.113.9"}, "X-Forwarded-Host": {"inside.example"},
	"X-Forwarded-Proto": {"https"}, "X-Real-Ip": {"203.0.113.9"}, "Forwarded": {"for=203.0.113.9"}, "Via": {"1.1 inside.example"}, "Cf-Connecting-Ip": {"203.0.113.9"},
	"True-Client-Ip": {"203.0.113.9"}, "User-Agent": {"agent-of-the-client"}, "Referer": {"https://inside.example/secret"}, "Origin": {"https://inside.example"},
	"X-Stainless-Lang": {"js"}, "X-Stainless-Os": {"Linux"}, "X-App": {"cli"}, "X-Claude-Code-Session-Id": {"session"}, "Anthropic-Dangerous-Direct-Browser-Access": {"true"},
	"Accept-Language": {"de"}, "Accept-Encoding": {"gzip, br"}, "Range": {"bytes=0-1"}, "If-None-Match": {"x"}, "Cache-Control": {"no-cache"}, "Traceparent": {"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
	"Baggage": {"user=ada"}, "Proxy-Authorization": {"Basic eDp5"}, "X-Http-Method-Override": {"DELETE"}, "X-Original-Url": {"/v1/files"}, "X-Rewrite-Url": {"/v1/files"},
	"Helicone-Auth": {"Bearer x"}, "Http-Referer": {"https://inside.example"}, "X-Title": {"app"}, "Te": {"trailers"}, "X-Goog-User-Project": {"project"}, "Faregate-Provider": {"ignore=nobody"},
	"Openai-Safety-Identifier": {"ada"}, "Date": {"Wed, 25 Nov 2026 15:00:00 GMT"}, "From": {"ada@example.com"}, "Authorization-2": {"x"}, "X-Amz-Security-Token": {"x"},
}

// What a provider is sent is on a list, and what is on it is no secret of the caller's.
func TestProvidersAreSentWhatIsOnTheList(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	allowed := map[string][]string{
		"openai":    {"Authorization", "Openai-Beta", "Idempotency-Key"},
		"anthropic": {"X-Api-Key", "Anthropic-Version", "Anthropic-Beta", "Idempotency-Key"},
		"google":    {"X-Goog-Api-Key", "X-Goog-Api-Client"},
	}
	common := []string{"Accept", "Accept-Encoding", "Content-Type", "Content-Length", "User-Agent"}
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		header := d.header(g.secret)
		for name, values := range everyHeader {
			header[name] = values
		}
		for name, value := range map[string]string{
			"Openai-Beta": "responses=v1", "Idempotency-Key": "mine", "Anthropic-Version": "2023-06-01",
			"Anthropic-Beta": "context-management-2025-06-27,files-api-2025-04-14", "X-Goog-Api-Client": "genai-js/2",
		} {
			header.Set(name, value)
		}
		if got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), header); got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", d.name, got.status, got.body)
		}
		requests := g.provider.Requests()
		sent := requests[len(requests)-1]
		for name, values := range sent.Header {
			if !slices.Contains(allowed[d.name], name) && !slices.Contains(common, name) {
				t.Errorf("%s: the provider was sent %s: %q", d.name, name, values)
			}
		}
		for name, want := range map[string]string{
			"User-Agent": "faregate", "Accept-Encoding": "identity", "Content-Type": "application/json",
		} {
			if got := sent.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q", d.name, name, got)
			}
		}
		if key := sent.Header.Get("Idempotency-Key"); key == "mine" {
			t.Errorf("%s: a key that other accounts could have too was passed on", d.name)
		}
		if betas := sent.Header.Get("Anthropic-Beta"); d.name == "anthropic" && betas != "context-management-2025-06-27" {
			t.Errorf("betas %q", betas)
		}
		if text := fmt.Sprint(sent.Header); strings.Contains(text, g.secret) || strings.Contains(text, "203.0.113.9") || strings.Contains(text, "inside.example") {
			t.Errorf("%s: %s", d.name, text)
		}
		if want := strings.TrimPrefix(g.provider.URL, "http://"); sent.Host != want {
			t.Errorf("%s: the host was called %q", d.name, sent.Host)
		}
	}
}

// What a caller is given is on a list: nothing of the operator's account, and nothing that
// commands the caller's browser or connection.
func TestCallersAreGivenWhatIsOnTheList(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	everything := http.Header{
		"Set-Cookie": {"a=b"}, "Openai-Organization": {"org-of-the-operator"}, "Openai-Project": {"proj_1"}, "Anthropic-Organization-Id": {"org-of-the-operator"},
		"X-Ratelimit-Remaining-Requests": {"7"}, "Anthropic-Ratelimit-Tokens-Remaining": {"7"}, "Request-Id": {"req_theirs"}, "X-Request-Id": {"req_theirs"}, "Cf-Ray": {"x"},
		"Server": {"their-server"}, "Via": {"1.1 google"}, "Alt-Svc": {`h3=":443"`}, "Strict-Transport-Security": {"max-age=1"}, "Content-Security-Policy": {"x"},
		"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Credentials": {"true"}, "Access-Control-Expose-Headers": {"x"}, "Vary": {"Origin"}, "Location": {"https://elsewhere.example"}, "Refresh": {"0"},
		"Clear-Site-Data": {`"*"`}, "Www-Authenticate": {"Basic"}, "X-Accel-Redirect": {"/etc/passwd"}, "X-Sendfile": {"/etc/passwd"}, "Link": {"<x>; rel=preload"}, "Nel": {"x"}, "Report-To": {"x"},
		"Faregate-Request-Id": {"forged"}, "Faregate-Output-Cap": {"1"}, "Faregate-Cost": {"forged"}, "Server-Timing": {"x"}, "X-Envoy-Upstream-Service-Time": {"1"}, "Openai-Processing-Ms": {"1"}, "Warning": {"x"}, "Etag": {"x"}, "Upgrade": {"h2c"},
		"Cache-Control": {"no-cache"},
	}
	allowed := []string{"Content-Type", "Content-Length", "Cache-Control", "Date", "Server", "Faregate-Request-Id", "Faregate-Cost", "X-Request-Id", "Request-Id", "Via", "Retry-After"}
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		for _, failing := range []bool{false, true} {
			response := simulator.Response{Answer: &simulator.Answer{}}
			if failing {
				response = simulator.ErrorResponse(map[string]simulator.Dialect{"openai": simulator.OpenAI, "anthropic": simulator.Anthropic, "google": simulator.Google}[d.name], 400)
			}
			response.Header = everything
			g.provider.Add(simulator.Step{Response: response})
			got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), d.header(g.secret))
			if failing != (got.status == http.StatusBadRequest) {
				t.Errorf("%s: %d %s", d.name, got.status, got.body)
			}
			for name, values := range got.header {
				if !slices.Contains(allowed, name) {
					t.Errorf("%s: the caller was given %s: %q", d.name, name, values)
				}
				for _, value := range values {
					if value == "req_theirs" || value == "forged" || value == "their-server" || value == "1.1 google" {
						t.Errorf("%s: %s: %q", d.name, name, value)
					}
				}
			}
		}
	}
}

// Who may do what hangs on the operation alone, and that on method and path as they
// are: no host name, no spelling of the path and no form of the request line leads
// elsewhere than the table says.
func TestOnlyTheTableDecides(t *testing.T) {
	g := startGateway(t, gatewayOptions{models: []string{"gpt-4.1-mini"}})
	// A site for every name, as the host is what is played with.
	g.config = strings.Replace(g.config, g.url+" {", ":"+g.url[strings.LastIndexByte(g.url, ':')+1:]+" {\n\tbind 127.0.0.1", 1)
	g.load()
	host := strings.TrimPrefix(g.url, "http://")
	send := func(line, hosts, body string) (int, string) {
		t.Helper()
		connection, err := net.Dial("tcp", host)
		if err != nil {
			t.Fatal(err)
		}
		defer connection.Close()
		_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(connection, "%s HTTP/1.1\r\n%sAuthorization: Bearer %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s", line, hosts, g.secret, len(body), body)
		response, err := http.ReadResponse(bufio.NewReader(connection), nil)
		if err != nil {
			return 0, err.Error()
		}
		defer response.Body.Close()
		answer, _ := io.ReadAll(response.Body)
		return response.StatusCode, string(answer)
	}
	const usual = "Host: x\r\n"
	sent := 0
	for _, c := range []struct {
		line, hosts string
		status      int
	}{
		{"POST /v1/chat/completions", "Host: api.openai.com\r\n", 200},
		{"POST /v1/chat/completions", "Host: 169.254.169.254\r\n", 200},
		{"POST http://elsewhere.example/v1/chat/completions", usual, 200},
		{"POST https://api.openai.com/v1/chat/completions", "Host: api.openai.com\r\n", 200},
		{"POST http://elsewhere.example/v1/files", usual, 400},
		{"POST /v1/chat/completions", "Host: x\r\nHost: y\r\n", 400},
		{"POST /v1/chat/completions", "", 400},
		{"POST /v1/chat/completions", "Host: x/../y\r\n", 400},
		{"POST /v1/chat%2Fcompletions", usual, 200}, // the same path, in another spelling
		{"POST /v1/%63hat/completions", usual, 200},
		{"POST //v1/chat/completions", usual, 404},
		{"POST /v1//chat/completions", usual, 404},
		{"POST /v1/./chat/completions", usual, 404},
		{"POST /v1/files/../chat/completions", usual, 400},
		{"POST /v1/chat/completions/../../files", usual, 400},
		{"POST /v1/models/..%2f..%2fv1%2ffiles", usual, 404},
		{"POST /v1/chat/completions/", usual, 404},
		{"POST /v1/chat/completions%00", usual, 404},
		{"POST /v1/chat/completions;x", usual, 404},
		{"POST /V1/chat/completions", usual, 404},
		{"POST /v1\\chat\\completions", usual, 404},
		{"POST /v1/chat/completions%0d%0aX:y", usual, 404},
		{"POST /v1/chat/completions?model=o3-pro&path=/v1/files", usual, 200},
		{"POST /v1/chat/completions#/v1/files", usual, 404},
		{"POST *", usual, 404},
		{"POST v1/chat/completions", usual, 400},
		{"CONNECT elsewhere.example:443", "Host: elsewhere.example:443\r\n", 501},
		{"post /v1/chat/completions", usual, 405},
		{"TRACE /v1/chat/completions", usual, 405},
		{"POST /v1beta/models/gemini-2.5-flash%3AgenerateContent", usual, 403}, // this key's models hold for all spellings
		{"POST /v1beta/models/../models/gemini-2.5-flash:generateContent", usual, 400},
		{"POST /v1beta/models/gemini-2.5-flash:generateContent", usual, 403},
	} {
		body := chatBody
		if strings.Contains(c.line, "gemini") {
			body = geminiJSON.body
		}
		status, answer := send(c.line, c.hosts, body)
		if status != c.status {
			t.Errorf("%s, %q: %d %s", c.line, c.hosts, status, answer)
		}
		if c.status == http.StatusOK {
			sent++
		}
	}
	requests := g.provider.Requests()
	if len(requests) != sent {
		t.Errorf("%d requests reached the provider, want %d", len(requests), sent)
	}
	for _, request := range requests {
		if request.RequestURI != "/v1/chat/completions" || request.Host != strings.TrimPrefix(g.provider.URL, "http://") {
			t.Errorf("the provider was asked for %s at %s", request.RequestURI, request.Host)
		}
	}
}
