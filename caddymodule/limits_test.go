package caddymodule

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
)

// stoppedClock is the time of limits and lock-outs, which passes only when told to.
type stoppedClock struct{ nanos atomic.Int64 }

func (c *stoppedClock) now() time.Time       { return time.Unix(1_800_000_000, c.nanos.Load()) }
func (c *stoppedClock) pass(d time.Duration) { c.nanos.Add(int64(d)) }

// stopClock gives the gateway limits and a lock-out whose time stands still. It must be
// called before the first request.
func (g *gateway) stopClock() *stoppedClock {
	g.t.Helper()
	clock, rt := new(stoppedClock), g.theRuntime()
	rt.limiter = limits.New(limits.Options{Now: clock.now})
	rt.lockout = limits.NewLockout(limits.LockoutOptions{Now: clock.now})
	return clock
}

// limitKey gives the gateway's key limits of its own.
func (g *gateway) limitKey(rates limits.Rates) {
	g.t.Helper()
	if _, err := g.store.EditKey(testContext(g.t), g.keyID, func(key *store.LimitedKey) error {
		key.Rates = rates
		return nil
	}); err != nil {
		g.t.Fatal(err)
	}
}

// fromAddress makes a header look as if it came through the trusted proxy from there.
func fromAddress(header http.Header, address string) http.Header {
	header = header.Clone()
	header.Set("X-Forwarded-For", address)
	header.Set("X-Forwarded-Proto", "https")
	return header
}

// behindProxy trusts this machine to tell the client's address.
const behindProxy = `servers {
		trusted_proxies static 127.0.0.1/32
	}`

const (
	home  = "203.0.113.7"
	other = "198.51.100.9"
)

func (g *gateway) wantLimited(got reply, code dialect.Code, says, retryAfter string) {
	g.t.Helper()
	_, message := dialectError(g.t, "openai", got)
	if got.status != http.StatusTooManyRequests || got.errorCode() != string(code) || !strings.Contains(strings.ToLower(message), says) || got.header.Get("Retry-After") != retryAfter {
		g.t.Errorf("%d %s, Retry-After %q: %s; want %s: %s, Retry-After %q", got.status, got.errorCode(), got.header.Get("Retry-After"), message, code, says, retryAfter)
	}
}

// limitedScopes are the ways to limit the gateway's key, and callers that this does not
// touch, if there are any.
var limitedScopes = []struct {
	name      string
	extra     string // %s is the limit
	ofKey     bool
	twoKeys   bool   // the limit holds for another key, too
	elsewhere string // an address that it does not
}{
	{name: "key", ofKey: true},
	{name: "account", extra: "group default {\n%s\n}", twoKeys: true},
	{name: "network address", extra: "client_limits {\n%s\n}", twoKeys: true, elsewhere: other},
}

func TestRequestsPerMinuteOfEachScope(t *testing.T) {
	for _, scope := range limitedScopes {
		t.Run(scope.name, func(t *testing.T) {
			o := gatewayOptions{global: behindProxy}
			if !scope.ofKey {
				o.extra = fmt.Sprintf(scope.extra, "rpm 2")
			}
			g := newGateway(t, o)
			if scope.ofKey {
				g.limitKey(limits.Rates{RequestsPerMinute: 2})
			}
			g.run()
			clock := g.stopClock()
			_, second := g.createKey(nil, time.Time{})
			call := func(secret, address string) reply {
				return g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(secret), address))
			}
			for i := range 2 {
				if got := call(g.secret, home); got.status != http.StatusOK || got.header.Get("X-Ratelimit-Remaining-Requests") != fmt.Sprint(1-i) {
					t.Fatalf("%d %v %s", got.status, got.header, got.body)
				}
			}
			refused := call(g.secret, home)
			g.wantLimited(refused, dialect.CodeRateLimited, scope.name+" is limited to 2 requests per minute: try again in 30s.", "30")
			if refused.header.Get("X-Ratelimit-Remaining-Requests") != "0" || refused.header.Get("X-Ratelimit-Reset-Requests") != "1m0s" {
				t.Errorf("a refusal says %v", refused.header)
			}
			if got := call(second, home); (got.status == http.StatusTooManyRequests) != scope.twoKeys {
				t.Errorf("another key: %d %s", got.status, got.body)
			}
			if scope.elsewhere != "" {
				if got := call(g.secret, scope.elsewhere); got.status != http.StatusOK {
					t.Errorf("another address: %d %s", got.status, got.body)
				}
			}
			clock.pass(30 * time.Second)
			if got := call(g.secret, home); got.status != http.StatusOK {
				t.Errorf("after the wait: %d %s", got.status, got.body)
			}
			if n := len(g.records(0)); n > 5 {
				t.Errorf("%d records: refusals are recorded", n)
			}
		})
	}
}

