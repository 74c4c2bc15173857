package caddymodule

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

// stages are the providers of a chain, each asked when the one before has failed.
var stages = [...]string{"first", "second", "third"}

// fault is a way in which an attempt fails, and what the rules make of it.
type fault struct {
	name     string
	document bool // it is one of answers in one piece
	stream   bool // it is one of streams
	response func(p *pattern) simulator.Response
	// dead asks at an address where nobody listens.
	dead bool
	// stalls is the time-out that ends it.
	stalls time.Duration

	// status is what the provider says; 0 if it says nothing.
	status int
	// code is what the caller is told where nobody else is left.
	code dialect.Code
	// callersOwn is an error that passes as the provider said it, and is tried nowhere else.
	callersOwn bool
	// midway comes when some of the answer has gone out, so that it ends there.
	midway bool
	// preamble lets the provider report usage before there is content, where its dialect
	// does that.
	preamble bool
}

// rank is how much the failure tells the caller: of several the first of those that
// tell most is passed on.
func (f *fault) rank() int {
	switch {
	case f.status == http.StatusTooManyRequests:
		return 2
	case f.status != 0:
		return 1
	}
	return 0
}

func refusing(status int, body string) func(*pattern) simulator.Response {
	return func(p *pattern) simulator.Response {
		response := simulator.ErrorResponse(p.dialect, status)
		if body != "" {
			response.Body = []byte(body)
		}
		return response
	}
}

