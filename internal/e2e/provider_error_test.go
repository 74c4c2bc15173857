package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// spoken is the simulator's name of a dialect.
var spoken = map[string]simulator.Dialect{"openai": simulator.OpenAI, "anthropic": simulator.Anthropic, "google": simulator.Google}

// mishap is something that goes wrong at the provider.
type mishap struct {
	name     string
	call     call
	answers  []simulator.Response // in turn; then native ones
	refusal  refusal              // what the SDK raises; its status 0 means an error without one
	requests int                  // that the SDK sends; 0 is 1
	raised   bool                 // false: the SDK has its answer in the end
	charged  bool                 // the last request delivered something
}

func again(n int, response simulator.Response) []simulator.Response {
	var all []simulator.Response
	for range n {
		all = append(all, response)
	}
	return all
}

func answers(responses ...simulator.Response) []simulator.Response { return responses }

func (s speaker) mishaps(half []byte) []mishap {
	said := func(status int) simulator.Response { return simulator.ErrorResponse(spoken[s.sdk], status) }
	soon := said(503)
	soon.Header = soon.Header.Clone()
	soon.Header.Set("Retry-After", "1")
	if s.sdk == "google" {
		soon.Header.Del("Retry-After") // which its SDK does not heed
	}
	create := func(retries int) call {
		return call{Do: "create", Params: s.ask(s.model, hello), Retries: retries}
	}
	stream := call{Do: "stream", Params: s.ask(s.model, hello)}
	down := call{Do: "create", Params: s.ask("dead-"+s.sdk, hello)}
	downStream := call{Do: "stream", Params: s.ask("dead-"+s.sdk, hello)}
	refusesUs := 2
	if s.sdk == "google" {
		refusesUs = 0 // its SDK knows no way to be told not to try again
	}
	unavailable := refusal{status: 503, code: "provider_unavailable", kind: "api_error", google: "UNAVAILABLE", class: "InternalServerError"}
	overloaded := refusal{status: 503, code: "provider_overloaded", kind: "overloaded_error", google: "UNAVAILABLE", class: "InternalServerError"}
	limited := refusal{status: 429, code: "provider_rate_limited", kind: "rate_limit_error", google: "RESOURCE_EXHAUSTED", class: "RateLimitError"}
	before := overloaded
	if s.sdk == "openai" {
		before = unavailable // its error objects do not tell them apart
	}
	refused := refusal{status: 502, code: "provider_refused_gateway", kind: "api_error", google: "INTERNAL", class: "InternalServerError"}
	return []mishap{
		{"500 twice", create(1), again(2, said(500)), unavailable, 2, true, false},
		{"503, then an answer", create(1), answers(soon), refusal{}, 2, false, true},
		{"503", stream, answers(soon), overloaded, 1, true, false},
		{"429", create(0), answers(said(429)), limited, 1, true, false},
		{"401", create(refusesUs), answers(said(401)), refused, 1, true, false},
		{"403 on a stream", stream, answers(said(403)), refused, 1, true, false},
		{"error before the stream's first word", stream, answers(simulator.Response{Answer: &simulator.Answer{Fail: 529}}), before, 1, true, false},
		{"error in the stream", stream, answers(simulator.Response{Answer: &simulator.Answer{Fail: 503, FailAfter: 7}}), refusal{}, 1, true, true},
		{"stream cut", stream, answers(simulator.Response{Fault: simulator.HangUp, FaultAt: 4000}), refusal{}, 1, true, true},
		{"stream cut inside an event", stream, answers(simulator.Response{Fault: simulator.HangUp, FaultAt: 4100}), refusal{}, 1, true, true},
		{"stream reset", stream, answers(simulator.Response{Fault: simulator.Reset, FaultAt: 4000}), refusal{}, 1, true, true},
		{"stream that just ends", stream, answers(simulator.Response{Body: half, ContentType: "text/event-stream"}), refusal{}, 1, true, true},
		// Its beginning is withheld until the end is there, so nothing was delivered.
		{"JSON cut", create(0), answers(simulator.Response{Fault: simulator.HangUp, FaultAt: 250}), refusal{}, 1, true, false},
		{"down", down, nil, unavailable, 1, true, false},
		{"down for a stream", downStream, nil, unavailable, 1, true, false},
	}
}

