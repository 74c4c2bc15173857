package caddymodule

import (
	"context"
	"encoding/json"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// eventKeeper is a handler of Caddy's events that keeps them for the tests.
type eventKeeper struct{}

var keptEvents struct {
	sync.Mutex
	data []map[string]any
	// held is what handlers wait for; nil: nothing.
	held chan struct{}
}

func (eventKeeper) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "events.handlers.faregate_test", New: func() caddy.Module { return new(eventKeeper) }}
}

func (eventKeeper) Handle(_ context.Context, event caddy.Event) error {
	keptEvents.Lock()
	held := keptEvents.held
	keptEvents.Unlock()
	if held != nil {
		<-held
	}
	keptEvents.Lock()
	defer keptEvents.Unlock()
	event.Data["name"] = event.Name()
	keptEvents.data = append(keptEvents.data, event.Data)
	return nil
}

// UnmarshalCaddyfile reads the handler's name, which takes nothing more.
func (*eventKeeper) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	return nil
}

func init() { caddy.RegisterModule(eventKeeper{}) }

// takeEvents returns the events since the last call.
func takeEvents() []map[string]any {
	keptEvents.Lock()
	defer keptEvents.Unlock()
	taken := keptEvents.data
	keptEvents.data = nil
	return taken
}

// logged returns the lines of the log with this in their message.
func (g *gateway) logged(message string) (lines []map[string]any) {
	g.t.Helper()
	log, err := os.ReadFile(g.logFile)
	if err != nil {
		g.t.Fatal(err)
	}
	for line := range strings.Lines(string(log)) {
		var fields map[string]any
		if json.Unmarshal([]byte(line), &fields) == nil && strings.Contains(fields["msg"].(string), message) {
			lines = append(lines, fields)
		}
	}
	return lines
}

// A charge beyond the hold is told to the operator: as a warning where the account
// could pay, as an error, an event and a shortfall where it could not.
func TestAChargeBeyondTheHoldIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.01", global: "events {\n\t\ton shortfall faregate_test\n\t}"})
	credit := g.balance()
	takeEvents()
	for i, row := range []struct {
		output int64
		level  string
	}{{1000, "warn"}, {1_000_000, "error"}} {
		g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Usage: &simulator.Usage{Input: 9, Output: row.output}}}})
		g.call(chatJSON.path, shortChat)
		record := g.records(i + 1)[i]
		var lines []map[string]any
		waitFor(t, "the line in the log", func() bool {
			lines = g.logged("cost more than was held")
			return len(lines) == i+1
		})
		line, events := lines[i], []map[string]any(nil)
		if row.level == "error" {
			waitFor(t, "the event", func() bool { events = append(events, takeEvents()...); return len(events) > 0 })
		}
		if line["level"] != row.level || line["request_id"] != record.ID || line["model"] != "gpt-4.1-mini" || line["provider"] != "openai" ||
			line["feature"] != "output" || line["cost"] != record.Cost.String() || line["shortfall"] != record.Shortfall.String() || line["output_bound"] != 100.0 {
			t.Errorf("line %v", line)
		}
		for _, private := range []string{g.account, g.keyID} {
			if text, err := json.Marshal([]any{line, events}); err != nil || strings.Contains(string(text), private) {
				t.Errorf("%s shows an account or a key", text)
			}
		}
		if row.level == "warn" {
			if len(events) != 0 || record.Shortfall != 0 {
				t.Errorf("events %v, record %+v", events, record)
			}
			continue
		}
		if len(events) != 1 || len(events[0]) != 6 || events[0]["request_id"] != record.ID || events[0]["model"] != "gpt-4.1-mini" ||
			events[0]["provider"] != "openai" || events[0]["feature"] != "output" || events[0]["amount"] != record.Shortfall.String() {
			t.Errorf("events %v", events)
		}
		runtimes.Range(func(_, value any) bool {
			counts := &value.(*runtime).overruns
			if counts.paid[featureOutput].Load() != 1 || counts.short[featureOutput].Load() != 1 || counts.shortfall.Load() != int64(record.Shortfall) {
				t.Errorf("counted %d, %d, %d", counts.paid[featureOutput].Load(), counts.short[featureOutput].Load(), counts.shortfall.Load())
			}
			return true
		})
	}
	g.settledUp(credit, g.records(2))
}

