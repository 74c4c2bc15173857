package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
)

// forgetFailures makes all providers healthy, for tests that let one fail again and
// again and want it asked each time.
func (g *gateway) forgetFailures() {
	g.t.Helper()
	g.theRuntime().health.Forget()
}

// theApp is the configuration that is in force.
func (g *gateway) theApp() *App {
	g.t.Helper()
	loaded, err := caddy.ActiveContext().App("faregate")
	if err != nil {
		g.t.Fatal(err)
	}
	return loaded.(*App)
}

// steppedHealth gives the gateway, while no request runs, a health whose clock is moved
// by hand.
func (g *gateway) steppedHealth() (forward func(time.Duration)) {
	g.t.Helper()
	began := time.Now()
	var passed atomic.Int64
	g.theRuntime().health = upstream.NewHealth(upstream.HealthOptions{
		Now:     func() time.Time { return began.Add(time.Duration(passed.Load())) },
		Observe: g.theRuntime().noteHealth,
	})
	g.theApp().adoptCatalogue()
	return func(d time.Duration) { passed.Add(int64(d)) }
}

// pooledProvider starts a provider that accepts any key, and returns it with the
// configuration that makes it provider pool with these keys, for model pooled.
func pooledProvider(t *testing.T, options string, keys ...string) (*simulator.Server, string) {
	t.Helper()
	server, err := simulator.Start("127.0.0.1:0", simulator.Options{Record: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(testContext(t)) })
	var lines strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&lines, "api_key {file.%s} %s\n", keyFile(t, key), options)
	}
	return server, fmt.Sprintf(`
		provider pool {
			dialect openai
			base_url %s/v1
			%s
		}
		model pooled {
			to pool/gpt-4.1-mini
			price input 1 output 1
		}`, server.URL, lines.String())
}

var pooled = strings.Replace(chatJSON.body, "gpt-4.1-mini", "pooled", 1)

// conversation makes the body of a chat one of another conversation.
func conversation(body string, number int) string {
	return strings.Replace(body, "{", fmt.Sprintf(`{"prompt_cache_key":"conversation %d",`, number), 1)
}