// faultsOfAttempts are all ways to fail. A request time-out is 10 minutes for the first
// byte and 5 minutes for a pause, as nothing else is configured.
var faultsOfAttempts = []fault{
	{name: "400", document: true, stream: true, status: 400, callersOwn: true, response: refusing(400, "")},
	{name: "413", document: true, stream: true, status: 413, callersOwn: true, response: refusing(413, "")},
	{name: "422", document: true, stream: true, status: 422, callersOwn: true, response: refusing(422, "")},
	{name: "401", document: true, stream: true, status: 401, code: dialect.CodeProviderRefused, response: refusing(401, "")},
	{name: "402", document: true, stream: true, status: 402, code: dialect.CodeProviderRefused, response: refusing(402, "")},
	{name: "403", document: true, stream: true, status: 403, code: dialect.CodeProviderRefused, response: refusing(403, "")},
	{name: "404", document: true, stream: true, status: 404, code: dialect.CodeProviderLacksModel, response: refusing(404, "")},
	{name: "408", document: true, stream: true, status: 408, code: dialect.CodeProviderDown, response: refusing(408, "")},
	{name: "429", document: true, stream: true, status: 429, code: dialect.CodeProviderRateLimited, response: refusing(429, "")},
	{
		name: "429 without credit", document: true, stream: true, status: 429, code: dialect.CodeProviderRefused,
		response: refusing(429, `{"error":{"message":"You exceeded your current quota","type":"insufficient_quota","code":"insufficient_quota"}}`),
	},
	{name: "500", document: true, stream: true, status: 500, code: dialect.CodeProviderDown, response: refusing(500, "")},
	{name: "502, no JSON", document: true, stream: true, status: 502, code: dialect.CodeProviderDown, response: refusing(502, "<html>Bad Gateway</html>")},
	{name: "503", document: true, stream: true, status: 503, code: dialect.CodeProviderOverloaded, response: refusing(503, "")},
	{name: "529", document: true, stream: true, status: 529, code: dialect.CodeProviderOverloaded, response: refusing(529, "")},
	{name: "a redirect", document: true, stream: true, status: 307, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Status: 307, Header: http.Header{"Location": {"/elsewhere"}}, Body: []byte("moved")}
	}},
	{name: "nobody there", document: true, stream: true, dead: true, code: dialect.CodeProviderDown},
	{name: "hung up", document: true, stream: true, code: dialect.CodeProviderDown, response: func(*pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader}
	}},
	{name: "reset", document: true, stream: true, code: dialect.CodeProviderDown, response: func(*pattern) simulator.Response {
		return simulator.Response{Fault: simulator.Reset, FaultAt: simulator.BeforeHeader}
	}},
	{name: "silent", document: true, stream: true, stalls: 10 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(*pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: simulator.BeforeHeader}}}
	}},
	{name: "silent after the header", document: true, stalls: 10 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(*pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: 0}}}
	}},
	{name: "a page in place of an answer", document: true, stream: true, status: 502, code: dialect.CodeProviderDown, response: func(*pattern) simulator.Response {
		return simulator.Response{Body: []byte("<html>Sign in</html>"), ContentType: "text/html"}
	}},
	{name: "a document cut off", document: true, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: int64(len(p.raw) / 2)}
	}},
	{name: "a document that is none", document: true, status: 502, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: p.raw[:len(p.raw)/2], ContentType: "application/json"}
	}},
	{name: "an error for a document", document: true, status: 429, code: dialect.CodeProviderRateLimited, response: func(*pattern) simulator.Response {
		return simulator.Response{Answer: &simulator.Answer{Fail: 429}}
	}},
	{name: "an error for a stream", stream: true, status: 429, code: dialect.CodeProviderRateLimited, response: func(*pattern) simulator.Response {
		return simulator.Response{Answer: &simulator.Answer{Fail: 429}}
	}},
	{name: "an error before content", stream: true, preamble: true, status: 429, code: dialect.CodeProviderRateLimited, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: append(bytes.Clone(p.raw[:p.content]), p.errorEvent(429)...), ContentType: "text/event-stream"}
	}},
	{name: "cut off before content", stream: true, preamble: true, code: dialect.CodeProviderDown, response: func(p *pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: int64(p.content)}
	}},
	{name: "silent before content", stream: true, preamble: true, stalls: 10 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(p *pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: int64(p.content)}}}
	}},
	{name: "cut off midway", stream: true, midway: true, code: dialect.CodeProviderBroke, response: func(p *pattern) simulator.Response {
		return simulator.Response{Fault: simulator.HangUp, FaultAt: int64(p.midway)}
	}},
	{name: "reset midway", stream: true, midway: true, code: dialect.CodeProviderBroke, response: func(p *pattern) simulator.Response {
		gate := simulator.NewGate()
		p.gate = gate
		return simulator.Response{Fault: simulator.Reset, FaultAt: int64(p.midway), Pauses: []simulator.Pause{{At: int64(p.midway), Gate: gate}}}
	}},
	{name: "ended midway", stream: true, midway: true, code: dialect.CodeProviderBroke, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: p.raw[:p.midway], ContentType: "text/event-stream"}
	}},
	{name: "an error midway", stream: true, midway: true, code: dialect.CodeProviderOverloaded, response: func(p *pattern) simulator.Response {
		return simulator.Response{Body: append(bytes.Clone(p.raw[:p.midway]), p.errorEvent(529)...), ContentType: "text/event-stream"}
	}},
	{name: "silent midway", stream: true, midway: true, stalls: 5 * time.Minute, code: dialect.CodeProviderTimedOut, response: func(p *pattern) simulator.Response {
		return simulator.Response{Pauses: []simulator.Pause{{At: int64(p.midway)}}}
	}},
}

// pattern is an answer without a fault.
type pattern struct {
	wire    wire
	dialect simulator.Dialect
	raw     []byte // as the provider sends it
	// content is where its first content begins, and midway an end of an event after some;
	// of streams.
	content, midway int
	reply           string // as the client gets it
	record          *metering.Record
	rates           *price.Rates
	gate            *simulator.Gate // of the present fault
}

func (p *pattern) errorEvent(status int) []byte {
	body := simulator.ErrorBody(p.dialect, status, "simulated error")
	if p.dialect == simulator.Anthropic {
		return fmt.Appendf(nil, "event: error\ndata: %s\n\n", body)
	}
	return fmt.Appendf(nil, "data: %s\n\n", body)
}

