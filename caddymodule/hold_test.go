package caddymodule

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// holding starts a call that holds until its gate opens.
func (g *gateway) holding(w wire) (*calling, *simulator.Gate) {
	g.t.Helper()
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}}}})
	call := g.startCall(w.path, w.body, w.header(g.secret))
	call.at(gate)
	return call, gate
}

// held is what a call holds while it runs.
func (g *gateway) held(w wire) metering.Nanos {
	g.t.Helper()
	before := g.balance()
	call, gate := g.holding(w)
	held := before - g.available()
	gate.Open()
	if got := call.finish(); got.status != http.StatusOK {
		g.t.Fatalf("%s: %d %v %s", w.body, got.status, got.err, got.body)
	}
	return held
}

func withBody(w wire, body string) wire {
	w.body = body
	return w
}

// Classes of tokens that a request cannot reach are not held for, however dear.
func TestWhatARequestCannotReachIsNotHeldFor(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	message := `{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":[{"type":"text","text":"hello"%s}]}]}`
	generate := `{"contents":[{"parts":[{"text":"hello"}%s]}],"generationConfig":{"maxOutputTokens":2000}}`
	for _, row := range []struct {
		wire          wire
		input, output metering.Nanos // dollars a million tokens, in thousandths
	}{
		{withBody(messagesJSON, fmt.Sprintf(message, "")), 1000, 5000},
		{withBody(messagesJSON, fmt.Sprintf(message, `,"cache_control":{"type":"ephemeral"}`)), 2000, 5000},
		{withBody(geminiJSON, fmt.Sprintf(generate, "")), 300, 2500},
		{withBody(geminiJSON, fmt.Sprintf(generate, `,{"inlineData":{"mimeType":"audio/wav","data":"AAAA"}}`)), 1000, 2500},
	} {
		bound := metering.Nanos(len(row.wire.body) + 256) // internal/dialect, InputBound
		if got, want := g.held(row.wire), bound*row.input+2000*row.output; got != want {
			t.Errorf("%s\nholds %s, want %s", row.wire.body, got, want)
		}
	}
}

// Two requests of a key with a limit for one run one after the other. What the limit
// does not leave is refused, and said to be the key's.
func TestAKeysLimitIsHeldWithTheCredit(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit, hold := g.balance(), g.held(withBody(chatJSON, shortChat))
	unlimited := g.secret
	limitTo := func(amount metering.Nanos) string {
		t.Helper()
		id, secret := g.createKey(nil, time.Time{})
		if err := g.store.SetKeyLimit(testContext(t), id, &store.KeyLimit{Amount: amount, Period: ledger.PeriodTotal}); err != nil {
			t.Fatal(err)
		}
		return secret
	}
	g.secret = limitTo(hold * 3 / 2)
	first, gate := g.holding(withBody(chatJSON, shortChat))
	second := g.startCall(chatJSON.path, shortChat, bearer(g.secret))
	g.awaitWaiting(1)
	g.secret = unlimited
	if got := g.call(chatJSON.path, shortChat); got.status != http.StatusOK {
		t.Errorf("another key of the account: %d %s", got.status, got.body)
	}
	gate.Open()
	for i, call := range []*calling{first, second} {
		if got := call.finish(); got.status != http.StatusOK || got.err != nil {
			t.Errorf("call %d: %d %v %s", i, got.status, got.err, got.body)
		}
	}

	g.secret = limitTo(metering.Dollar / 200)
	got := g.call(chatJSON.path, chatJSON.body)
	if lowered, err := strconv.Atoi(got.header.Get("Faregate-Output-Cap")); got.status != http.StatusOK || err != nil || lowered < 1024 || lowered > 3125 {
		t.Errorf("%d, Faregate-Output-Cap %q: %s", got.status, got.header.Get("Faregate-Output-Cap"), got.body)
	}

	g.secret = limitTo(hold / 10)
	for _, row := range []struct {
		wire wire
		code string
	}{{chatJSON, `"code":"key_limit_reached"`}, {messagesJSON, `"code":"key_limit_reached"`}, {geminiJSON, `"reason":"KEY_LIMIT_REACHED"`}} {
		got := g.startCall(row.wire.path, row.wire.body, row.wire.header(g.secret)).finish()
		if text := string(got.body); got.status != http.StatusPaymentRequired || !strings.Contains(text, row.code) ||
			!strings.Contains(text, "limit of this API key") || !strings.Contains(text, "1024 tokens") {
			t.Errorf("%s: %d %s", row.wire.name, got.status, got.body)
		}
	}
	g.settledUp(credit, g.records(8))
}

