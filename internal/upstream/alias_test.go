package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/price"
)

func TestNamesThatStandForMany(t *testing.T) {
	openai := provider(t, "openai", dialect.OpenAI, "s")
	router := house("router", ProviderOptions{Keys: keys(1)})
	c := catalogue(t, []*Provider{openai, router},
		Alias{Name: "router/*", Targets: []Target{to(router, "*")}, Rates: someRates},
		Alias{Name: "router/small-*", Targets: []Target{to(router, "little-*")}, Rates: someRates},
		Alias{Name: "gpt-4.1-*", Tiers: [][]Target{{to(router, "openai/gpt-4.1-*")}, {to(openai, "gpt-4.1-*")}}, Rates: someRates},
		Alias{Name: "gpt-4.1-nano", Targets: []Target{to(openai, "gpt-4.1-nano")}},
		Alias{Name: "own-*", Targets: []Target{to(openai, "*")}},
		Alias{Name: "any-*", Targets: []Target{to(openai, "gpt-4o")}},
	)
	for called, want := range map[string]struct{ name, goes string }{
		"router/a/b:free":   {"router/*", "router a/b:free"},
		"router/small-1":    {"router/small-*", "router little-1"},
		"gpt-4.1-mini":      {"gpt-4.1-*", "router openai/gpt-4.1-mini, openai gpt-4.1-mini"}, // before the book's
		"gpt-4.1-nano":      {"gpt-4.1-nano", "openai gpt-4.1-nano"},
		"own-gpt-4o":        {"own-gpt-4o", "openai gpt-4o"}, // a name of the price book's, so it may be recorded
		"any-thing":         {"any-thing", "openai gpt-4o"},
		"gpt-4o-2024-08-06": {"gpt-4o-2024-08-06", "openai gpt-4o-2024-08-06"},
	} {
		for range 2 { // found, and kept
			model, err := c.Find(called)
			if err != nil {
				t.Errorf("%s: %v", called, err)
				continue
			}
			var goes []string
			for _, target := range model.targets {
				goes = append(goes, target.Provider.Name+" "+target.Model)
			}
			if got := strings.Join(goes, ", "); model.Name != want.name || got != want.goes {
				t.Errorf("%s is %s and goes to %s, want %+v", called, model.Name, got, want)
			}
			if _, _, ok := model.Rates(noon); !ok {
				t.Errorf("%s has no price", called)
			}
		}
	}
	for _, called := range []string{"router/", "router/..", "router/a b", "router/" + strings.Repeat("a", 200), "own-no-such-model", "router", "*"} {
		if model, err := c.Find(called); !errors.Is(err, ErrUnknownModel) {
			t.Errorf("%q: %+v, %v", called, model, err)
		}
	}
	if slices.ContainsFunc(c.Models(), func(m *Model) bool { return strings.HasSuffix(m.Name, "*") && m.Name != "gpt-4.1-*" }) {
		t.Error("a name that nobody can call is listed")
	}
}

func TestFoundModelsAreBounded(t *testing.T) {
	router := house("router", ProviderOptions{Keys: keys(1)})
	c := catalogue(t, []*Provider{router}, Alias{Name: "router/*", Targets: []Target{to(router, "*")}, Rates: someRates})
	health := NewHealth(HealthOptions{})
	selector := NewSelector(c, health, SelectorOptions{})
	for i := range 3 * mostFound {
		model, err := c.Find(fmt.Sprintf("router/%d", i))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := selector.Plan(model, Request{}); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	c.found.models.Range(func(any, any) bool { kept++; return true })
	if kept > mostFound || len(health.keyModels) > patternParts {
		t.Errorf("%d models and the health of %d are kept", kept, len(health.keyModels))
	}
}

func TestMistakesOfAliases(t *testing.T) {
	a := house("a", ProviderOptions{Keys: keys(1)})
	heavy, light := to(a, "x"), to(a, "x")
	heavy.Weight, light.Weight = maxWeight+1, -1
	for want, alias := range map[string]Alias{
		"goes nowhere":          {Name: "m"},
		"both in tiers and":     {Name: "m", Targets: []Target{to(a, "x")}, Tiers: [][]Target{{to(a, "x")}}},
		"weight 1001 is not in": {Name: "m", Targets: []Target{heavy}},
		"weight -1 is not in":   {Name: "m", Targets: []Target{light}},
		"only be at the end":    {Name: "m*x", Targets: []Target{to(a, "x")}},
		"be at the end":         {Name: "m*", Targets: []Target{to(a, "*x")}},
		"so its name must":      {Name: "m", Targets: []Target{to(a, "x*")}},
	} {
		alias.Rates = someRates
		if _, err := NewCatalogue(price.Embedded(), []*Provider{a}, []Alias{alias}); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), alias.Name) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}
