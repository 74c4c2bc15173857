package caddymodule

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// Code behind the call of the next handler does not run when that panics, as
// reverse_proxy does on a cut stream (reverseproxy.go, finalizeResponse).
func TestARequestIsSettledWhateverPanicsBelow(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: "route {\n\tfaregate_auth\n\tfaregate_route\n\tfaregate_meter\n\tfaregate_probe\n" +
		"\treverse_proxy {\n\t\tdynamic faregate\n\t\ttransport faregate\n\t}\n}"})
	credit := g.balance()
	panics := []struct {
		name   string
		probe  probeFunc
		status int // 0: the connection is cut
		basis  metering.Basis
	}{
		{"before the provider is asked", func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
			panic(http.ErrAbortHandler)
		}, 0, metering.BasisWaived},
		{"a mistake before", func(http.ResponseWriter, *http.Request, caddyhttp.Handler) error {
			panic("a mistake that quotes " + providerKey)
		}, http.StatusInternalServerError, metering.BasisWaived},
		{"after the answer", func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
			_ = next.ServeHTTP(w, r)
			panic(http.ErrAbortHandler)
		}, 0, metering.BasisMeasured},
	}
	for i, fall := range panics {
		probeWith(t, fall.probe)
		got := g.call(chatStream.path, chatStream.body)
		if got.status != fall.status && (fall.status != 0 || got.err == nil) {
			t.Errorf("%s: status %d %v, want %d", fall.name, got.status, got.err, fall.status)
		}
		record := g.records(i + 1)[i]
		if record.Basis != fall.basis || (record.Cost > 0) != (fall.basis == metering.BasisMeasured) {
			t.Errorf("%s: record %+v", fall.name, record)
		}
		if balance, available := g.balance(), g.available(); available != balance {
			t.Errorf("%s: %s can be held of a balance of %s: the hold was not given back", fall.name, available, balance)
		}
	}
	g.settledUp(credit, g.records(len(panics)))
}

func TestACutAnswerIsSettledOnce(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit := g.balance()
	calls := 0
	for _, w := range append(wireStreams, wireDocuments...) {
		for _, fault := range []simulator.Fault{simulator.HangUp, simulator.Reset} {
			g.provider.Add(simulator.Step{Response: simulator.Response{Fault: fault, FaultAt: w.contentAt()}})
			got := g.callWith(w.path, w.body, w.header(g.secret))
			calls++
			if whole := got.err == nil && got.status == http.StatusOK; whole && !w.sse() {
				t.Errorf("%s: a cut answer looks whole: %s", w.name, got.body)
			}
			record := g.records(calls)[calls-1]
			if record.Status != metering.StatusProviderError {
				t.Errorf("%s: status %s", w.name, record.Status)
			}
			if w.sse() && (record.Basis == metering.BasisWaived || record.Cost == 0) {
				t.Errorf("%s: output was delivered but not charged: %+v", w.name, record)
			}
			if balance, available := g.balance(), g.available(); available != balance {
				t.Errorf("%s: %s can be held of a balance of %s: the hold was not given back", w.name, available, balance)
			}
		}
	}
	g.settledUp(credit, g.records(calls))
}

func (w wire) sse() bool { return w.streams() && w.name != geminiArray.name }

// contentAt is an offset at which a native stream has shown some words, and a native
// document has not come to its end.
func (w wire) contentAt() int64 {
	switch {
	case w.name == messagesStream.name:
		return 1200 // what comes first tells of the message and its block
	case w.streams():
		return 900
	}
	return 300
}