func TestConcurrencyOfEachScope(t *testing.T) {
	for _, scope := range limitedScopes {
		t.Run(scope.name, func(t *testing.T) {
			o := gatewayOptions{global: behindProxy}
			if !scope.ofKey {
				o.extra = fmt.Sprintf(scope.extra, "concurrency 1")
			}
			g := newGateway(t, o)
			if scope.ofKey {
				g.limitKey(limits.Rates{Concurrency: 1})
			}
			g.run()
			gate := simulator.NewGate()
			g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: chatStream.contentAt(), Gate: gate}}}})
			running := g.startCall(chatStream.path, chatStream.body, fromAddress(bearer(g.secret), home))
			reached(t, gate.Reached())
			g.wantLimited(g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(g.secret), home)),
				dialect.CodeRateLimited, scope.name+" is limited to 1 requests at once", "1")
			gate.Open()
			if got := running.finish(); got.status != http.StatusOK || got.err != nil {
				t.Errorf("%d %v", got.status, got.err)
			}
			if got := g.callWith(chatJSON.path, chatJSON.body, fromAddress(bearer(g.secret), home)); got.status != http.StatusOK {
				t.Errorf("afterwards: %d %s", got.status, got.body)
			}
		})
	}
}

func TestTokensPerMinute(t *testing.T) {
	g := newGateway(t, gatewayOptions{})
	g.limitKey(limits.Rates{TokensPerMinute: 3000})
	g.run()
	clock := g.stopClock()
	body := `{"model":"gpt-4.1-mini","max_completion_tokens":2000,"messages":[{"role":"user","content":"hello"}]}`
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	running := g.startCall(chatJSON.path, body, bearer(g.secret))
	reached(t, gate.Reached())
	// What runs has its worst case reserved.
	refused := g.call(chatJSON.path, body)
	g.wantLimited(refused, dialect.CodeRateLimited, "this key is limited to 3000 tokens per minute", "1")
	gate.Open()
	if got := running.finish(); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	used := g.records(2)[0].Usage
	if used.InputTotal+used.OutputTotal == 0 {
		used = g.records(2)[1].Usage
	}
	left := 3000 - used.InputTotal - used.OutputTotal
	got := g.call("/v1/models", "")
	if got.header.Get("X-Ratelimit-Limit-Tokens") != "3000" || got.header.Get("X-Ratelimit-Remaining-Tokens") != fmt.Sprint(left) {
		t.Errorf("%d tokens were used, and the header says %v", 3000-left, got.header)
	}
	clock.pass(time.Minute)
	if got := g.call(chatJSON.path, body); got.status != http.StatusOK {
		t.Errorf("after a minute: %d %s", got.status, got.body)
	}
	if available := g.available(); available != g.balance() {
		t.Errorf("%s of %s can be held: a refusal keeps its hold", available, g.balance())
	}
	g.verify()
}

