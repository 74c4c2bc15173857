package caddymodule

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// scraped reads the metrics whose names begin with faregate_.
func (g *gateway) scraped() map[string]float64 {
	g.t.Helper()
	got := g.callWith("/metrics", "", http.Header{})
	if got.status != http.StatusOK {
		g.t.Fatalf("%d %s", got.status, got.body)
	}
	values := make(map[string]float64)
	for line := range strings.Lines(string(got.body)) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), " ")
		if at := strings.LastIndex(line, "} "); at >= 0 {
			name, value = line[:at+1], strings.TrimSpace(line[at+2:])
		}
		if !ok || !strings.HasPrefix(name, "faregate_") {
			continue
		}
		number, err := strconv.ParseFloat(value, 64)
		if err != nil {
			g.t.Fatalf("%q: %v", line, err)
		}
		values[name] = number
	}
	return values
}

const metricsSite = `
	handle /metrics {
		metrics
	}
	handle {
		faregate
	}`

func TestMetricsCountWhatTheBooksSay(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: metricsSite})
	before := g.scraped()
	g.provider.Add(simulator.Step{Response: simulator.Response{Status: http.StatusServiceUnavailable}})
	if got := g.callWith(chatJSON.path, chatJSON.body, bearer(g.secret)); got.status < 500 {
		t.Fatalf("%d %s", got.status, got.body)
	}
	for range 3 {
		if got := g.callWith(chatStream.path, chatStream.body, bearer(g.secret)); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	if got := g.callWith(chatJSON.path, `{"model":"no-such-model","messages":[]}`, bearer(g.secret)); got.status != http.StatusNotFound {
		t.Fatalf("%d %s", got.status, got.body)
	}
	var cost, input, output float64
	records := g.records(5)
	for _, record := range records {
		cost += inDollars(record.Cost)
		input += float64(record.Usage.Input)
		output += float64(record.Usage.Output)
	}
	after := g.scraped()
	for series, want := range map[string]float64{
		`faregate_requests_total{basis="measured",model="gpt-4.1-mini",operation="chat",provider="openai",status="ok"}`:           3,
		`faregate_requests_total{basis="waived",model="gpt-4.1-mini",operation="chat",provider="openai",status="provider_error"}`: 1,
		`faregate_refusals_total{code="model_not_found",operation="chat"}`:                                                        1,
		`faregate_cost_dollars_total{model="gpt-4.1-mini",provider="openai"}`:                                                     cost,
		`faregate_tokens_total{class="input",model="gpt-4.1-mini",provider="openai"}`:                                             input,
		`faregate_tokens_total{class="output",model="gpt-4.1-mini",provider="openai"}`:                                            output,
		`faregate_time_to_first_token_seconds_count{operation="chat",provider="openai"}`:                                          3,
		`faregate_settlement_duration_seconds_count`:                                                                              4,
		`faregate_attempts_total{provider="openai"}`:                                                                              4,
	} {
		if got := after[series] - before[series]; got < want*0.999999 || got > want*1.000001 || want == 0 {
			t.Errorf("%s rose by %v, want %v", series, got, want)
		}
	}
	if after["faregate_store_up"] != 1 || after["faregate_holds"] != 0 || after["faregate_nodes"] != 1 || after[`faregate_commits_total{outcome="durable"}`] == 0 {
		t.Errorf("%v", after)
	}
	failures := regexp.MustCompile(`^faregate_attempt_failures_total\{provider="openai",reason="[a-z -]+"\}$`)
	found := false
	for series := range after {
		found = found || failures.MatchString(series)
		for _, secret := range []string{g.secret, records[0].KeyID, records[0].AccountID, "127.0.0.1"} {
			if strings.Contains(series, secret) {
				t.Errorf("%s names whose request it was", series)
			}
		}
	}
	if !found {
		t.Errorf("no failed attempt in %v", after)
	}
}

// What runs at a provider is counted while it does.
func TestMetricsOfWhatRuns(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: metricsSite})
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: 3, Gate: gate}}}})
	call := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
	call.at(gate)
	if now := g.scraped(); now[`faregate_provider_in_flight{provider="openai"}`] != 1 || now[`faregate_provider_in_flight{provider="google"}`] != 0 || now["faregate_holds"] != 1 {
		t.Errorf("%v", now)
	}
	gate.Open()
	call.finish()
	waitFor(t, "the end of the request to be counted", func() bool {
		return g.scraped()[`faregate_provider_in_flight{provider="openai"}`] == 0
	})
}

func BenchmarkARequestIsCounted(b *testing.B) {
	m := newMetrics()
	record := &metering.Record{
		Operation: "chat", ModelRequested: "gpt-4.1-mini", Provider: "openai", Status: metering.StatusOK, Basis: metering.BasisMeasured,
		Duration: time.Second, TimeToFirstToken: time.Second / 2, Cost: 1000,
		Usage: usage.Usage{Input: 10, CacheRead: 5, Output: 20, Reasoning: 7},
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			m.settled(record, record.ModelRequested, time.Millisecond)
		}
	})
}

// Callers can make up the dates of models, but no series of their own with them.
func TestMadeUpDatesMakeNoSeries(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: metricsSite, extra: `
		model cheap-* {
			to openai/*
			price input 1 output 1
		}`})
	for _, name := range []string{"gpt-4.1-mini-2025-04-14", "gpt-4.1-mini-2025-04-15", "cheap-one", "cheap-two"} {
		got := g.call(chatJSON.path, strings.Replace(chatJSON.body, "gpt-4.1-mini", name, 1))
		if got.status != http.StatusOK {
			t.Fatalf("%s: %d %s", name, got.status, got.body)
		}
	}
	listed := regexp.MustCompile(`model="([^"]*)"`)
	seen := make(map[string]bool)
	for series := range g.scraped() {
		if found := listed.FindStringSubmatch(series); found != nil {
			seen[found[1]] = true
		}
	}
	if !seen["gpt-4.1-mini"] || !seen["cheap-*"] {
		t.Errorf("there is no series of a model that was called: %v", seen)
	}
	for model := range seen {
		if strings.Contains(model, "2025-04") || strings.HasPrefix(model, "cheap-") && model != "cheap-*" {
			t.Errorf("a series of the caller's own: %s", model)
		}
	}
}