// shown is the text, and the last usage of Gemini's, in the first part of the stream.
func (p *pattern) shown(end int) (text string, reported *usage.Usage) {
	for line := range strings.Lines(string(p.raw[:end])) {
		data, ok := strings.CutPrefix(strings.TrimSpace(line), "data: ")
		if !ok {
			continue
		}
		var event struct {
			Choices []struct{ Delta struct{ Content string } }
			Delta   struct{ Text string }
			Message struct {
				Usage struct {
					Input int64 `json:"input_tokens"`
				}
			}
			Candidates []struct {
				Content struct{ Parts []struct{ Text string } }
			}
			UsageMetadata *struct{ PromptTokenCount, CandidatesTokenCount int64 }
		}
		if json.Unmarshal([]byte(data), &event) != nil {
			continue
		}
		for _, choice := range event.Choices {
			text += choice.Delta.Content
		}
		text += event.Delta.Text
		for _, candidate := range event.Candidates {
			for _, part := range candidate.Content.Parts {
				text += part.Text
			}
		}
		if m := event.UsageMetadata; m != nil {
			reported = &usage.Usage{InputTotal: m.PromptTokenCount, Input: m.PromptTokenCount, OutputTotal: m.CandidatesTokenCount, Output: m.CandidatesTokenCount}
		}
		if input := event.Message.Usage.Input; input > 0 {
			reported = &usage.Usage{InputTotal: input, Input: input, OutputTotal: 1, Output: 1}
		}
	}
	return text, reported
}

// midwayCharge is what an answer costs that ends midway, by the rules of metering.md.
func (p *pattern) midwayCharge(model string) (metering.Nanos, metering.Basis) {
	text, reported := p.shown(p.midway)
	if p.dialect == simulator.Google {
		return p.rates.Cost(*reported, price.Conditions{}), metering.BasisMeasured
	}
	operation, _, _, err := dialect.Match(http.MethodPost, p.wire.path, 0)
	if err != nil {
		panic(err)
	}
	request, err := dialect.ParseRequest(operation, "", false, "", []byte(callingModel(model).Replace(p.wire.body)))
	if err != nil {
		panic(err)
	}
	estimator := tokens.For("served", "served", model)
	counted := usage.Usage{InputTotal: request.EstimateInput(estimator)}
	if reported != nil {
		counted.InputTotal = reported.InputTotal
	}
	written := tokens.Text{}
	written.Add([]byte(text))
	counted.Input, counted.OutputTotal = counted.InputTotal, estimator.Answer([]byte(text), &written)
	counted.Output = counted.OutputTotal
	return p.rates.Cost(counted, price.Conditions{}), metering.BasisEstimated
}

// matrix is a gateway with the chain in front of it.
type matrix struct {
	*gateway
	servers [len(stages)]*simulator.Server
	timers  *timersByHand
	made    int
}

var dialectsOfStages = [...]string{"openai", "anthropic", "google"}

func newMatrix(t *testing.T) *matrix {
	m := &matrix{timers: &timersByHand{live: make(map[*timerByHand]bool)}}
	dead := "http://" + freeAddress(t)
	var configuration strings.Builder
	provider := func(stage, url string) {
		for _, spoken := range dialectsOfStages {
			base := url
			if spoken == "openai" {
				base += "/v1"
			}
			fmt.Fprintf(&configuration, "provider %s_%s {\ndialect %s\nbase_url %s\napi_key {file.%s}\n}\n", stage, spoken, spoken, base, keyFile(t, otherKey))
		}
	}
	at := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	for i, stage := range stages {
		server, err := simulator.Start("127.0.0.1:0", simulator.Options{Key: otherKey, Record: true, Now: func() time.Time { return at }}, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = server.Close(testContext(t)) })
		m.servers[i] = server
		provider(stage, server.URL)
		provider("dead_"+stage, dead)
	}
	model := func(name string, chain ...string) {
		fmt.Fprintf(&configuration, "model %s {\nto", name)
		for _, spoken := range dialectsOfStages {
			for _, stage := range chain {
				fmt.Fprintf(&configuration, " %s_%s/served", stage, spoken)
			}
		}
		configuration.WriteString("\nprice input 1 output 2\n}\n")
	}
	model("only", stages[0])
	model("dead-only", "dead_first")
	model("chain", stages[:]...)
	for i, stage := range stages {
		chain := stages
		chain[i] = "dead_" + stage
		model(fmt.Sprintf("dead-%d", i), chain[:]...)
	}
	m.gateway = startGateway(t, gatewayOptions{credit: "1000", extra: configuration.String()})
	m.theApp().after = m.timers.afterFunc
	return m
}

