package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// paused answers when the gate is opened.
func paused(at int64) (simulator.Step, *simulator.Gate) {
	gate := simulator.NewGate()
	return simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}}, gate
}

// onePlace checks that the key, which may have one request under way, has its place
// free, and no other: what was freed twice would let two in.
func (g *gateway) onePlace(after string) {
	g.t.Helper()
	step, gate := paused(simulator.BeforeHeader)
	g.provider.Add(step)
	running := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
	select {
	case <-gate.Reached():
	case <-running.began:
		g.t.Fatalf("%s the place is not free: %s", after, running.finish().body)
	}
	g.noPlace("beside a request " + after)
	gate.Open()
	if got := running.finish(); got.status != http.StatusOK {
		g.t.Errorf("%s: %d %v %s", after, got.status, got.err, got.body)
	}
}

// noPlace checks that the key's one place is taken.
func (g *gateway) noPlace(when string) {
	g.t.Helper()
	if got := g.call(chatJSON.path, chatJSON.body); got.errorCode() != string(dialect.CodeRateLimited) {
		g.t.Errorf("%s there is a place: %d %s", when, got.status, got.body)
	}
}

// A request's place is freed once, whichever way the request ends.
func TestARequestsPlaceIsFreedOnce(t *testing.T) {
	g := newGateway(t, gatewayOptions{site: probedSite, extra: "model dear {\nto openai/gpt-4.1\nprice input 100000 output 100000\n}"})
	g.limitKey(limits.Rates{Concurrency: 1, TokensPerMinute: 1_000_000})
	g.run()
	departures := watchDepartures(t)
	g.onePlace("at first")

	for _, w := range append(append([]wire{}, wireStreams...), wireDocuments...) {
		if got := g.callWith(w.path, w.body, w.header(g.secret)); got.status != http.StatusOK {
			t.Errorf("%s: %d %s", w.name, got.status, got.body)
		}
		g.onePlace("after " + w.name)
	}
	for name, response := range map[string]simulator.Response{
		"a provider's error":  {Status: 400, ContentType: "application/json", Body: []byte(`{"error":{"message":"no"}}`)},
		"a provider's 503":    simulator.ErrorResponse(simulator.OpenAI, 503),
		"no answer":           {Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader},
		"a stream that broke": {Fault: simulator.HangUp, FaultAt: chatStream.contentAt()},
	} {
		g.provider.Add(simulator.Step{Response: response})
		g.call(chatStream.path, chatStream.body)
		waitFor(t, "the request to end", g.idle)
		g.forgetFailures()
		g.onePlace("after " + name)
	}
	for name, body := range map[string]string{
		"a body that is none": "{", "an unknown model": `{"model":"no-such-model","messages":[]}`,
		"too little credit": strings.Replace(chatJSON.body, "gpt-4.1-mini", "dear", 1),
	} {
		if got := g.call(chatJSON.path, body); got.status < 400 {
			t.Errorf("%s: %d", name, got.status)
		}
		g.onePlace("after " + name)
	}
	g.call("/v1/models", "")
	g.onePlace("after a list of models")

	// A client that leaves a stream ends it.
	step, gate := paused(chatStream.contentAt())
	left := departures.expect()
	g.provider.Add(step)
	call := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
	reached(t, gate.Reached())
	call.readTo("his")
	call.leave()
	reached(t, left)
	gate.Open()
	waitFor(t, "the stream to be settled", g.idle)
	g.onePlace("after a stream that was left")

	// A document goes on without its client, and with it its place.
	step, gate = paused(40)
	left = departures.expect()
	g.provider.Add(step)
	call = g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
	reached(t, gate.Reached())
	call.leave()
	reached(t, left)
	g.noPlace("while a document is read on")
	gate.Open()
	waitFor(t, "the document to be settled", g.idle)
	g.onePlace("after a document that was left")

	// So does a stream with tools of the provider, and its handler ends before it.
	step, gate = paused(messagesStream.contentAt())
	later := simulator.NewGate()
	step.Response.Pauses = append(step.Response.Pauses, simulator.Pause{At: messagesStream.contentAt() + 100, Gate: later})
	left = departures.expect()
	g.provider.Add(step)
	call = g.startCall(messagesStream.path, strings.Replace(messagesStream.body, "{", `{"tools":[{"type":"web_search_20250305","name":"web_search","max_uses":1}],`, 1),
		messagesStream.header(g.secret))
	reached(t, gate.Reached())
	call.readTo("his")
	call.leave()
	reached(t, left)
	gate.Open()
	reached(t, later.Reached())
	waitFor(t, "the handler to end", func() bool { return g.underWay() == 1 })
	g.noPlace("while a stream is read on")
	later.Open()
	waitFor(t, "the stream to be settled", g.idle)
	g.onePlace("after a stream with tools that was left")

	// What a stop interrupts is over, though its handler still runs.
	step, gate = paused(chatStream.contentAt())
	g.provider.Add(step)
	call = g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
	reached(t, gate.Reached())
	g.theRuntime().interruptLive()
	g.onePlace("after a stop has interrupted a stream")
	gate.Open()
	call.finish()
	waitFor(t, "the handler to end", g.idle)
	g.onePlace("after its handler has ended, too")
	if stats := g.theRuntime().limiter.Stats(); stats.Keys != 1 || stats.Accounts != 0 || stats.Addresses != 0 {
		t.Errorf("%+v in memory for limits of one key", stats)
	}
	for _, record := range g.records(0) {
		if record.Status == metering.StatusOK && record.Cost == 0 {
			t.Errorf("record %+v", record)
		}
	}
	g.verify()
}

// underWay is how many requests and settlements there are.
func (g *gateway) underWay() int {
	rt := g.theRuntime()
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	return rt.requests
}

// The tokens of a request that fails over are those of the attempt that answers.
func TestAFailOverReservesAnew(t *testing.T) {
	g := newGateway(t, gatewayOptions{extra: "model fast-and-low {\nto openai/gpt-5-nano openai/gpt-4.1-nano\n}"})
	g.limitKey(limits.Rates{TokensPerMinute: 300_000})
	g.run()
	remaining := func() string { return g.call("/v1/models", "").header.Get("X-Ratelimit-Remaining-Tokens") }
	reserved := make(map[string]string)
	for _, model := range []string{"gpt-4.1-nano", "fast-and-low"} { // directly, and after a failure
		g.stopClock()
		step, gate := paused(simulator.BeforeHeader)
		if model == "fast-and-low" {
			g.provider.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
		}
		g.provider.Add(step)
		running := g.startCall(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", model, 1), bearer(g.secret))
		running.at(gate)
		reserved[model] = remaining()
		gate.Open()
		if got := running.finish(); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
		record := g.records(len(reserved))[len(reserved)-1]
		if want := 300_000 - record.Usage.InputTotal - record.Usage.OutputTotal; remaining() != fmt.Sprint(want) {
			t.Errorf("%s: %s tokens remain, want %d: %+v", model, remaining(), want, record)
		}
	}
	if reserved["fast-and-low"] != reserved["gpt-4.1-nano"] || reserved["fast-and-low"] == "" {
		t.Errorf("what remains beside a request under way: %v", reserved)
	}
}
