package caddymodule

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/internal/simulator"
)

// running is how many requests count as running at the providers.
func (g *gateway) running() (n int64) {
	g.t.Helper()
	for _, key := range g.theRuntime().health.View().Keys {
		n += key.Running
	}
	return n
}

// However a request ends, its place at the provider is free again.
func TestEveryEndFreesThePlaceAtTheProvider(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	ended := func(name string) {
		t.Helper()
		waitFor(t, name+" to free its place", func() bool { return g.running() == 0 })
		g.forgetFailures()
	}
	for _, w := range append(wireStreams, wireDocuments...) {
		for name, response := range map[string]simulator.Response{
			"answered":          {},
			"refused":           simulator.ErrorResponse(simulator.OpenAI, 401),
			"the caller's own":  simulator.ErrorResponse(simulator.OpenAI, 400),
			"hung up at once":   {Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader},
			"hung up half-way":  {Fault: simulator.HangUp, FaultAt: 700},
			"reset":             {Fault: simulator.Reset, FaultAt: 250},
			"failed at once":    {Answer: &simulator.Answer{Fail: 503}},
			"failed half-way":   {Answer: &simulator.Answer{Fail: 503, FailAfter: 9}},
			"no answer of ours": {Body: []byte("<html>"), ContentType: "text/html"},
		} {
			g.provider.Add(simulator.Step{Response: response})
			g.callWith(w.path, w.body, w.header(g.secret))
			ended(w.name + " " + name)
		}
		for _, at := range []int64{simulator.BeforeHeader, 250} {
			gate := simulator.NewGate()
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
			left := g.startCall(w.path, w.body, w.header(g.secret))
			left.at(gate)
			if n := g.running(); n != 1 {
				t.Errorf("%s: %d requests count as running, want 1", w.name, n)
			}
			left.leave()
			gate.Open()
			ended(w.name + " left by its client")
		}
	}
}

func TestATooDearRequestFreesItsPlace(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.5", extra: stairs})
	g.provider.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
	if got := g.call(chatJSON.path, strings.Replace(anyInput, "stairs", "back", 1)); got.status != http.StatusPaymentRequired {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := g.running(); n != 0 {
		t.Errorf("%d requests count as running", n)
	}
}

// panicking is a client's connection that nothing can be written to without a panic.
type panicking struct{ http.ResponseWriter }

func (panicking) Write([]byte) (int, error) { panic("in the middle of an answer") }

func TestAPanicFreesThePlaceAtTheProvider(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: probedSite})
	probeWith(t, func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		return next.ServeHTTP(panicking{w}, r)
	})
	for _, w := range append(wireStreams, wireDocuments...) {
		g.callWith(w.path, w.body, w.header(g.secret))
		waitFor(t, w.name+" to free its place", func() bool { return g.running() == 0 })
	}
	if n := len(g.provider.Requests()); n != len(wireStreams)+len(wireDocuments) {
		t.Errorf("%d requests reached the provider", n)
	}
}

// The provider's place is free again too after a panic before there is an answer.
func TestAPanicBeforeTheAnswerFreesThePlace(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: strings.Replace(strings.Replace(exactSite, "\tfaregate_probe\n", "", 1), "faregate_meter\n", "faregate_meter\n\tfaregate_probe\n", 1)})
	probeWith(t, func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		ex := exchangeOf(r.Context())
		body := ex.body
		ex.body = nil
		defer func() { ex.body = body }()
		return next.ServeHTTP(w, r)
	})
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusInternalServerError {
		t.Errorf("%d %s", got.status, got.body)
	}
	if n := g.running(); n != 0 {
		t.Errorf("%d requests count as running", n)
	}
}

// An answer without any content is one, and ends a cool-down when it has come whole.
func TestAnEmptyAnswerEndsACoolDown(t *testing.T) {
	for _, w := range []wire{chatJSON, chatStream} {
		g := startGateway(t, gatewayOptions{})
		forward := g.steppedHealth()
		g.provider.Add(
			simulator.Step{Response: limitedByProvider(30)},
			simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Silent: true, NoUsage: true}}},
		)
		g.call(w.path, w.body)
		forward(31 * time.Second)
		if got := g.call(w.path, w.body); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", w.name, got.status, got.body)
		}
		waitFor(t, "the answer to count", func() bool {
			left := g.theRuntime().health.View().CoolDowns
			return len(left) == 1 && left[0].Recovered
		})
	}
}

// A key that may have one request at once has one, and others wait for it shortly.
func TestAKeyHasOnlyAsManyRequestsAsItMay(t *testing.T) {
	pool, configuration := pooledProvider(t, "in_flight 1", "key-one")
	g := startGateway(t, gatewayOptions{extra: configuration})
	hold := func() (*calling, *simulator.Gate) {
		gate := simulator.NewGate()
		pool.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
		call := g.startCall(chatJSON.path, pooled, bearer(g.secret))
		call.at(gate)
		return call, gate
	}
	first, gate := hold()
	second := g.startCall(chatJSON.path, pooled, bearer(g.secret))
	waitFor(t, "the second to wait", func() bool { return g.theRuntime().health.View().Keys[3].Waiting == 1 })
	gate.Open()
	for _, call := range []*calling{first, second} {
		if got := call.finish(); got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	first, gate = hold()
	got := g.call(chatJSON.path, pooled)
	if got.status != http.StatusServiceUnavailable || got.errorCode() != "provider_busy" || got.header.Get("Retry-After") == "" {
		t.Errorf("%d, Retry-After %q: %s", got.status, got.header.Get("Retry-After"), got.body)
	}
	if n := len(pool.Requests()); n != 3 {
		t.Errorf("the provider was asked %d times, want 3", n)
	}
	gate.Open()
	first.finish()
	if record := g.records(4)[2]; record.Attempts > 1 || !strings.HasPrefix(record.ModelRequested, "pooled") {
		t.Errorf("record %+v", record)
	}
}
