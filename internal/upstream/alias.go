package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/faregate/faregate/internal/dialect"
)

const (
	// configuredPrice is the price version of a price line in the configuration.
	configuredPrice = "configured"
	// simulatorPrefix begins the names of all models that the simulator serves, so
	// that nobody pays for a made-up answer unawares.
	simulatorPrefix = "simulator/"
	// anything ends the name of an alias that stands for many.
	anything = "*"
)

// alias adds the operator's names, in place of the book's models of these names.
func (c *Catalogue) alias(aliases []Alias) error {
	named := make(map[string]bool, len(aliases))
	for _, alias := range aliases {
		if err := alias.prepare(); err != nil {
			return err
		}
		for _, target := range alias.Targets {
			c.configured[servedName{target.Provider, target.Model}] = true
		}
		if strings.HasSuffix(alias.Name, anything) {
			c.patterns = append(c.patterns, alias)
			c.shown = append(c.shown, c.resolveMany(alias))
			continue
		}
		named[alias.Name] = true
		model := c.resolve(alias, alias.Name)
		if model == nil {
			c.unpriced = append(c.unpriced, alias.Name)
			c.refused[alias.Name] = true
			delete(c.models, alias.Name)
			continue
		}
		c.models[alias.Name] = model
	}
	slices.SortStableFunc(c.patterns, func(a, b Alias) int { return len(b.Name) - len(a.Name) })
	// What the operator says of many names comes before what the book says of one.
	for _, name := range slices.Collect(maps.Keys(c.models)) {
		if model, ok := c.match(name); ok && !named[name] {
			c.models[name] = model
		}
	}
	c.listMatched(named)
	return nil
}

// listMatched adds the providers' models that have no price of their own, but one by a
// pattern.
func (c *Catalogue) listMatched(named map[string]bool) {
	for _, provider := range c.providers {
		for _, name := range provider.models {
			if named[name] || c.models[name] != nil {
				continue
			}
			if model, ok := c.match(name); ok {
				model.Name = name // the operator's own, so it may be recorded and listed
				c.models[name] = model
			}
		}
	}
}

// prepare puts the targets in tiers and finds mistakes.
func (a *Alias) prepare() error {
	targets := slices.Clone(a.Targets)
	for i := range targets {
		targets[i].tier = i
	}
	if len(a.Tiers) > 0 {
		if len(targets) > 0 {
			return fmt.Errorf("model %s has targets both in tiers and in order", a.Name)
		}
		for tier, together := range a.Tiers {
			for _, target := range together {
				target.tier = tier
				targets = append(targets, target)
			}
		}
	}
	if len(targets) == 0 {
		return fmt.Errorf("model %s goes nowhere: name a provider", a.Name)
	}
	for i := range targets {
		if err := a.check(&targets[i]); err != nil {
			return fmt.Errorf("model %s: %w", a.Name, err)
		}
	}
	a.Targets, a.Tiers = targets, nil
	return nil
}

func (a *Alias) check(target *Target) error {
	switch {
	case target.Weight < 0 || target.Weight > maxWeight:
		return fmt.Errorf("weight %d is not in 1 to %d", target.Weight, maxWeight)
	case strings.Contains(strings.TrimSuffix(a.Name, anything), anything), strings.Contains(strings.TrimSuffix(target.Model, anything), anything):
		return errors.New("an asterisk can only be at the end")
	case target.Provider.Simulator && !strings.HasPrefix(a.Name, simulatorPrefix):
		return fmt.Errorf("it goes to the simulator, which serves %s* only", simulatorPrefix)
	}
	if strings.HasSuffix(target.Model, anything) {
		if !strings.HasSuffix(a.Name, anything) {
			return errors.New("its target ends in an asterisk, so its name must, too")
		}
		target.pattern = target.Model
	}
	return nil
}

// match finds the model of a name that one of the operator's patterns stands for.
func (c *Catalogue) match(name string) (*Model, bool) {
	if len(c.patterns) == 0 || !dialect.ValidModelName(name) {
		return nil, false
	}
	for _, alias := range c.patterns {
		if len(name) >= len(alias.Name) && strings.HasPrefix(name, strings.TrimSuffix(alias.Name, anything)) {
			model := c.resolve(alias, name)
			return model, model != nil
		}
	}
	return nil, false
}

// resolveMany is what is shown of an alias that stands for many: nothing calls it.
func (c *Catalogue) resolveMany(alias Alias) *Model {
	model := &Model{Name: alias.Name, Owner: alias.Targets[0].Provider.Name, Limits: alias.Limits, targets: alias.Targets, fixed: alias.Rates}
	if alias.Rates != nil {
		model.version = configuredPrice
	}
	return model
}

// resolve makes the model of a name that an alias stands for; nil if it has no price.
func (c *Catalogue) resolve(alias Alias, name string) *Model {
	rest := strings.TrimPrefix(name, strings.TrimSuffix(alias.Name, anything))
	model := &Model{Name: name, Listed: alias.Name, Owner: alias.Targets[0].Provider.Name, book: c.book, fixed: alias.Rates, stated: alias.Limits}
	for _, target := range alias.Targets {
		if target.pattern != "" {
			target.Model, target.callers = strings.TrimSuffix(target.pattern, anything)+rest, true
			if name != alias.Name && !dialect.ValidModelName(target.Model) {
				return nil // a name that may not get into an address
			}
		}
		model.targets = append(model.targets, target)
	}
	first := model.targets[0]
	if entry, ok := c.book.Find(first.Provider.Name, first.Model); ok {
		model.entry, model.version, model.Limits = entry, c.book.Version(), limitsOf(entry)
	} else if alias.Rates == nil {
		return nil
	} else if name != alias.Name {
		// A name that a caller may have made up must not be recorded.
		model.Name = alias.Name
	}
	if alias.Rates != nil {
		model.version = configuredPrice
	}
	model.ContextLength = cmp.Or(alias.Limits.ContextLength, model.ContextLength)
	model.OutputLimit = cmp.Or(alias.Limits.OutputLimit, model.OutputLimit)
	return model
}
