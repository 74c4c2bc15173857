package upstream

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/metering/price"
)

func TestSlotsAreGivenInOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.setLimit(1)
		if !s.take() || s.take() || !s.full() {
			t.Fatal("the limit does not hold")
		}
		var served []int
		for i := range 3 {
			go func() {
				if err := s.wait(t.Context(), 3, time.Minute); err != nil {
					t.Error(err)
				}
				served = append(served, i)
			}()
			synctest.Wait()
		}
		if err := s.wait(t.Context(), 3, time.Minute); !errors.Is(err, errQueueFull) {
			t.Errorf("a fourth waits: %v", err)
		}
		for range 3 {
			s.give()
			synctest.Wait()
		}
		if !slices.Equal(served, []int{0, 1, 2}) {
			t.Errorf("served %v", served)
		}
		s.give()
		if s.running.Load() != 0 || s.waiting.Load() != 0 {
			t.Errorf("%d run, %d wait", s.running.Load(), s.waiting.Load())
		}
	})
}

func TestWaitingEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.setLimit(1)
		s.take()
		began := time.Now()
		if err := s.wait(t.Context(), 3, 2*time.Second); !errors.Is(err, errWaited) || time.Since(began) != 2*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := s.wait(ctx, 3, time.Minute); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if s.waiting.Load() != 0 || len(s.queue) != 0 {
			t.Error("who has left still waits")
		}
		// A higher limit of a new configuration serves who waits.
		done := make(chan error)
		go func() { done <- s.wait(t.Context(), 3, time.Minute) }()
		synctest.Wait()
		s.setLimit(2)
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

// A slot that is given back while nobody waits yet is there for who comes to wait.
func TestASlotThatIsFreeIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var s slots
		s.setLimit(1)
		s.take()
		s.give()
		began := time.Now()
		if err := s.wait(t.Context(), 1, time.Minute); err != nil || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestSlotsAreNeverLost(t *testing.T) {
	var s slots
	s.setLimit(2)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for j := range 300 {
				ctx, cancel := context.WithCancel(context.Background())
				if (i+j)%7 == 0 {
					cancel()
				}
				if s.take() || s.wait(ctx, 8, time.Minute) == nil {
					s.give()
				}
				cancel()
			}
		})
	}
	all.Wait()
	if s.running.Load() != 0 || s.waiting.Load() != 0 || len(s.queue) != 0 {
		t.Errorf("%d run, %d wait", s.running.Load(), s.waiting.Load())
	}
}

// At the limits of all keys requests wait shortly, for a tier that comes later not at
// all, and are then turned away with when to come again.
func TestRequestsWaitAndAreTurnedAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		health := NewHealth(HealthOptions{})
		first := house("first", ProviderOptions{Keys: []KeyOptions{{Secret: "a", InFlight: 1}, {Secret: "b", InFlight: 1}}})
		second := house("second", ProviderOptions{Keys: []KeyOptions{{Secret: "a", InFlight: 1}}})
		c, err := NewCatalogue(price.Embedded(), []*Provider{first, second}, []Alias{{Name: "m", Tiers: [][]Target{{to(first, "x")}, {to(second, "x")}}, Rates: someRates}})
		if err != nil {
			t.Fatal(err)
		}
		selector := NewSelector(c, health, SelectorOptions{QueueLength: 1, QueuePatience: 3 * time.Second})
		model, _ := c.Find("m")
		begin := func(ctx context.Context) (Call, error) {
			plan, err := selector.Plan(model, Request{})
			if err != nil {
				t.Fatal(err)
			}
			return plan.Begin(ctx)
		}
		var running []Call
		var where []string
		for range 3 {
			call, err := begin(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			running, where = append(running, call), append(where, fmt.Sprint(call.Provider.Name, " ", call.Credential))
		}
		if slices.Sort(where); !slices.Equal(where, []string{"first key 1", "first key 2", "second key 1"}) {
			t.Errorf("%q", where)
		}
		began := time.Now()
		var unavailable *UnavailableError
		if _, err := begin(t.Context()); !errors.Is(err, ErrSaturated) || !errors.As(err, &unavailable) || unavailable.RetryAfter <= 0 || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := begin(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		got := make(chan Call)
		for range 2 {
			go func() {
				call, err := begin(t.Context())
				if err != nil {
					t.Error(err)
				}
				got <- call
			}()
		}
		synctest.Wait()
		// Both queues of the first tier are full now; nobody waits for the second.
		began = time.Now()
		if _, err := begin(t.Context()); !errors.Is(err, ErrSaturated) || time.Since(began) != 0 {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		for i := range running {
			running[i].Done(Outcome{Result: Succeeded})
		}
		for range 2 {
			call := <-got
			if call.Provider != first {
				t.Errorf("waited for %s", call.Provider.Name)
			}
			call.Done(Outcome{Result: Succeeded})
		}
		for _, key := range health.View().Keys {
			if key.Running != 0 || key.Waiting != 0 {
				t.Errorf("%+v", key)
			}
		}
	})
}

// Who comes at the same moment as another finds the queue that the other one left.
func TestQueuesFillWhenAllComeAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const keys, each = 4, 8
		options := ProviderOptions{}
		for i := range keys {
			options.Keys = append(options.Keys, KeyOptions{Secret: fmt.Sprint(i), InFlight: 1})
		}
		provider := house("first", options)
		c, err := NewCatalogue(price.Embedded(), []*Provider{provider}, []Alias{{Name: "m", Tiers: [][]Target{{to(provider, "x")}}, Rates: someRates}})
		if err != nil {
			t.Fatal(err)
		}
		selector := NewSelector(c, NewHealth(HealthOptions{}), SelectorOptions{QueueLength: each, QueuePatience: time.Minute})
		model, _ := c.Find("m")
		for range 20 {
			served := make(chan error)
			for range keys + keys*each {
				go func() {
					plan, err := selector.Plan(model, Request{})
					if err == nil {
						var call Call
						if call, err = plan.Begin(t.Context()); err == nil {
							time.Sleep(time.Second)
							call.Done(Outcome{Result: Succeeded})
						}
					}
					served <- err
				}()
			}
			for range keys + keys*each {
				if err := <-served; err != nil {
					t.Error(err)
				}
			}
		}
	})
}