func callingModel(model string) *strings.Replacer {
	return strings.NewReplacer("gpt-4.1-mini", model, "claude-haiku-4-5", model, "gemini-2.5-flash", model)
}

// start sends a request for a model of the matrix.
func (m *matrix) start(w wire, model string) *calling {
	fill := callingModel(model)
	return m.startCall(fill.Replace(w.path), fill.Replace(w.body), w.header(m.secret))
}

// lostCost is operatorCost, without reading all records.
func (m *matrix) lostCost() (sum metering.Nanos) {
	m.t.Helper()
	now := time.Now()
	days, err := m.store.DailyUsage(testContext(m.t), m.account, now.AddDate(0, 0, -1), now.AddDate(0, 0, 2))
	if err != nil {
		m.t.Fatal(err)
	}
	for _, day := range days {
		sum += day.OperatorCost
	}
	return sum
}

// next is the record of the request that was answered so.
func (m *matrix) next(got reply) (record *metering.Record) {
	m.t.Helper()
	m.made++
	waitFor(m.t, "the record", func() bool {
		var err error
		record, err = m.store.Record(testContext(m.t), got.header.Get("Faregate-Request-Id"))
		return err == nil
	})
	return record
}

func (m *matrix) asked() (n [len(stages)]int) {
	for i, server := range m.servers {
		n[i] = len(server.Requests())
	}
	return n
}

var serials = regexp.MustCompile(`simulator-\d+`)

// pattern makes an answer that nothing fails of.
func (m *matrix) pattern(w wire, spoken simulator.Dialect) *pattern {
	m.t.Helper()
	got := m.start(w, "chain").finish()
	if got.status != http.StatusOK || got.err != nil {
		m.t.Fatalf("%s: %d %v %s", w.name, got.status, got.err, got.body)
	}
	p := &pattern{wire: w, dialect: spoken, reply: serials.ReplaceAllString(string(got.body), "N"), record: m.next(got)}
	sent := m.servers[0].Requests()[len(m.servers[0].Requests())-1]
	again := httptest.NewRequest(sent.Method, sent.RequestURI, bytes.NewReader(sent.Body))
	again.Header = sent.Header.Clone()
	recorder := httptest.NewRecorder()
	simulator.New(simulator.Options{Now: func() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) }}).ServeHTTP(recorder, again)
	p.raw = recorder.Body.Bytes()
	if !w.streams() {
		return p
	}
	events := strings.SplitAfter(string(p.raw), "\n\n")
	if spoken == simulator.Google {
		events = strings.SplitAfter(string(p.raw), "\r\n\r\n")
	}
	first := slices.IndexFunc(events, func(event string) bool { return strings.Contains(event, "This ") })
	p.content = len(strings.Join(events[:first], "")) // 0 for Gemini
	p.midway = len(strings.Join(events[:first+8], ""))
	return p
}

func TestEveryFailureOfEveryAttempt(t *testing.T) {
	m := newMatrix(t)
	credit := m.balance()
	cases := 0
	for _, row := range []struct {
		wire    wire
		dialect simulator.Dialect
	}{
		{chatJSON, simulator.OpenAI}, {chatStream, simulator.OpenAI}, {messagesJSON, simulator.Anthropic},
		{messagesStream, simulator.Anthropic}, {geminiJSON, simulator.Google}, {geminiStream, simulator.Google},
	} {
		p := m.pattern(row.wire, row.dialect)
		model, err := m.theApp().catalogue().Find("chain")
		if err != nil {
			t.Fatal(err)
		}
		p.rates, _, _ = model.Rates(time.Now())
		for i := range faultsOfAttempts {
			f := &faultsOfAttempts[i]
			if row.wire.streams() && !f.stream || !row.wire.streams() && !f.document {
				continue
			}
			for position := -1; position < len(stages); position++ { // -1: the only one
				m.check(p, f, position)
				cases++
			}
		}
	}
	m.settledUp(credit, m.records(m.made))
	t.Logf("%d cases", cases)
}

