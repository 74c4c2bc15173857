package e2e

import (
	"crypto/rand"
	"math/big"
	"strconv"
	"strings"
	"testing"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/simulator"
)

// raising is a client beside the official SDKs for Node, and what it raises.
type raising struct {
	client, provider, model string
	class                   string
	shows                   string // the error's code or type of a 402, where the client has it
}

var raisers = []raising{
	{"aisdk", "openai", "gpt-4.1-mini", "AI_APICallError", "insufficient_credit"},
	{"aisdk", "openai.chat", "gpt-4.1-mini", "AI_APICallError", "insufficient_credit"},
	{"aisdk", "anthropic", "claude-haiku-4-5", "AI_APICallError", ""},
	{"aisdk", "google", "gemini-2.5-flash", "AI_APICallError", ""},
	{"go", "openai", "gpt-4.1-mini", "openai.Error", "insufficient_credit"},
	{"go", "openai.responses", "gpt-4.1-mini", "openai.Error", "insufficient_credit"},
	{"go", "anthropic", "claude-haiku-4-5", "anthropic.Error", "billing_error"},
	{"go", "google", "gemini-2.5-flash", "genai.APIError", "FAILED_PRECONDITION"},
}

// The AI SDK and the SDKs for Go raise their own errors with our words, and never
// take a part of a stream for the whole.
func TestErrorsInOtherClients(t *testing.T) {
	g := startGateway(t)
	rider, poor := g.newCustomer("rider", "5"), g.newCustomer("poor", "0")
	unknown, err := auth.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	clients := map[string]*sdk{"aisdk": startSDK(t, "aisdk", rider), "go": startSDK(t, "go", rider)}
	records := 0
	for _, r := range raisers {
		t.Run(r.client+" "+r.provider, func(t *testing.T) {
			client := clients[r.client].in(t)
			_, slow := rider.in(t).newKey("--rpm", "1")
			ask := func(do, key string) view {
				return client.call(call{Do: do, Key: key, Params: params{"provider": r.provider, "model": r.model, "prompt": hello}})
			}
			v := ask("turn", unknown.Reveal())
			v.expectRaised(t, r.class, 401, "is not known")
			for _, do := range []string{"turn", "turn stream"} {
				v = ask(do, poor.secret)
				v.expectRaised(t, r.class, 402, "it can cost up to $", "$0.00 is available")
				if v.Error != nil && r.shows != "" && v.Error.Code != r.shows && v.Error.Type != r.shows {
					t.Errorf("the client raised %+v, want %s", *v.Error, r.shows)
				}
			}
			if v = ask("turn", slow); v.Error != nil || v.Text != simulator.StandardText {
				t.Errorf("the client raised %+v and shows %q", v.Error, v.Text)
			}
			if v = ask("turn", slow); v.Header["retry-after"] == "" {
				t.Errorf("no Retry-After in %v", v.Header)
			}
			v.expectRaised(t, r.class, 429, "limited to 1 requests per minute", "try again in")
			g.provider.Add(simulator.Step{Response: simulator.Response{Fault: simulator.HangUp, FaultAt: 4000}})
			if v = ask("turn stream", ""); v.Error == nil || v.Error.Status >= 400 && !strings.Contains(v.Error.Message, "broke off") || v.Text == "" || v.Text == simulator.StandardText ||
				!strings.HasPrefix(simulator.StandardText, v.Text) {
				t.Errorf("the stream was cut: the client raised %+v and shows %q", v.Error, v.Text)
			}
			records += 2 // the answer, and the part
		})
	}
	spent := new(big.Rat)
	for _, r := range rider.records(records) {
		cost := r.expectCharge(t, r.Usage, r.ModelRequested)
		if spent.Add(spent, cost); (cost.Sign() > 0) != (r.Status == "ok" || r.Status == "provider_error") {
			t.Errorf("record %+v", r)
		}
	}
	rider.expectSpent(spent)
	poor.records(2 * len(raisers))
	poor.expectSpent(new(big.Rat))
}

// A key's own rate limit is what each official SDK takes for one, and waits for.
func TestOwnRateLimit(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "5")
	limited := refusal{status: 429, code: "rate_limit_exceeded", kind: "rate_limit_error", google: "RESOURCE_EXHAUSTED", class: "RateLimitError"}
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			client := startSDK(t, s.sdk, c)
			_, slow := c.in(t).newKey("--rpm", "1")
			asking := call{Do: "create", Key: slow, Params: s.ask(s.model, hello)}
			client.must(asking)
			for _, asking.Do = range []string{"create", "stream"} {
				v := client.call(asking)
				v.expectError(t, asking.Do, s, limited)
				if seconds, err := strconv.Atoi(v.Header["retry-after"]); err != nil || v.Error == nil || seconds < 1 || seconds > 60 ||
					!strings.Contains(v.Error.Message, "limited to 1 requests per minute") {
					t.Errorf("the SDK is told to wait for %q: %+v", v.Header["retry-after"], v.Error)
				}
			}
		})
	}
	c.records(len(speakers))
}

// expectRaised fails unless the client raised this error, with these words of ours.
func (v view) expectRaised(t *testing.T, class string, status int, words ...string) {
	t.Helper()
	if v.Error == nil {
		t.Errorf("%d: the client raised nothing and shows %q", status, v.Text)
		return
	}
	for _, text := range words {
		if !strings.Contains(v.Error.Message, text) {
			t.Errorf("%d: the client says %q, want %q", status, v.Error.Message, text)
		}
	}
	if v.Error.Class != class || v.Error.Status != status || v.Requests != 1 {
		t.Errorf("the client raised %+v after %d requests, want %s %d", *v.Error, v.Requests, class, status)
	}
}
