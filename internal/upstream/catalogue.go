package upstream

import (
	"cmp"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
)

// Target is a provider and its name of a model.
type Target struct {
	Provider *Provider
	// Model is the provider's name. In an alias that ends in an asterisk, one at its end
	// stands for what the alias's stands for.
	Model string
	// Weight is the target's share in its tier, 1 to 1000; 0 is 1.
	Weight int
	// Lacks is what the model is known not to be able to do there.
	Lacks Capability

	tier int
	// pattern is Model as configured, if it had an asterisk.
	pattern string
	// callers tells that Model is, or comes from, a name that is in no configuration.
	callers bool
}

// Alias is a model name of the operator's own, or a price of the operator's own.
//
// A name that ends in an asterisk stands for all names that begin as it does, and
// that no other alias is named; of several, the longest holds:
//
//	Alias{Name: "claude-*", Targets: []Target{{Provider: anthropic, Model: "claude-*"}}}
//	Alias{Name: "router/*", Targets: []Target{{Provider: openrouter, Model: "*"}}, Rates: rates}
//
// Without Rates it serves the names that the price book has for its first target.
type Alias struct {
	Name string
	// Targets come in order of preference, each a tier of its own.
	Targets []Target
	// Tiers, in place of Targets, are asked in order, the targets of one by weight.
	Tiers [][]Target
	// Rates is the operator's price; nil means the price of the first target.
	Rates *price.Rates
	// Limits are the operator's, in place of the price book's where they are not 0.
	Limits Limits
}

// Limits are a model's at one provider, in tokens; 0 = unknown.
type Limits struct {
	// ContextLength is the longest prompt that the model reads.
	ContextLength int64
	// OutputLimit is the longest answer that it gives by itself.
	OutputLimit int64
}

// Catalogue is the providers and models of one configuration.
type Catalogue struct {
	book      *price.Book
	providers []*Provider
	models    map[string]*Model
	listed    []*Model
	unpriced  []string // as PROVIDER/NAME or, of an alias, NAME
	// refused are the aliases without a price: what the operator sends to one place shall
	// not go to another instead.
	refused map[string]bool
	// configured are the providers' models that the operator names.
	configured map[servedName]bool
	patterns   []Alias  // the longest first
	shown      []*Model // what they look like in a list for operators
	found      foundModels
}

// servedName is a provider's name of a model.
type servedName struct {
	provider *Provider
	model    string
}

// Model is a name that clients may call, and its price.
type Model struct {
	Name string
	// Listed is the name under which it counts in metrics: of a dated name, which callers can
	// make up, the model's, and of one that a pattern stands for, the pattern.
	Listed string
	// Owner is the provider that stands for the model in lists.
	Owner string
	// Limits are the operator's or those of the first target.
	Limits

	targets []Target
	stated  Limits // by the operator
	book    *price.Book
	entry   *price.Model
	fixed   *price.Rates
	version string
	// routes are the last Selector's.
	routes atomic.Pointer[routes]
}

// NewCatalogue makes a catalogue. Providers come in order of preference: the first
// that serves a model gives it its price. A name without a price is left out and
// reported by Unpriced.
func NewCatalogue(book *price.Book, providers []*Provider, aliases []Alias) (*Catalogue, error) {
	c := &Catalogue{
		book: book, providers: providers, models: make(map[string]*Model),
		refused: make(map[string]bool), configured: make(map[servedName]bool),
	}
	for _, provider := range providers {
		for entry := range book.Models(provider.Name) {
			c.serve(entry.Name, entry, Target{Provider: provider, Model: entry.Name})
		}
		for _, name := range provider.models {
			c.configured[servedName{provider, name}] = true
			entry, ok := book.Find(provider.Name, name)
			if !ok {
				c.unpriced = append(c.unpriced, provider.Name+"/"+name)
				continue
			}
			c.serve(name, entry, Target{Provider: provider, Model: name})
		}
	}
	if err := c.alias(aliases); err != nil {
		return nil, err
	}
	for _, model := range c.models {
		c.listed = append(c.listed, model)
	}
	slices.SortFunc(c.listed, func(a, b *Model) int { return strings.Compare(a.Name, b.Name) })
	return c, nil
}