func TestTheFeatureThatCostMoreThanWasHeld(t *testing.T) {
	rates := func(definition price.Definition) *price.Rates {
		t.Helper()
		made, err := price.NewRates(definition)
		if err != nil {
			t.Fatal(err)
		}
		return made
	}
	called := rates(price.Definition{
		Prices:       map[string]string{"input": "1", "output": "1", "input_audio": "10"},
		ServiceTiers: map[string]price.Adjustment{"priority": {Multiply: "3"}},
		Units:        map[string]string{"web_search": "0.01"},
	})
	dearer := rates(price.Definition{Prices: map[string]string{"input": "5", "output": "5"}})
	const held = 200_000 // 100 tokens of each
	s := &settlement{rates: called, bound: price.Bound{InputTokens: 100, OutputTokens: 100, Without: unreachable(dialect.Reach{})}}
	within := usage.Usage{InputTotal: 100, OutputTotal: 100}
	for name, row := range map[string]struct {
		cost costing
		want feature
	}{
		"pass":        {costing{rates: called, usage: within, beside: []metering.Nanos{1}}, featurePass},
		"model":       {costing{rates: dearer, usage: within}, featureModel},
		"conditions":  {costing{rates: called, usage: within, conditions: price.Conditions{ServiceTier: "priority"}}, featureConditions},
		"class":       {costing{rates: called, usage: usage.Usage{InputTotal: 100, InputAudio: 100, OutputTotal: 100}}, featureClass},
		"units":       {costing{rates: called, usage: usage.Usage{InputTotal: 100, Units: usage.Units{WebSearch: 1}}}, featureUnits},
		"output":      {costing{rates: called, usage: usage.Usage{InputTotal: 100, OutputTotal: 101}}, featureOutput},
		"input":       {costing{rates: called, usage: usage.Usage{InputTotal: 101, OutputTotal: 100}}, featureInput},
		"unexplained": {costing{rates: rates(price.Definition{Prices: map[string]string{"input": "9", "output": "9"}}), usage: within}, featureUnexplained},
	} {
		s.rates = called
		if row.want == featureUnexplained {
			s.rates = row.cost.rates
		}
		if got := s.feature(held, row.cost); got != row.want || featureNames[got] != name {
			t.Errorf("%s: %s", name, featureNames[got])
		}
	}
}

// What a provider reported for an answer that was given up for another's is the
// operator's cost.
func TestAnAbandonedAnswerIsTheOperatorsCost(t *testing.T) {
	begin := "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":500,\"output_tokens\":1}}}\n\n"
	failed := simulator.Response{ContentType: "text/event-stream",
		Body: []byte(begin + "event: error\ndata: " + string(simulator.ErrorBody(simulator.Anthropic, 529, "overloaded")) + "\n\n")}
	for name, second := range map[string]simulator.Response{"another answers": {}, "nobody answers": simulator.ErrorResponse(simulator.Anthropic, 529)} {
		t.Run(name, func(t *testing.T) {
			other, extra := otherProvider(t, simulator.Options{})
			g := startGateway(t, gatewayOptions{extra: extra})
			credit := g.balance()
			g.provider.Add(simulator.Step{Response: failed})
			other.Add(simulator.Step{Response: second})
			got := g.startCall(messagesStream.path, strings.Replace(messagesStream.body, "claude-haiku-4-5", "twofold-messages", 1), xAPIKey(g.secret)).finish()
			if (got.status == 200) != (second.Status == 0) {
				t.Fatalf("%d %s", got.status, got.body)
			}
			record := g.records(1)[0]
			if (record.Cost > 0) != (second.Status == 0) || record.Attempts != 2 {
				t.Errorf("record %+v", record)
			}
			// 500 tokens at 1 dollar a million, 1 at 5.
			if cost := g.operatorCost(); cost != 505_000 {
				t.Errorf("the operator pays %s", cost)
			}
			g.settledUp(credit, g.records(1))
		})
	}
}

// Where the caller has turned reasoning off there is none to allow for.
func TestReasoningThatIsTurnedOffIsNotAllowedFor(t *testing.T) {
	for _, effort := range []string{"none", "high"} {
		g := startGateway(t, gatewayOptions{})
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
		call := g.startCall(chatStream.path, `{"model":"gpt-5.4-mini","stream":true,"reasoning_effort":"`+effort+`","messages":[{"role":"user","content":"hello"}]}`, bearer(g.secret))
		call.at(gate)
		time.Sleep(100 * time.Millisecond) // room for 5 tokens
		call.leave()
		if record := g.records(1)[0]; (record.Usage.Reasoning > 0) != (effort == "high") || record.Status != metering.StatusClientClosed {
			t.Errorf("%s: record %+v", effort, record)
		}
	}
}
