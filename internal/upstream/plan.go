package upstream

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

// Plan is who may be asked for one request, and who was. The order is made as the
// attempts are, from what is known then. It belongs to one goroutine; only Calls may
// be ended from another.
type Plan struct {
	selector     *Selector
	routes       *routes
	dialect      dialect.Dialect
	operation    string
	translatable []dialect.Dialect
	affinity     uint64
	order        []string
	// allowed are the candidates that may be asked yet, one bit each.
	allowed []uint64
	inline  [4]uint64

	attempts int
	first    int64 // when the first of them began
	// waitUntil is when the request has waited long enough for slots; 0 before it has.
	waitUntil int64
	last      *candidate
	// unreached is the last address that could not be reached.
	unreached *addressState
	// ended is the number of the last attempt that has ended, and with it how.
	ended  atomic.Uint64
	probes [3]int64
	began  int64
}

// Call is an attempt that runs. It has a slot of its key until Done.
type Call struct {
	Attempt
	plan      *Plan
	candidate *candidate
	number    uint64
	began     int64
	// probes are the tokens of the tries that this call is: address, key, model.
	probes [3]int64
}

// Attempts is how many attempts have begun.
func (p *Plan) Attempts() int { return p.attempts }

// Begin chooses whom to ask next and takes a slot there, for which it waits shortly
// if need be. It ends the attempt before if Done has not. Errors are ErrExhausted,
// UnavailableError and the context's.
func (p *Plan) Begin(ctx context.Context) (Call, error) {
	health := p.selector.health
	now := health.now()
	p.closeLast()
	options := &p.selector.options
	if p.attempts >= options.MostAttempts || p.attempts > 0 && now-p.first >= int64(options.TryDuration) {
		return Call{}, ErrExhausted
	}
	// Another request can take the slot, the place in the queue or the probe first; then it
	// is somebody else's turn.
	for range 2*len(p.routes.candidates) + 2 {
		chosen := p.choose(now)
		if chosen.candidate < 0 {
			return Call{}, p.unavailable(&chosen, now)
		}
		c := &p.routes.candidates[chosen.candidate]
		if chosen.full {
			err := p.wait(ctx, c, now)
			if errors.Is(err, errQueueFull) && chosen.waiting < int64(options.QueueLength) {
				continue // the queue was not full when it was chosen, and another one may not be
			}
			if err != nil {
				return Call{}, p.waitedInVain(err)
			}
			now = health.now()
		} else if !c.key.take() {
			continue
		}
		probes, ok := c.enter(now, chosen.lastResort)
		if ok && !c.key.requests.take(now) {
			c.giveUp(probes)
			ok = false
		}
		if !ok {
			c.key.give()
			continue
		}
		return p.start(chosen.candidate, probes, now), nil
	}
	return Call{}, &UnavailableError{Reason: ErrSaturated, RetryAfter: time.Second}
}

func (p *Plan) start(index int, probes [3]int64, now int64) Call {
	c := &p.routes.candidates[index]
	if p.attempts++; p.attempts == 1 {
		p.first = now
	}
	p.last = c
	p.began, p.probes = now, probes
	p.close(index)
	target := &p.routes.targets[c.target]
	attempt := p.attemptAt(target)
	attempt.Credential = target.Provider.credentials[c.credential]
	return Call{
		Attempt: attempt, plan: p, candidate: c, number: uint64(p.attempts), began: now, probes: probes,
	}
}

// wait waits for a slot of a key that has none free. Errors are those of slots.wait.
func (p *Plan) wait(ctx context.Context, c *candidate, now int64) error {
	options := &p.selector.options
	if p.waitUntil == 0 {
		p.waitUntil = now + int64(options.QueuePatience)
	}
	return c.key.wait(ctx, options.QueueLength, time.Duration(p.waitUntil-now))
}

// waitedInVain says what an error of wait comes to.
func (p *Plan) waitedInVain(err error) error {
	if errors.Is(err, errQueueFull) || errors.Is(err, errWaited) {
		return &UnavailableError{Reason: ErrSaturated, RetryAfter: p.selector.options.QueuePatience}
	}
	return fmt.Errorf("waiting for a provider key: %w", err)
}

// enter passes the candidate's circuits, as a probe where that is wanted.
func (c *candidate) enter(now int64, lastResort bool) (probes [3]int64, ok bool) {
	for i, circuit := range [...]*circuit{&c.address.circuit, &c.key.circuit, &c.state.circuit} {
		switch standing, _ := circuit.at(now); {
		case standing == open:
			continue
		case standing == probing:
			if probes[i], ok = circuit.startProbe(now); ok {
				continue
			}
		case standing == cooling && lastResort:
			continue
		}
		c.giveUp(probes)
		return probes, false
	}
	return probes, true
}

