package e2e

import (
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// Where the worst case does not fit into the credit, the answer's cap is lowered to
// what fits: the SDK is told, the provider keeps to it, and only what was used is
// paid.
func TestSmallCreditLowersTheCap(t *testing.T) {
	g := startGateway(t)
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			g := g.in(t)
			const credit = "0.008"
			c := g.newCustomer(s.sdk, credit)
			v := startSDK(t, s.sdk, c).must(call{Do: "create", Params: s.ask(s.model, hello)})
			told := v.Header["faregate-output-cap"]
			limit, err := strconv.ParseInt(told, 10, 64)
			if err != nil || limit < 1024 || price(t, plain(0, limit), s.model).Cmp(amount(t, credit)) > 0 {
				t.Errorf("the cap is %q: %v", told, err)
			}
			sent := g.provider.Requests()
			if body := string(sent[len(sent)-1].Body); !strings.Contains(body, ":"+told) {
				t.Errorf("the provider was not told the cap %s: %s", told, body)
			}
			c.expectSpent(g.request(v.id()).expectCharge(t, plain(helloTokens, standardTokens), s.model))
		})
	}
}

// Calls of one account at once hold what each can cost, so they never spend more than
// there is; those that do not fit wait, and all are served while the credit is only held.
func TestCallsAtOnceSpendWhatIsThere(t *testing.T) {
	g := startGateway(t)
	const credit, calls = "0.002", 20
	c := g.newCustomer("rider", credit)
	gate := simulator.NewGate() // so that no answer ends before others have asked
	defer gate.Open()
	g.provider.Add(simulator.Step{Times: simulator.Always, Response: simulator.Response{
		Answer: &simulator.Answer{Text: "yes"}, Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	type answer struct {
		status int
		body   string
	}
	answers := make(chan answer, calls)
	for range calls {
		go func() {
			status, _, body, err := c.send("POST", "/v1/chat/completions", shortChat, "Authorization", "Bearer "+c.secret)
			if err != nil {
				body = []byte(err.Error())
			}
			answers <- answer{status, string(body)}
		}()
	}
	within(t, patience, "some calls run", func() bool { return len(g.provider.Requests()) > 1 })
	// What is held is not there for a call that does not fit at all.
	status, _, body, err := c.send("POST", "/v1/chat/completions", strings.Replace(shortChat, hello, strings.Repeat(hello, 2000), 1), "Authorization", "Bearer "+c.secret)
	if err != nil || status != 402 || !strings.Contains(string(body), "can cost up to $0.0") {
		t.Errorf("a call for more than there is: %d %v %s", status, err, body)
	}
	gate.Open()
	for range calls {
		if got := <-answers; got.status != 200 {
			t.Errorf("answered %+v", got)
		}
	}
	spent := new(big.Rat)
	for _, r := range c.records(calls + 1) {
		if r.Status == "ok" {
			spent.Add(spent, r.expectCharge(t, plain(helloTokens, 1), "gpt-4.1-mini"))
		}
	}
	c.expectSpent(spent)
}