// keysShown are the keys that a provider was shown, in the order of requests.
func keysShown(server *simulator.Server) []string {
	var keys []string
	for _, request := range server.Requests() {
		keys = append(keys, strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer "))
	}
	return keys
}

func timesIn(all []string, one string) (n int) {
	for _, each := range all {
		if each == one {
			n++
		}
	}
	return n
}

func TestARefusedKeyGetsOutOfTheWayAndComesBackThroughOneTry(t *testing.T) {
	pool, configuration := pooledProvider(t, "", "key-one", "key-two")
	g := startGateway(t, gatewayOptions{extra: configuration})
	forward := g.steppedHealth()
	pool.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 401)})
	for range 20 {
		if got := g.call(chatJSON.path, pooled); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	keys := keysShown(pool)
	if refused := keys[0]; len(keys) != 21 || timesIn(keys, refused) != 1 {
		t.Fatalf("the refused key was shown %d times in %d requests: %q", timesIn(keys, refused), len(keys), keys)
	}
	if log := g.log(); !strings.Contains(log, "a provider refuses a key") || strings.Contains(log, keys[0]) {
		t.Errorf("the log does not tell of the refused key, or shows it")
	}

	forward(2 * time.Minute)
	gate := simulator.NewGate()
	pool.Add(simulator.Step{Times: simulator.Always, Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	const together = 16 // with one in two choosing the key that may be tried, none would in one of 65,536 runs
	var calls []*calling
	for range together {
		calls = append(calls, g.startCall(chatJSON.path, pooled, bearer(g.secret)))
	}
	if _, err := pool.WaitRequests(testContext(t), len(keys)+together); err != nil {
		t.Fatal(err)
	}
	if tries := timesIn(keysShown(pool), keys[0]) - 1; tries != 1 {
		t.Errorf("%d requests try the key at once", tries)
	}
	gate.Open()
	for _, call := range calls {
		if got := call.finish(); got.status != http.StatusOK {
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	forward(time.Hour)
	before := timesIn(keysShown(pool), keys[0])
	for range 20 {
		g.call(chatJSON.path, pooled)
	}
	if timesIn(keysShown(pool), keys[0]) == before {
		t.Error("the key has not come back")
	}
}

func limitedByProvider(seconds int) simulator.Response {
	limited := simulator.ErrorResponse(simulator.OpenAI, 429)
	limited.Header = limited.Header.Clone()
	limited.Header.Set("Retry-After", strconv.Itoa(seconds))
	return limited
}

func TestARateLimitedProviderIsLeftAloneForAsLongAsItSays(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: configuration})
	forward := g.steppedHealth()
	g.provider.Add(simulator.Step{Response: limitedByProvider(30)})
	w := twofold[0]
	for i, step := range []struct {
		forward      time.Duration
		first, other int // how often each was asked by then
	}{{0, 1, 1}, {0, 1, 2}, {29 * time.Second, 1, 3}, {time.Second, 2, 3}} {
		forward(step.forward)
		got := g.callWith(w.path, w.body, w.header(g.secret))
		if first, second := len(g.provider.Requests()), len(other.Requests()); got.status != http.StatusOK || first != step.first || second != step.other {
			t.Fatalf("step %d: %d, asked %d and %d times", i, got.status, first, second)
		}
	}
	if records := g.records(4); records[0].Attempts != 2 || records[1].Attempts != 1 {
		t.Errorf("%d and %d attempts", records[0].Attempts, records[1].Attempts)
	}

	// A reload does not make anybody forget.
	g.provider.Add(simulator.Step{Response: limitedByProvider(30)})
	g.callWith(w.path, w.body, w.header(g.secret))
	g.load()
	if got := g.callAfterReload(w); got.status != http.StatusOK || len(g.provider.Requests()) != 3 {
		t.Errorf("after a reload: %d, asked %d times", got.status, len(g.provider.Requests()))
	}
}

func TestWhenAllAreLeftAloneCallersAreToldWhenToComeBack(t *testing.T) {
	unavailable := simulator.ErrorResponse(simulator.OpenAI, 503)
	unavailable.Header = http.Header{"Retry-After": {"30"}}
	for _, test := range []struct {
		name     string
		response simulator.Response
		status   int
		code     string
	}{
		{"rate limited", limitedByProvider(30), http.StatusTooManyRequests, "provider_rate_limited"},
		{"overloaded", unavailable, http.StatusServiceUnavailable, "provider_overloaded"},
	} {
		t.Run(test.name, func(t *testing.T) {
			other, configuration := otherProvider(t, simulator.Options{})
			g := startGateway(t, gatewayOptions{extra: configuration})
			credit := g.balance()
			g.steppedHealth()
			for _, w := range twofold[:3] {
				g.provider.Add(simulator.Step{Response: test.response})
				other.Add(simulator.Step{Response: test.response})
				for i := range 2 {
					got := g.callWith(w.path, w.body, w.header(g.secret))
					after, err := strconv.Atoi(got.header.Get("Retry-After"))
					if got.status != test.status || err != nil || after < 29 || after > 30 {
						t.Errorf("%s, call %d: %d, Retry-After %q: %s", w.name, i, got.status, got.header.Get("Retry-After"), got.body)
					}
					if w.name == "chat" && got.errorCode() != test.code {
						t.Errorf("call %d: %s", i, got.body)
					}
				}
			}
			if first, second := len(g.provider.Requests()), len(other.Requests()); first != 3 || second != 3 {
				t.Errorf("asked %d and %d times, want 3 each", first, second)
			}
			records := g.records(6)
			for i, record := range records {
				if want := 2 - 2*(i%2); record.Attempts != want || record.Cost != 0 || record.Status != metering.StatusProviderError {
					t.Errorf("record %d: %d attempts, want %d; %s", i, record.Attempts, want, record.Status)
				}
			}
			g.settledUp(credit, records)
		})
	}
}

func TestWhenAllKeysAreRefusedCallersAreToldSo(t *testing.T) {
	pool, configuration := pooledProvider(t, "", "key-one", "key-two")
	g := startGateway(t, gatewayOptions{extra: configuration})
	forward := g.steppedHealth()
	pool.Add(simulator.Step{Times: simulator.Always, Response: simulator.ErrorResponse(simulator.OpenAI, 401)})
	for i := range 4 {
		got := g.call(chatJSON.path, pooled)
		if got.status != http.StatusBadGateway || got.errorCode() != "provider_refused_gateway" {
			t.Errorf("call %d: %d %s", i, got.status, got.body)
		}
		forward(2 * time.Minute)
	}
	asked := len(pool.Requests())
	g.call(chatJSON.path, pooled) // tries that are due
	if got := g.call(chatJSON.path, pooled); got.status != http.StatusBadGateway || got.errorCode() != "provider_refused_gateway" {
		t.Errorf("without a try: %d %s", got.status, got.body)
	}
	if n := len(pool.Requests()); n > asked+2 {
		t.Errorf("refused keys were shown %d times more", n-asked)
	}
}

func TestNoKeyIsAskedTwiceForOneRequest(t *testing.T) {
	pool, configuration := pooledProvider(t, "", "key-one", "key-two", "key-three")
	g := startGateway(t, gatewayOptions{extra: configuration})
	pool.Add(simulator.Step{Times: simulator.Always, Response: simulator.ErrorResponse(simulator.OpenAI, 500)})
	if got := g.call(chatJSON.path, pooled); got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.status, got.body)
	}
	keys := keysShown(pool)
	for _, key := range keys {
		if timesIn(keys, key) != 1 {
			t.Errorf("%s was shown %d times", key, timesIn(keys, key))
		}
	}
	if record := g.records(1)[0]; len(keys) != 3 || record.Attempts != 3 {
		t.Errorf("%d keys shown, %d attempts recorded", len(keys), record.Attempts)
	}
}