// check lets the attempt at a position fail, and all before it.
func (m *matrix) check(p *pattern, f *fault, position int) {
	t := m.t
	t.Helper()
	name := fmt.Sprintf("%s, %s, attempt %d", p.wire.name, f.name, position+1)
	model, at, length := "chain", position, len(stages)
	if position < 0 {
		name, model, at, length = fmt.Sprintf("%s, %s, the only attempt", p.wire.name, f.name), "only", 0, 1
	}
	if f.dead {
		model = map[bool]string{true: "dead-only", false: fmt.Sprintf("dead-%d", at)}[position < 0]
	}
	m.forgetFailures()
	before, operatorCost := m.asked(), m.lostCost()
	for i := range at {
		m.servers[i].Add(simulator.Step{Response: simulator.Response{Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader}})
	}
	if !f.dead {
		m.servers[at].Add(simulator.Step{Response: f.response(p)})
	}
	call := m.start(p.wire, model)
	shown := ""
	if f.midway {
		text, _ := p.shown(p.midway)
		words := strings.Fields(text)
		shown = call.readTo(words[len(words)-1] + " ")
	}
	if p.gate != nil {
		p.gate.Open()
		p.gate = nil
	}
	if f.stalls > 0 {
		waitFor(t, name+": the stalling provider to be asked", func() bool { return m.asked()[at] > before[at] })
		m.timers.fire(t, f.stalls)
	}
	got := call.finish()
	got.body = append([]byte(shown), got.body...)
	record := m.next(got)

	// How many attempts there must be, and at whom.
	moves := !f.callersOwn && !f.midway
	last := at
	if moves {
		last = min(at+1, length-1)
	}
	want := [len(stages)]int{}
	for i := range last + 1 {
		want[i] = 1
	}
	if f.dead {
		want[at] = 0
	}
	asked := m.asked()
	for i := range asked {
		if asked[i]-before[i] != want[i] {
			t.Errorf("%s: the %s provider was asked %d times, want %d", name, stages[i], asked[i]-before[i], want[i])
		}
	}
	if record.Attempts != last+1 {
		t.Errorf("%s: %d attempts are recorded, want %d", name, record.Attempts, last+1)
	}

	answered := moves && at < length-1
	var cost metering.Nanos
	switch {
	case answered:
		if reply := serials.ReplaceAllString(string(got.body), "N"); got.status != http.StatusOK || got.err != nil || reply != p.reply {
			t.Errorf("%s: %d %v, not the answer of the next provider:\n%s\nwant\n%s", name, got.status, got.err, reply, p.reply)
		}
		if cost = p.record.Cost; record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured {
			t.Errorf("%s: %s, %s", name, record.Status, record.Basis)
		}
	case f.midway:
		basis := metering.BasisMeasured
		if cost, basis = p.midwayCharge(model); record.Status != metering.StatusProviderError || record.Basis != basis || record.HTTPStatus != http.StatusOK {
			t.Errorf("%s: %s, %s, %d", name, record.Status, record.Basis, record.HTTPStatus)
		}
		m.endsWithError(name, p, f, got)
	case f.callersOwn:
		if response := f.response(p); got.status != f.status || !bytes.Equal(got.body, response.Body) || got.err != nil {
			t.Errorf("%s: %d %v %s, want the provider's %s", name, got.status, got.err, got.body, response.Body)
		}
	default:
		code := f.code
		if at > 0 && f.rank() == 0 {
			code = dialect.CodeProviderDown // of the first, which hung up
		}
		m.refused(name, p, code, got)
		if f.name == "429" && got.header.Get("Retry-After") != "7" {
			t.Errorf("%s: Retry-After %q", name, got.header.Get("Retry-After"))
		}
	}
	if !answered && !f.midway && (record.Basis != metering.BasisWaived || record.Status == metering.StatusOK) {
		t.Errorf("%s: %s, %s", name, record.Status, record.Basis)
	}
	if record.Cost != cost {
		t.Errorf("%s: cost %s, want %s (%+v)", name, record.Cost, cost, record.Usage)
	}

	// What was reported of an answer that nobody was given is the operator's cost.
	var lost metering.Nanos
	if f.preamble {
		if _, reported := p.shown(p.content); reported != nil {
			lost = p.rates.Cost(*reported, price.Conditions{})
		}
	}
	booked := m.lostCost() - operatorCost
	if f.stalls > 0 && booked == 0 {
		booked = lost // the time-out may have come before what was reported was read
	}
	if booked != lost {
		t.Errorf("%s: %s are booked as the operator's cost, want %s", name, booked, lost)
	}
	for i, server := range m.servers {
		if n := server.Unused(); n > 0 {
			t.Fatalf("%s: %d answers of the %s provider were not asked for", name, n, stages[i])
		}
	}
}

