package upstream

import (
	"hash/maphash"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

const (
	// maxKeys and maxKeyModels bound what is remembered. What the present catalogue
	// does not know is forgotten first.
	maxKeys      = 4096
	maxKeyModels = 1 << 17
	// patternParts is among how many the names that a pattern stands for are shared out, each
	// part with a health of its own. Some dozens of names can be left alone for an hour at once,
	// as models without a price are for the rest of the day; few others may be so with them.
	patternParts = 1024
)

// HealthOptions configure a Health.
type HealthOptions struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Random is a source of random bits, safe for concurrent use; nil is a good one.
	Random func() uint64
	// Observe is told of what changes; nil tells nobody. It is called by the request
	// that found out, so it must be quick, and from many goroutines at once.
	Observe func(Event)
}

// Change is what an Event tells of.
type Change uint8

// The changes.
const (
	// CoolDown: requests go elsewhere until Event.Until.
	CoolDown Change = iota
	// KeyRefused: a CoolDown of a key that its provider does not accept any more, or
	// whose account has no credit. Somebody should do something about it.
	KeyRefused
	// Recovered: the try after a cool-down was answered.
	Recovered
)

// String is the change's name in logs and metrics.
func (c Change) String() string {
	return [...]string{CoolDown: "cool_down", KeyRefused: "key_refused", Recovered: "recovered"}[c]
}

// Event is a change of health.
type Event struct {
	Change   Change
	Provider string
	// Key is which of the provider's keys, like "key 2"; empty where all are meant.
	Key string
	// Model is the name at the provider; empty where all models are meant.
	Model string
	// Result is what began the cool-down.
	Result Result
	Until  time.Time
}

// Health is what was learnt of providers, keys and models. It outlives the
// configurations: what is remembered is found again by the provider's name and the
// key itself.
type Health struct {
	clock   func() time.Time
	started time.Time
	random  func() uint64
	observe func(Event)
	// partSeed keeps callers from choosing names that fall into one part with another's.
	partSeed maphash.Seed

	mu        sync.Mutex
	addresses map[addressID]*addressState
	keys      map[keyID]*keyState
	keyModels map[keyModelID]*keyModelState
	// present is the number of the newest selector.
	present int
}

// pacedUntil is when its rates leave room for one more request; 0 if they do now.
func (k *keyState) pacedUntil(now int64) int64 {
	return max(k.requests.until(now), k.tokens.until(now))
}

type (
	addressID struct{ provider, address string }
	keyID     struct {
		provider    string
		fingerprint uint64
	}
	keyModelID struct {
		key   *keyState
		model string
		part  uint16
	}
)

// addressState is a provider's address: what cannot be reached with one key cannot be
// with another.
type addressState struct {
	circuit
	provider string
	present  int
}

// keyState is one key of a provider.
type keyState struct {
	circuit
	slots
	// requests and tokens are the rates that the operator allows it.
	requests, tokens pace

	provider    string
	fingerprint uint64
	spread      uint64 // of the fingerprint, for affinity
	number      atomic.Int64
	// troubled counts the models for which it is not plainly healthy, or near its rate
	// limit, so that there is no need to look at each when there are none.
	troubled atomic.Int64
	present  int
}

// keyModelState is one key for one model, or for a part of the names under a pattern.
type keyModelState struct {
	circuit
	// left is how the provider's rate limits lower the weight: 0 not at all, else a
	// share in the low ten bits and until when, in milliseconds, in the others.
	left atomic.Uint64
	// requests and tokens are what the provider last said of its rate limits.
	requests, tokens said
	key              *keyState
	model            string
	present          int
}

// NewHealth returns a Health that knows of no trouble.
func NewHealth(options HealthOptions) *Health {
	h := &Health{
		clock: options.Now, random: options.Random, observe: options.Observe, partSeed: maphash.MakeSeed(),
		addresses: make(map[addressID]*addressState), keys: make(map[keyID]*keyState), keyModels: make(map[keyModelID]*keyModelState),
	}
	if h.clock == nil {
		h.clock = time.Now
	}
	h.started = h.clock()
	if h.random == nil {
		h.random = rand.Uint64
	}
	if h.observe == nil {
		h.observe = func(Event) {}
	}
	return h
}

// now goes on evenly where the clock does: a time of day that is set must not end or
// prolong cool-downs.
func (h *Health) now() int64 { return h.started.UnixNano() + int64(h.clock().Sub(h.started)) }

// adopt finds what is known of the providers of a new configuration. Keys that were
// refused are tried at once: that is what an operator loads a configuration for.
func (h *Health) adopt(providers []*Provider) map[*Provider]providerStates {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.present++
	now := h.now()
	adopted := make(map[*Provider]providerStates, len(providers))
	for _, provider := range providers {
		states := providerStates{address: h.address(provider)}
		for _, credential := range provider.credentials {
			key := h.key(provider.Name, credential.key)
			key.setLimit(credential.key.inFlight)
			key.requests.setLimit(credential.key.requestsPerMinute)
			key.tokens.setLimit(credential.key.tokensPerMinute)
			key.tryNow(now)
			states.keys = append(states.keys, key)
		}
		adopted[provider] = states
	}
	h.forget()
	return adopted
}

