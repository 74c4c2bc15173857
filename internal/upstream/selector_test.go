package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/price"
)

// world is a gateway's selection under a clock and a dice of the test's own.
type world struct {
	t      testing.TB
	now    time.Time
	dice   *rand.Rand
	events []Event
	health *Health

	catalogue *Catalogue
	selector  *Selector
}

func newWorld(t testing.TB, seed uint64) *world {
	w := &world{t: t, now: noon, dice: rand.New(rand.NewPCG(seed, 1))}
	w.health = NewHealth(HealthOptions{
		Now: func() time.Time { return w.now }, Random: w.dice.Uint64, Observe: func(e Event) { w.events = append(w.events, e) },
	})
	return w
}

// house makes a provider of OpenAI's dialect.
func house(name string, options ProviderOptions) *Provider {
	options.Name = name
	if options.Dialects == nil {
		options.Dialects = []dialect.Dialect{dialect.OpenAI}
	}
	options.BaseURL = &url.URL{Scheme: "https", Host: name + ".example", Path: "/v1"}
	return NewProvider(options)
}

func keys(n int) []KeyOptions {
	var list []KeyOptions
	for i := range n {
		list = append(list, KeyOptions{Secret: fmt.Sprintf("secret-%d", i)})
	}
	return list
}

var someRates = func() *price.Rates {
	rates, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "1", "output": "2"}})
	if err != nil {
		panic(err)
	}
	return rates
}()

// configure loads a configuration with a model "m" of these tiers.
func (w *world) configure(options SelectorOptions, tiers ...[]Target) {
	w.t.Helper()
	var providers []*Provider
	for _, tier := range tiers {
		for _, target := range tier {
			if !slices.Contains(providers, target.Provider) {
				providers = append(providers, target.Provider)
			}
		}
	}
	var err error
	if w.catalogue, err = NewCatalogue(price.Embedded(), providers, []Alias{{Name: "m", Tiers: tiers, Rates: someRates}}); err != nil {
		w.t.Fatal(err)
	}
	w.selector = NewSelector(w.catalogue, w.health, options)
}

func (w *world) plan(request Request) *Plan {
	w.t.Helper()
	model, err := w.catalogue.Find("m")
	if err != nil {
		w.t.Fatal(err)
	}
	plan, err := w.selector.Plan(model, request)
	if err != nil {
		w.t.Fatal(err)
	}
	return plan
}

// ask makes attempts until one does not fail, and describes them.
func (w *world) ask(request Request, answer func(Attempt) Outcome) (asked []string, err error) {
	w.t.Helper()
	plan := w.plan(request)
	for {
		call, err := plan.Begin(context.Background())
		if err != nil {
			return asked, err
		}
		asked = append(asked, fmt.Sprintf("%s/%s %v", call.Provider.Name, call.Model, call.Credential))
		outcome := answer(call.Attempt)
		call.Done(outcome)
		if outcome.Result == Succeeded {
			return asked, nil
		}
	}
}

func always(result Result) func(Attempt) Outcome {
	return func(Attempt) Outcome { return Outcome{Result: result} }
}

func to(provider *Provider, model string) Target { return Target{Provider: provider, Model: model} }

func TestTiersAreAskedInOrderAndNobodyTwice(t *testing.T) {
	a, b, c := house("a", ProviderOptions{Keys: keys(2)}), house("b", ProviderOptions{Keys: keys(1)}), house("c", ProviderOptions{Keys: keys(1)})
	for name, row := range map[string]struct {
		tiers  [][]Target
		result Result
		want   []string // sorted within the tier
	}{
		"all of a tier, then the next":                                 {[][]Target{{to(a, "x")}, {to(b, "y"), to(c, "z")}}, Failed, []string{"a/x key 1", "a/x key 2", "b/y key 1", "c/z key 1"}},
		"another model of the same key, if it is no matter of the key": {[][]Target{{to(b, "x")}, {to(b, "y")}}, Overloaded, []string{"b/x key 1", "b/y key 1"}},
		"but not of a refused one":                                     {[][]Target{{to(b, "x")}, {to(b, "y")}}, Refused, []string{"b/x key 1"}},
		"not one without credit":                                       {[][]Target{{to(b, "x")}, {to(b, "y")}}, NoCredit, []string{"b/x key 1"}},
		"not under the same name":                                      {[][]Target{{to(b, "x")}, {to(b, "x")}}, Failed, []string{"b/x key 1"}},
		"nor in the same tier":                                         {[][]Target{{to(b, "x"), to(b, "x")}}, Failed, []string{"b/x key 1"}},
	} {
		w := newWorld(t, 1)
		w.configure(SelectorOptions{}, row.tiers...)
		asked, err := w.ask(Request{}, always(row.result))
		slices.Sort(asked)
		if !slices.Equal(asked, row.want) || !errors.Is(err, ErrExhausted) {
			t.Errorf("%s: %q, %v; want %q", name, asked, err, row.want)
		}
	}
}