// refused checks an error of ours before any answer.
func (m *matrix) refused(name string, p *pattern, code dialect.Code, got reply) {
	m.t.Helper()
	want := dialect.NewError(code)
	if got.status != want.Status && (got.status != 529 || p.dialect != simulator.Anthropic) || got.err != nil {
		m.t.Errorf("%s: %d %v, want %d", name, got.status, got.err, want.Status)
	}
	if _, message := dialectError(m.t, p.dialect.String(), got); message != want.Message {
		m.t.Errorf("%s: told %q, want %q", name, message, want.Message)
	}
}

// endsWithError checks that a stream shows what had come, and then the dialect's error.
func (m *matrix) endsWithError(name string, p *pattern, f *fault, got reply) {
	m.t.Helper()
	text := string(got.body)
	begins := serials.ReplaceAllString(text, "N")
	shared := 0
	for shared < min(len(begins), len(p.reply)) && begins[shared] == p.reply[shared] {
		shared++
	}
	rest := strings.TrimSpace(begins[shared:])
	if got.status != http.StatusOK || got.err != nil || strings.Contains(text, p.wire.terminal) || !strings.Contains(begins[:shared], "from") {
		m.t.Errorf("%s: %d %v %s", name, got.status, got.err, text)
	}
	_, event, ok := strings.Cut("\n"+text[strings.LastIndex(text, "data: "):], "data: ")
	if !ok || p.dialect == simulator.Anthropic && !strings.Contains(rest, "error\ndata: ") {
		m.t.Fatalf("%s: no error event: %s", name, text)
	}
	problem := dialect.NewError(f.code)
	_, message := dialectError(m.t, p.dialect.String(), reply{status: problem.Status, body: []byte(event)})
	if f.code != dialect.CodeProviderOverloaded && message != problem.Message || message == "" || strings.Contains(message, "simulated") {
		m.t.Errorf("%s: told %q, want %q", name, message, problem.Message)
	}
}

// timersByHand are timers that fire when the test says so.
type timersByHand struct {
	mutex sync.Mutex
	live  map[*timerByHand]bool // true while it runs
}

type timerByHand struct {
	all  *timersByHand
	wait time.Duration
	do   func()
}

func (a *timersByHand) afterFunc(wait time.Duration, do func()) timer {
	t := &timerByHand{a, wait, do}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.live[t] = true
	return t
}

// Stop implements timer.
func (t *timerByHand) Stop() bool { return t.set(false) }

// Reset implements timer.
func (t *timerByHand) Reset(time.Duration) bool { return t.set(true) }

func (t *timerByHand) set(runs bool) (ran bool) {
	t.all.mutex.Lock()
	defer t.all.mutex.Unlock()
	ran = t.all.live[t]
	if delete(t.all.live, t); runs {
		t.all.live[t] = true
	}
	return ran
}

// fire waits until a timer of this length runs, and lets it fire.
func (a *timersByHand) fire(t *testing.T, wait time.Duration) {
	t.Helper()
	waitFor(t, "a timer of "+wait.String(), func() bool {
		a.mutex.Lock()
		var found *timerByHand
		for one := range a.live {
			if one.wait == wait {
				found = one
			}
		}
		delete(a.live, found)
		a.mutex.Unlock()
		if found == nil {
			return false
		}
		found.do()
		return true
	})
}
