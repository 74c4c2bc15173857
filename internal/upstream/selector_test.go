package upstream

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

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
	call.Answered(dialect.RateLimits{})
	if asked, err := w.ask(Request{}, always(Succeeded)); err != nil || len(asked) != 1 {
		t.Errorf("%q, %v while the first answer runs", asked, err)
	}
	call.Done(Outcome{Result: Failed})
	if last := w.events[len(w.events)-1]; last.Change != CoolDown || last.Result != Failed {
		t.Errorf("%+v", w.events)
	}
}

func TestWhoIsLeftOut(t *testing.T) {
	zdr := house("zdr", ProviderOptions{Keys: keys(1), DataPolicy: DataPolicyZDR})
	careful := house("careful", ProviderOptions{Keys: keys(1), DataPolicy: DataPolicyNoTraining})
	stated := house("stated", ProviderOptions{Keys: keys(1), DataPolicy: DataPolicyRetains})
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
		"stated":                {Request{DataPolicy: DataPolicyRetains}, "stated careful zdr", nil},
		"no training":           {Request{DataPolicy: DataPolicyNoTraining}, "careful zdr", nil},
		"zdr":                   {Request{DataPolicy: DataPolicyZDR}, "zdr", nil},
		"the caller's zdr":      {Request{DataPolicy: DataPolicyRetains, Preferences: Preferences{DataPolicy: DataPolicyZDR}}, "zdr", nil},
		"callers relax nothing": {Request{DataPolicy: DataPolicyZDR, Preferences: Preferences{DataPolicy: DataPolicyRetains}}, "zdr", nil},
		"refuse, never relax":   {Request{DataPolicy: DataPolicyZDR, Preferences: Preferences{Only: []string{"careful"}}}, "", ErrExcluded},
		"no policy in dialect":  {Request{Dialect: dialect.Anthropic, DataPolicy: DataPolicyRetains}, "", ErrDataPolicy},
		"other dialect":         {Request{Dialect: dialect.Anthropic}, "other", nil},
		"no dialect":            {Request{Dialect: dialect.Google}, "", ErrOtherDialect},
		"translated":            {Request{Dialect: dialect.Google, Translatable: []dialect.Dialect{dialect.Anthropic}}, "other", nil},
		"order":                 {Request{Preferences: Preferences{Order: []string{"zdr", "nobody", "stated"}}}, "zdr stated unknown careful", nil},
		"only":                  {Request{Preferences: Preferences{Only: []string{"zdr", "stated"}}}, "stated zdr", nil},
		"ignore":                {Request{Preferences: Preferences{Ignore: []string{"zdr", "stated"}}}, "unknown careful", nil},
		"only and ignore":       {Request{Preferences: Preferences{Only: []string{"zdr"}, Ignore: []string{"zdr"}}}, "", ErrExcluded},
		"lacks tools":           {Request{Needs: CapabilityTools}, "stated careful zdr", nil},
		"all lack":              {Request{Needs: CapabilityTools, Preferences: Preferences{Only: []string{"unknown"}}}, "", ErrCapability},
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
			if !call.Provider.Speaks(call.Dialect) {
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
	if _, err := w.selector.Plan(model, Request{Dialect: dialect.Anthropic, DataPolicy: DataPolicyZDR}); !errors.As(err, &refused) || refused.Required != DataPolicyZDR {
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
		w.now = w.now.Add(500 * time.Millisecond) // 500 s in all: less than the first cool-down
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
	w := newWorld(t, 1)
	w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: keys(3)}), "x")})
	if asked, err := w.ask(Request{}, always(NoCredit)); len(asked) != 3 || !errors.Is(err, ErrExhausted) {
		t.Errorf("%q, %v", asked, err)
	}
	var unavailable *UnavailableError
	if asked, err := w.ask(Request{}, always(Succeeded)); len(asked) != 0 || !errors.Is(err, ErrKeysRefused) || !errors.As(err, &unavailable) || unavailable.RetryAfter != 0 {
		t.Errorf("%q, %v", asked, err)
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

// Whatever fails and whoever is busy: nobody is asked twice, nobody is asked who must
// not be, and all slots come back.
func TestPlansHoldForAnyConfiguration(t *testing.T) {
	for seed := range uint64(200) {
		w := newWorld(t, seed)
		var tiers [][]Target
		names := []string{"a", "b", "c", "d"}
		providers := make([]*Provider, len(names))
		for i, name := range names {
			options := ProviderOptions{DataPolicy: DataPolicy(w.dice.IntN(4))}
			for k := range 1 + w.dice.IntN(90) {
				options.Keys = append(options.Keys, KeyOptions{Secret: fmt.Sprint(k), Weight: w.dice.IntN(5), InFlight: w.dice.IntN(3)})
			}
			providers[i] = house(name, options)
		}
		for range 1 + w.dice.IntN(3) {
			var tier []Target
			for range 1 + w.dice.IntN(3) {
				target := to(providers[w.dice.IntN(len(providers))], []string{"x", "y"}[w.dice.IntN(2)])
				target.Weight = w.dice.IntN(10)
				tier = append(tier, target)
			}
			tiers = append(tiers, tier)
		}
		w.configure(SelectorOptions{MostAttempts: 1 + w.dice.IntN(400), QueuePatience: time.Nanosecond}, tiers...)
		model, _ := w.catalogue.Find("m")
		var running []Call
		for range 50 {
			request := Request{
				Affinity: w.dice.Uint64() % 3, DataPolicy: DataPolicy(w.dice.IntN(3)),
				Preferences: Preferences{Ignore: []string{names[w.dice.IntN(4)]}},
			}
			if w.dice.IntN(2) == 0 {
				request.Preferences.Order = []string{names[w.dice.IntN(4)], names[w.dice.IntN(4)]}
			}
			plan, err := w.selector.Plan(model, request)
			if err != nil {
				continue
			}
			asked := map[string]bool{}
			refused := map[string]bool{}
			for {
				call, err := plan.Begin(context.Background())
				if err != nil {
					break
				}
				key := call.Provider.Name + " " + call.Credential.String()
				if asked[key+" "+call.Model] || refused[key] {
					t.Fatalf("seed %d: %s %s is asked again", seed, key, call.Model)
				}
				asked[key+" "+call.Model] = true
				if call.Provider.Name == request.Preferences.Ignore[0] || call.Provider.DataPolicy < request.DataPolicy {
					t.Fatalf("seed %d: %s must not be asked", seed, call.Provider.Name)
				}
				if limit := call.Credential.key.inFlight; limit > 0 && call.candidate.key.running.Load() > limit {
					t.Fatalf("seed %d: %d requests run with %s", seed, call.candidate.key.running.Load(), key)
				}
				result := Result(w.dice.IntN(int(ModelMissing) + 1))
				if result == Succeeded {
					running = append(running, call)
					break
				}
				if w.dice.IntN(10) > 0 { // else Begin ends it
					refused[key] = faults[result].scope == ofKey
					call.Done(Outcome{Result: result, Wait: time.Duration(w.dice.IntN(3)) * time.Second})
				}
			}
			if len(asked) > w.selector.options.MostAttempts {
				t.Fatalf("seed %d: %d attempts", seed, len(asked))
			}
			w.now = w.now.Add(time.Duration(w.dice.IntN(2000)) * time.Millisecond)
			for len(running) > 0 && w.dice.IntN(3) > 0 {
				running[0].Done(Outcome{Result: Succeeded})
				running[0].Done(Outcome{Result: Refused}) // comes too late
				running = running[1:]
			}
		}
		for i := range running {
			running[i].Done(Outcome{Result: Succeeded})
		}
		for _, key := range w.health.View().Keys {
			if key.Running != 0 || key.Waiting != 0 {
				t.Fatalf("seed %d: %+v", seed, key)
			}
		}
	}
}

// Real goroutines, for the race detector.
func TestManyRequestsAtOnce(t *testing.T) {
	health := NewHealth(HealthOptions{})
	one := house("one", ProviderOptions{Keys: []KeyOptions{{Secret: "a", InFlight: 3}, {Secret: "b"}, {Secret: "c", InFlight: 1}}})
	two := house("two", ProviderOptions{Keys: keys(2)})
	c, err := NewCatalogue(price.Embedded(), []*Provider{one, two}, []Alias{{Name: "m", Tiers: [][]Target{{to(one, "x"), to(two, "x")}}, Rates: someRates}})
	if err != nil {
		t.Fatal(err)
	}
	selector := NewSelector(c, health, SelectorOptions{QueuePatience: time.Minute})
	var all sync.WaitGroup
	var above atomic.Int64
	for worker := range 16 {
		all.Go(func() {
			dice := rand.New(rand.NewPCG(uint64(worker), 1))
			for range 500 {
				model, _ := c.Find("m")
				plan, err := selector.Plan(model, Request{Affinity: dice.Uint64() % 5})
				if err != nil {
					t.Error(err)
					return
				}
				for {
					call, err := plan.Begin(context.Background())
					if err != nil {
						break
					}
					if limit := call.candidate.key.limit.Load(); limit > 0 && call.candidate.key.running.Load() > limit {
						above.Add(1)
					}
					result := []Result{Succeeded, Succeeded, Failed, RateLimited, Refused, Unreachable, Abandoned}[dice.IntN(7)]
					if result == Succeeded {
						call.Answered(dialect.RateLimits{})
					}
					call.Done(Outcome{Result: result})
					if result == Succeeded {
						break
					}
				}
				if dice.IntN(50) == 0 {
					NewSelector(c, health, SelectorOptions{})
					health.View()
				}
			}
		})
	}
	all.Wait()
	if above.Load() > 0 {
		t.Errorf("the limit of a key was passed %d times", above.Load())
	}
	for _, key := range health.View().Keys {
		if key.Running != 0 || key.Waiting != 0 {
			t.Errorf("%+v", key)
		}
	}
}
