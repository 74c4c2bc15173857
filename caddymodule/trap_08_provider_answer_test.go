package caddymodule

import (
	"bytes"
	"net/http"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// Caddy's own retries have closed the provider's answer when they run out: an empty
// body without Retry-After, and 502 for a body that was not buffered
// (reverseproxy.go, proxyLoopIteration).
func TestTheProvidersAnswerSurvivesFailedAttempts(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: configuration})
	credit := g.balance()
	refusal := func(status int) simulator.Response { return simulator.ErrorResponse(simulator.OpenAI, status) }
	own := func(status int) []byte { return simulator.ErrorBody(simulator.OpenAI, status, "simulated error") }
	tests := []struct {
		name          string
		first, second simulator.Response
		status        int
		body          []byte // nil: a text of ours
		retryAfter    string
		code          string
		attempts      int
	}{
		{"429, 429", refusal(429), refusal(429), 429, nil, "7", "provider_rate_limited", 2},
		{"429, hung up", refusal(429), simulator.Response{Fault: simulator.HangUp, FaultAt: -1}, 429, nil, "7", "provider_rate_limited", 2},
		{"503, 503", refusal(503), refusal(503), 503, nil, "7", "", 2},
		{"400", refusal(400), simulator.Response{}, 400, own(400), "", "", 1},
		{"413", refusal(413), simulator.Response{}, 413, own(413), "", "", 1},
		{"503, 400", refusal(503), refusal(400), 400, own(400), "", "", 2},
		{"429, 422", refusal(429), refusal(422), 422, own(422), "", "", 2},
		{"401, 401", refusal(401), refusal(401), 502, nil, "", "", 2},
		{"503, 200", refusal(503), simulator.Response{}, 200, []byte{}, "", "", 2},
		{"404, 200", refusal(404), simulator.Response{}, 200, []byte{}, "", "", 2},
	}
	for i, test := range tests {
		g.forgetFailures()
		g.provider.Add(simulator.Step{Response: test.first})
		asked := len(other.Requests())
		if test.attempts > 1 {
			other.Add(simulator.Step{Response: test.second})
		}
		w := twofold[0]
		got := g.callWith(w.path, w.body, w.header(g.secret))
		if got.err != nil || got.status != test.status {
			t.Errorf("%s: status %d %v, want %d", test.name, got.status, got.err, test.status)
		}
		switch {
		case len(got.body) == 0:
			t.Errorf("%s: no body", test.name)
		case len(test.body) > 0 && !bytes.Equal(got.body, test.body):
			t.Errorf("%s: the provider's body is %s, the caller's %s", test.name, test.body, got.body)
		case test.body == nil && bytes.Contains(got.body, []byte("simulated error")):
			t.Errorf("%s: the provider's text reached the caller: %s", test.name, got.body)
		case test.body == nil && got.errorCode() == "":
			t.Errorf("%s: no error in the caller's dialect: %s", test.name, got.body)
		}
		if test.code != "" && got.errorCode() != test.code {
			t.Errorf("%s: code %q, want %q", test.name, got.errorCode(), test.code)
		}
		if retry := got.header.Get("Retry-After"); retry != test.retryAfter && test.retryAfter != "" {
			t.Errorf("%s: Retry-After %q, want %q", test.name, retry, test.retryAfter)
		}
		record := g.records(i + 1)[i]
		if record.Attempts != test.attempts || len(other.Requests())-asked != test.attempts-1 {
			t.Errorf("%s: %d attempts recorded, want %d", test.name, record.Attempts, test.attempts)
		}
		if test.status != http.StatusOK && (record.Cost != 0 || record.Basis != metering.BasisWaived || record.HTTPStatus != test.status) {
			t.Errorf("%s: record %+v", test.name, record)
		}
		// The body was sent whole to each.
		for _, server := range []*simulator.Server{g.provider, other} {
			for _, request := range server.Requests() {
				if !bytes.Contains(request.Body, []byte(`"content":"hello"`)) || request.Incomplete {
					t.Errorf("%s: a provider was sent %s", test.name, request.Body)
				}
			}
		}
	}
	g.settledUp(credit, g.records(len(tests)))
}
