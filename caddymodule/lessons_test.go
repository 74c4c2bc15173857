package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/simulator"
)

// What has gone wrong in gateways of this kind, each with a test of its own name. Others
// are proven where their code is: statements of the store are made of no values
// (internal/store/sql_test.go), a name that leads inside is not dialled and redirects are
// not followed (provider_address_test.go), a caller knows only its own generations
// (generation_test.go), and dependencies have reasons (docs/dependencies.md, with its test).

// A bearer token that was put into the text of a query read the whole table of keys.
func TestLessonKeysAreLookedUpByTheirHash(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "lockout off"})
	for _, hostile := range []string{
		`' OR 1=1 --`, `sk-fg-' UNION SELECT hash FROM keys --`, `"; DROP TABLE keys; --`, "sk-fg-%", "sk-fg-_", "*", "undefined",
		strings.Repeat("sk-fg-", 1000), g.secret[:len(g.secret)-1] + "%", g.secret + "'", strings.ToUpper(g.secret), g.keyID,
	} {
		for _, header := range []http.Header{{"Authorization": {"Bearer " + hostile}}, {"X-Api-Key": {hostile}}, {"X-Goog-Api-Key": {hostile}}} {
			if got := g.callWith(chatJSON.path, chatJSON.body, header); got.status != http.StatusUnauthorized || strings.Contains(string(got.body), hostile) {
				t.Errorf("%.40q: %d %s", hostile, got.status, got.body)
			}
		}
	}
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Errorf("the good key afterwards: %d %s", got.status, got.body)
	}
}

// Two gateways let whoever set the Host header, or wrote the path in another way, past
// their list of what needs a key.
func TestLessonAuthorisationComesFromTheOperationTable(t *testing.T) {
	g := newGateway(t, gatewayOptions{})
	// A site for every host, or Caddy itself would answer those that it does not know.
	port := g.url[strings.LastIndexByte(g.url, ':'):]
	g.config = strings.Replace(g.config, g.url+" {", "http://"+port+" {\n\tbind 127.0.0.1", 1)
	g.run()
	_, limited := g.createKey([]string{"gpt-4.1-nano"}, time.Time{})
	g.provider.Add(simulator.Step{Times: simulator.Always})
	paths := []string{
		"/v1/chat/completions", "/v1/chat/completions/", "//v1/chat/completions", "/healthz/../v1/chat/completions", "/healthz/..%2fv1/chat/completions", "/v1/chat/completions;/healthz",
		"/v1/chat/completions%00", "/v1/chat/completions?/healthz", "/V1/chat/completions", "/v1/models/../chat/completions", "/%76%31/chat/completions", "http://localhost/healthz/../v1/chat/completions",
	}
	headers := []string{
		"", "Host: localhost\r\n", "Host: healthz\r\n", "X-Original-Url: /healthz\r\n", "X-Rewrite-Url: /healthz\r\n", "X-Forwarded-Host: localhost\r\nX-Forwarded-Prefix: /healthz\r\n",
		"X-Http-Method-Override: GET\r\n", "X-Forwarded-For: 127.0.0.1\r\nX-Real-Ip: 127.0.0.1\r\n", "X-Faregate-Account: " + g.account + "\r\n", "Faregate-Request-Id: " + uuid.Must(uuid.NewV7()).String() + "\r\n",
	}
	for _, path := range paths {
		for _, header := range headers {
			for _, key := range []string{"", "Authorization: Bearer " + limited + "\r\n"} {
				host := "Host: gateway\r\n"
				if strings.HasPrefix(header, "Host:") {
					host = ""
				}
				status := g.raw(fmt.Sprintf("POST %s HTTP/1.1\r\n%s%s%sContent-Type: application/json\r\nContent-Length: %d\r\nConnection: close\r\n\r\n%s",
					path, host, header, key, len(chatJSON.body), chatJSON.body))
				if status < 400 {
					t.Errorf("%s with %q: %d", path, header+key, status)
				}
			}
		}
	}
	if got := len(g.provider.Requests()); got != 0 {
		t.Errorf("%d requests came to the provider", got)
	}
}

