package upstream

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
)

func TestTargetsOfAPlan(t *testing.T) {
	first, second, third := house("first", ProviderOptions{Keys: keys(2)}), house("second", ProviderOptions{Keys: keys(1)}), house("third", ProviderOptions{Keys: keys(1)})
	c := catalogue(t, []*Provider{first, second, third}, Alias{
		Name: "m", Rates: someRates, Limits: Limits{ContextLength: 5000},
		Tiers: [][]Target{{to(first, "a"), to(second, "a")}, {to(third, "b"), to(first, "b")}},
	})
	model, err := c.Find("m")
	if err != nil {
		t.Fatal(err)
	}
	selector := NewSelector(c, NewHealth(HealthOptions{}), SelectorOptions{})
	planned := func(request Request) *Plan {
		t.Helper()
		request.Dialect = dialect.OpenAI
		plan, err := selector.Plan(model, request)
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	names := func(plan *Plan) []string {
		var names []string
		for _, attempt := range plan.Targets() {
			if attempt.Limits.ContextLength != 5000 || attempt.Dialect != dialect.OpenAI || attempt.Credential.key != nil {
				t.Errorf("attempt %+v", attempt)
			}
			names = append(names, attempt.Provider.Name+"/"+attempt.Model)
		}
		return names
	}
	if got, want := names(planned(Request{})), []string{"first/a", "second/a", "third/b", "first/b"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	preferring := preferences.Providers{Order: []string{"third", "second"}, Ignore: []string{"first"}}
	if got, want := names(planned(Request{Preferences: preferring})), []string{"third/b", "second/a"}; !slices.Equal(got, want) {
		t.Errorf("with preferences: %q, want %q", got, want)
	}

	plan := planned(Request{})
	plan.LeaveOut(plan.Targets()[0])
	if got, want := names(plan), []string{"second/a", "third/b", "first/b"}; !slices.Equal(got, want) {
		t.Errorf("first/a left out: %q, want %q", got, want)
	}
	call, err := plan.Begin(context.Background())
	if err != nil || call.Provider != second || call.Limits.ContextLength != 5000 {
		t.Errorf("%+v, %v", call, err)
	}
	call.Done(Outcome{})
	for _, attempt := range plan.Targets() {
		plan.LeaveOut(attempt)
	}
	if _, err := plan.Begin(context.Background()); !errors.Is(err, ErrExhausted) || len(plan.Targets()) != 0 {
		t.Errorf("with all left out: %v, %q", err, names(plan))
	}
}

// Who is turned away is told what the first of those that can be asked again is left
// alone for.
func TestTheCauseOfACoolDown(t *testing.T) {
	first, second := house("first", ProviderOptions{Keys: keys(1)}), house("second", ProviderOptions{Keys: keys(1)})
	c := catalogue(t, []*Provider{first, second}, Alias{Name: "m", Rates: someRates, Targets: []Target{to(first, "a"), to(second, "a")}})
	model, err := c.Find("m")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		waits [2]time.Duration
		cause Result
	}{
		{[2]time.Duration{20 * time.Second, 40 * time.Second}, RateLimited},
		{[2]time.Duration{40 * time.Second, 20 * time.Second}, Overloaded},
	} {
		selector := NewSelector(c, NewHealth(HealthOptions{Now: func() time.Time { return noon }}), SelectorOptions{})
		plan, err := selector.Plan(model, Request{Dialect: dialect.OpenAI})
		if err != nil {
			t.Fatal(err)
		}
		for i, result := range []Result{RateLimited, Overloaded} {
			call, err := plan.Begin(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			call.Done(Outcome{Result: result, Wait: row.waits[i]})
		}
		if plan, err = selector.Plan(model, Request{Dialect: dialect.OpenAI}); err != nil {
			t.Fatal(err)
		}
		_, err = plan.Begin(context.Background())
		var unavailable *UnavailableError
		if !errors.As(err, &unavailable) || unavailable.Cause != row.cause || unavailable.RetryAfter != 20*time.Second {
			t.Errorf("%v: %+v", row.waits, err)
		}
	}
}
