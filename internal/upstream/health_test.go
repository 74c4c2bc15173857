package upstream

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

func TestRefusedKeysAreTakenOutAndReported(t *testing.T) {
	w := newWorld(t, 1)
	one := house("one", ProviderOptions{Keys: keys(2)})
	w.configure(SelectorOptions{}, []Target{to(one, "x")})
	refuseFirst := func(a Attempt) Outcome {
		if a.Credential.String() == "key 1" {
			return Outcome{Result: Refused}
		}
		return Outcome{Result: Succeeded}
	}
	refused := 0
	for range 1000 {
		asked, err := w.ask(Request{}, refuseFirst)
		if err != nil {
			t.Fatal(err)
		}
		refused += len(asked) - 1
		w.now = w.now.Add(50 * time.Millisecond) // 50 s in all: less than the first cool-down
	}
	if refused != 1 {
		t.Errorf("the refused key was asked %d times", refused)
	}
	if len(w.events) != 1 || w.events[0].Change != KeyRefused || w.events[0].Provider != "one" || w.events[0].Key != "key 1" || w.events[0].Model != "" {
		t.Errorf("reported: %+v", w.events)
	}
	view := w.health.View()
	if len(view.Keys) != 2 || !view.Keys[0].Refused || view.Keys[0].Result != Refused || view.Keys[1].Refused || len(view.CoolDowns) != 0 {
		t.Errorf("view: %+v", view)
	}
	// Loading the configuration again, also in another order, tries the key once.
	again := house("one", ProviderOptions{Keys: []KeyOptions{keys(2)[1], keys(2)[0]}})
	w.configure(SelectorOptions{}, []Target{to(again, "x")})
	refused = 0
	for range 200 {
		asked, _ := w.ask(Request{}, func(a Attempt) Outcome {
			if a.Credential.Secret() == "secret-0" {
				return Outcome{Result: Refused}
			}
			return Outcome{Result: Succeeded}
		})
		refused += len(asked) - 1
	}
	if refused != 1 || w.events[len(w.events)-1].Key != "key 2" {
		t.Errorf("asked %d times after a new configuration; reported %+v", refused, w.events)
	}
	// And long after, once; this time it is well.
	w.now = w.now.Add(time.Hour)
	for range 100 {
		if _, err := w.ask(Request{}, always(Succeeded)); err != nil {
			t.Fatal(err)
		}
	}
	if last := w.events[len(w.events)-1]; last.Change != Recovered || last.Key != "key 2" {
		t.Errorf("reported %+v", last)
	}
}

func TestAllKeysRefused(t *testing.T) {
	for _, result := range []Result{Refused, NoCredit} {
		w := newWorld(t, 1)
		w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(3)}), "x")})
		// A refusal can be the provider's error: while it is young, and nobody else is
		// left, it is asked again.
		for range 2 {
			if asked, err := w.ask(Request{}, always(result)); len(asked) != 3 || !errors.Is(err, ErrExhausted) {
				t.Errorf("%v: %q, %v", result, asked, err)
			}
		}
		// The tries at the end of the first cool-downs fail as well.
		w.now = w.now.Add(2 * time.Minute)
		if asked, err := w.ask(Request{}, always(result)); len(asked) != 3 || !errors.Is(err, ErrExhausted) {
			t.Errorf("%v: %q, %v", result, asked, err)
		}
		var unavailable *UnavailableError
		if asked, err := w.ask(Request{}, always(Succeeded)); len(asked) != 0 || !errors.Is(err, ErrKeysRefused) || !errors.As(err, &unavailable) || unavailable.RetryAfter != 0 {
			t.Errorf("%v: %q, %v", result, asked, err)
		}
		w.health.Forget()
		if asked, err := w.ask(Request{}, always(Succeeded)); len(asked) != 1 || err != nil || len(w.health.View().CoolDowns) != 0 {
			t.Errorf("%v: %q, %v", result, asked, err)
		}
	}
}

func TestRateLimitsCoolDownTheKeyForTheModelOnly(t *testing.T) {
	w := newWorld(t, 1)
	one := house("one", ProviderOptions{Keys: keys(2)})
	w.configure(SelectorOptions{}, []Target{to(one, "x")}, []Target{to(one, "y")})
	limitFirst := func(a Attempt) Outcome {
		if a.Credential.String() == "key 1" && a.Model == "x" {
			return Outcome{Result: RateLimited, Wait: 90 * time.Second}
		}
		return Outcome{Result: Succeeded}
	}
	limited := 0
	for range 89 {
		asked, err := w.ask(Request{}, limitFirst)
		if err != nil || !strings.HasPrefix(asked[len(asked)-1], "one/x") {
			t.Fatal(asked, err)
		}
		limited += len(asked) - 1
		w.now = w.now.Add(time.Second)
	}
	if limited != 1 {
		t.Errorf("asked %d times within the wait", limited)
	}
	// Both limited: who calls is told when it is over.
	w.now = w.now.Add(time.Hour)
	if asked, _ := w.ask(Request{}, func(a Attempt) Outcome { return Outcome{Result: RateLimited, Wait: 40 * time.Second} }); len(asked) != 4 {
		t.Fatalf("%q", asked)
	}
	w.now = w.now.Add(10 * time.Second)
	var unavailable *UnavailableError
	asked, err := w.ask(Request{}, always(Succeeded))
	if len(asked) != 0 || !errors.As(err, &unavailable) || !errors.Is(err, ErrCoolingDown) || unavailable.RetryAfter < 30*time.Second || unavailable.RetryAfter > 40*time.Second {
		t.Errorf("%q, %v", asked, err)
	}
	// What is said of a day is believed for an hour.
	w.now = w.now.Add(time.Hour)
	_, _ = w.ask(Request{}, func(a Attempt) Outcome { return Outcome{Result: RateLimited, Wait: 24 * time.Hour} })
	w.now = w.now.Add(76 * time.Minute)
	if asked, err := w.ask(Request{}, always(Succeeded)); err != nil {
		t.Errorf("%q, %v", asked, err)
	}
}

