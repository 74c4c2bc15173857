package upstream

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

// View is the state of health at a moment, for metrics and the admin interface.
type View struct {
	Keys []KeyView
	// CoolDowns are the addresses and the keys' models that are left alone or have
	// just recovered. What is well is not listed.
	CoolDowns []CoolDownView
	// Limits are what the providers said of their rate limits.
	Limits []LimitView
}

// LimitView is what a provider last said of the rate limits of a key for a model; of a
// pattern's names, for the one whose limits are whole again last. What is not Known it did
// not say; after its Reset the whole is there again.
type LimitView struct {
	Provider, Key, Model string
	Requests, Tokens     dialect.Allowance
}

// KeyView is the state of a provider's key.
type KeyView struct {
	Provider, Key string
	// Limit is how many requests may run at once; 0 is any number.
	Running, Waiting, Limit int64
	// Refused tells that the provider does not accept the key, and Result why.
	Refused bool
	Result  Result
	// Until is when a request tries the refused key again.
	Until time.Time
}

// CoolDownView is a cool-down, or the time after one. Key and Model are empty where
// the provider's address is meant. Of a pattern's names it is the one that lasts longest.
type CoolDownView struct {
	Provider, Key, Model string
	Result               Result
	// Until is its end; in the past where a try is due or running.
	Until time.Time
	// InRow is how many there were without a full recovery between.
	InRow int
	// Recovered tells that it is over, and the share grows.
	Recovered bool
}

// View lists the keys of the present configuration and what is left alone, by name.
func (h *Health) View() View {
	h.mu.Lock()
	defer h.mu.Unlock()
	var view View
	now := h.now()
	for _, key := range h.keys {
		if key.present != h.present {
			continue
		}
		one := KeyView{
			Provider: key.provider, Key: key.label(), Running: key.running.Load(), Waiting: key.waiting.Load(), Limit: key.limit.Load(),
		}
		if until := key.until.Load(); until > 0 {
			one.Refused, one.Result, one.Until = true, Result(key.result.Load()), time.Unix(0, until)
		}
		view.Keys = append(view.Keys, one)
	}
	for _, address := range h.addresses {
		if one, ok := address.view(now); ok && address.present == h.present {
			one.Provider = address.provider
			view.CoolDowns = append(view.CoolDowns, one)
		}
	}
	for _, state := range h.keyModels {
		if state.key.present != h.present {
			continue
		}
		limits := LimitView{state.key.provider, state.key.label(), state.model, state.requests.load(), state.tokens.load()}
		if limits.Requests.Known || limits.Tokens.Known {
			view.Limits = append(view.Limits, limits)
		}
		if one, ok := state.view(now); ok {
			one.Provider, one.Key, one.Model = state.key.provider, state.key.label(), state.model
			view.CoolDowns = append(view.CoolDowns, one)
		}
	}
	slices.SortFunc(view.Keys, func(a, b KeyView) int {
		return cmp.Or(cmp.Compare(a.Provider, b.Provider), cmp.Compare(len(a.Key), len(b.Key)), cmp.Compare(a.Key, b.Key))
	})
	slices.SortFunc(view.CoolDowns, func(a, b CoolDownView) int {
		return cmp.Or(a.compare(&b), recoveredLast(a.Recovered, b.Recovered), b.Until.Compare(a.Until))
	})
	view.CoolDowns = slices.CompactFunc(view.CoolDowns, func(a, b CoolDownView) bool { return a.compare(&b) == 0 })
	slices.SortFunc(view.Limits, func(a, b LimitView) int {
		return cmp.Or(a.compare(&b), b.lastReset().Compare(a.lastReset()))
	})
	view.Limits = slices.CompactFunc(view.Limits, func(a, b LimitView) bool { return a.compare(&b) == 0 })
	return view
}

func (c *CoolDownView) compare(other *CoolDownView) int {
	return compareLabels(c.Provider, other.Provider, c.Key, other.Key, c.Model, other.Model)
}

func (l *LimitView) compare(other *LimitView) int {
	return compareLabels(l.Provider, other.Provider, l.Key, other.Key, l.Model, other.Model)
}

func compareLabels(provider, otherProvider, key, otherKey, model, otherModel string) int {
	return cmp.Or(cmp.Compare(provider, otherProvider), cmp.Compare(len(key), len(otherKey)), cmp.Compare(key, otherKey), cmp.Compare(model, otherModel))
}

func recoveredLast(a, b bool) int {
	switch {
	case a == b:
		return 0
	case a:
		return 1
	}
	return -1
}

// lastReset is when the later of the limits is whole again.
func (l *LimitView) lastReset() time.Time {
	if l.Tokens.Reset.After(l.Requests.Reset) {
		return l.Tokens.Reset
	}
	return l.Requests.Reset
}

func (c *circuit) view(now int64) (CoolDownView, bool) {
	until := c.until.Load()
	one := CoolDownView{Result: Result(c.result.Load()), InRow: int(c.coolDowns.Load())}
	switch {
	case until > 0:
		one.Until = time.Unix(0, until)
	case until < 0 && now+until < c.ramp.Load():
		one.Until, one.Recovered = time.Unix(0, -until), true
	default:
		return one, false
	}
	return one, true
}

// label says which of the provider's keys it is, as Credential does.
func (k *keyState) label() string { return fmt.Sprintf("key %d", k.number.Load()) }
