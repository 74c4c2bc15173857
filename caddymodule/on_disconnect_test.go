package caddymodule

import (
	"crypto/tls"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// onDisconnect puts a line, or block, into the block of each provider.
func (g *gateway) onDisconnect(line string) {
	for _, name := range []string{"openai", "anthropic", "google"} {
		g.config = strings.Replace(g.config, "provider "+name+" {", "provider "+name+" {\n"+line, 1)
	}
}

func startDisconnecting(t *testing.T, o gatewayOptions, line string) *gateway {
	t.Helper()
	g := newGateway(t, o)
	g.onDisconnect(line)
	g.run()
	return g
}

// draining is how many answers are read on now though nobody waits for them.
func draining() (n int) {
	runtimes.Range(func(_, value any) bool {
		n += value.(*runtime).drains.number()
		return true
	})
	return n
}

func untilDraining(t *testing.T, n int) {
	t.Helper()
	waitFor(t, "answers to be drained", func() bool { return draining() == n })
}

// halted is an answer that stops at a gate, before byte `at`.
func (g *gateway) halted(at int64) *simulator.Gate {
	gate := simulator.NewGate()
	g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
	return gate
}

// What is configured for the provider is what happens, unless the key says otherwise.
func TestWhatADisconnectDoes(t *testing.T) {
	const byDefault, cancel, drain = auth.OnDisconnectDefault, auth.OnDisconnectCancel, auth.OnDisconnectDrain
	for _, test := range []struct {
		provider                string
		key                     auth.OnDisconnect
		readsStreams, readsRest bool
	}{
		{"", byDefault, false, true},
		{"on_disconnect default {\ntime 1m\n}", byDefault, false, true},
		{"on_disconnect cancel", byDefault, false, false},
		{"on_disconnect drain", byDefault, true, true},
		{"", drain, true, true},
		{"", cancel, false, false},
		{"on_disconnect cancel", drain, true, true},
		{"on_disconnect drain", cancel, false, false},
	} {
		line, _, _ := strings.Cut(test.provider, " {")
		t.Run(line+", key "+string(test.key), func(t *testing.T) {
			g := newGateway(t, gatewayOptions{})
			g.onDisconnect(test.provider)
			if _, err := g.store.EditKey(testContext(t), g.keyID, func(key *store.LimitedKey) error { key.OnDisconnect = test.key; return nil }); err != nil {
				t.Fatal(err)
			}
			g.run()
			credit, calls := g.balance(), 0
			for _, w := range []wire{chatStream, messagesStream, geminiArray, chatJSON, geminiJSON} {
				reads := test.readsRest
				if w.streams() {
					reads = test.readsStreams
				}
				whole, _ := g.wholeAnswer(w, calls)
				calls++
				before, gate := g.available(), g.halted(w.contentAt())
				call := g.startCall(w.path, w.body, w.header(g.secret))
				call.at(gate)
				hold := before - g.available()
				call.leave()
				calls++
				if !reads {
					if seen := g.endedRequest(calls); !seen.ClosedEarly {
						t.Errorf("%s: the provider was not left", w.name)
					}
					record := g.records(calls)[calls-1]
					if record.Status != metering.StatusClientClosed || record.Cost <= 0 || record.Cost > hold {
						t.Errorf("%s: status %s, basis %s, cost %s of a hold of %s", w.name, record.Status, record.Basis, record.Cost, hold)
					}
					continue
				}
				untilDraining(t, 1)
				gate.Open()
				record := g.records(calls)[calls-1]
				if record.Status != metering.StatusClientClosed || record.Basis != metering.BasisMeasured || record.Cost != whole.Cost {
					t.Errorf("%s: status %s, basis %s, cost %s; a whole answer costs %s", w.name, record.Status, record.Basis, record.Cost, whole.Cost)
				}
				if seen := g.endedRequest(calls); seen.ClosedEarly {
					t.Errorf("%s: the provider was left", w.name)
				}
			}
			untilDraining(t, 0)
			g.settledUp(credit, g.records(calls))
		})
	}
}

// What nobody waits for is read for so long and so much, and then settled as if it had
// been cancelled.
func TestADrainIsBounded(t *testing.T) {
	for name, line := range map[string]string{
		"time":  "on_disconnect drain {\ntime 100ms\n}",
		"bytes": "on_disconnect drain {\nbytes 20KiB\n}",
	} {
		t.Run(name, func(t *testing.T) {
			g := startDisconnecting(t, gatewayOptions{}, line)
			content := strings.Repeat(`data: {"model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"content":"some words of an answer "}}]}`+"\n\n", 1000)
			first := int64(len(content) / 10)
			pauses := []simulator.Pause{{At: first, Gate: simulator.NewGate()}}
			if name == "bytes" {
				pauses[0].Gate.Open()
				pauses = append(pauses, simulator.Pause{At: first, Gate: simulator.NewGate()}, simulator.Pause{At: int64(len(content))})
			}
			g.provider.Add(simulator.Step{Response: simulator.Response{ContentType: "text/event-stream", Body: []byte(content), Pauses: pauses}})
			call := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
			call.at(pauses[len(pauses)-1-min(1, len(pauses)-1)].Gate)
			call.readTo("words")
			call.leave()
			untilDraining(t, 1)
			if name == "bytes" {
				pauses[1].Gate.Open()
			}
			if seen := g.endedRequest(1); !seen.ClosedEarly {
				t.Errorf("the provider was not left: %+v", seen)
			}
			record := g.records(1)[0]
			if record.Status != metering.StatusClientClosed || record.Basis != metering.BasisEstimated || record.Usage.OutputTotal < 400 {
				t.Errorf("status %s, basis %s, %d tokens of output", record.Status, record.Basis, record.Usage.OutputTotal)
			}
			untilDraining(t, 0)
		})
	}
}

// Where as many are drained as may be, the next one is cancelled; a place is free again
// when one has ended.
func TestDrainsAreBoundedInNumber(t *testing.T) {
	g := startDisconnecting(t, gatewayOptions{extra: "drains 1"}, "on_disconnect drain")
	leave := func() *simulator.Gate {
		t.Helper()
		gate := g.halted(chatStream.contentAt())
		call := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
		call.readTo("his")
		call.leave()
		return gate
	}
	first := leave()
	untilDraining(t, 1)
	leave()
	if record := g.records(1)[0]; record.Status != metering.StatusClientClosed || record.Basis != metering.BasisEstimated || record.Usage.OutputTotal == 0 {
		t.Errorf("beyond the number: %+v", record)
	}
	first.Open()
	measured := func(n int) {
		t.Helper()
		record := g.records(n)[n-1]
		if n == 2 {
			record = g.records(n)[0] // it began first
		}
		if record.Basis != metering.BasisMeasured {
			t.Errorf("within the number: basis %s", record.Basis)
		}
	}
	measured(2)
	untilDraining(t, 0)
	third := leave()
	untilDraining(t, 1)
	third.Open()
	measured(3)
	early := 0
	for _, seen := range g.provider.Requests() {
		if seen.ClosedEarly {
			early++
		}
	}
	if early != 1 {
		t.Errorf("%d answers were cut off at the provider, want 1", early)
	}
}

// What is drained still is a request under way, for the account and for the provider.
func TestADrainKeepsItsPlaceAndItsHold(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	if _, err := g.store.EditKey(testContext(t), g.keyID, func(key *store.LimitedKey) error { key.Rates.Concurrency = 1; return nil }); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the change to be noticed", func() bool {
		_, _, err := g.store.FindKey(testContext(t), auth.Hash{})
		value, _ := runtimes.LoadOrStore(g.address, nil)
		defer func() { _, _ = runtimes.Delete(g.address) }()
		principal, verifyErr := value.(*runtime).verifier.Verify(testContext(t), g.secret)
		return err != nil && verifyErr == nil && principal.Rates.Concurrency == 1
	})
	gate := g.halted(chatJSON.contentAt())
	call := g.startCall(chatJSON.path, chatJSON.body, bearer(g.secret))
	call.at(gate)
	call.leave()
	untilDraining(t, 1)
	if available, balance := g.available(), g.balance(); available >= balance {
		t.Errorf("%s can be held of a balance of %s", available, balance)
	}
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusTooManyRequests {
		t.Errorf("a second request beside the one that is drained: %d %s", got.status, got.body)
	}
	gate.Open()
	g.records(1)
	waitFor(t, "the place to be free", func() bool { return g.call(chatJSON.path, chatJSON.body).status == http.StatusOK })
}

