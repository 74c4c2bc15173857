package caddymodule

import (
	"crypto/tls"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/faregate/faregate/internal/simulator"
)

// Answers look the same to a client whether reverse_proxy is shown their header or not.
func TestAnswersHaveTheSameHeaderWhoeverWritesIt(t *testing.T) {
	// A header of the site's own stands beside the provider's.
	const site = "header Cache-Control no-store\nheader Site-Field here\n"
	// What a client is told of one answer, and what differs between any two.
	told := []string{"Faregate-Request-Id", "X-Request-Id", "Request-Id", "Date"}
	answer := simulator.Response{
		Answer: &simulator.Answer{}, Header: http.Header{"Cache-Control": {"private, max-age=0"}, "Retry-After": {"1"}},
	}
	seen := make(map[bool]map[string]http.Header)
	for _, unread := range []bool{true, false} {
		proxy := ""
		if !unread {
			proxy = " {\nheader_down Proxy-Field {http.reverse_proxy.header.Retry-After}\n}"
		}
		g := startGateway(t, gatewayOptions{site: site + "faregate" + proxy})
		seen[unread] = make(map[string]http.Header)
		for _, w := range append(slices.Clone(wireStreams), wireDocuments...) {
			g.provider.Add(simulator.Step{Response: answer})
			got := g.callWith(w.path, w.body, w.header(g.secret))
			if got.status != http.StatusOK || got.err != nil {
				t.Fatalf("%s: %d %v %s", w.path, got.status, got.err, got.body)
			}
			for _, name := range told {
				got.header.Del(name)
			}
			if field := got.header.Get("Proxy-Field"); !unread && field != "1" {
				t.Errorf("%s: an option of reverse_proxy was shown %q in place of the provider's field", w.path, field)
			}
			got.header.Del("Proxy-Field")
			seen[unread][w.name] = got.header
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
	if len(seen[true]) < 2 {
		t.Fatalf("%d answers were compared", len(seen[true]))
	}
	for name, header := range seen[true] {
		if caching := header["Cache-Control"]; !slices.Equal(caching, []string{"no-store", "private, max-age=0"}) {
			t.Errorf("%s: Cache-Control: %q", name, caching)
		}
		other := seen[false][name]
		for field, values := range header {
			if !slices.Equal(values, other[field]) {
				t.Errorf("%s: %s: %q, through reverse_proxy %q", name, field, values, other[field])
			}
		}
		if len(header) != len(other) {
			t.Errorf("%s: %v, through reverse_proxy %v", name, header, other)
		}
	}
}

func TestHeadersAreShownToReverseProxysOptions(t *testing.T) {
	for name, row := range map[string]struct {
		proxy reverseproxy.Handler
		want  bool
	}{
		"none":             {reverseproxy.Handler{}, true},
		"header_up":        {reverseproxy.Handler{Headers: &headers.Handler{Request: &headers.HeaderOps{}}}, true},
		"header_down":      {reverseproxy.Handler{Headers: &headers.Handler{Response: &headers.RespHeaderOps{}}}, false},
		"handle_response":  {reverseproxy.Handler{HandleResponse: []caddyhttp.ResponseHandler{{}}}, false},
		"lb_policy":        {reverseproxy.Handler{LoadBalancing: &reverseproxy.LoadBalancing{Retries: 1}}, true},
		"lb_retry_match":   {reverseproxy.Handler{LoadBalancing: &reverseproxy.LoadBalancing{RetryMatchRaw: caddyhttp.RawMatcherSets{{"method": json.RawMessage(`["GET"]`)}}}}, false},
		"response_buffers": {reverseproxy.Handler{ResponseBuffers: 1}, false},
	} {
		if got := headerUnread([]caddy.Module{new(App), &row.proxy, new(Transport)}); got != row.want {
			t.Errorf("%s: %t", name, got)
		}
	}
	if headerUnread([]caddy.Module{new(App), new(Transport)}) {
		t.Error("a transport that is used by something else takes the header from it")
	}
}

// Nothing is left of a request that reverse_proxy could encode for its log.
func TestNothingIsLeftOfARequestToLog(t *testing.T) {
	r := httptest.NewRequest(http.MethodPost, "https://gateway.example/v1/chat/completions?user=ada", nil)
	r.Header.Set("User-Agent", "agent-of-the-client")
	r.TLS = &tls.ConnectionState{ServerName: "gateway.example"}
	leaveNothingToLog(r)
	encoder := zapcore.NewJSONEncoder(zapcore.EncoderConfig{})
	line, err := encoder.EncodeEntry(zapcore.Entry{}, []zapcore.Field{zap.Object("request", caddyhttp.LoggableHTTPRequest{Request: r})})
	if err != nil {
		t.Fatal(err)
	}
	written := line.String()
	if !strings.Contains(written, `"uri":""`) || strings.Contains(written, "example") || strings.Contains(written, "agent") || strings.Contains(written, "192.0.2") || strings.Contains(written, "tls") {
		t.Error(written)
	}
}