// Forget makes everything healthy, as if the process had just begun.
func (h *Health) Forget() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, address := range h.addresses {
		address.forget()
	}
	for _, key := range h.keys {
		key.forget()
	}
	for _, state := range h.keyModels {
		state.forget()
	}
}

type providerStates struct {
	address *addressState
	keys    []*keyState
}

func (h *Health) address(provider *Provider) *addressState {
	id := addressID{provider: provider.Name}
	if address := provider.BaseURL(); address != nil {
		id.address = address.Scheme + "://" + address.Host
	}
	state, ok := h.addresses[id]
	if !ok {
		state = &addressState{provider: provider.Name}
		h.addresses[id] = state
	}
	state.present = h.present
	return state
}

func (h *Health) key(provider string, configured *providerKey) *keyState {
	id := keyID{provider, configured.fingerprint}
	state, ok := h.keys[id]
	if !ok {
		state = &keyState{provider: provider, fingerprint: configured.fingerprint, spread: mix(configured.fingerprint)}
		h.keys[id] = state
	}
	state.number.Store(int64(configured.number))
	state.present = h.present
	return state
}

// partOf is the part of a pattern's names that a name belongs to.
func (h *Health) partOf(name string) uint16 {
	return uint16(maphash.String(h.partSeed, name) % patternParts)
}

// forKeys finds what is known of keys for a model, or for a part of a pattern's names.
// What is new lies together in memory, as it is read together.
func (h *Health) forKeys(keys []*keyState, model string, part uint16) []*keyModelState {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.keyModels)+len(keys) > maxKeyModels {
		h.forgetKeyModels()
	}
	states := make([]*keyModelState, len(keys))
	var fresh []keyModelState
	for i, key := range keys {
		id := keyModelID{key, model, part}
		state, ok := h.keyModels[id]
		if !ok {
			if fresh == nil {
				fresh = make([]keyModelState, 0, len(keys))
			}
			fresh = append(fresh, keyModelState{key: key, model: model, circuit: circuit{troubled: &key.troubled}})
			state = &fresh[len(fresh)-1]
			if len(h.keyModels) < maxKeyModels {
				h.keyModels[id] = state
			}
		}
		state.present = h.present
		states[i] = state
	}
	return states
}

// forget drops what the present configuration does not know, once there is too much.
// Selectors of older ones go on with what they hold.
func (h *Health) forget() {
	if len(h.keys) > maxKeys {
		for id, state := range h.keys {
			if state.present != h.present {
				delete(h.keys, id)
			}
		}
		h.forgetKeyModels()
	}
	if len(h.addresses) > maxKeys {
		for id, state := range h.addresses {
			if state.present != h.present {
				delete(h.addresses, id)
			}
		}
	}
}

// forgetKeyModels drops models that no request of the present configuration called;
// if that is not enough, those that are well.
func (h *Health) forgetKeyModels() {
	for id, state := range h.keyModels {
		if state.present != h.present || h.keys[keyID{id.key.provider, id.key.fingerprint}] != id.key {
			delete(h.keyModels, id)
		}
	}
	if len(h.keyModels) < maxKeyModels/2 {
		return
	}
	for id, state := range h.keyModels {
		if state.until.Load() == 0 && state.failures.Load() == 0 {
			delete(h.keyModels, id)
		}
	}
}

// leastOfLimit is below how many thousandths of a rate limit the weight is lowered.
const leastOfLimit = 200

// said is what a provider said of a rate limit, for those who look. Its fields are not
// of one moment where answers come at once.
type said struct{ known, limit, remaining, reset atomic.Int64 }

func (s *said) store(a dialect.Allowance) {
	if !a.Known {
		return
	}
	reset := int64(0)
	if !a.Reset.IsZero() {
		reset = a.Reset.UnixNano()
	}
	s.limit.Store(a.Limit)
	s.remaining.Store(a.Remaining)
	s.reset.Store(reset)
	s.known.Store(1)
}

func (s *said) load() dialect.Allowance {
	a := dialect.Allowance{Known: s.known.Load() != 0, Limit: s.limit.Load(), Remaining: s.remaining.Load()}
	if reset := s.reset.Load(); reset != 0 {
		a.Reset = time.Unix(0, reset)
	}
	return a
}

// learn takes what an answer says of the rate limits.
func (s *keyModelState) learn(limits dialect.ProviderLimits, now int64) {
	s.requests.store(limits.Requests)
	s.tokens.store(limits.Tokens)
	tightest, thousandths := limits.Tightest()
	if !tightest.Known {
		return
	}
	var left uint64
	if thousandths < leastOfLimit && !tightest.Reset.IsZero() && tightest.Reset.UnixNano() > now {
		share := max(1, uint64(thousandths)*fullShare/leastOfLimit)
		left = uint64(tightest.Reset.UnixMilli())<<10 | min(share, fullShare-1)
	}
	if s.left.Load() == left {
		return
	}
	switch before := s.left.Swap(left); {
	case before == 0 && left != 0:
		s.key.troubled.Add(1)
	case before != 0 && left == 0:
		s.key.troubled.Add(-1)
	}
}

// limitShare is the share of its weight that the rate limits leave.
func (s *keyModelState) limitShare(now int64) uint32 {
	left := s.left.Load()
	if left == 0 || now/int64(time.Millisecond) >= int64(left>>10) {
		return fullShare
	}
	return uint32(left & (fullShare - 1))
}