// exactSite makes every key one that asks for exact caps.
const exactSite = `route {
	faregate_auth
	faregate_probe
	faregate_route
	faregate_meter
	reverse_proxy {
		dynamic faregate
		transport faregate
	}
}`

func wantExactCaps(t *testing.T) {
	probeWith(t, func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
		ex := exchangeOf(r.Context())
		principal := *ex.principal
		principal.ExactCaps = true
		ex.principal = &principal
		return next.ServeHTTP(w, r)
	})
}

func TestExactCapsAreNotLowered(t *testing.T) {
	body := strings.Replace(chatJSON.body, `"messages"`, `"max_tokens":9000,"messages"`, 1)
	g := startGateway(t, gatewayOptions{credit: "0.005", site: exactSite})
	if got := g.call(chatJSON.path, body); got.status != http.StatusOK || got.header.Get("Faregate-Output-Cap") == "" {
		t.Errorf("a key that does not ask for it: %d %s", got.status, got.body)
	}
	wantExactCaps(t)
	got := g.call(chatJSON.path, body)
	if text := string(got.body); got.status != http.StatusPaymentRequired || !strings.Contains(text, "up to $0.0145") || strings.Contains(text, "worth asking for") {
		t.Errorf("%d %s", got.status, got.body)
	}
	// What others hold is waited for as a whole.
	g.deposit("0.012", "second")
	waitFor(t, "the deposit to be noticed", func() bool { return g.available() > metering.Dollar*15/1000 })
	first, gate := g.holding(withBody(chatJSON, body))
	second := g.startCall(chatJSON.path, body, bearer(g.secret))
	g.awaitWaiting(1)
	gate.Open()
	first.finish()
	if got := second.finish(); got.status != http.StatusOK || got.header.Get("Faregate-Output-Cap") != "" {
		t.Errorf("after a wait: %d, cap %q: %s", got.status, got.header.Get("Faregate-Output-Cap"), got.body)
	}
}

// Who waits is served as soon as the shortest answer can be paid for, and gets as long
// a one as there is credit for then.
func TestAWaitEndsWithAsMuchAsThereIs(t *testing.T) {
	body := strings.Replace(chatJSON.body, `"messages"`, `"max_tokens":9000,"messages"`, 1)
	g := startGateway(t, gatewayOptions{credit: "0.0147"})
	first, gate := g.holding(withBody(chatJSON, body))
	second := g.startCall(chatJSON.path, body, bearer(g.secret))
	g.awaitWaiting(1)
	gate.Open()
	first.finish()
	// The first costs 0.0001 of 0.0147, so that some of 9,000 tokens are left.
	got := second.finish()
	lowered, err := strconv.Atoi(got.header.Get("Faregate-Output-Cap"))
	if got.status != http.StatusOK || got.header.Get("Faregate-Output-Cap") != "" && (err != nil || lowered < 8000) {
		t.Errorf("%d, cap %q: %s", got.status, got.header.Get("Faregate-Output-Cap"), got.body)
	}
	if sent := string(g.endedRequest(2).Body); lowered > 0 && !strings.Contains(sent, fmt.Sprintf(`"max_tokens":%d`, lowered)) {
		t.Errorf("sent %s", sent)
	}
}

func TestAClientThatLeavesWaitsForNothing(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.0004"})
	credit := g.balance()
	first, gate := g.holding(withBody(chatJSON, shortChat))
	second := g.startCall(chatJSON.path, shortChat, bearer(g.secret))
	g.awaitWaiting(1)
	second.leave()
	g.awaitWaiting(0)
	gate.Open()
	first.finish()
	if got := g.call(chatJSON.path, shortChat); got.status != http.StatusOK {
		t.Errorf("the next call: %d %s", got.status, got.body)
	}
	if n := len(g.provider.Requests()); n != 2 {
		t.Errorf("the provider was asked %d times, want twice", n)
	}
	g.settledUp(credit, g.records(2))
}

