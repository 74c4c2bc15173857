package upstream

import (
	"errors"
	"slices"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/tokens"
)

// SelectorOptions configure a Selector. The zero value has good defaults.
type SelectorOptions struct {
	// MostAttempts bounds the attempts of a request; 0 is 8.
	MostAttempts int
	// TryDuration is how long after its first attempt a request may begin another; 0 is 15
	// minutes.
	TryDuration time.Duration
	// QueueLength is how many requests may wait for a slot of one key; 0 is 64, and
	// negative none.
	QueueLength int
	// QueuePatience is how long a request waits for one in all; 0 is 2 seconds.
	QueuePatience time.Duration
}

// Selector selects providers and keys for requests.
type Selector struct {
	health  *Health
	options SelectorOptions
	states  map[*Provider]providerStates
	book    *Catalogue
	// affinityKey is the key of conversations' digests.
	affinityKey [blake2b.Size256]byte
}

// NewSelector makes the selector of a catalogue. It takes over what the Health knows
// of the catalogue's providers and keys, and puts the keys' bounds in force there.
func NewSelector(catalogue *Catalogue, health *Health, options SelectorOptions) *Selector {
	if options.MostAttempts <= 0 {
		options.MostAttempts = 8
	}
	if options.TryDuration <= 0 {
		options.TryDuration = 15 * time.Minute
	}
	if options.QueueLength == 0 {
		options.QueueLength = 64
	}
	if options.QueuePatience == 0 {
		options.QueuePatience = 2 * time.Second
	}
	return &Selector{
		health: health, options: options, states: health.adopt(catalogue.providers), book: catalogue,
		affinityKey: affinityKeyOf(catalogue.providers),
	}
}

// Repriced returns a selector of another catalogue of the same providers. It takes
// nothing over anew: the bounds that are in force stay so, whoever has set them.
func (s *Selector) Repriced(catalogue *Catalogue) *Selector {
	repriced := *s
	repriced.book = catalogue
	return &repriced
}

// Request is what selection has to know of a request.
type Request struct {
	// Dialect is the caller's.
	Dialect dialect.Dialect
	// Operation is what is asked for, by name.
	Operation string
	// Translatable are other dialects that the request can be sent in.
	Translatable []dialect.Dialect
	// Affinity is the Selector's digest of the conversation; 0 for none.
	Affinity    uint64
	Preferences preferences.Providers
	// DataPolicy is the strictest of what operator, account and key require.
	DataPolicy preferences.DataPolicy
	// Needs are the capabilities that the request uses.
	Needs Capability
	// Context is how many tokens the model must be able to take at least; 0 is unknown.
	Context int64
}

var (
	// ErrExhausted says that all keys that may be asked have been.
	ErrExhausted = errors.New("all provider keys of the plan have been tried")
	// ErrSaturated says that all keys have as many requests running as they may.
	ErrSaturated = errors.New("all provider keys of the model are busy")
	// ErrCoolingDown says that all keys are left alone for a time.
	ErrCoolingDown = errors.New("all provider keys of the model are cooling down")
	// ErrKeysRefused says that the providers refuse all keys.
	ErrKeysRefused = errors.New("all provider keys of the model are refused")
	// ErrExcluded says that the caller's preferences exclude all providers of the model.
	ErrExcluded = errors.New("the provider preferences exclude all providers of the model")
	// ErrCapability says that no provider of the model can do what the request needs.
	ErrCapability = errors.New("no provider of the model can do what the request needs")
)

// UnavailableError says that nobody can be asked now. It is ErrSaturated,
// ErrCoolingDown or ErrKeysRefused.
type UnavailableError struct {
	Reason error
	// Cause is what began the cool-down that ends first, of ErrCoolingDown.
	Cause Result
	// RetryAfter is when it makes sense to try again; 0 if nobody knows.
	RetryAfter time.Duration
}

func (e *UnavailableError) Error() string { return e.Reason.Error() }

// Unwrap returns the reason.
func (e *UnavailableError) Unwrap() error { return e.Reason }