// serve adds a target to a model, or the model itself.
func (c *Catalogue) serve(name string, entry *price.Model, target Target) {
	model, ok := c.models[name]
	if !ok {
		model = c.priced(name, entry, target)
		c.models[name] = model
		return
	}
	if !model.goesTo(target) {
		model.add(target)
	}
}

// add adds a target that is not the first.
func (m *Model) add(target Target) {
	target.tier = len(m.targets)
	m.targets = append(m.targets, target)
}

func (m *Model) goesTo(target Target) bool {
	return slices.ContainsFunc(m.targets, func(known Target) bool {
		return known.Provider == target.Provider && known.Model == target.Model
	})
}

func (c *Catalogue) priced(name string, entry *price.Model, target Target) *Model {
	return &Model{
		Name: name, Listed: name, Owner: target.Provider.Name, Limits: limitsOf(entry),
		targets: []Target{target}, book: c.book, entry: entry, version: c.book.Version(),
	}
}

func limitsOf(entry *price.Model) Limits {
	return Limits{ContextLength: entry.ContextLength, OutputLimit: entry.OutputLimit}
}

// lacksAt is what the model is known not to take at a target.
func (m *Model) lacksAt(target Target) Capability {
	lacks := target.Lacks
	entry, ok := m.book.Find(target.Provider.Name, target.Model)
	if !ok || entry.InputModalities == nil {
		return lacks
	}
	for modality, capability := range map[string]Capability{"image": CapabilityImageInput, "audio": CapabilityAudioInput, "video": CapabilityVideoInput} {
		if !slices.Contains(entry.InputModalities, modality) {
			lacks |= capability
		}
	}
	return lacks
}

// Find returns the model of a name: a name of the catalogue, or a dated or
// alternative name of one. A price line for a model holds for its dated names too.
func (c *Catalogue) Find(name string) (*Model, error) {
	if model, ok := c.models[name]; ok {
		return model, nil
	}
	if model, ok := c.found.get(name); ok {
		return model, nil
	}
	model, err := c.search(name)
	if err != nil {
		return nil, err
	}
	return c.found.keep(name, model), nil
}

func (c *Catalogue) search(name string) (*Model, error) {
	if c.refused[name] {
		return nil, ErrNoPrice
	}
	if model, ok := c.match(name); ok {
		return model, nil
	}
	var found *Model
	for _, provider := range c.providers {
		entry, ok := c.book.Find(provider.Name, name)
		if !ok {
			continue
		}
		target := Target{Provider: provider, Model: name, callers: true}
		if found != nil {
			found.add(target)
			continue
		}
		found = c.priced(name, entry, target)
		found.Listed = entry.Name
		if configured := c.models[entry.Name]; configured != nil && configured.fixed != nil && configured.entry == entry {
			found.fixed, found.version = configured.fixed, configured.version
		}
	}
	if found != nil {
		return found, nil
	}
	// That one provider's model has no price is no reason against a pattern or another
	// provider that has one, so it is looked at last.
	if slices.ContainsFunc(c.unpriced, func(known string) bool { return known == name || strings.HasSuffix(known, "/"+name) }) {
		return nil, ErrNoPrice
	}
	return nil, ErrUnknownModel
}

// Models lists the models by name.
func (c *Catalogue) Models() []*Model { return c.listed }

// Many lists the operator's names that stand for many, as models that nobody calls by
// that name. Rates has the price where the operator states one.
func (c *Catalogue) Many() []*Model { return c.shown }

// Unpriced lists the configured names that have no price, but for models that a name
// with a price goes to: nobody shall call those by their own.
func (c *Catalogue) Unpriced() []string {
	reached := make(map[string]bool)
	for _, model := range c.models {
		for _, target := range model.targets {
			reached[target.Provider.Name+"/"+target.Model] = true
		}
	}
	return slices.DeleteFunc(slices.Clone(c.unpriced), func(name string) bool { return reached[name] || c.reachedByMany(name) })
}

