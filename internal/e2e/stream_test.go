package e2e

import (
	"encoding/json"
	"io"
	"math/big"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// streamRequest asks for a stream without an SDK.
func (c *customer) streamRequest(s speaker) *http.Request {
	c.t.Helper()
	body, err := json.Marshal(params{
		"model": s.model, "stream": true, "max_tokens": 2000, "messages": chat(hello),
		"contents": []params{{"parts": []params{{"text": hello}}}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	request, err := http.NewRequestWithContext(deadline(c.t), http.MethodPost, c.url+s.stream(s.model), strings.NewReader(string(body)))
	if err != nil {
		c.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+c.secret)
	return request
}

// Words reach the client as the provider says them, while the answer goes on.
func TestStreamsAreNotHeldBack(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "1")
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			gate := simulator.NewGate()
			defer gate.Open()
			const held = 4000
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: held, Gate: gate}}}})
			response, err := http.DefaultClient.Do(c.in(t).streamRequest(s))
			if err != nil {
				t.Fatal(err)
			}
			defer response.Body.Close()
			// The event that the pause cuts is held back; some before it must be there.
			if _, err := io.ReadFull(response.Body, make([]byte, held/2)); err != nil {
				t.Fatal(err)
			}
			select {
			case <-gate.Reached():
			case <-deadline(t).Done():
				t.Fatal("the provider did not come to the pause")
			}
			gate.Open()
			if _, err := io.ReadAll(response.Body); err != nil {
				t.Error(err)
			}
			r := g.in(t).request(response.Header.Get("Faregate-Request-Id"))
			r.expectCharge(t, plain(helloTokens, standardTokens), s.model)
		})
	}
}

// A client that leaves a stream ends it at the provider too, and pays for what it
// got.
func TestClientLeaves(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "1")
	spent := new(big.Rat)
	for i, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			c := c.in(t)
			// Until the client leaves.
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: 4000}}}})
			client := startSDK(t, s.sdk, c)
			if v := client.must(call{Do: "leave", Params: s.ask(s.model, hello)}); len(v.Chunks) < 3 {
				t.Fatalf("the SDK shows %d events", len(v.Chunks))
			}
			ended, err := g.provider.WaitEnded(deadline(t), i+1)
			if err != nil {
				t.Fatal(err)
			}
			if !ended[i].ClosedEarly {
				t.Error("the provider did not notice")
			}
			r := c.records(i + 1)[i]
			spent.Add(spent, r.expectCharge(t, r.Usage, s.model))
			// Three words at least, and not those that were never said.
			if r.Status != "client_closed" || r.Usage["output"] < 3 || r.Usage["output"] > standardTokens || r.Usage["input"] == 0 {
				t.Errorf("record %+v", r)
			}
		})
	}
	c.expectSpent(spent)
}

// in makes the same customer report to a subtest.
func (c *customer) in(t *testing.T) *customer {
	copied := *c
	copied.gateway = c.gateway.in(t)
	return &copied
}