// A reload takes nothing away from what is drained.
func TestADrainGoesOnThroughAReload(t *testing.T) {
	g := startDisconnecting(t, gatewayOptions{}, "on_disconnect drain")
	gate := g.halted(chatStream.contentAt())
	call := g.startCall(chatStream.path, chatStream.body, bearer(g.secret))
	call.readTo("his")
	call.leave()
	untilDraining(t, 1)
	g.config = strings.ReplaceAll(g.config, "on_disconnect drain", "on_disconnect cancel")
	g.load()
	gate.Open()
	if record := g.records(1)[0]; record.Basis != metering.BasisMeasured || record.Status != metering.StatusClientClosed {
		t.Errorf("record %+v", record)
	}
	if seen := g.endedRequest(1); seen.ClosedEarly {
		t.Error("the provider was left at the reload")
	}
}

// The provider sees at once that nobody wants its answer any more, over HTTP/1.1 as over
// HTTP/2, where only the stream ends.
func TestACancelledProviderIsLeftAtOnce(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2.0"} {
		t.Run(protocol, func(t *testing.T) {
			signer := newAuthority(t)
			other, err := simulator.Start("127.0.0.1:0", simulator.Options{Key: otherKey, Record: true},
				&tls.Config{Certificates: []tls.Certificate{signer.certify("127.0.0.1")}, NextProtos: map[string][]string{"HTTP/1.1": {"http/1.1"}, "HTTP/2.0": {"h2"}}[protocol]})
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = other.Close(testContext(t)) })
			g := startGateway(t, gatewayOptions{extra: `
				provider secure {
					dialect openai
					base_url ` + other.URL + `/v1
					api_key {file.` + keyFile(t, otherKey) + `}
					models secure-model
					on_disconnect cancel
				}
				model secure-model {
					to secure
					price input 1 output 1
				}`})
			trust(t, signer)
			body := strings.Replace(chatStream.body, "gpt-4.1-mini", "secure-model", 1)
			for i, at := range []int64{simulator.BeforeHeader, chatStream.contentAt()} {
				gate := simulator.NewGate()
				other.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: at, Gate: gate}}}})
				call := g.startCall(chatStream.path, body, bearer(g.secret))
				call.at(gate)
				if at > 0 {
					call.readTo("his")
				}
				left := time.Now()
				call.leave()
				seen, err := other.WaitEnded(testContext(t), i+1)
				if err != nil {
					t.Fatal(err)
				}
				// It takes a millisecond or two; what is far from any of our time-outs is enough.
				if took := time.Since(left); !seen[i].ClosedEarly || took > 2*time.Second || seen[i].Proto != protocol {
					t.Errorf("%s, left after %s, early %t", seen[i].Proto, took, seen[i].ClosedEarly)
				}
			}
			g.records(2)
		})
	}
}