// raw sends bytes and returns the status of the first answer; 0 if there is none.
func (g *gateway) raw(text string) int {
	g.t.Helper()
	connection, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
	if err != nil {
		g.t.Fatal(err)
	}
	defer func() { _ = connection.Close() }()
	if err := connection.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		g.t.Fatal(err)
	}
	if _, err := connection.Write([]byte(text)); err != nil {
		return 0
	}
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return 0
	}
	_ = answer.Body.Close()
	return answer.StatusCode
}

// Users could write their own role and permissions.
func TestLessonOwnersOfFieldsAreNotAskedFor(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	other := uuid.Must(uuid.NewV7()).String()
	fields := `"id":"` + other + `","request_id":"` + other + `","account_id":"` + other + `","key_id":"` + other + `","group":"staff","role":"admin","cost":0,"price":{"input":0},"usage":{"prompt_tokens":0},"credit":1000,`
	got := g.callWith(chatJSON.path+"?account_id="+other+"&group=staff", strings.Replace(chatJSON.body, "{", "{"+fields, 1), http.Header{
		"Authorization": {"Bearer " + g.secret}, "Faregate-Request-Id": {other}, "X-Request-Id": {other}, "Faregate-Account": {other}, "Faregate-Group": {"staff"},
	})
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	plain := g.call(chatJSON.path, strings.Replace(chatJSON.body, "{", "{"+strings.ReplaceAll(fields, other, other), 1))
	records := g.records(2)
	if r := records[0]; r.ID == other || r.AccountID != g.account || r.KeyID != g.keyID || r.Cost <= 0 || r.ID != got.header.Get("Faregate-Request-Id") || r.Cost != records[1].Cost {
		t.Errorf("%+v, and without the header fields %d %+v", r, plain.status, records[1])
	}
}

// A caller could name the host that its request went to, with the operator's key.
func TestLessonCallersNameNoUpstream(t *testing.T) {
	var visits atomic.Int64
	thief := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { visits.Add(1) }))
	defer thief.Close()
	g := startGateway(t, gatewayOptions{})
	fields := ""
	for _, name := range []string{"api_base", "base_url", "baseUrl", "endpoint", "api_host", "custom_host", "proxy"} {
		fields += `"` + name + `":"` + thief.URL + `",`
	}
	header := http.Header{"Authorization": {"Bearer " + g.secret}}
	for _, name := range []string{
		"X-Portkey-Custom-Host", "X-Portkey-Provider", "X-Api-Base", "Api-Base", "X-Upstream", "X-Forwarded-Host", "X-Original-Host", "X-Base-Url", "Openai-Base-Url", "Proxy", "X-Target-Url", "Destination",
	} {
		header.Set(name, thief.URL)
	}
	for _, w := range []wire{chatJSON, chatStream, messagesJSON, geminiJSON} {
		path := w.path + "?"
		if strings.Contains(w.path, "?") {
			path = w.path + "&"
		}
		got := g.callWith(path+"api_base="+thief.URL+"&base_url="+thief.URL, strings.Replace(w.body, "{", "{"+fields, 1), header)
		if got.status != http.StatusOK && got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", w.name, got.status, got.body)
		}
	}
	if got := g.raw("GET " + thief.URL + "/v1/models HTTP/1.1\r\nHost: " + strings.TrimPrefix(thief.URL, "http://") + "\r\nConnection: close\r\n\r\n"); got < 400 {
		t.Errorf("as a proxy: %d", got)
	}
	if got := g.raw("CONNECT " + strings.TrimPrefix(thief.URL, "http://") + " HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer " + g.secret + "\r\n\r\n"); got < 400 {
		t.Errorf("as a tunnel: %d", got)
	}
	if visits.Load() != 0 {
		t.Errorf("%d requests went where callers said", visits.Load())
	}
}

