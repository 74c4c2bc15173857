package upstream

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/price"
)

// patternWorld has one key behind "router/*".
func patternWorld(t *testing.T) *world {
	w := newWorld(t, 1)
	router := house("router", ProviderOptions{Keys: keys(1)})
	w.catalogue = catalogue(t, []*Provider{router}, Alias{Name: "router/*", Targets: []Target{to(router, "*")}, Rates: someRates})
	w.selector = NewSelector(w.catalogue, w.health, SelectorOptions{})
	return w
}

func (w *world) begin(name string) (Call, error) {
	w.t.Helper()
	model, err := w.catalogue.Find(name)
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.selector.Plan(model, Request{})
	if err != nil {
		w.t.Fatal(err)
	}
	return plan.Begin(context.Background())
}

// apart is a name under the pattern that shares nothing with another one.
func (w *world) apart(other string) string {
	for i := 0; ; i++ {
		if name := fmt.Sprintf("b%d", i); w.health.partOf(name) != w.health.partOf(other) {
			return name
		}
	}
}

func TestANameUnderAPatternDoesNotShutTheOthers(t *testing.T) {
	w := patternWorld(t)
	call, err := w.begin("router/a")
	if err != nil {
		t.Fatal(err)
	}
	call.Done(Outcome{Result: RateLimited, Wait: time.Hour})
	if _, err := w.begin("router/a"); !errors.Is(err, ErrCoolingDown) {
		t.Errorf("the limited name: %v", err)
	}
	other, err := w.begin("router/" + w.apart("a"))
	if err != nil {
		t.Fatalf("another name under the pattern: %v", err)
	}
	other.Done(Outcome{Result: Succeeded})
	if len(w.events) != 1 || w.events[0].Model != "*" {
		t.Errorf("told of %+v", w.events)
	}
	// The next configuration knows of it, too.
	w.selector = NewSelector(w.catalogue, w.health, SelectorOptions{})
	if _, err := w.begin("router/a"); !errors.Is(err, ErrCoolingDown) {
		t.Errorf("the limited name in the next configuration: %v", err)
	}
}

// Whatever names callers make up, what is remembered and shown stays small, and has none
// of them.
func TestNamesUnderAPatternAreRememberedInBoundedNumber(t *testing.T) {
	w := patternWorld(t)
	for i := range 3 * patternParts {
		call, err := w.begin(fmt.Sprintf("router/made-up-%d", i))
		if errors.Is(err, ErrCoolingDown) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		limits := dialect.ProviderLimits{Requests: dialect.Allowance{Known: true, Limit: 10, Remaining: 1, Reset: w.now.Add(time.Duration(i) * time.Second)}}
		call.Done(Outcome{Result: RateLimited, Wait: time.Minute + time.Duration(i%7)*time.Second, Limits: limits})
	}
	if len(w.health.keyModels) > patternParts {
		t.Errorf("%d are remembered", len(w.health.keyModels))
	}
	view := w.health.View()
	if len(view.CoolDowns) != 1 || view.CoolDowns[0].Model != "*" || !view.CoolDowns[0].Until.Equal(w.now.Add(66*time.Second)) {
		t.Errorf("%+v", view.CoolDowns)
	}
	if len(view.Limits) != 1 || view.Limits[0].Model != "*" || !view.Limits[0].Requests.Reset.After(w.now.Add(patternParts*time.Second)) {
		t.Errorf("%+v", view.Limits)
	}
	for _, event := range w.events {
		if event.Model != "*" {
			t.Fatalf("told of %+v", event)
		}
	}
}

// One that cools down is shown before those that have recovered, however late these did.
func TestThePatternIsShownAsItsWorstName(t *testing.T) {
	w := patternWorld(t)
	fail := func(name string, wait time.Duration) {
		call, err := w.begin(name)
		if err != nil {
			t.Fatal(err)
		}
		call.Done(Outcome{Result: RateLimited, Wait: wait})
	}
	fail("router/a", time.Hour)
	other := "router/" + w.apart("a")
	fail(other, 30*time.Second)
	w.now = w.now.Add(time.Minute)
	call, err := w.begin(other)
	if err != nil {
		t.Fatal(err)
	}
	call.Done(Outcome{Result: Succeeded})
	if view := w.health.View(); len(view.CoolDowns) != 1 || view.CoolDowns[0].Recovered || !view.CoolDowns[0].Until.Equal(noon.Add(time.Hour)) {
		t.Errorf("%+v", view.CoolDowns)
	}
}

// A name of the price book is known by itself, under a pattern as well.
func TestKnownNamesUnderAPatternKeepTheirOwnHealth(t *testing.T) {
	w := newWorld(t, 1)
	openai := provider(t, "openai", dialect.OpenAI, "s")
	var err error
	if w.catalogue, err = NewCatalogue(price.Embedded(), []*Provider{openai}, []Alias{{Name: "gpt-*", Targets: []Target{to(openai, "gpt-*")}}}); err != nil {
		t.Fatal(err)
	}
	w.selector = NewSelector(w.catalogue, w.health, SelectorOptions{})
	call, err := w.begin("gpt-4o")
	if err != nil {
		t.Fatal(err)
	}
	call.Done(Outcome{Result: RateLimited, Wait: time.Hour})
	if len(w.events) != 1 || w.events[0].Model != "gpt-4o" {
		t.Errorf("%+v", w.events)
	}
	if _, err := w.begin("gpt-4.1"); err != nil {
		t.Error(err)
	}
}
