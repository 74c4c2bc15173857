package upstream

import (
	"context"
	"fmt"
	"testing"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/price"
)

// largeCatalogue has 1,000 models, each served with 50 keys of 5 providers.
func largeCatalogue(b testing.TB) (*Selector, []*Model) {
	b.Helper()
	var providers []*Provider
	for i := range 5 {
		providers = append(providers, house(fmt.Sprintf("house-%d", i), ProviderOptions{Keys: keys(10)}))
	}
	var aliases []Alias
	for i := range 1000 {
		alias := Alias{Name: fmt.Sprintf("model-%d", i), Rates: someRates, Tiers: [][]Target{nil}}
		for _, provider := range providers {
			alias.Tiers[0] = append(alias.Tiers[0], to(provider, alias.Name))
		}
		aliases = append(aliases, alias)
	}
	c, err := NewCatalogue(price.Embedded(), providers, aliases)
	if err != nil {
		b.Fatal(err)
	}
	selector := NewSelector(c, NewHealth(HealthOptions{}), SelectorOptions{})
	var models []*Model
	for _, alias := range aliases {
		model, err := c.Find(alias.Name)
		if err != nil {
			b.Fatal(err)
		}
		selector.routesOf(model)
		models = append(models, model)
	}
	return selector, models
}

func BenchmarkPlan(b *testing.B) {
	selector, models := largeCatalogue(b)
	for name, request := range map[string]Request{
		"weights": {}, "affinity": {Affinity: 1}, "preferences": {Preferences: preferences.Providers{Order: []string{"house-3"}, Ignore: []string{"house-1"}}},
	} {
		request.Dialect = dialect.OpenAI
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				if i++; request.Affinity != 0 {
					request.Affinity = i
				}
				if _, err := selector.Plan(models[mix(i)%1000], request); err != nil {
					b.Fatal(err)
				}
			}
		})
		b.Run(name+", begin and end", func(b *testing.B) {
			b.ReportAllocs()
			i := uint64(0)
			for b.Loop() {
				if i++; request.Affinity != 0 {
					request.Affinity = i
				}
				plan, err := selector.Plan(models[mix(i)%1000], request)
				if err != nil {
					b.Fatal(err)
				}
				call, err := plan.Begin(context.Background())
				if err != nil {
					b.Fatal(err)
				}
				call.Done(Outcome{Result: Succeeded})
			}
		})
	}
}