func TestAReloadKeepsWhoWaits(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.0004"})
	first, gate := g.holding(withBody(chatJSON, shortChat))
	second := g.startCall(chatJSON.path, shortChat, bearer(g.secret))
	g.awaitWaiting(1)
	g.load()
	g.awaitWaiting(1)
	gate.Open()
	first.finish()
	if got := second.finish(); got.status != http.StatusOK || got.err != nil {
		t.Errorf("after a reload: %d %v %s", got.status, got.err, got.body)
	}
}

func TestAStopSendsAwayWhoWaits(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.0004"})
	first, gate := g.holding(withBody(chatJSON, shortChat))
	second := g.startCall(chatJSON.path, shortChat, bearer(g.secret))
	g.awaitWaiting(1)
	runtimes.Range(func(_, value any) bool {
		value.(*runtime).stopServing() // as Destruct does when the process is about to end
		return true
	})
	if got := second.finish(); got.status != http.StatusServiceUnavailable || got.errorCode() != "shutting_down" || got.header.Get("Retry-After") == "" {
		t.Errorf("at a stop: %d %v %s", got.status, got.err, got.body)
	}
	gate.Open()
	if got := first.finish(); got.status != http.StatusOK {
		t.Errorf("what ran: %d %s", got.status, got.body)
	}
}

// stairs go from a model to one that answers longer, and reads less.
const stairs = `
	model stairs {
		to openai/gpt-4.1-mini openai/gpt-5.4-mini
		price input 1 output 1
	}
	model back {
		to openai/gpt-5.4-mini openai/gpt-4.1-mini
		price input 1 output 1
	}`

const (
	// anyLength needs 0.033 dollars with the first model of the stairs, 0.128 with the second.
	anyLength = `{"model":"stairs","messages":[{"role":"user","content":"hello"}]}`
	// anyInput needs 1.05 dollars with the first one, 0.4 with the second.
	anyInput = `{"model":"stairs","max_tokens":2000,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"https://example.com/a.png"}}]}]}`
)

// A second attempt that can cost more is made when the hold could be extended for it,
// with as long an answer as there is credit for.
func TestADearerAttemptExtendsTheHold(t *testing.T) {
	for _, row := range []struct {
		name, credit, body string
		exact              bool
		status, asked      int
		least, most        int // of the cap that is told; 0: none
	}{
		{name: "enough", credit: "1", body: anyLength, status: 200, asked: 2},
		{name: "less", credit: "0.1", body: anyLength, status: 200, asked: 2, least: 99_000, most: 100_000},
		{name: "none", credit: "0.0332", body: anyLength, status: 200, asked: 2, least: 32_700, most: 33_200},
		{name: "exact caps", credit: "0.1", body: anyLength, exact: true, status: 402, asked: 1},
		{name: "less than the least", credit: "0.5", body: strings.Replace(anyInput, "stairs", "back", 1), status: 402, asked: 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{credit: row.credit, extra: stairs, site: exactSite})
			if row.exact {
				wantExactCaps(t)
			}
			credit := g.balance()
			g.provider.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
			got := g.call(chatJSON.path, row.body)
			if n := len(g.provider.Requests()); got.status != row.status || n != row.asked {
				t.Fatalf("%d after %d attempts: %s", got.status, n, got.body)
			}
			told, _ := strconv.Atoi(got.header.Get("Faregate-Output-Cap"))
			if told < row.least || told > row.most {
				t.Errorf("told a cap of %d", told)
			}
			sent := string(g.endedRequest(row.asked).Body)
			if row.most > 0 && !strings.Contains(sent, fmt.Sprintf(`"max_completion_tokens":%d`, told)) {
				t.Errorf("sent %s", sent)
			}
			if row.status == 402 && (got.errorCode() != "insufficient_credit" || !strings.Contains(string(got.body), "could not answer")) {
				t.Errorf("%s", got.body)
			}
			if record := g.records(1)[0]; record.Attempts != row.asked || (record.Cost == 0) != (row.status == 402) {
				t.Errorf("record %+v", record)
			}
			g.settledUp(credit, g.records(1))
		})
	}
}

