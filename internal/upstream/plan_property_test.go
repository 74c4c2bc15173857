package upstream

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/price"
)

// Whatever fails and whoever is busy: nobody is asked twice, nobody is asked who must
// not be, and all slots come back.
func TestPlansHoldForAnyConfiguration(t *testing.T) {
	for seed := range uint64(60) {
		w := newWorld(t, seed)
		var tiers [][]Target
		names := []string{"a", "b", "c", "d"}
		providers := make([]*Provider, len(names))
		for i, name := range names {
			options := ProviderOptions{DataPolicy: preferences.DataPolicy(w.dice.IntN(4))}
			for k := range 1 + w.dice.IntN([]int{3, 3, 3, 90}[w.dice.IntN(4)]) {
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
				Affinity: w.dice.Uint64() % 3, DataPolicy: preferences.DataPolicy(w.dice.IntN(3)),
				Preferences: preferences.Providers{Ignore: []string{names[w.dice.IntN(4)]}},
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
						call.Answered(dialect.ProviderLimits{})
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
