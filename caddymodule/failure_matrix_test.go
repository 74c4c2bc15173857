package caddymodule

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
)

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
		var basis metering.Basis
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
