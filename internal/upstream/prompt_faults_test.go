package upstream

import (
	"errors"
	"slices"
	"testing"
	"time"
)

// What a provider refuses a prompt for, one caller can bring about at will.
var promptFaults = []Result{Forbidden, RateLimited, LowCredit}

func TestPromptsThatAreRefusedDoNotShutAModelForOthers(t *testing.T) {
	for _, result := range promptFaults {
		w := newWorld(t, 1)
		w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(1)}), "x")})
		for range 3 {
			_, _ = w.ask(Request{}, always(result))
		}
		for i := range 20 {
			if asked, err := w.ask(Request{}, always(Succeeded)); err != nil {
				t.Fatalf("%v: a good request after %d bad ones: %q, %v", result, i, asked, err)
			}
			_, _ = w.ask(Request{}, always(result))
		}
		// Nor do many at once, nor for long.
		for range 1000 {
			_, _ = w.ask(Request{}, always(result))
			w.now = w.now.Add(time.Second)
		}
		if asked, err := w.ask(Request{}, always(Succeeded)); err != nil {
			t.Errorf("%v: a good request after many bad ones: %q, %v", result, asked, err)
		}
	}
}

func TestARecoveryIsNotEndedByOneRefusedPrompt(t *testing.T) {
	var c circuit
	trip(&c, second(0), Forbidden, 0)
	for range 4 {
		c.succeed(second(0), second(0))
		c.fail(second(0), second(0), Forbidden, 0, 0)
	}
	if standing, _ := c.at(second(0)); standing != open || c.coolDowns.Load() != 1 {
		t.Errorf("standing %d after %d cool-downs", standing, c.coolDowns.Load())
	}
	// Three in a row do, as ever, and so does one error of the provider's own.
	c.succeed(second(0), second(0))
	for range 3 {
		c.fail(second(0), second(0), Forbidden, 0, 0)
	}
	if c.coolDowns.Load() != 2 || c.until.Load() <= second(0) {
		t.Errorf("after three in a row: %d cool-downs", c.coolDowns.Load())
	}
	c.succeed(second(0), second(0))
	if _, coolsDown := c.fail(second(0), second(0), Failed, 0, 0); !coolsDown {
		t.Error("an error while it recovers began no cool-down")
	}
}

// However often prompts were refused: an error of the provider's is then no worse than else.
func TestRefusedPromptsDoNotCountAsOutages(t *testing.T) {
	for _, result := range promptFaults {
		var c circuit
		at := second(0)
		for range 20 {
			at = trip(&c, at, result, 0)
		}
		trip(&c, at, Failed, 0)
		if standing, _ := c.at(at); standing != cooling {
			t.Errorf("%v, then an error: standing %d", result, standing)
		}
	}
}

// What the provider says of when holds, also if it says so after we have guessed.
func TestTheProvidersWordIsNoGuess(t *testing.T) {
	w := newWorld(t, 1)
	w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(1)}), "x")})
	_, _ = w.ask(Request{}, always(RateLimited))
	if asked, _ := w.ask(Request{}, func(Attempt) Outcome { return Outcome{Result: RateLimited, Wait: time.Minute} }); len(asked) != 1 {
		t.Fatalf("%q", asked)
	}
	var unavailable *UnavailableError
	if asked, err := w.ask(Request{}, always(Succeeded)); !errors.As(err, &unavailable) || unavailable.RetryAfter != time.Minute {
		t.Errorf("%q, %v", asked, err)
	}
}

func TestTooLittleCreditForOneRequestIsNoMatterOfTheKey(t *testing.T) {
	w := newWorld(t, 1)
	one := house("one", ProviderOptions{Keys: keys(1)})
	w.configure(SelectorOptions{}, []Target{to(one, "dear")}, []Target{to(one, "cheap")})
	asked, err := w.ask(Request{}, func(a Attempt) Outcome {
		if a.Model == "dear" {
			return Outcome{Result: LowCredit}
		}
		return Outcome{Result: Succeeded}
	})
	if err != nil || !slices.Equal(asked, []string{"one/dear key 1", "one/cheap key 1"}) {
		t.Errorf("%q, %v", asked, err)
	}
	if view := w.health.View(); view.Keys[0].Refused {
		t.Errorf("%+v", view.Keys)
	}
	// The operator is told, once for many of them.
	for range 10 {
		_, _ = w.ask(Request{}, always(LowCredit))
	}
	told := 0
	for _, event := range w.events {
		if event.Model == "dear" && event.Change == CoolDown && event.Result == LowCredit && event.Key == "key 1" {
			told++
		}
	}
	if told != 1 {
		t.Errorf("told %d times: %+v", told, w.events)
	}
}