func TestTheFallbackIsAskedWhenAStreamFailsBeforeContent(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: configuration + `
		model tiered {
			to openai/gpt-4.1-mini weight 1
			fallback other/gpt-4.1-mini
		}`})
	credit := g.balance()
	body := strings.Replace(chatStream.body, "gpt-4.1-mini", "tiered", 1)
	for i, failing := range []simulator.Response{
		{Answer: &simulator.Answer{Fail: 503}},
		{Fault: simulator.HangUp, FaultAt: 60},
		{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader},
	} {
		g.forgetFailures()
		g.provider.Add(simulator.Step{Response: failing})
		got := g.call(chatStream.path, body)
		if text := string(got.body); got.status != http.StatusOK || !strings.Contains(text, "[DONE]") || strings.Contains(text, `"error"`) {
			t.Errorf("failure %d: %d %s", i, got.status, text)
		}
		if len(other.Requests()) != i+1 {
			t.Errorf("failure %d: the fallback was asked %d times", i, len(other.Requests()))
		}
	}
	// It is asked for nothing else.
	g.forgetFailures()
	if got := g.call(chatStream.path, body); got.status != http.StatusOK || len(other.Requests()) != 3 {
		t.Errorf("%d, the fallback was asked %d times", got.status, len(other.Requests()))
	}
	g.settledUp(credit, g.records(4))
}

func TestRequestsAreSharedOutByWeight(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	pool, pooling := pooledProvider(t, "", "key-one", "key-two")
	pooling = strings.Replace(pooling, "} \n", "} weight 3\n", 1) // the first key
	if !strings.Contains(pooling, "weight 3") {
		t.Fatal(pooling)
	}
	g := startGateway(t, gatewayOptions{extra: configuration + pooling + `
		model shared {
			to openai/gpt-4.1-mini weight 3 other/gpt-4.1-mini
		}`})
	const calls = 200
	for i := range calls {
		pooled := conversation(pooled, i) // conversations are shared out, not their turns
		if got := g.call(chatJSON.path, conversation(strings.Replace(chatJSON.body, "gpt-4.1-mini", "shared", 1), i)); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		if got := g.call(chatJSON.path, pooled); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	// 150 of 200, and six standard deviations.
	if n := len(g.provider.Requests()); n < 113 || n > 187 || n+len(other.Requests()) != calls {
		t.Errorf("the provider of weight 3 got %d of %d", n, calls)
	}
	if n := timesIn(keysShown(pool), "key-one"); n < 113 || n > 187 {
		t.Errorf("the key of weight 3 got %d of %d", n, calls)
	}
}

func TestKeysAreAskedNoMoreThanTheirRatesAllow(t *testing.T) {
	pool, configuration := pooledProvider(t, "rpm 2", "key-one", "key-two")
	g := startGateway(t, gatewayOptions{extra: configuration})
	g.steppedHealth()
	for i := range 4 {
		if got := g.call(chatJSON.path, conversation(pooled, i)); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	got := g.call(chatJSON.path, pooled)
	if after, err := strconv.Atoi(got.header.Get("Retry-After")); got.status != http.StatusTooManyRequests || got.errorCode() != "provider_rate_limited" || err != nil || after < 29 || after > 30 {
		t.Errorf("%d, Retry-After %q: %s", got.status, got.header.Get("Retry-After"), got.body)
	}
	if keys := keysShown(pool); len(keys) != 4 || timesIn(keys, "key-one") != 2 {
		t.Errorf("asked with %q", keys)
	}

	// Tokens count when an answer has ended.
	few, configuration := pooledProvider(t, "tpm 1", "key-one", "key-two")
	g = startGateway(t, gatewayOptions{extra: configuration})
	for i, status := range []int{http.StatusOK, http.StatusOK, http.StatusTooManyRequests} {
		if got := g.call(chatJSON.path, pooled); got.status != status {
			t.Errorf("call %d: %d %s", i, got.status, got.body)
		}
		waitFor(t, "the place at the provider to be free", func() bool { return g.running() == 0 })
	}
	if keys := keysShown(few); len(keys) != 2 || keys[0] == keys[1] {
		t.Errorf("asked with %q", keys)
	}
}
