package upstream

import (
	"cmp"
	"slices"
)

// Targets lists the providers and models that may be asked yet, one attempt each
// without a key, in the order of their turns. Within a tier it is the configuration's.
func (p *Plan) Targets() []Attempt {
	type turn struct {
		stage  int
		target *routeTarget
	}
	turns := make([]turn, 0, len(p.routes.targets))
	for i := range p.routes.targets {
		target := &p.routes.targets[i]
		for index := target.first; index < target.end; index++ {
			if p.allowed[index/64]&(1<<(index%64)) != 0 {
				turns = append(turns, turn{p.stage(&p.routes.candidates[index]), target})
				break
			}
		}
	}
	slices.SortStableFunc(turns, func(a, b turn) int { return cmp.Compare(a.stage, b.stage) })
	attempts := make([]Attempt, len(turns))
	for i := range turns {
		attempts[i] = p.attemptAt(turns[i].target)
	}
	return attempts
}

// LeaveOut takes all keys of an attempt's provider for its model out of the plan, as it
// is more than the caller can pay for.
func (p *Plan) LeaveOut(attempt Attempt) {
	p.closeAll(func(c *candidate) bool {
		target := &p.routes.targets[c.target]
		return target.Provider == attempt.Provider && target.Model == attempt.Model
	})
}

// attemptAt is an attempt at a target, but for the key.
func (p *Plan) attemptAt(target *routeTarget) Attempt {
	spoken, _ := p.spokenTo(target.Provider)
	return Attempt{Provider: target.Provider, Model: target.Model, Dialect: spoken, Limits: target.limits, Estimator: target.estimator}
}
