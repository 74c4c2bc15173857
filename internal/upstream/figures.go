package upstream

import (
	"cmp"
	"slices"
)

// Figures count how a provider stands now, for metrics.
type Figures struct {
	Provider string
	// InFlight is how many requests run at it, Waiting how many wait for a key.
	InFlight, Waiting int64
	// CoolDowns is how many of its addresses and keys, and keys for a model, are left
	// alone: until a time that has not come, or until somebody tries.
	CoolDowns int64
}

// Figures are those of the providers of the present configuration, by name.
func (h *Health) Figures() []Figures {
	h.mu.Lock()
	defer h.mu.Unlock()
	byName := make(map[string]*Figures)
	of := func(provider string) *Figures {
		if byName[provider] == nil {
			byName[provider] = &Figures{Provider: provider}
		}
		return byName[provider]
	}
	for _, address := range h.addresses {
		if address.present == h.present {
			of(address.provider).CoolDowns += address.coolsDown()
		}
	}
	for _, key := range h.keys {
		if key.present == h.present {
			figures := of(key.provider)
			figures.InFlight += key.running.Load()
			figures.Waiting += key.waiting.Load()
			figures.CoolDowns += key.coolsDown()
		}
	}
	for _, state := range h.keyModels {
		if state.key.present == h.present {
			of(state.key.provider).CoolDowns += state.coolsDown()
		}
	}
	all := make([]Figures, 0, len(byName))
	for _, figures := range byName {
		all = append(all, *figures)
	}
	slices.SortFunc(all, func(a, b Figures) int { return cmp.Compare(a.Provider, b.Provider) })
	return all
}

// coolsDown is 1 from the beginning of a cool-down to the answer that ends it, else 0.
func (c *circuit) coolsDown() int64 {
	if c.until.Load() > 0 {
		return 1
	}
	return 0
}