func TestErrorsOfASingleKeyDoNotTurnCallersAwayAtOnce(t *testing.T) {
	w := newWorld(t, 1)
	w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(1)}), "x")})
	began := w.now
	turnedAway := time.Duration(0)
	for ; w.now.Before(began.Add(10 * time.Minute)); w.now = w.now.Add(100 * time.Millisecond) {
		if asked, _ := w.ask(Request{}, always(Failed)); len(asked) == 0 && turnedAway == 0 {
			turnedAway = w.now.Sub(began)
		}
	}
	if turnedAway < 10*time.Second || turnedAway > time.Minute {
		t.Errorf("turned away after %v of errors", turnedAway)
	}
	// A rate limit without a word of when is no reason either: a request can be longer
	// than the limit of a minute by itself.
	w = newWorld(t, 1)
	w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(1)}), "x")})
	_, _ = w.ask(Request{}, always(RateLimited))
	if _, err := w.ask(Request{}, always(Succeeded)); err != nil {
		t.Error(err)
	}
}

func TestCallersCannotSpoilAModelWithMadeUpNames(t *testing.T) {
	w := newWorld(t, 1)
	openai := provider(t, "openai", dialect.OpenAI, "s")
	w.catalogue = catalogue(t, []*Provider{openai})
	w.selector = NewSelector(w.catalogue, w.health, SelectorOptions{})
	call := func(name string, result Result) error {
		model, err := w.catalogue.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		plan, err := w.selector.Plan(model, Request{})
		if err != nil {
			t.Fatal(err)
		}
		call, err := plan.Begin(context.Background())
		call.Done(Outcome{Result: result})
		return err
	}
	for range 100 {
		_ = call("gpt-4o-2031-01-01", ModelMissing)
	}
	if len(w.events) != 0 {
		t.Errorf("%+v", w.events)
	}
	for range 3 {
		_ = call("gpt-4o", ModelMissing)
	}
	if len(w.events) != 1 || w.events[0].Model != "gpt-4o" {
		t.Errorf("%+v", w.events)
	}
	// What the operator has written down counts, whatever its name.
	w.catalogue = catalogue(t, []*Provider{openai}, Alias{Name: "mine", Targets: []Target{to(openai, "gpt-4.1-2031-01-01")}})
	w.selector = NewSelector(w.catalogue, w.health, SelectorOptions{})
	for range 3 {
		_ = call("mine", ModelMissing)
	}
	if len(w.events) != 2 || w.events[1].Model != "gpt-4.1" {
		t.Errorf("%+v", w.events)
	}
}

func TestHealthOutlivesConfigurations(t *testing.T) {
	w := newWorld(t, 1)
	configure := func(n int) {
		w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(n)}), "x")})
	}
	configure(2)
	first := func(a Attempt) Outcome {
		if a.Credential.Secret() == "secret-0" {
			return Outcome{Result: TimedOut}
		}
		return Outcome{Result: Succeeded}
	}
	for range 50 {
		_, _ = w.ask(Request{}, first)
	}
	plan := w.plan(Request{}) // of the old configuration, still running
	old, err := plan.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	configure(3)
	for range 50 {
		if asked, _ := w.ask(Request{}, first); len(asked) > 1 {
			t.Fatalf("asked the key that cools down: %q", asked)
		}
	}
	if view := w.health.View(); len(view.CoolDowns) != 1 || view.CoolDowns[0].Key != "key 1" || view.CoolDowns[0].Model != "x" || view.Keys[1].Running != 1 {
		t.Errorf("%+v", view)
	}
	old.Done(Outcome{Result: Succeeded})
	if view := w.health.View(); view.Keys[1].Running != 0 {
		t.Errorf("%+v", view)
	}
}

func TestMemoryOfHealthIsBounded(t *testing.T) {
	w := newWorld(t, 1)
	for i := range 3 * maxKeys / 64 {
		var list []KeyOptions
		for j := range 64 {
			list = append(list, KeyOptions{Secret: fmt.Sprintf("secret-%d-%d", i, j)})
		}
		w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: list}), "x")})
		_, _ = w.ask(Request{}, always(Failed))
	}
	if len(w.health.keys) > maxKeys+64 || len(w.health.keyModels) > maxKeys+64 {
		t.Errorf("%d keys and %d keys' models are remembered", len(w.health.keys), len(w.health.keyModels))
	}
}