// Where the first attempt cannot be paid for, a cheaper one is made in its place.
func TestACheaperAttemptIsMadeInPlaceOfADearOne(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.5", extra: stairs})
	got := g.call(chatJSON.path, anyInput)
	if sent := g.provider.Requests(); got.status != http.StatusOK || len(sent) != 1 || !strings.Contains(string(sent[0].Body), "gpt-5.4-mini") {
		t.Errorf("%d after %d attempts: %s", got.status, len(sent), got.body)
	}
	// If that one fails, this is what is told: it is nothing that credit would mend.
	g.provider.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 503)})
	if got = g.call(chatJSON.path, anyInput); got.status != http.StatusServiceUnavailable || len(g.provider.Requests()) != 2 {
		t.Errorf("%d %s", got.status, got.body)
	}
	g = startGateway(t, gatewayOptions{credit: "0.3", extra: stairs})
	got = g.call(chatJSON.path, anyInput)
	if text := string(got.body); got.status != http.StatusPaymentRequired || !strings.Contains(text, "up to $0.402,") || !strings.Contains(text, "$0.30 is") || !strings.Contains(text, "need $0.401024") {
		t.Errorf("%d %s", got.status, got.body)
	}
}

// The limit of what a model reads is that of each text, of which a request for embeddings
// or completions can have many.
func TestEachOfSeveralTextsIsHeldFor(t *testing.T) {
	g := startGateway(t, gatewayOptions{extra: `
		model vectors {
			to openai/homemade
			price input 1 output 0
			context_length 1000
		}`})
	text := strings.Repeat("1 2 ", 1000)
	for _, row := range []struct {
		path, body, answer string
		most               metering.Nanos // tokens of input
	}{
		{"/v1/embeddings", fmt.Sprintf(`{"model":"vectors","input":%q}`, text), `{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":900,"total_tokens":900}}`, 1000},
		{"/v1/embeddings", fmt.Sprintf(`{"model":"vectors","input":[%q,%q,%[1]q]}`, text, text), `{"data":[{"embedding":[1]}],"usage":{"prompt_tokens":2700,"total_tokens":2700}}`, 3000},
		{"/v1/completions", fmt.Sprintf(`{"model":"vectors","prompt":[%q,%q]}`, text, text), `{"choices":[{"text":"a"}],"usage":{"prompt_tokens":1800,"completion_tokens":1,"total_tokens":1801}}`, 2000},
	} {
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{
			ContentType: "application/json", Body: []byte(row.answer), Pauses: []simulator.Pause{{At: simulator.BeforeHeader, Gate: gate}},
		}})
		before := g.available()
		call := g.startCall(row.path, row.body, bearer(g.secret))
		call.at(gate)
		if held := before - g.available(); held != row.most*1000 {
			t.Errorf("%.50s: %s is held for %d tokens", row.body, held, row.most)
		}
		gate.Open()
		call.finish()
	}
}

// The operator can say what the price book does not know: an output limit is told to
// the provider, a context length bounds what is not in the body.
func TestStatedLimits(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.5", extra: `
		model unknown {
			to openai/homemade
			price input 1 output 1
		}
		model stated {
			to openai/homemade
			price input 1 output 1
			context_length 100000
			output_limit 5000
		}`})
	for _, row := range []struct {
		model, body string
		status      int
		told        string
	}{
		{"unknown", anyLength, 200, "16384"},
		{"unknown", anyInput, 400, ""},
		{"stated", anyLength, 200, "5000"},
		{"stated", anyInput, 200, ""},
	} {
		got := g.call(chatJSON.path, strings.Replace(row.body, "stairs", row.model, 1))
		if told := got.header.Get("Faregate-Output-Cap"); got.status != row.status || told != row.told {
			t.Errorf("%s: %d, told %q: %s", row.model, got.status, told, got.body)
		}
		if requests := g.provider.Requests(); row.told != "" && !strings.Contains(string(requests[len(requests)-1].Body), `"max_completion_tokens":`+row.told) {
			t.Errorf("sent %s", requests[len(requests)-1].Body)
		}
	}
	if held, want := g.held(withBody(chatJSON, strings.Replace(anyInput, "stairs", "stated", 1))), metering.Nanos(102_000_000); held != want {
		t.Errorf("%s is held, want %s", held, want)
	}
}