func TestAnUnreachableAddressIsAskedOnceMoreAtLast(t *testing.T) {
	w := newWorld(t, 1)
	down := house("down", ProviderOptions{Keys: keys(4)})
	w.configure(SelectorOptions{}, []Target{to(down, "x")}, []Target{to(house("other", ProviderOptions{Keys: keys(1)}), "x")})
	asked, err := w.ask(Request{}, func(a Attempt) Outcome {
		if a.Provider == down {
			return Outcome{Result: Unreachable}
		}
		return Outcome{Result: Failed}
	})
	if len(asked) != 3 || !errors.Is(err, ErrExhausted) || !strings.HasPrefix(asked[0], "down/") || asked[1] != "other/x key 1" || !strings.HasPrefix(asked[2], "down/") || asked[2] == asked[0] {
		t.Errorf("%q, %v", asked, err)
	}
	if view := w.health.View(); len(view.CoolDowns) != 1 || view.CoolDowns[0].Provider != "down" || view.CoolDowns[0].Key != "" || view.CoolDowns[0].Result != Unreachable {
		t.Errorf("%+v", view.CoolDowns)
	}
	// The others' requests go elsewhere, and come back when it is over.
	if asked, err := w.ask(Request{}, always(Succeeded)); err != nil || asked[0] != "other/x key 1" {
		t.Errorf("%q, %v", asked, err)
	}
	w.now = w.now.Add(2 * time.Second)
	if asked, err := w.ask(Request{}, always(Succeeded)); err != nil || !strings.HasPrefix(asked[0], "down/") {
		t.Errorf("%q, %v", asked, err)
	}
}

// A try that tells nothing does not keep others from trying.
func TestTriesThatTellNothing(t *testing.T) {
	for _, tells := range []Result{Abandoned, CallersFault} {
		w := newWorld(t, 1)
		w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(1)}), "x")})
		_, _ = w.ask(Request{}, func(Attempt) Outcome { return Outcome{Result: RateLimited, Wait: time.Minute} })
		w.now = w.now.Add(2 * time.Minute)
		for range 3 {
			plan := w.plan(Request{})
			call, err := plan.Begin(context.Background())
			if err != nil {
				t.Fatalf("%v: %v", tells, err)
			}
			other := w.plan(Request{})
			if _, err := other.Begin(context.Background()); !errors.Is(err, ErrCoolingDown) {
				t.Errorf("%v: a second try at once: %v", tells, err)
			}
			call.Done(Outcome{Result: tells})
		}
		if len(w.events) != 1 {
			t.Errorf("%v changed %+v", tells, w.events)
		}
	}
}

// A long answer ends the cool-down as it begins, and again if it breaks off often.
func TestAnAnswerThatBeginsIsATryThatSucceeded(t *testing.T) {
	w := newWorld(t, 1)
	w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(1)}), "x")})
	_, _ = w.ask(Request{}, func(Attempt) Outcome { return Outcome{Result: RateLimited, Wait: time.Minute} })
	w.now = w.now.Add(2 * time.Minute)
	plan := w.plan(Request{})
	call, err := plan.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	call.Answered(dialect.ProviderLimits{})
	if asked, err := w.ask(Request{}, always(Succeeded)); err != nil || len(asked) != 1 {
		t.Errorf("%q, %v while the first answer runs", asked, err)
	}
	call.Done(Outcome{Result: Failed})
	if last := w.events[len(w.events)-1]; last.Change != CoolDown || last.Result != Failed {
		t.Errorf("%+v", w.events)
	}
}

