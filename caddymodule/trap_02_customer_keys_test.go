package caddymodule

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
)

// Caddy clones the request for its access log before any handler runs (server.go,
// ServeHTTP), and logs every answer of 500 and more to the default logger, with
// all headers and the address (server.go, logRequest and handleError).
func TestNoCustomerKeyIsLoggedWhereverItWasPut(t *testing.T) {
	g := startGateway(t, gatewayOptions{
		// Placeholders of the original request are another way into a log.
		site: "log_append address {http.request.orig_uri}\nfaregate {\n\theader_down Seen-Address {http.request.orig_uri}\n}",
	})
	body := chatJSON.body
	places := []struct {
		name   string
		path   string
		header http.Header
	}{
		{"Authorization", chatJSON.path, http.Header{"Authorization": {"Bearer " + g.secret}}},
		{"lower-case scheme", chatJSON.path, http.Header{"Authorization": {"bearer " + g.secret}}},
		{"x-api-key", chatJSON.path, http.Header{"X-Api-Key": {g.secret}}},
		{"x-goog-api-key", chatJSON.path, http.Header{"X-Goog-Api-Key": {g.secret}}},
		{"api-key", chatJSON.path, http.Header{"Api-Key": {g.secret}}},
		{"query", chatJSON.path + "?key=" + g.secret, http.Header{}},
		{"query, escaped", chatJSON.path + "?k%65y=" + g.secret, http.Header{}},
		{"everywhere", chatJSON.path + "?key=" + g.secret, http.Header{
			"Authorization": {"Bearer " + g.secret}, "X-Api-Key": {g.secret}, "X-Goog-Api-Key": {g.secret}, "Api-Key": {g.secret},
		}},
		{"two different ones", chatJSON.path + "?key=" + g.secret + "x", http.Header{"X-Api-Key": {g.secret}}},
		{"unknown operation", "/v1/unknown?key=" + g.secret, http.Header{"X-Api-Key": {g.secret}}},
	}
	outcomes := []struct {
		name string
		step simulator.Response
		want int // of a request that comes as far as the provider
	}{
		{"answered", simulator.Response{}, http.StatusOK},
		{"provider down", simulator.ErrorResponse(simulator.OpenAI, 503), http.StatusServiceUnavailable},
		{"provider hangs up", simulator.Response{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader}, http.StatusServiceUnavailable},
	}
	answers := 0
	for _, place := range places {
		for _, outcome := range outcomes {
			planned := !strings.HasPrefix(place.name, "two") && !strings.HasPrefix(place.name, "unknown")
			if planned {
				g.forgetFailures()
				g.provider.Add(simulator.Step{Response: outcome.step})
			}
			got := g.callWith(place.path, body, place.header)
			answers++
			if got.err != nil || planned && got.status != outcome.want || !planned && got.status < 400 {
				t.Errorf("%s, %s: %d %v %s", place.name, outcome.name, got.status, got.err, got.body)
			}
			if strings.Contains(got.header.Get("Seen-Address"), g.secret) {
				t.Errorf("%s, %s: the key is in the placeholders of the original address", place.name, outcome.name)
			}
		}
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	log := g.log()
	if n := strings.Count(log, `"handled request"`); n < answers {
		t.Fatalf("%d lines of handled requests for %d calls: the log that is searched is not the whole", n, answers)
	}
	if strings.Contains(log, g.secret) {
		t.Errorf("the customer's key is in the log:\n%s", lineWith(log, g.secret))
	}
	for _, providers := range g.provider.Requests() {
		if strings.Contains(providers.RequestURI, g.secret) || headerHolds(providers.Header, g.secret) {
			t.Errorf("the provider was shown the customer's key: %s", providers.RequestURI)
		}
	}
}

func headerHolds(header http.Header, text string) bool {
	for _, values := range header {
		for _, value := range values {
			if strings.Contains(value, text) {
				return true
			}
		}
	}
	return false
}