// reachedByMany tells whether one of the operator's names that stand for many, with a
// price, goes to a provider's model.
func (c *Catalogue) reachedByMany(name string) bool {
	return slices.ContainsFunc(c.patterns, func(alias Alias) bool {
		return alias.Rates != nil && slices.ContainsFunc(alias.Targets, func(target Target) bool {
			prefix, many := strings.CutSuffix(target.Provider.Name+"/"+target.Model, anything)
			return name == prefix || many && strings.HasPrefix(name, prefix)
		})
	})
}

// Served judges what a provider says it served. The name is what may be recorded:
// one of the price book's, of this catalogue's or of the configuration's, else metering.Other, as free text
// from outside must not be kept. The rates are those of the served model where it
// refines the called one within the provider (an alias's dated version); nil means
// that the price of the called model stands.
func (c *Catalogue) Served(called *Model, attempt Attempt, served string, at time.Time) (name string, rates *price.Rates) {
	name = metering.Other
	if _, ok := c.models[served]; ok || c.configured[servedName{attempt.Provider, served}] {
		name = served
	} else if _, ok := c.book.Find(attempt.Provider.Name, served); ok && dialect.ValidModelName(served) {
		name = served
	}
	if called.fixed != nil {
		return name, nil
	}
	if !c.PricedThere(called, attempt) {
		// Another provider's model stands in for the called one, at the called one's
		// price: that is what was held for.
		return name, nil
	}
	if entry, ok := c.book.Refine(attempt.Provider.Name, attempt.Model, served); ok && entry != called.entry {
		if refined, ok := entry.At(at); ok {
			return name, refined
		}
	}
	return name, nil
}

// PricedThere tells whether the called model's price is that of the model which an attempt
// asks, or the operator's own; else it is another provider's.
func (c *Catalogue) PricedThere(called *Model, attempt Attempt) bool {
	if called.fixed != nil {
		return true
	}
	sent, ok := c.book.Find(attempt.Provider.Name, attempt.Model)
	return ok && sent == called.entry
}

// PassRates is the price of another model of the same provider, which did a part of
// the work; false if the book does not know it.
func (c *Catalogue) PassRates(attempt Attempt, model string, at time.Time) (*price.Rates, bool) {
	entry, ok := c.book.Find(attempt.Provider.Name, model)
	if !ok {
		return nil, false
	}
	return entry.At(at)
}

// Simulator tells whether the simulator can be what serves the model.
func (m *Model) Simulator() bool {
	return slices.ContainsFunc(m.targets, func(target Target) bool { return target.Provider.Simulator })
}

// Promised tells whether a provider of the model has the data policy that is required.
func (m *Model) Promised(required preferences.DataPolicy) bool {
	return slices.ContainsFunc(m.targets, func(target Target) bool { return target.Provider.DataPolicy.Satisfies(required) })
}

// Reasons tells whether the model can generate reasoning that is billed and that the
// caller does not see.
func (m *Model) Reasons() bool { return m.entry != nil && m.entry.Reasons }

// Rates is the price at a moment, and the version of what it was taken from; false
// if there is none.
func (m *Model) Rates(at time.Time) (rates *price.Rates, version string, ok bool) {
	if m.fixed != nil {
		return m.fixed, m.version, true
	}
	if m.entry == nil {
		return nil, "", false
	}
	rates, ok = m.entry.At(at)
	return rates, m.version, ok
}

// limitsAt is what is known of the model's limits at a target. Of an output limit that
// the operator states the provider knows nothing: it has to be told.
func (m *Model) limitsAt(target Target) Limits {
	var limits Limits
	if entry, ok := m.book.Find(target.Provider.Name, target.Model); ok {
		limits = limitsOf(entry)
	}
	limits.ContextLength = cmp.Or(m.stated.ContextLength, limits.ContextLength)
	if m.stated.OutputLimit > 0 {
		limits.OutputLimit = 0
	}
	return limits
}

// Dialects lists the dialects in which the model can be called.
func (m *Model) Dialects() []dialect.Dialect {
	var dialects []dialect.Dialect
	for _, target := range m.targets {
		for _, d := range target.Provider.spoken() {
			if !slices.Contains(dialects, d) {
				dialects = append(dialects, d)
			}
		}
	}
	return dialects
}
