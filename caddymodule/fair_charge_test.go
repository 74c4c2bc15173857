package caddymodule

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A provider's error costs nothing, whether the client is still there or not.
func TestAProvidersErrorCostsNothingThoughTheClientHasLeft(t *testing.T) {
	for _, status := range []int{400, 429, 500} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			g := startGateway(t, gatewayOptions{site: probedSite})
			gate, left := simulator.NewGate(), watchDepartures(t).expect()
			g.provider.Add(simulator.Step{Response: simulator.Response{
				Status: status, ContentType: "application/json",
				Body: []byte(`{"error":{"message":"no","type":"x","code":null}}`), Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}},
			}})
			call := g.startCall(chatJSON.path, strings.Replace(chatJSON.body, "hello", strings.Repeat("hello ", 5000), 1), bearer(g.secret))
			reached(t, gate.Reached())
			call.leave()
			reached(t, left)
			gate.Open()
			if record := g.records(1)[0]; record.Cost != 0 || record.Basis != metering.BasisWaived {
				t.Errorf("a provider's %d is charged with %s (%s)", status, record.Cost, record.Basis)
			}
		})
	}
}

// The customer pays the price of the model that they called, whichever provider
// serves it.
func TestAFailOverCostsWhatTheCalledModelCosts(t *testing.T) {
	other, err := simulator.Start("127.0.0.1:0", simulator.Options{Key: otherKey, Record: true}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Close(testContext(t)) })
	g := startGateway(t, gatewayOptions{credit: "1", extra: fmt.Sprintf(`
		provider xai {
			base_url %s/v1
			api_key {file.%s}
		}
		model fast {
			to openai/gpt-4.1-nano xai/grok-4-0709
		}`, other.URL, keyFile(t, otherKey))})
	answer := func(model string) simulator.Response {
		return simulator.Response{ContentType: "application/json", Body: []byte(`{"model":"` + model + `","choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],` +
			`"usage":{"prompt_tokens":1000,"completion_tokens":1000,"total_tokens":2000}}`)}
	}
	g.provider.Add(simulator.Step{Response: answer("gpt-4.1-nano")}, simulator.Step{Response: simulator.Response{Status: 503, ContentType: "application/json", Body: []byte(`{}`)}})
	other.Add(simulator.Step{Response: answer("grok-4-0709")})
	body := `{"model":"fast","max_tokens":1000,"messages":[{"role":"user","content":"hello"}]}`
	g.call(chatJSON.path, body)
	g.call(chatJSON.path, body)
	records := g.records(2)
	if records[1].Provider != "xai" || records[0].Cost != records[1].Cost || records[0].Cost != 500_000 {
		t.Errorf("the same usage costs %s at %s and %s at %s", records[0].Cost, records[0].Provider, records[1].Cost, records[1].Provider)
	}
}

// A cheaper tier of the provider whose price it is makes nothing cheaper at another one: the
// caller asks for it, and some providers only say so again.
func TestACheapTierIsThatOfTheProviderWhosePriceItIs(t *testing.T) {
	other, extra := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: extra})
	answer := func(tier string) simulator.Step {
		return simulator.Step{Response: simulator.Response{ContentType: "application/json", Body: []byte(`{"model":"gpt-4.1-mini","service_tier":"` + tier + `",` +
			`"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":1000,"total_tokens":2000}}`)}}
	}
	for i, row := range []struct {
		tier      string
		elsewhere bool
		cost      metering.Nanos
	}{{"flex", false, 1_000_000}, {"default", true, 2_000_000}, {"flex", true, 2_000_000}, {"priority", true, 3_500_000}} {
		if row.elsewhere {
			g.provider.Add(simulator.Step{Response: simulator.Response{Status: 503, ContentType: "application/json", Body: []byte(`{}`)}})
			other.Add(answer(row.tier))
		} else {
			g.provider.Add(answer(row.tier))
		}
		g.call(chatJSON.path, `{"model":"twofold","service_tier":"`+row.tier+`","max_tokens":1000,"messages":[{"role":"user","content":"hello"}]}`)
		if record := g.records(i + 1)[i]; record.Cost != row.cost || (record.Provider == "other") != row.elsewhere {
			t.Errorf("%s at %s costs %s, want %s", row.tier, record.Provider, record.Cost, row.cost)
		}
	}
}

