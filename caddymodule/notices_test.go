package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

const allEvents = `events {
		on balance_low faregate_test
		on key_locked faregate_test
		on provider_down faregate_test
		on provider_up faregate_test
		on shortfall faregate_test
		on spend_anomaly faregate_test
	}
	`

// eventNamed waits for the one event that shall come.
func eventNamed(t *testing.T, name string) map[string]any {
	t.Helper()
	var events []map[string]any
	waitFor(t, "the event "+name, func() bool {
		events = append(events, takeEvents()...)
		return len(events) > 0
	})
	if len(events) != 1 || events[0]["name"] != name {
		t.Fatalf("events %v, want one %s", events, name)
	}
	return events[0]
}

// A balance that becomes low is told once, until it has been enough again.
func TestALowBalanceIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: allEvents, extra: "balance_low 9.99999"})
	takeEvents()
	call := func() {
		t.Helper()
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
			t.Fatalf("%d %s", got.status, got.body)
		}
	}
	call()
	event := eventNamed(t, eventBalanceLow)
	if event["account_id"] != g.account || event["balance"] != g.balance().String() || event["threshold"] != "9.99999" || len(event) != 4 {
		t.Errorf("event %v", event)
	}
	spending := g.theRuntime().spending
	look := func() {
		spending.mutex.Lock()
		account, ok := spending.accounts.Peek(g.account)
		if ok {
			spending.lookAt(g.account, account)
		}
		spending.mutex.Unlock()
		spending.look(t.Context())
	}
	call()
	look()
	if events := takeEvents(); len(events) != 0 {
		t.Errorf("told again: %v", events)
	}
	// The server notices a deposit and a refund by itself.
	g.deposit("1", "more")
	waitFor(t, "the deposit to be looked at", func() bool {
		spending.mutex.Lock()
		defer spending.mutex.Unlock()
		account, _ := spending.accounts.Peek(g.account)
		return account.standing == standingEnough
	})
	// Its credit is granted to the gateway, which is asked to give it back.
	if err := store.UntilFree(t.Context(), 5*time.Second, func() error {
		_, err := g.store.Refund(t.Context(), store.Refund{AccountID: g.account, Amount: 2 * metering.Dollar, Ref: "back", Actor: "test", At: time.Now()})
		return err
	}); err != nil {
		t.Fatal(err)
	}
	call()
	if event := eventNamed(t, eventBalanceLow); !strings.HasPrefix(event["balance"].(string), "8.99") {
		t.Errorf("event %v", event)
	}
}

// Wrong keys that lock an address are told of without the address and the keys.
func TestALockIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: allEvents})
	takeEvents()
	wrong := newSecret(t)
	for range 11 {
		g.callWith("/v1/models", "", bearer(wrong))
	}
	event := eventNamed(t, eventKeyLocked)
	if event["locks"] != int64(1) || event["longest"] != "10s" || len(event) != 3 {
		t.Errorf("event %v", event)
	}
	if lines := g.logged("client addresses are locked"); len(lines) != 1 || lines[0]["locks"] != 1.0 {
		t.Errorf("log %v", lines)
	}
	if text, err := json.Marshal(event); err != nil || strings.Contains(string(text), "127.0.0.1") || strings.Contains(string(text), wrong) {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAProviderThatFailsIsTold(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: allEvents})
	forward := g.steppedHealth()
	takeEvents()
	g.provider.Add(simulator.Step{Response: simulator.Response{Status: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {"20"}}}})
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusTooManyRequests {
		t.Fatalf("%d %s", got.status, got.body)
	}
	event := eventNamed(t, eventProviderDown)
	until, err := time.Parse(time.RFC3339, event["until"].(string))
	if wait := time.Until(until); err != nil || wait < 15*time.Second || wait > 25*time.Second || event["provider"] != "openai" || event["reason"] != "rate_limited" || len(event) != 6 {
		t.Errorf("event %v, %v", event, err)
	}
	mustCool := func(want int64) {
		t.Helper()
		standing := standingOf(g.theRuntime().health.View())
		if len(standing) != 3 {
			t.Errorf("%d providers", len(standing))
		}
		for name, got := range standing {
			expected := providerStanding{}
			if name == "openai" {
				expected.coolDowns = want
			}
			if got != expected {
				t.Errorf("%s: %+v, want %+v", name, got, expected)
			}
		}
	}
	mustCool(1)
	forward(21 * time.Second)
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if event := eventNamed(t, eventProviderUp); event["provider"] != "openai" {
		t.Errorf("event %v", event)
	}
	mustCool(0)
}

// A handler that takes its time holds up no answer, and no memory beyond a bound.
func TestASlowHandlerDelaysNoAnswer(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0.01", global: allEvents})
	takeEvents()
	held := make(chan struct{})
	hold := func(on chan struct{}) {
		keptEvents.Lock()
		keptEvents.held = on
		keptEvents.Unlock()
	}
	hold(held)
	defer hold(nil)
	g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{Usage: &simulator.Usage{Input: 9, Output: 1_000_000}}}})
	if got := g.call(chatJSON.path, shortChat); got.status != http.StatusOK || got.err != nil {
		t.Fatalf("%d %v %s", got.status, got.err, got.body)
	}
	if g.records(1)[0].Shortfall == 0 {
		t.Fatal("nothing to tell of")
	}
	notices := g.theRuntime().notices
	for range 2 * noticesKept {
		notices.tell(eventProviderUp, map[string]any{"provider": "openai"})
	}
	if dropped := notices.dropped.Load(); dropped < noticesKept-1 || dropped > noticesKept {
		t.Errorf("%d were dropped", dropped)
	}
	if events := takeEvents(); len(events) != 0 {
		t.Errorf("told of %v", events)
	}
	close(held)
	var events []map[string]any
	waitFor(t, "what waited to be told", func() bool {
		events = append(events, takeEvents()...)
		return len(events) >= noticesKept
	})
	if events[0]["name"] != eventShortfall {
		t.Errorf("first %v", events[0])
	}
}

// A handler that never returns does not keep the gateway from stopping.
func TestAStopDoesNotWaitForAHandler(t *testing.T) {
	notices := newNotices(zap.NewNop)
	held := make(chan struct{})
	defer close(held)
	go func() { <-held; close(notices.ended) }()
	began := time.Now()
	notices.await()
	if took := time.Since(began); took < noticePatience || took > 5*noticePatience {
		t.Errorf("waited %s", took)
	}
}

// While a new configuration may yet fail, the one before must not be forgotten.
func TestTheConfigurationBeforeListensAgain(t *testing.T) {
	g := startGateway(t, gatewayOptions{global: allEvents, extra: "balance_low 1"})
	rt, first := g.theRuntime(), g.theApp()
	second, leave := g.beside(strings.Replace(g.config, "balance_low 1", "balance_low 2", 1))
	if err := second.begin(); err != nil {
		t.Fatal(err)
	}
	if rt.notices.app.Load() != second || rt.spending.watching.Load().low != 2*metering.Dollar {
		t.Error("the new configuration is not listened to")
	}
	leave()
	if rt.notices.app.Load() != first || rt.spending.watching.Load().low != metering.Dollar {
		t.Error("the one before is forgotten")
	}
	takeEvents()
	rt.notices.tell(eventProviderUp, map[string]any{"provider": "openai"})
	eventNamed(t, eventProviderUp)
	// A reload goes over to the new one.
	g.load()
	if rt.notices.app.Load() != g.theApp() || rt.notices.app.Load() == first {
		t.Error("after a reload the old configuration is told")
	}
}