func TestWhoIsLeftOut(t *testing.T) {
	zdr := house("zdr", ProviderOptions{Keys: keys(1), DataPolicy: preferences.DataPolicyZDR})
	careful := house("careful", ProviderOptions{Keys: keys(1), DataPolicy: preferences.DataPolicyNoTraining})
	stated := house("stated", ProviderOptions{Keys: keys(1), DataPolicy: preferences.DataPolicyRetains})
	unknown := house("unknown", ProviderOptions{Keys: keys(1)})
	other := house("other", ProviderOptions{Keys: keys(1), Dialects: []dialect.Dialect{dialect.Anthropic}})
	w := newWorld(t, 1)
	lacking := to(unknown, "x")
	lacking.Lacks = CapabilityTools
	w.configure(SelectorOptions{}, []Target{lacking}, []Target{to(stated, "x")}, []Target{to(careful, "x")}, []Target{to(zdr, "x")}, []Target{to(other, "x")})
	model, _ := w.catalogue.Find("m")
	for name, row := range map[string]struct {
		request Request
		want    string
		err     error
	}{
		"nobody":                {Request{}, "unknown stated careful zdr", nil},
		"stated":                {Request{DataPolicy: preferences.DataPolicyRetains}, "stated careful zdr", nil},
		"no training":           {Request{DataPolicy: preferences.DataPolicyNoTraining}, "careful zdr", nil},
		"zdr":                   {Request{DataPolicy: preferences.DataPolicyZDR}, "zdr", nil},
		"the caller's zdr":      {Request{DataPolicy: preferences.DataPolicyRetains, Preferences: preferences.Providers{DataPolicy: preferences.DataPolicyZDR}}, "zdr", nil},
		"callers relax nothing": {Request{DataPolicy: preferences.DataPolicyZDR, Preferences: preferences.Providers{DataPolicy: preferences.DataPolicyRetains}}, "zdr", nil},
		"refuse, never relax":   {Request{DataPolicy: preferences.DataPolicyZDR, Preferences: preferences.Providers{Only: []string{"careful"}}}, "", ErrExcluded},
		"no policy in dialect":  {Request{Dialect: dialect.Anthropic, DataPolicy: preferences.DataPolicyRetains}, "", ErrDataPolicy},
		"other dialect":         {Request{Dialect: dialect.Anthropic}, "other", nil},
		"no dialect":            {Request{Dialect: dialect.Google}, "", ErrOtherDialect},
		"translated":            {Request{Dialect: dialect.Google, Translatable: []dialect.Dialect{dialect.Anthropic}}, "other", nil},
		"order":                 {Request{Preferences: preferences.Providers{Order: []string{"zdr", "nobody", "stated"}}}, "zdr stated unknown careful", nil},
		"only":                  {Request{Preferences: preferences.Providers{Only: []string{"zdr", "stated"}}}, "stated zdr", nil},
		"ignore":                {Request{Preferences: preferences.Providers{Ignore: []string{"zdr", "stated"}}}, "unknown careful", nil},
		"only and ignore":       {Request{Preferences: preferences.Providers{Only: []string{"zdr"}, Ignore: []string{"zdr"}}}, "", ErrExcluded},
		"lacks tools":           {Request{Needs: CapabilityTools}, "stated careful zdr", nil},
		"all lack":              {Request{Needs: CapabilityTools, Preferences: preferences.Providers{Only: []string{"unknown"}}}, "", ErrCapability},
	} {
		plan, err := w.selector.Plan(model, row.request)
		if !errors.Is(err, row.err) {
			t.Errorf("%s: %v, want %v", name, err, row.err)
		}
		if err != nil {
			continue
		}
		var asked []string
		for {
			call, err := plan.Begin(context.Background())
			if err != nil {
				break
			}
			if !call.Provider.Serves(call.Dialect, "") {
				t.Errorf("%s: %s is spoken to in %s", name, call.Provider.Name, call.Dialect)
			}
			asked = append(asked, call.Provider.Name)
			call.Done(Outcome{})
		}
		if got := strings.Join(asked, " "); got != row.want {
			t.Errorf("%s: %s, want %s", name, got, row.want)
		}
	}
	var refused *DataPolicyError
	if _, err := w.selector.Plan(model, Request{Dialect: dialect.Anthropic, DataPolicy: preferences.DataPolicyZDR}); !errors.As(err, &refused) || refused.Required != preferences.DataPolicyZDR {
		t.Errorf("%v does not say what is required", err)
	}
}

func TestATooSmallContextIsLeftOut(t *testing.T) {
	openai := provider(t, "openai", dialect.OpenAI, "s")
	c := catalogue(t, []*Provider{openai})
	model, err := c.Find("gpt-4o-2024-08-06")
	if err != nil {
		t.Fatal(err)
	}
	selector := NewSelector(c, NewHealth(HealthOptions{}), SelectorOptions{})
	if _, err := selector.Plan(model, Request{Context: model.ContextLength}); err != nil {
		t.Error(err)
	}
	if _, err := selector.Plan(model, Request{Context: model.ContextLength + 1}); !errors.Is(err, ErrCapability) {
		t.Errorf("planned for more than the context: %v", err)
	}
}

func TestAttemptsAreBoundedInNumberAndTime(t *testing.T) {
	w := newWorld(t, 1)
	w.configure(SelectorOptions{MostAttempts: 3, TryDuration: time.Minute}, []Target{to(house("one", ProviderOptions{Keys: keys(9)}), "x")})
	for takes, want := range map[time.Duration]int{time.Second: 3, 59 * time.Second: 2, time.Minute: 1, time.Hour: 1} {
		w.health.Forget()
		plan := w.plan(Request{})
		var err error
		attempts := 0
		for {
			var call Call
			if call, err = plan.Begin(context.Background()); err != nil {
				break
			}
			attempts++
			w.now = w.now.Add(takes)
			call.Done(Outcome{Result: Failed})
		}
		if attempts != want || !errors.Is(err, ErrExhausted) {
			t.Errorf("of %v each, %d attempts and %v; want %d", takes, attempts, err, want)
		}
	}
}

// The benchmark measures it; this keeps it so.
func TestPlansAllocateNothingButThemselves(t *testing.T) {
	selector, models := largeCatalogue(t)
	i := uint64(0)
	for name, request := range map[string]Request{
		"weights": {Dialect: dialect.OpenAI}, "affinity": {Dialect: dialect.OpenAI, Affinity: 7},
		"preferences": {Dialect: dialect.OpenAI, Preferences: preferences.Providers{Order: []string{"house-3"}, Ignore: []string{"house-1"}}},
	} {
		if n := testing.AllocsPerRun(1000, func() {
			i++
			plan, err := selector.Plan(models[mix(i)%1000], request)
			if err != nil {
				t.Fatal(err)
			}
			call, err := plan.Begin(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			call.Done(Outcome{Result: Succeeded})
		}); n > 1 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