// A price line holds for every name of its model.
func TestAPriceLineHoldsForEverySpelling(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: `
		model gpt-4.1-mini {
			to openai
			price input 100 output 200
		}`})
	var costs []metering.Nanos
	for i, name := range []string{"gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"} {
		g.call(chatJSON.path, `{"model":"`+name+`","max_tokens":100,"messages":[{"role":"user","content":"hello"}]}`)
		costs = append(costs, g.records(i + 1)[i].Cost)
	}
	if costs[0] != costs[1] || costs[0] < 1_000_000 {
		t.Errorf("costs %v", costs)
	}
	if got := g.call(chatJSON.path, `{"model":"openai/gpt-4.1-mini","messages":[]}`); got.status != http.StatusNotFound {
		t.Errorf("a name that passes the price line by is served: %d", got.status)
	}
}

// What raises a model's limits above those that were held for does not go on.
func TestTheHoldIsForTheCapThatTheProviderIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "1.2"})
	header := xAPIKey(g.secret)
	header.Set("Anthropic-Beta", "output-128k-2025-02-19")
	got := g.callWith("/v1/messages", `{"model":"claude-3-7-sonnet-latest","max_tokens":128000,"messages":[{"role":"user","content":"hello"}]}`, header)
	if got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	sent := g.provider.Requests()[0]
	told := got.header.Get("Faregate-Output-Cap")
	if sent.Header.Get("Anthropic-Beta") != "" || told == "" || !strings.Contains(string(sent.Body), `"max_tokens":`+told+`,`) {
		t.Errorf("cap told %q, beta %q, sent %s", told, sent.Header.Get("Anthropic-Beta"), sent.Body)
	}
}

// Where another provider of the model may allow more, it is told what was held for.
func TestAFallBackIsToldWhatIsHeldFor(t *testing.T) {
	other, extra := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: extra})
	g.provider.Add(simulator.Step{Response: simulator.Response{Status: 503, ContentType: "application/json", Body: []byte(`{}`)}})
	if got := g.call(chatJSON.path, `{"model":"twofold","messages":[{"role":"user","content":"hello"}]}`); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if sent := other.Requests()[0]; !strings.Contains(string(sent.Body), `"max_tokens":32768`) {
		t.Errorf("sent %s", sent.Body)
	}
}

// Reasoning that nobody saw is not taken to have gone on while another provider was asked.
func TestATryThatFailedIsNotReasonedThrough(t *testing.T) {
	other, extra := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: extra})
	const pause, piece = 2 * time.Second, `data: {"choices":[{"index":0,"delta":{"content":"hello"}}]}` + "\n\n"
	g.provider.Add(simulator.Step{Response: simulator.Response{
		Status: 503, ContentType: "application/json", Body: []byte(`{}`), Pauses: []simulator.Pause{{At: simulator.BeforeHeader, For: pause}},
	}})
	other.Add(simulator.Step{Response: simulator.Response{
		ContentType: "text/event-stream", Body: []byte(piece + piece), Pauses: []simulator.Pause{{At: int64(len(piece)), Gate: simulator.NewGate()}},
	}})
	call := g.startCall(chatJSON.path, `{"model":"twofold","stream":true,"reasoning_effort":"high","messages":[{"role":"user","content":"hello"}]}`, bearer(g.secret))
	call.readTo("hello")
	call.leave()
	record := g.records(1)[0]
	if most := int64(pause.Seconds() * hiddenReasoningSpeed); record.Provider != "other" || record.Basis != metering.BasisEstimated || record.Usage.OutputTotal >= most {
		t.Errorf("%s: %+v (%s) though nothing was reasoned for %s", record.Provider, record.Usage, record.Basis, pause)
	}
}

// A provider whose error stalls does not keep the request from the next one.
func TestAStalledErrorDoesNotBlockTheNextProvider(t *testing.T) {
	_, extra := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: extra})
	g.provider.Add(simulator.Step{Response: simulator.Response{
		Status: 500, ContentType: "application/json", ContentLength: 100,
		Body: []byte(`{"error":`), Pauses: []simulator.Pause{{At: 5}},
	}})
	if got := g.call(chatJSON.path, `{"model":"twofold","messages":[{"role":"user","content":"hello"}]}`); got.status != http.StatusOK {
		t.Errorf("%d %v %s", got.status, got.err, got.body)
	}
}

type bareWriter struct{ http.ResponseWriter }