func (c *candidate) giveUp(probes [3]int64) {
	c.address.giveUpProbe(probes[0])
	c.key.giveUpProbe(probes[1])
	c.state.giveUpProbe(probes[2])
}

// close takes a candidate out of the plan, and all with the same key that would send
// the request under the same name or come in the same tier.
func (p *Plan) close(index int) {
	closed := &p.routes.candidates[index]
	p.allowed[index/64] &^= 1 << (index % 64)
	if !p.routes.shared {
		return
	}
	for i := range p.routes.candidates {
		c := &p.routes.candidates[i]
		if c.key == closed.key && (c.tier == closed.tier || p.routes.targets[c.target].Model == p.routes.targets[closed.target].Model) {
			p.allowed[i/64] &^= 1 << (i % 64)
		}
	}
}

// closeLast takes the last key out of the plan, or all of its provider, if its failure
// was not about the model.
func (p *Plan) closeLast() {
	if p.last == nil {
		return
	}
	ended := p.ended.Load()
	if ended>>8 != uint64(p.attempts) { // never ended: nobody can say how it went
		(&Call{plan: p, candidate: p.last, number: uint64(p.attempts), began: p.began, probes: p.probes}).Done(Outcome{})
	}
	switch faults[Result(ended)].scope {
	case ofKey:
		p.closeAll(func(c *candidate) bool { return c.key == p.last.key })
	case ofAddress:
		// Once more if nobody else is left, as a connection can fail by chance, with
		// another key; but each try can take long.
		if p.unreached == p.last.address {
			p.closeAll(func(c *candidate) bool { return c.address == p.last.address })
		}
		p.unreached = p.last.address
	}
	p.last = nil
}

func (p *Plan) closeAll(which func(*candidate) bool) {
	for i := range p.routes.candidates {
		if which(&p.routes.candidates[i]) {
			p.allowed[i/64] &^= 1 << (i % 64)
		}
	}
}

// Answered says that the provider has begun to answer with content, and what it says
// of its rate limits. A try after a cool-down is over with it, however long the rest
// of the answer takes.
func (c *Call) Answered(limits dialect.ProviderLimits) {
	now := c.plan.selector.health.now()
	c.candidate.state.learn(limits, now)
	c.succeed(now)
}

func (c *Call) succeed(now int64) {
	health := c.plan.selector.health
	to := c.candidate
	if to.address.succeed(now, c.began) {
		health.observe(Event{Change: Recovered, Provider: to.address.provider})
	}
	if to.key.succeed(now, c.began) {
		health.observe(Event{Change: Recovered, Provider: to.key.provider, Key: to.key.label()})
	}
	if to.state.succeed(now, c.began) {
		health.observe(Event{Change: Recovered, Provider: to.key.provider, Key: to.key.label(), Model: to.state.model})
	}
}

// Done ends the attempt and says how it went; only the first time counts. It may be
// called from any goroutine.
func (c *Call) Done(outcome Outcome) {
	before := c.plan.ended.Load()
	if before>>8 >= c.number || !c.plan.ended.CompareAndSwap(before, c.number<<8|uint64(outcome.Result)) {
		return
	}
	health := c.plan.selector.health
	now := health.now()
	to := c.candidate
	to.state.learn(outcome.Limits, now)
	to.key.tokens.add(now, outcome.Tokens)
	switch outcome.Result {
	case Abandoned:
	case Succeeded:
		c.succeed(now)
	default:
		c.failed(outcome, now)
	}
	to.giveUp(c.probes)
	to.key.give()
}

func (c *Call) failed(outcome Outcome, now int64) {
	health := c.plan.selector.health
	to := c.candidate
	event := Event{Change: CoolDown, Provider: to.key.provider, Result: outcome.Result}
	if outcome.Result != Unreachable && outcome.Result != TimedOut && to.address.succeed(now, c.began) {
		health.observe(Event{Change: Recovered, Provider: to.address.provider})
	}
	circuit := &to.state.circuit
	switch faults[outcome.Result].scope {
	case ofNobody:
		return
	case ofAddress:
		circuit = &to.address.circuit
	case ofKey:
		circuit = &to.key.circuit
		event.Change, event.Key = KeyRefused, to.key.label()
	case ofModel:
		if outcome.Result == ModelMissing && c.plan.routes.targets[to.target].callers && c.Model != to.state.model {
			return // a dated name, or one of a pattern: callers can make those up
		}
		event.Key, event.Model = to.key.label(), to.state.model
	}
	if until, coolsDown := circuit.fail(now, c.began, outcome.Result, outcome.Wait, health.random()); coolsDown {
		event.Until = time.Unix(0, until)
		health.observe(event)
	}
}