// A gateway passed on the header in which its provider had sent the operator's key.
func TestLessonAnswersTellNothingOfTheOperatorsAccount(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	private := http.Header{}
	for _, name := range []string{
		"Authorization", "X-Api-Key", "X-Goog-Api-Key", "Api-Key", "Set-Cookie", "Openai-Organization", "Openai-Project", "Anthropic-Organization-Id", "X-Goog-User-Project", "X-Ratelimit-Limit-Requests",
		"Www-Authenticate", "Proxy-Authenticate", "X-Request-Id", "Request-Id", "Cf-Ray", "X-Account", "Link", "Location", "Refresh",
	} {
		private.Set(name, "about "+providerKey)
	}
	for _, w := range []wire{chatJSON, chatStream, messagesJSON, messagesStream, geminiJSON, geminiStream} {
		for _, status := range []int{200, 400, 401, 429, 500} {
			g.forgetFailures()
			response := simulator.Response{Header: private}
			if status != http.StatusOK {
				response.Status, response.ContentType, response.Body = status, "application/json", []byte(`{"error":{"message":"key `+providerKey+` is bad"}}`)
			}
			g.provider.Add(simulator.Step{Response: response})
			got := g.callWith(w.path, w.body, w.header(g.secret))
			if (got.status == http.StatusOK) != (status == http.StatusOK) {
				t.Errorf("%s, %d: %d %s", w.name, status, got.status, got.body)
			}
			if strings.Contains(string(got.body), providerKey) || headerHolds(got.header, providerKey) {
				t.Errorf("%s, %d: the operator's key goes to the caller: %v %s", w.name, status, got.header, got.body)
			}
		}
	}
}

// Administration by HTTP could run code, templates and programs.
func TestLessonNothingIsRunForAnybody(t *testing.T) {
	for _, module := range caddy.GetModules("admin.api") {
		// Anybody on this machine may call them: they show, and change nothing.
		router, ok := module.New().(caddy.AdminRouter)
		if !ok || !strings.Contains(string(module.ID), "faregate") {
			continue
		}
		for _, route := range router.Routes() {
			for _, method := range []string{http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete} {
				var refused caddy.APIError
				err := route.Handler.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(method, route.Pattern, strings.NewReader("{}")))
				if !errors.As(err, &refused) || refused.HTTPStatus != http.StatusMethodNotAllowed {
					t.Errorf("%s %s of the admin interface: %v", method, route.Pattern, err)
				}
			}
		}
	}
	looked := 0
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && (entry.Name() == "node_modules" || entry.Name() == "testdata" || strings.HasPrefix(entry.Name(), ".") && path != ".."):
			return filepath.SkipDir
		case entry.IsDir() && path == filepath.Join("..", "internal"):
			return nil
		case entry.IsDir() && filepath.Dir(path) == filepath.Join("..", "internal") && (entry.Name() == "e2e" || entry.Name() == "bench" || entry.Name() == "demo" || entry.Name() == "tools"):
			return filepath.SkipDir // not in ./caddy
		case !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(filepath.Dir(path), "test"):
			return nil
		}
		looked++
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imported := range file.Imports {
			switch name, _ := strconv.Unquote(imported.Path.Value); name {
			case "os/exec", "text/template", "html/template", "plugin", "unsafe", "github.com/google/cel-go/cel":
				t.Errorf("%s imports %s", path, name)
			}
		}
		return nil
	})
	if err != nil || looked < 100 {
		t.Errorf("%d files were looked at: %v", looked, err)
	}
}

// The answers to a key that never was and to one that was revoked are the same, so that
// nobody learns which keys there were.
func TestLessonARevokedKeyLooksLikeAnUnknownOne(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "lockout off"})
	revokedID, revoked := g.createKey(nil, time.Time{})
	if got := g.callWith(chatJSON.path, chatJSON.body, http.Header{"Authorization": {"Bearer " + revoked}}); got.status != http.StatusOK {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	if err := g.store.RevokeKey(testContext(t), revokedID, time.Now()); err != nil {
		t.Fatal(err)
	}
	made, err := auth.NewSecret(strings.NewReader(strings.Repeat("unknown", 10)))
	if err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the revocation to be noticed", func() bool {
		return g.callWith(chatJSON.path, chatJSON.body, http.Header{"Authorization": {"Bearer " + revoked}}).status == http.StatusUnauthorized
	})
	for _, w := range []wire{chatJSON, messagesJSON, geminiJSON} {
		answer := func(secret string) string {
			got := g.callWith(w.path, w.body, w.header(secret))
			id := got.header.Get("Faregate-Request-Id")
			got.header.Del("Date")
			return strings.ReplaceAll(fmt.Sprint(got.status, got.header, string(got.body)), id, "ID")
		}
		for range 2 { // looked up, and known
			if first, second := answer(revoked), answer(made.Reveal()); first != second {
				t.Errorf("%s: a revoked key is answered %s, an unknown one %s", w.name, first, second)
			}
		}
	}
}