// Whatever goes wrong at the provider: the SDK raises and never takes a part for the
// whole, tries again as often as it is told to, and pays only for what it got.
func TestProviderErrors(t *testing.T) {
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			var g *gateway
			var c *customer
			var client *sdk
			var spent *big.Rat
			var records int
			again := func() {
				g = startGateway(t)
				c = g.newCustomer(s.sdk, "5")
				client = startSDK(t, s.sdk, c)
				spent, records = new(big.Rat), 0
			}
			again()
			for _, m := range s.mishaps(g.halfStream(s)) {
				for _, response := range m.answers {
					g.provider.Add(simulator.Step{Response: response})
				}
				before := len(g.provider.Requests())
				v := client.call(m.call)
				if v.Requests != m.requests {
					t.Errorf("%s: the SDK sent %d requests, want %d", m.name, v.Requests, m.requests)
				}
				if got := len(g.provider.Requests()) - before; got != m.requests && !strings.HasPrefix(m.name, "down") {
					t.Errorf("%s: the provider got %d requests, want %d", m.name, got, m.requests)
				}
				switch {
				case m.refusal.status != 0:
					v.expectError(t, m.name, s, m.refusal)
				case m.raised != (v.Error != nil):
					t.Errorf("%s: the SDK raised %+v and shows %q", m.name, v.Error, v.Text)
				}
				if m.raised && (v.Finish != "" || !strings.HasPrefix(simulator.StandardText, v.Text) || v.Text == simulator.StandardText) {
					t.Errorf("%s: the SDK shows the finish %q of %q", m.name, v.Finish, v.Text)
				}
				if m.name == "429" && v.Header["retry-after"] != "7" {
					t.Errorf("%s: Retry-After %q, want the provider's 7", m.name, v.Header["retry-after"])
				}
				records += m.requests
				all := c.records(records)
				for i, r := range all[records-m.requests:] {
					last := i == m.requests-1
					cost := r.expectCharge(t, r.Usage, listOf(r))
					spent.Add(spent, cost)
					if charged := m.charged && last; charged != (cost.Sign() > 0) || charged == (r.Basis == "waived") || r.Attempts != 1 ||
						(r.Status == "ok") != (last && !m.raised) || r.Status != "ok" && r.Status != "provider_error" {
						t.Errorf("%s: record %+v", m.name, r)
					}
				}
				if last := all[len(all)-1]; last.ID != v.id() {
					t.Errorf("%s: the last record is of %s, the answer has %s", m.name, last.ID, v.id())
				}
				c.expectSpent(spent)
				if leftAlone[m.name] {
					again()
				}
			}
		})
	}
}

// leftAlone are the mishaps after which the gateway asks the provider nothing for a time.
var leftAlone = map[string]bool{"503": true, "429": true, "401": true}

// halfStream is the first half of the provider's stream, up to the end of an event.
func (g *gateway) halfStream(s speaker) []byte {
	g.t.Helper()
	asking := params{
		"model": s.model, "stream": true, "max_tokens": 2000, "messages": chat(hello),
		"contents": []params{{"parts": []params{{"text": hello}}}},
	}
	body, err := json.Marshal(asking)
	if err != nil {
		g.t.Fatal(err)
	}
	direct := *g
	direct.url = g.provider.URL
	status, _, stream, err := direct.send("POST", s.stream(s.model), string(body), "Anthropic-Version", "2026-10-21", "X-Goog-Api-Key", providerKey, "Authorization", "Bearer "+providerKey)
	if err != nil || status != 200 {
		g.t.Fatalf("the provider answered %d, %v", status, err)
	}
	half := stream[:len(stream)/2]
	return half[:bytes.LastIndex(half, []byte("data: "))]
}

// listOf is the price list of a record's model.
func listOf(r record) string {
	if strings.HasPrefix(r.ModelRequested, "dead-") {
		return "house/large" // it costs nothing anyway
	}
	return r.ModelRequested
}

// What is the caller's own mistake comes through as the provider says it, without
// what the provider says about the operator's account.
func TestProvidersWordOnTheCallersMistake(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "1")
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			response := simulator.ErrorResponse(spoken[s.sdk], 400)
			response.Header = response.Header.Clone()
			for name, values := range simulator.ProviderHeader(spoken[s.sdk]) {
				response.Header[name] = values
			}
			g.provider.Add(simulator.Step{Response: response})
			v := startSDK(t, s.sdk, c).call(call{Do: "create", Params: s.ask(s.model, hello), Retries: 2})
			if v.Error == nil || v.Error.Status != 400 || !strings.Contains(v.Error.Message, "simulated error") || v.Requests != 1 {
				t.Errorf("the SDK raised %+v", v.Error)
			}
			shown, err := json.Marshal(v.Header)
			if err != nil {
				t.Fatal(err)
			}
			for name, values := range simulator.ProviderHeader(spoken[s.sdk]) {
				if name == "Server" { // Caddy's own
					continue
				}
				if strings.Contains(string(shown), fmt.Sprintf("%q", values[0])) {
					t.Errorf("the provider's %s reached the client: %s", name, shown)
				}
			}
		})
	}
	for _, r := range c.records(len(speakers)) {
		if r.Status != "provider_error" || r.HTTPStatus != 400 || r.Basis != "waived" {
			t.Errorf("record %+v", r)
		}
	}
	c.expectSpent(new(big.Rat))
}