// Plan says who may be asked. It is used by one request, for one attempt after the
// other. Errors are ErrOtherDialect, ErrDataPolicy, ErrExcluded and ErrCapability.
func (s *Selector) Plan(model *Model, request Request) (*Plan, error) {
	routes := s.routesOf(model)
	plan := &Plan{
		selector: s, routes: routes, dialect: request.Dialect, operation: request.Operation, affinity: request.Affinity,
		order: request.Preferences.Order, translatable: request.Translatable,
	}
	plan.allowed = plan.inline[:]
	if words := (len(routes.candidates) + 63) / 64; words > len(plan.inline) {
		plan.allowed = make([]uint64, words)
	}
	required := preferences.Strictest(request.DataPolicy, request.Preferences.DataPolicy)
	var speak, promise, wanted, any bool
	for i := range routes.targets {
		target := &routes.targets[i]
		provider := target.Provider
		if _, ok := plan.spokenTo(provider); !ok {
			continue
		}
		speak = true
		if !provider.DataPolicy.Satisfies(required) {
			continue
		}
		promise = true
		if request.Preferences.Exclude(provider.Name) {
			continue
		}
		wanted = true
		if target.Lacks&request.Needs != 0 || target.limits.ContextLength > 0 && request.Context > target.limits.ContextLength {
			continue
		}
		any = true
		for candidate := target.first; candidate < target.end; candidate++ {
			plan.allowed[candidate/64] |= 1 << (candidate % 64)
		}
	}
	switch {
	case any:
		return plan, nil
	case !speak:
		return nil, ErrOtherDialect
	case !promise:
		return nil, &DataPolicyError{Required: required}
	case !wanted:
		return nil, ErrExcluded
	}
	return nil, ErrCapability
}

// HasChoice tells whether there is more than one key for a model to choose from.
func (s *Selector) HasChoice(model *Model) bool { return len(s.routesOf(model).candidates) > 1 }

// spokenTo is the dialect that a provider is spoken to in: the caller's if it can be.
func (p *Plan) spokenTo(provider *Provider) (dialect.Dialect, bool) {
	if provider.Serves(p.dialect, p.operation) {
		return p.dialect, true
	}
	for _, other := range p.translatable {
		if provider.Serves(other, p.operation) {
			return other, true
		}
	}
	return 0, false
}

// routes are all ways of a model, in the order of tiers.
type routes struct {
	selector   *Selector
	targets    []routeTarget
	candidates []candidate
	// shared tells that a key is in several candidates.
	shared bool
}

type routeTarget struct {
	Target
	limits     Limits
	estimator  tokens.Estimator
	first, end int // its candidates
}

// candidate is a key that can serve a model.
type candidate struct {
	address *addressState
	key     *keyState
	state   *keyModelState
	// weight is the target's, shared out among the provider's keys.
	weight     uint32
	tier       uint16
	target     uint16
	credential uint16
}

// weightUnit is what a weight of 1 is shared out from.
const weightUnit = 1 << 16

// routesOf finds the model's routes, and makes them when it is called first.
func (s *Selector) routesOf(model *Model) *routes {
	if known := model.routes.Load(); known != nil && known.selector == s {
		return known
	}
	made := s.makeRoutes(model)
	model.routes.Store(made)
	return made
}

func (s *Selector) makeRoutes(model *Model) *routes {
	r := &routes{selector: s}
	targets := slices.Clone(model.targets)
	slices.SortStableFunc(targets, func(a, b Target) int { return a.tier - b.tier })
	for i, target := range targets {
		states := s.states[target.Provider]
		target.Lacks = model.lacksAt(target)
		named := routeTarget{Target: target, limits: model.limitsAt(target), estimator: tokens.For(target.Model, model.Name), first: len(r.candidates)}
		known, part := target.Model, uint16(0)
		if entry, ok := s.book.book.Find(target.Provider.Name, target.Model); ok {
			// A dated name shares the provider's limits, and its fate, with its model.
			known = entry.Name
		} else if target.pattern != "" {
			// Callers make these names up: what is remembered must not grow with them, nor show
			// them. Yet what befalls one of them is not the others' fate.
			known, part = target.pattern, s.health.partOf(target.Model)
		}
		total := 0
		for _, credential := range target.Provider.credentials {
			total += credential.key.weight
		}
		r.shared = r.shared || slices.ContainsFunc(targets[:i], func(other Target) bool { return other.Provider == target.Provider })
		for number, state := range s.health.forKeys(states.keys, known, part) {
			weight := boundedWeight(target.Weight) * target.Provider.credentials[number].key.weight * weightUnit / total
			r.candidates = append(r.candidates, candidate{
				address: states.address, key: state.key, state: state, weight: uint32(max(weight, 1)),
				tier: uint16(target.tier), target: uint16(i), credential: uint16(number),
			})
		}
		named.end = len(r.candidates)
		r.targets = append(r.targets, named)
	}
	return r
}
