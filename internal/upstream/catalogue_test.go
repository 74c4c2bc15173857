package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

var noon = time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC)

func provider(t *testing.T, name string, d dialect.Dialect, secrets ...string) *Provider {
	t.Helper()
	address, err := url.Parse("https://" + name + ".example/v1")
	if err != nil {
		t.Fatal(err)
	}
	return NewProvider(ProviderOptions{Name: name, Dialects: []dialect.Dialect{d}, BaseURL: address, Secrets: secrets})
}

func catalogue(t *testing.T, providers []*Provider, aliases ...Alias) *Catalogue {
	t.Helper()
	c, err := NewCatalogue(price.Embedded(), providers, aliases)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func plan(t *testing.T, c *Catalogue, name string, d dialect.Dialect) []string {
	t.Helper()
	model, err := c.Find(name)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	attempts, err := attemptsOf(c, model, d)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	var described []string
	for _, attempt := range attempts {
		described = append(described, fmt.Sprintf("%s %v %s", attempt.Provider.Name, attempt.Credential, attempt.Model))
	}
	return described
}

// attemptsOf lists all attempts that can be made for a request, in order of turns and keys.
func attemptsOf(c *Catalogue, model *Model, d dialect.Dialect) ([]Attempt, error) {
	plan, err := NewSelector(c, NewHealth(HealthOptions{}), SelectorOptions{}).Plan(model, Request{Dialect: d})
	if err != nil {
		return nil, err
	}
	var attempts []Attempt
	for _, attempt := range plan.Targets() {
		for _, attempt.Credential = range attempt.Provider.credentials {
			attempts = append(attempts, attempt)
		}
	}
	return attempts, nil
}

func TestPlansFollowTheOrderOfProvidersAndKeys(t *testing.T) {
	openai := provider(t, "openai", dialect.OpenAI, "first-secret", "second-secret")
	house := NewProvider(ProviderOptions{Name: "house", Dialects: []dialect.Dialect{dialect.OpenAI}, Secrets: []string{"house-secret"}})
	rates, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "1", "output": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue(t, []*Provider{openai, house}, Alias{
		Name: "fast", Targets: []Target{{Provider: house, Model: "large-2"}, {Provider: openai, Model: "gpt-4.1-mini"}}, Rates: rates,
	})
	for name, want := range map[string][]string{
		"gpt-4.1-mini":            {"openai key 1 gpt-4.1-mini", "openai key 2 gpt-4.1-mini"},
		"gpt-4.1-mini-2025-04-14": {"openai key 1 gpt-4.1-mini-2025-04-14", "openai key 2 gpt-4.1-mini-2025-04-14"},
		"fast":                    {"house key 1 large-2", "openai key 1 gpt-4.1-mini", "openai key 2 gpt-4.1-mini"},
	} {
		if got := plan(t, c, name, dialect.OpenAI); !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if printed := fmt.Sprintf("%v %+v %#v", openai.credentials, openai.credentials[0], openai.credentials[0]); strings.Contains(printed, "secret") {
		t.Errorf("a provider key was printed: %s", printed)
	}
}

func TestModelsThatCannotBeCalled(t *testing.T) {
	openai := NewProvider(ProviderOptions{Name: "openai", Dialects: []dialect.Dialect{dialect.OpenAI}, Secrets: []string{"s"}, Models: []string{"homemade-1"}})
	c := catalogue(t, []*Provider{openai})
	for name, want := range map[string]error{
		"no-such-model": ErrUnknownModel, "claude-haiku-4-5": ErrUnknownModel, "openai/homemade-1": ErrNoPrice, "homemade-1": ErrNoPrice,
		"anthropic/claude-haiku-4-5": ErrUnknownModel, "": ErrUnknownModel, "openai/": ErrUnknownModel,
	} {
		if model, err := c.Find(name); !errors.Is(err, want) {
			t.Errorf("%q: %+v, %v; want %v", name, model, err, want)
		}
	}
	if got := c.Unpriced(); !slices.Equal(got, []string{"openai/homemade-1"}) {
		t.Errorf("unpriced: %q", got)
	}
	model, err := c.Find("gpt-4.1-mini")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := attemptsOf(c, model, dialect.Anthropic); !errors.Is(err, ErrOtherDialect) {
		t.Errorf("planned in another dialect: %v", err)
	}
	if got := model.Dialects(); !slices.Equal(got, []dialect.Dialect{dialect.OpenAI}) {
		t.Errorf("dialects: %v", got)
	}
}

func TestASimulatorNeedsItsOwnModelNames(t *testing.T) {
	simulator := NewProvider(ProviderOptions{Name: "simulator", Dialects: []dialect.Dialect{dialect.OpenAI}, Secrets: []string{"s"}, Simulator: true})
	if _, err := NewCatalogue(price.Embedded(), []*Provider{simulator}, []Alias{{Name: "gpt-9", Targets: []Target{{Provider: simulator, Model: "simulator/demo"}}}}); err == nil {
		t.Error("an alias that hides the simulator was accepted")
	}
	c := catalogue(t, []*Provider{simulator})
	model, err := c.Find("simulator/demo")
	if err != nil || !model.Simulator() {
		t.Errorf("simulator/demo: %+v, %v", model, err)
	}
}

func TestThePriceIsThatOfTheCalledModelUnlessTheServedOneRefinesIt(t *testing.T) {
	c := catalogue(t, []*Provider{provider(t, "openai", dialect.OpenAI, "s")})
	for _, row := range []struct{ called, served, name, pricedAs string }{
		{"gpt-4o", "gpt-4o-2024-08-06", "gpt-4o-2024-08-06", "gpt-4o"},
		{"gpt-4o", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13", "gpt-4o-2024-05-13"}, // an entry of its own, dearer
		{"gpt-4.1-mini", "gpt-4.1", "gpt-4.1", "gpt-4.1-mini"},                    // another model: the called one's price
		{"gpt-4.1-mini", "what a secret prompt", metering.Other, "gpt-4.1-mini"},
		{"gpt-4.1-mini", "gpt-99-unheard-of", metering.Other, "gpt-4.1-mini"},
	} {
		model, err := c.Find(row.called)
		if err != nil {
			t.Fatal(err)
		}
		attempts, err := attemptsOf(c, model, dialect.OpenAI)
		if err != nil {
			t.Fatal(err)
		}
		name, refined := c.Served(model, attempts[0], row.served, noon)
		if name != row.name {
			t.Errorf("%s served as %s is recorded as %q, want %q", row.called, row.served, name, row.name)
		}
		rates, _, _ := model.Rates(noon)
		if refined != nil {
			rates = refined
		}
		priced, ok := price.Embedded().Find("openai", row.pricedAs)
		if !ok {
			t.Fatalf("the price book lacks %s", row.pricedAs)
		}
		want, _ := priced.At(noon)
		used := usage.Usage{InputTotal: 1000, Input: 1000, OutputTotal: 1000, Output: 1000}
		if got, want := rates.Cost(used, price.Conditions{}), want.Cost(used, price.Conditions{}); got != want {
			t.Errorf("%s served as %s costs %s, want %s", row.called, row.served, got, want)
		}
	}
}

func TestNamesOfTheConfiguration(t *testing.T) {
	options := ProviderOptions{Name: "house", Dialects: []dialect.Dialect{dialect.OpenAI}, Secrets: []string{"s"}, Models: []string{"large-2", "small-2", "tiny-2"}}
	house, openai := NewProvider(options), provider(t, "openai", dialect.OpenAI, "s")
	rates, err := price.NewRates(price.Definition{Prices: map[string]string{"input": "1", "output": "2"}})
	if err != nil {
		t.Fatal(err)
	}
	c := catalogue(t, []*Provider{house, openai},
		Alias{Name: "fast", Targets: []Target{{Provider: house, Model: "large-2"}, {Provider: house, Model: "hidden-2"}}, Rates: rates},
		Alias{Name: "slow", Targets: []Target{{Provider: house, Model: "small-2"}}}, // no price
	)
	// What is reached under a priced name only needs no price of its own.
	if got, want := c.Unpriced(), []string{"house/small-2", "house/tiny-2", "slow"}; !slices.Equal(got, want) {
		t.Errorf("unpriced: %q, want %q", got, want)
	}
	if _, err := c.Find("large-2"); !errors.Is(err, ErrNoPrice) {
		t.Errorf("called by the provider's own name: %v", err)
	}
	model, err := c.Find("fast")
	if err != nil {
		t.Fatal(err)
	}
	attempts, err := attemptsOf(c, model, dialect.OpenAI)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := attempts[0]
	elsewhere.Provider = openai
	for _, row := range []struct {
		attempt      Attempt
		served, want string
	}{
		{attempts[0], "large-2", "large-2"}, {attempts[1], "hidden-2", "hidden-2"}, {attempts[0], "tiny-2", "tiny-2"}, {attempts[0], "fast", "fast"},
		{attempts[0], "large-3", metering.Other}, {elsewhere, "large-2", metering.Other},
	} {
		if got, refined := c.Served(model, row.attempt, row.served, noon); got != row.want || refined != nil {
			t.Errorf("%s of %s is recorded as %q, want %q", row.served, row.attempt.Provider.Name, got, row.want)
		}
	}
}

// A provider's model without a price of its own may have one by a pattern, or elsewhere.
func TestModelsOfAProviderThatArePricedOtherwise(t *testing.T) {
	options := ProviderOptions{Keys: keys(1), Models: []string{"large-2", "large-own", "small-2", "gpt-5.4-2026-03-05"}}
	own, openai := house("house", options), provider(t, "openai", dialect.OpenAI, "s")
	c := catalogue(t, []*Provider{own, openai},
		Alias{Name: "large-*", Targets: []Target{to(own, "large-*")}, Rates: someRates},
		Alias{Name: "large-own", Targets: []Target{to(own, "other-2")}},     // no price
		Alias{Name: "gpt-4.1-mini", Targets: []Target{to(own, "little-2")}}, // no price
		Alias{Name: "gpt-4.1-2025-04-14", Targets: []Target{to(own, "x-2")}},
	)
	for called, want := range map[string]struct{ name, listed, goes string }{
		"large-2":            {"large-2", "large-*", "house key 1 large-2"},
		"large-3":            {"large-*", "large-*", "house key 1 large-3"},
		"gpt-5.4-2026-03-05": {"gpt-5.4-2026-03-05", "gpt-5.4", "openai key 1 gpt-5.4-2026-03-05"},
	} {
		model, err := c.Find(called)
		if err != nil {
			t.Errorf("%s: %v", called, err)
			continue
		}
		if _, _, priced := model.Rates(noon); model.Name != want.name || model.Listed != want.listed || !priced {
			t.Errorf("%s is %s, counts as %s, priced: %t", called, model.Name, model.Listed, priced)
		}
		if got := plan(t, c, called, dialect.OpenAI); !slices.Equal(got, []string{want.goes}) {
			t.Errorf("%s goes to %q, want %s", called, got, want.goes)
		}
	}
	// What the operator sends to one place does not go to another for want of a price.
	for _, called := range []string{"small-2", "large-own", "gpt-4.1-mini", "gpt-4.1-2025-04-14"} {
		if model, err := c.Find(called); !errors.Is(err, ErrNoPrice) {
			t.Errorf("%s: %+v, %v", called, model, err)
		}
	}
	if !slices.ContainsFunc(c.Models(), func(m *Model) bool { return m.Name == "large-2" }) {
		t.Error("large-2 is not listed")
	}
	if got := c.Unpriced(); slices.Contains(got, "house/large-2") || !slices.Contains(got, "house/small-2") || !slices.Contains(got, "large-own") {
		t.Errorf("unpriced: %q", got)
	}
}

// Who calls a provider's models by a name that stands for many, as docs/configuration.md
// shows, must not be told that they have no price.
func TestModelsReachedByAPricedPatternNeedNoPriceOfTheirOwn(t *testing.T) {
	own := house("house", ProviderOptions{Keys: keys(1), Models: []string{"large-2", "small-2", "other-2"}})
	for name, row := range map[string]struct {
		alias Alias
		want  []string
	}{
		"all":         {Alias{Name: "house/*", Targets: []Target{to(own, "*")}, Rates: someRates}, nil},
		"some":        {Alias{Name: "house/*", Targets: []Target{to(own, "large-*")}, Rates: someRates}, []string{"house/small-2", "house/other-2"}},
		"one":         {Alias{Name: "house/*", Targets: []Target{to(own, "large-2")}, Rates: someRates}, []string{"house/small-2", "house/other-2"}},
		"not by this": {Alias{Name: "house/*", Targets: []Target{to(own, "*")}}, []string{"house/large-2", "house/small-2", "house/other-2"}},
	} {
		c := catalogue(t, []*Provider{own}, row.alias)
		if got := c.Unpriced(); !slices.Equal(got, row.want) {
			t.Errorf("%s: unpriced: %q, want %q", name, got, row.want)
		}
	}
}

func BenchmarkFindAndPlan(b *testing.B) {
	address, err := url.Parse("https://api.example.com")
	if err != nil {
		b.Fatal(err)
	}
	c, err := NewCatalogue(price.Embedded(), []*Provider{NewProvider(ProviderOptions{
		Name: "openai", Dialects: []dialect.Dialect{dialect.OpenAI}, BaseURL: address, Secrets: []string{"s"},
	})}, nil)
	if err != nil {
		b.Fatal(err)
	}
	selector := NewSelector(c, NewHealth(HealthOptions{}), SelectorOptions{})
	for _, name := range []string{"gpt-4.1-mini", "gpt-4.1-mini-2025-04-14"} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				model, err := c.Find(name)
				if err != nil {
					b.Fatal(err)
				}
				if _, err := selector.Plan(model, Request{Dialect: dialect.OpenAI}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
