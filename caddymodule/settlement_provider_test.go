package caddymodule

import (
	"bytes"
	"math"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// What providers do wrong, and what it costs the caller.
func TestAProviderThatMisbehaves(t *testing.T) {
	other, configuration := otherProvider(t, simulator.Options{})
	g := startGateway(t, gatewayOptions{extra: configuration})
	credit := g.balance()
	native := func(answer simulator.Answer) simulator.Response { return simulator.Response{Answer: &answer} }
	twofoldStream, twofoldJSON := twofold[3], twofold[0]
	huge := strings.Repeat("words that go on and on ", 1<<18) // 6 MiB
	tests := []struct {
		name      string
		wire      wire
		answer    simulator.Response
		status    int // of HTTP
		record    metering.Status
		basis     metering.Basis
		provider  string
		contains  string // in what the caller gets
		lacks     string
		broken    bool // the connection is cut
		leastCost metering.Nanos
	}{
		{name: "no usage in a stream", wire: chatStream, answer: native(simulator.Answer{NoUsage: true}),
			status: 200, record: metering.StatusOK, basis: metering.BasisEstimated, provider: "openai", contains: "[DONE]", leastCost: 1},
		{name: "no usage in a document", wire: chatJSON, answer: native(simulator.Answer{NoUsage: true}),
			status: 200, record: metering.StatusOK, basis: metering.BasisEstimated, provider: "openai", contains: "simulator", leastCost: 1},
		{name: "no usage of messages", wire: messagesStream, answer: native(simulator.Answer{NoUsage: true}),
			status: 200, record: metering.StatusOK, basis: metering.BasisEstimated, provider: "anthropic", contains: "message_stop", leastCost: 1},
		{name: "no usage of gemini", wire: geminiStream, answer: native(simulator.Answer{NoUsage: true}),
			status: 200, record: metering.StatusOK, basis: metering.BasisEstimated, provider: "google", contains: "finishReason", leastCost: 1},
		{name: "all-zero usage", wire: chatJSON, answer: native(simulator.Answer{Usage: &simulator.Usage{}}),
			status: 200, record: metering.StatusOK, basis: metering.BasisEstimated, provider: "openai", contains: "simulator", leastCost: 1},
		{name: "nothing at all", wire: chatJSON, answer: native(simulator.Answer{Silent: true, NoUsage: true}),
			status: 200, record: metering.StatusOK, basis: metering.BasisWaived, provider: "openai"},
		{name: "garbage after a stream", wire: chatStream, answer: simulator.Response{Trailing: []byte("data: garbage\n\nmore of it\n\n")},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "openai", contains: "[DONE]", leastCost: 1},
		{name: "garbage after messages", wire: messagesStream, answer: simulator.Response{Trailing: []byte("event: x\ndata: {\"usage\":{\"output_tokens\":900000}}\n\n")},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "anthropic", contains: "message_stop", leastCost: 1},
		{name: "error before content", wire: twofoldStream, answer: native(simulator.Answer{Fail: 503}),
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "other", contains: "[DONE]", lacks: "simulated error", leastCost: 1},
		{name: "error after content", wire: twofoldStream, answer: native(simulator.Answer{Fail: 503, FailAfter: 9}),
			status: 200, record: metering.StatusProviderError, basis: metering.BasisEstimated, provider: "openai", contains: `"error"`, lacks: "[DONE]", leastCost: 1},
		{name: "error after content of messages", wire: messagesStream, answer: native(simulator.Answer{Fail: 529, FailAfter: 9}),
			status: 200, record: metering.StatusProviderError, provider: "anthropic", contains: "event: error", lacks: "message_stop", leastCost: 1},
		{name: "hangs up before content", wire: twofoldStream, answer: simulator.Response{Fault: simulator.HangUp, FaultAt: 60},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "other", contains: "[DONE]", leastCost: 1},
		{name: "hangs up after content", wire: twofoldStream, answer: simulator.Response{Fault: simulator.HangUp, FaultAt: 1200},
			status: 200, record: metering.StatusProviderError, basis: metering.BasisEstimated, provider: "openai", contains: `"error"`, lacks: "[DONE]", leastCost: 1},
		{name: "content and hangs up at once", wire: twofoldStream, answer: simulator.Response{ContentType: "text/event-stream", Fault: simulator.HangUp, FaultAt: 10_000,
			Body: []byte("data: {\"model\":\"gpt-4.1-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"some words\"}}]}\n\n")},
			status: 200, record: metering.StatusProviderError, basis: metering.BasisEstimated, provider: "openai", contains: `"error"`, lacks: "[DONE]", leastCost: 1},
		{name: "hangs up in a document", wire: twofoldJSON, answer: simulator.Response{Fault: simulator.HangUp, FaultAt: 300},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "other", contains: "simulator", leastCost: 1},
		{name: "hangs up in a long document", wire: twofoldJSON, answer: simulator.Response{Answer: &simulator.Answer{Text: huge}, Fault: simulator.HangUp, FaultAt: 1 << 20},
			status: 200, record: metering.StatusProviderError, provider: "openai", broken: true},
		{name: "a huge event", wire: chatStream, answer: native(simulator.Answer{Text: huge, OneEvent: true, Usage: &simulator.Usage{Input: 9, Output: 90}}),
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "openai", contains: huge, leastCost: 1},
		{name: "a huge document", wire: chatJSON, answer: native(simulator.Answer{Text: huge, Usage: &simulator.Usage{Input: 9, Output: 90}}),
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "openai", contains: huge, leastCost: 1},
		{name: "gzip though not asked for", wire: chatJSON, answer: simulator.Response{Gzip: true},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "openai", contains: "simulator", leastCost: 1},
		{name: "gzip of a stream", wire: twofoldStream, answer: simulator.Response{Gzip: true},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "openai", contains: "[DONE]", leastCost: 1},
		{name: "gzip that is none, and another provider", wire: twofoldJSON, answer: simulator.Response{Header: http.Header{"Content-Encoding": {"gzip"}}},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "other", contains: "simulator", leastCost: 1},
		{name: "an unknown encoding, and another provider", wire: twofoldStream, answer: simulator.Response{Header: http.Header{"Content-Encoding": {"x-secret"}}},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "other", contains: "[DONE]", leastCost: 1},
		{name: "an unknown encoding", wire: chatJSON, answer: simulator.Response{Header: http.Header{"Content-Encoding": {"gzip, br"}}},
			status: 503, record: metering.StatusProviderError, basis: metering.BasisWaived, provider: "openai", contains: `"error"`},
		{name: "no content type", wire: chatJSON, answer: simulator.Response{Body: []byte("hello")},
			status: 503, record: metering.StatusProviderError, basis: metering.BasisWaived, provider: "openai", contains: `"error"`},
		{name: "a page of HTML", wire: twofoldJSON, answer: simulator.Response{Body: []byte("<html>"), ContentType: "text/html"},
			status: 200, record: metering.StatusOK, basis: metering.BasisMeasured, provider: "other", contains: "simulator", leastCost: 1},
	}
	for i, test := range tests {
		asked := len(other.Requests())
		g.provider.Add(simulator.Step{Response: test.answer})
		got := g.callWith(test.wire.path, test.wire.body, test.wire.header(g.secret))
		if got.status != test.status || (got.err != nil) != test.broken {
			t.Errorf("%s: %d %v", test.name, got.status, got.err)
		}
		if !bytes.Contains(got.body, []byte(test.contains)) || test.lacks != "" && bytes.Contains(got.body, []byte(test.lacks)) {
			t.Errorf("%s: the caller got %.2000s", test.name, got.body)
		}
		record := g.records(i + 1)[i]
		if record.Status != test.record || record.Basis != test.basis && test.basis != "" || record.Provider != test.provider {
			t.Errorf("%s: status %s, basis %s, provider %s; want %s, %s, %s", test.name,
				record.Status, record.Basis, record.Provider, test.record, test.basis, test.provider)
		}
		if record.Cost < test.leastCost || record.Basis == metering.BasisWaived && record.Cost != 0 || record.Shortfall != 0 {
			t.Errorf("%s: cost %s, shortfall %s", test.name, record.Cost, record.Shortfall)
		}
		if record.Cost > 0 && bytes.Contains(bytes.ToLower(got.body), []byte("nothing was charged")) {
			t.Errorf("%s: %s are charged, and the caller is told %s", test.name, record.Cost, got.body)
		}
		if moved := len(other.Requests()) > asked; moved != (test.provider == "other") {
			t.Errorf("%s: the other provider was asked: %t", test.name, moved)
		}
		if balance, available := g.balance(), g.available(); available != balance {
			t.Fatalf("%s: %s can be held of a balance of %s", test.name, available, balance)
		}
	}
	g.settledUp(credit, g.records(len(tests)))
}

// A provider that reports more than could be used takes all of the credit at most:
// the rest is the operator's to find out about.
func TestUsageBeyondAllCreditLeavesABalanceOfNothing(t *testing.T) {
	for _, output := range []int64{1 << 23, 1 << 29} {
		g := startGateway(t, gatewayOptions{credit: "1"})
		credit := g.balance()
		g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Usage: &simulator.Usage{Input: 9, Output: output}}}})
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK || got.err != nil {
			t.Errorf("%d %v", got.status, got.err)
		}
		record := g.records(1)[0]
		if record.Shortfall <= 0 || record.Cost-record.Shortfall != credit {
			t.Errorf("of a credit of %s: cost %s, shortfall %s", credit, record.Cost, record.Shortfall)
		}
		if balance := g.balance(); balance != 0 {
			t.Errorf("balance %s", balance)
		}
		g.settledUp(credit, g.records(1))
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusPaymentRequired {
			t.Errorf("without credit: %d", got.status)
		}
	}
}

// One count that no model can reach does not empty the account: what there is of the answer
// is counted here, as where a provider reports nothing.
func TestAbsurdUsageIsNone(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "1"})
	for i, output := range []int64{1<<30 + 1, math.MaxInt64} {
		g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Usage: &simulator.Usage{Input: 9, Output: output}}}})
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK || got.err != nil {
			t.Errorf("%d %v", got.status, got.err)
		}
		record := g.records(i + 1)[i]
		if record.Basis != metering.BasisEstimated || record.Shortfall != 0 || record.Cost == 0 || record.Cost > metering.Dollar/100 || record.Usage.OutputTotal > 1000 {
			t.Errorf("recorded as %+v", record)
		}
	}
	g.settledUp(metering.Dollar, g.records(2))
}
