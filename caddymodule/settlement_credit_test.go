package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// shortChat asks for less than what a lowered cap would still be worth asking for.
var shortChat = strings.Replace(chatJSON.body, `"messages"`, `"max_tokens":100,"messages"`, 1)

// holdOf is what a chat request holds.
func holdOf(t *testing.T, body string) metering.Nanos {
	t.Helper()
	g := startGateway(t, gatewayOptions{})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	before := g.balance()
	call := g.startCall(chatJSON.path, body, bearer(g.secret))
	call.at(gate)
	hold := before - g.available()
	gate.Open()
	call.finish()
	if hold <= 0 {
		t.Fatalf("the request holds %s", hold)
	}
	return hold
}

// With credit for few worst cases, of many requests at once none is refused while the
// credit is only held: all are served, one after the other. They are refused when it is
// spent.
func TestCreditThatIsOnlyHeldIsWaitedFor(t *testing.T) {
	hold := holdOf(t, shortChat)
	const credit, callers = 20, 200
	for _, test := range []struct {
		name   string
		answer simulator.Answer
		served int
	}{
		{"real cost far below the hold", simulator.Answer{Text: "yes"}, callers},
		{"real cost as high as the hold", simulator.Answer{Usage: &simulator.Usage{Input: int64(len(shortChat)) + 256, Output: 100}}, credit},
	} {
		t.Run(test.name, func(t *testing.T) {
			gate := simulator.NewGate()
			g := startGateway(t, gatewayOptions{
				credit: (hold * credit).String(),
				options: &simulator.Options{Script: simulator.Script{{Times: simulator.Always, Response: simulator.Response{
					Answer: &test.answer, Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}},
				}}}},
			})
			before := g.balance()
			replies := make(chan reply, callers)
			for range callers {
				call := g.startCall(chatJSON.path, shortChat, bearer(g.secret))
				go func() { replies <- call.finish() }()
			}
			if _, err := g.provider.WaitRequests(testContext(t), credit); err != nil {
				t.Fatal(err)
			}
			g.awaitWaiting(callers - credit)
			if available, refused := g.available(), len(replies); available != 0 || refused > 0 {
				t.Errorf("%s can still be held, and %d are refused", available, refused)
			}
			gate.Open()
			served := 0
			for range callers {
				switch got := <-replies; {
				case got.err == nil && got.status == http.StatusOK:
					served++
				case got.err != nil || got.status != http.StatusPaymentRequired || got.errorCode() != "insufficient_credit":
					t.Errorf("%d %v %s", got.status, got.err, got.body)
				}
			}
			if asked := len(g.provider.Requests()); served != test.served || asked != test.served {
				t.Errorf("%d are served and %d sent, want %d", served, asked, test.served)
			}
			records := g.records(callers)
			for _, record := range records {
				if record.Shortfall != 0 || (record.Cost > 0) != (record.Status == metering.StatusOK) {
					t.Errorf("record %+v", record)
				}
			}
			g.settledUp(before, records)
		})
	}
}

// awaitWaiting waits until so many requests wait for credit.
func (g *gateway) awaitWaiting(n int) {
	g.t.Helper()
	waitFor(g.t, fmt.Sprintf("%d requests to wait for credit", n), func() bool {
		var waiting int64
		runtimes.Range(func(_, value any) bool {
			waiting += value.(*runtime).ledger.Figures().Waiting
			return true
		})
		return waiting == int64(n)
	})
}

func TestManyAtOnceAreEachChargedOnce(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "1000"})
	credit := g.balance()
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 200}}
	defer client.CloseIdleConnections()
	const callers = 200
	var (
		done  sync.WaitGroup
		mutex sync.Mutex
		ids   = make(map[string]wire)
	)
	kinds := append(wireStreams, wireDocuments...)
	for i := range callers {
		w := kinds[i%len(kinds)]
		call := startCall(t, client, g.url+w.path, w.body, w.header(g.secret))
		done.Go(func() {
			got := call.finish()
			if got.status != http.StatusOK || got.err != nil || !strings.Contains(string(got.body), w.terminal) {
				t.Errorf("%s: %d %v", w.name, got.status, got.err)
				return
			}
			mutex.Lock()
			defer mutex.Unlock()
			ids[got.header.Get("Faregate-Request-Id")] = w
		})
	}
	done.Wait()
	if len(ids) != callers {
		t.Errorf("%d different request ids of %d", len(ids), callers)
	}
	records := g.records(callers)
	costs := make(map[string]metering.Nanos)
	for _, record := range records {
		w, known := ids[record.ID]
		if !known || record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured || record.Cost <= 0 {
			t.Errorf("record %+v", record)
		}
		// The same request costs the same.
		if cost, seen := costs[w.name]; seen && cost != record.Cost {
			t.Errorf("%s cost %s and %s", w.name, cost, record.Cost)
		}
		costs[w.name] = record.Cost
	}
	if available := g.available(); available != g.balance() {
		t.Errorf("%s can be held of a balance of %s", available, g.balance())
	}
	g.settledUp(credit, records)
}

// When the worst case does not fit into the credit, a shorter answer is asked for,
// and the caller is told.
func TestAShortCreditLowersTheOutputCap(t *testing.T) {
	fields := []struct{ name, path, body, sent string }{
		{"chat", chatJSON.path, strings.Replace(chatJSON.body, `"messages"`, `"max_tokens":9000,"messages"`, 1), `"max_tokens":%s`},
		{"chat, newer field", chatJSON.path, strings.Replace(chatJSON.body, `"messages"`, `"max_completion_tokens":9000,"messages"`, 1), `"max_completion_tokens":%s`},
		{"chat without a cap", chatJSON.path, chatJSON.body, `"max_completion_tokens":%s`},
	}
	for _, field := range fields {
		t.Run(field.name, func(t *testing.T) {
			// gpt-4.1-mini: 1.60 dollars per million tokens of output.
			g := startGateway(t, gatewayOptions{credit: "0.005"})
			credit := g.balance()
			words := strings.TrimSpace(strings.Repeat("word ", 4000))
			g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Text: words}}})
			got := g.callWith(field.path, field.body, bearer(g.secret))
			lowered, err := strconv.Atoi(got.header.Get("Faregate-Output-Cap"))
			if got.status != http.StatusOK || err != nil || lowered < 1024 || lowered > 5000/1.6 {
				t.Fatalf("%d, Faregate-Output-Cap %q: %s", got.status, got.header.Get("Faregate-Output-Cap"), got.body)
			}
			sent := string(g.endedRequest(1).Body)
			if want := fmt.Sprintf(field.sent, strconv.Itoa(lowered)); !strings.Contains(sent, want) || strings.Contains(sent, "9000") {
				t.Errorf("the provider was sent %s, want %s in it", sent, want)
			}
			record := g.records(1)[0]
			if record.Usage.OutputTotal != int64(lowered) || record.Shortfall != 0 || record.Cost > credit || record.FinishReason != "length" {
				t.Errorf("record %+v", record)
			}
			g.settledUp(credit, g.records(1))
		})
	}
	// Too short an answer is not worth asking for.
	g := startGateway(t, gatewayOptions{credit: "0.0015"})
	if got := g.call(chatJSON.path, fields[0].body); got.status != http.StatusPaymentRequired {
		t.Errorf("with credit for less than the least: %d %s", got.status, got.body)
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("the provider was asked %d times", n)
	}
}