// No waiting helps a request that may use more than a minute's tokens: its output cap
// is lowered, or it is told so.
func TestOutputCapsAreLoweredToAMinutesTokens(t *testing.T) {
	g := newGateway(t, gatewayOptions{})
	g.limitKey(limits.Rates{TokensPerMinute: 3000})
	g.run()
	clock := g.stopClock()
	for _, w := range []wire{chatJSON, chatStream} {
		got := g.call(w.path, w.body)
		var sent struct {
			Cap int `json:"max_completion_tokens"`
		}
		requests := g.provider.Requests()
		if err := json.Unmarshal(requests[len(requests)-1].Body, &sent); err != nil {
			t.Fatal(err)
		}
		if got.status != http.StatusOK || sent.Cap < 2000 || sent.Cap >= 3000 || got.header.Get("Faregate-Output-Cap") != fmt.Sprint(sent.Cap) {
			t.Errorf("%s: %d, cap %d, %v", w.name, got.status, sent.Cap, got.header)
		}
		clock.pass(time.Minute)
	}
	asked := len(g.provider.Requests())
	tooLarge := func(what, body string) {
		t.Helper()
		got := g.call(chatJSON.path, body)
		g.wantLimited(got, dialect.CodeTooManyTokens, "lower the output cap or shorten the prompt", "")
		if got.header.Get("X-Should-Retry") != "false" {
			t.Errorf("%s: SDKs would try again", what)
		}
	}
	tooLarge("a long prompt", strings.Replace(chatJSON.body, "hello", strings.Repeat("hello ", 1000), 1))
	if _, err := g.store.EditKey(testContext(t), g.keyID, func(key *store.LimitedKey) error { key.ExactCaps = true; return nil }); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the exact caps to be noticed", func() bool {
		clock.pass(time.Minute)
		return g.call(chatJSON.path, chatJSON.body).status != http.StatusOK
	})
	asked = max(asked, len(g.provider.Requests()))
	tooLarge("exact caps", chatJSON.body)
	if n := len(g.provider.Requests()); n != asked {
		t.Errorf("%d requests reached the provider", n-asked)
	}
	if available := g.available(); available != g.balance() {
		t.Errorf("%s of %s can be held: a refusal keeps its hold", available, g.balance())
	}
}

// Every answer to a caller with limits says how they stand.
func TestRateLimitHeadersOfEachDialect(t *testing.T) {
	g := newGateway(t, gatewayOptions{extra: "group default {\nrpm 600\ntpm 1000000\n}"})
	g.run()
	g.stopClock()
	openAI := []string{"X-Ratelimit-Limit-Requests", "X-Ratelimit-Remaining-Requests", "X-Ratelimit-Reset-Requests",
		"X-Ratelimit-Limit-Tokens", "X-Ratelimit-Remaining-Tokens", "X-Ratelimit-Reset-Tokens"}
	anthropic := []string{"Anthropic-Ratelimit-Requests-Limit", "Anthropic-Ratelimit-Requests-Remaining", "Anthropic-Ratelimit-Requests-Reset",
		"Anthropic-Ratelimit-Tokens-Limit", "Anthropic-Ratelimit-Tokens-Remaining", "Anthropic-Ratelimit-Tokens-Reset"}
	check := func(name string, got reply, want []string) {
		t.Helper()
		found := 0
		for header, values := range got.header {
			if strings.Contains(header, "Ratelimit") && len(values) == 1 {
				found++
			}
		}
		for _, header := range want {
			if got.header.Get(header) == "" {
				t.Errorf("%s: no %s", name, header)
			}
		}
		if found != len(want) {
			t.Errorf("%s: %v", name, got.header)
		}
	}
	wanted := map[string][]string{"chat": openAI, "messages": anthropic, "gemini": nil}
	for _, w := range append(append([]wire{}, wireStreams...), wireDocuments...) {
		kind, _, _ := strings.Cut(w.name, " ")
		check(w.name, g.callWith(w.path, w.body, w.header(g.secret)), wanted[kind])
		g.provider.Add(simulator.Step{Response: simulator.Response{Status: 400, ContentType: "application/json", Body: []byte(`{"error":{"message":"no"}}`)}})
		check(w.name+", refused by the provider", g.callWith(w.path, w.body, w.header(g.secret)), wanted[kind])
		check(w.name+", refused", g.callWith(w.path, "{}}", w.header(g.secret)), wanted[kind])
	}
	check("models", g.callWith("/v1/models", "", bearer(g.secret)), openAI)
	check("no operation", g.callWith("/v1/nothing", "{}", bearer(g.secret)), openAI)
	check("no key", g.callWith("/v1/models", "", http.Header{}), nil)
}