// A middleware whose writer cannot flush is no client that has left.
func TestAWriterWithoutFlushIsServed(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: probedSite})
	probeWith(t, func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		return next.ServeHTTP(bareWriter{w}, r)
	})
	got := g.call(chatStream.path, chatStream.body)
	if record := g.records(1)[0]; got.err != nil || record.Status != metering.StatusOK {
		t.Errorf("%v, record %s", got.err, record.Status)
	}
}

// The operator's names in an error under status 200 stay here.
func TestOperatorsNamesInAStreamsErrorStayHere(t *testing.T) {
	event := `data: {"error":{"message":"Rate limit reached in organization org-OPERATOR","type":"rate_limit_error","code":"rate_limit_exceeded"}}` + "\n\n"
	content := `data: {"model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"content":"some"}}]}` + "\n\n"
	document := `{"error":{"message":"Rate limit reached in organization org-OPERATOR","type":"rate_limit_error","code":"rate_limit_exceeded"}}`
	for name, c := range map[string]struct {
		call     wire
		response simulator.Response
		status   int
	}{
		"stream":   {chatStream, simulator.Response{ContentType: "text/event-stream", Body: []byte(content + event)}, http.StatusOK},
		"document": {chatJSON, simulator.Response{ContentType: "application/json", Body: []byte(document)}, http.StatusTooManyRequests},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			g.provider.Add(simulator.Step{Response: c.response})
			got := g.call(c.call.path, c.call.body)
			if got.status != c.status || strings.Contains(string(got.body), "OPERATOR") || !strings.Contains(string(got.body), "provider_rate_limited") {
				t.Errorf("%d %s", got.status, got.body)
			}
		})
	}
}

// A stop that records what runs must not race with the next attempt, nor let it go out.
func TestAStopEndsTheAttempts(t *testing.T) {
	other, extra := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: extra})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Status: 503, ContentType: "application/json", Body: []byte(`{}`),
		Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	call := g.startCall(chatJSON.path, `{"model":"twofold","messages":[{"role":"user","content":"hello"}]}`, bearer(g.secret))
	reached(t, gate.Reached())
	runtimes.Range(func(_, value any) bool {
		value.(*runtime).interruptLive() // as Destruct does when its patience is over
		return true
	})
	gate.Open()
	if got := call.finish(); got.status != http.StatusServiceUnavailable {
		t.Errorf("%d %s", got.status, got.body)
	}
	if record := g.records(1)[0]; record.Status != metering.StatusInterrupted || record.Cost != 0 {
		t.Errorf("record %+v", record)
	}
	if n := len(other.Requests()); n != 0 {
		t.Errorf("%d requests went out after the stop", n)
	}
}

// A store that is left and come back to while a stream runs keeps its requests.
func TestAReloadToAnotherStoreAndBackKeepsTheCharge(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: chatStream.contentAt(), Gate: gate}}}})
	call := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
	call.readTo("his")
	original := g.config
	for range 2 {
		g.config = strings.Replace(original, filepath.Join(g.directory, "faregate.db"), filepath.Join(g.directory, "second.db"), 1)
		g.load()
		g.config = original
		g.load()
	}
	gate.Open()
	got := call.finish()
	if record := g.records(1)[0]; record.Status != metering.StatusOK || got.err != nil || !strings.HasSuffix(string(got.body), "data: [DONE]\n\n") {
		t.Errorf("record %s, %v, %s", record.Status, got.err, got.body)
	}
	g.verify()
}

// Some servers give every chunk a finish reason: what follows is no late end.
func TestAFinishReasonInEveryChunkEndsNothing(t *testing.T) {
	event := func(text string) string {
		return `data: {"candidates":[{"content":{"role":"model","parts":[{"text":"` + text + `"}]},"finishReason":"STOP","index":0}],` +
			`"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":4,"totalTokenCount":13},"modelVersion":"gemini-2.5-flash"}` + "\r\n\r\n"
	}
	first, last := event("first"), event("the last word")
	g := startGateway(t, gatewayOptions{})
	g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(first + event("more") + last),
		Pauses: []simulator.Pause{{At: int64(len(first)), For: 200 * time.Millisecond}}}})
	got := g.callWith(geminiStream.path, geminiStream.body, googleKey(g.secret))
	if record := g.records(1)[0]; !strings.Contains(string(got.body), "the last word") || record.Status != metering.StatusOK {
		t.Errorf("record %s, %v: %s", record.Status, got.err, got.body)
	}
}