func TestAReloadKeepsWhatWasUsed(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "group default {\nrpm 2\n}"})
	clock := g.stopClock()
	for range 2 {
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	g.config = strings.Replace(g.config, "grace_period 2s", "grace_period 3s", 1)
	g.load()
	g.wantLimited(g.callAfterReload(chatJSON), dialect.CodeRateLimited, "this account is limited to 2 requests", "30")
	// Another limit counts from the next request on, from where the bucket is.
	g.config = strings.Replace(g.config, "rpm 2", "rpm 60", 1)
	g.load()
	g.wantLimited(g.callAfterReload(chatJSON), dialect.CodeRateLimited, "this account is limited to 60 requests", "1")
	clock.pass(time.Second)
	if got := g.callAfterReload(chatJSON); got.status != http.StatusOK {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// An account goes by its group, and by the default one where its own is not configured.
func TestGroupsOfAccounts(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "group default {\nrpm 7\n}\ngroup partners {\nmultiply 1.20\nrpm 50\n}\ngroup staff"})
	for group, want := range map[string]string{"": "7", "partners": "50", "staff": "", "default": "7", "unknown": "7"} {
		if err := g.store.EditAccount(testContext(t), g.account, store.AccountEdit{Group: &group}); err != nil {
			t.Fatal(err)
		}
		waitFor(t, fmt.Sprintf("the limits of group %q", group), func() bool {
			return g.call("/v1/models", "").header.Get("X-Ratelimit-Limit-Requests") == want
		})
	}
}

func TestAGroupMultipliesPrices(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: "group partners {\nmultiply 1.5\n}"})
	// The price of the model that was called, and of the one that says it served.
	call := func() {
		t.Helper()
		for _, served := range []string{"gpt-4o", "gpt-4o-2024-05-13"} {
			g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "application/json", Body: []byte(`{"model":"` + served + `",` +
				`"choices":[{"index":0,"message":{"role":"assistant","content":"hi"},"finish_reason":"stop"}],"usage":{"prompt_tokens":1000,"completion_tokens":10,"total_tokens":1010}}`)}})
			if got := g.call(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", "gpt-4o", 1)); got.status != http.StatusOK {
				t.Fatalf("%d %s", got.status, got.body)
			}
		}
	}
	call()
	group := "partners"
	if err := g.store.EditAccount(testContext(t), g.account, store.AccountEdit{Group: &group}); err != nil {
		t.Fatal(err)
	}
	verifier := g.theRuntime().verifier
	waitFor(t, "the group to be noticed", func() bool {
		principal, err := verifier.Verify(testContext(t), g.secret)
		return err == nil && principal.Group == group
	})
	call()
	records := g.records(4)
	if records[0].Cost == 0 || records[0].Cost == records[1].Cost {
		t.Errorf("the served model makes no difference to %s", records[0].Cost)
	}
	for i, plain := range records[:2] {
		if marked := records[i+2]; marked.Usage != plain.Usage || marked.Cost != plain.Cost*3/2 {
			t.Errorf("what costs %s elsewhere costs %s in the group", plain.Cost, marked.Cost)
		}
	}
	g.verify()
}
