package upstream

import (
	"math"
	"math/bits"
	"slices"
	"time"
)

const (
	// farMore and someInFlight are how far the running requests of a key may be above
	// what is due by the others': four times, and some.
	farMore, someInFlight = 4, 8
	// usualCandidates bounds the candidates that are weighed without memory of their own.
	usualCandidates = 64
)

// choice is whom to ask next, or why nobody.
type choice struct {
	candidate int // -1 = nobody
	// full tells that there is a slot to wait for first, behind waiting others.
	full    bool
	waiting int64
	// lastResort tells that it is left alone because of errors, but nobody else is left.
	lastResort bool

	// Why nobody: whether any candidate is left, and if so, whether any is not refused
	// and when the first of them can be asked again.
	left, notRefused bool
	soonest          int64
	cause            Result // of the cool-down that ends first
}

// weighed is a candidate that can be asked now.
type weighed struct {
	index int32
	// share is what recovery, rate limits and requests under way leave of its weight, of
	// fullShare.
	share   uint32
	running int64
}

// choose looks at all candidates of the plan once.
func (p *Plan) choose(now int64) choice {
	var (
		space  [usualCandidates]weighed
		able   = space[:0]
		best   = math.MaxInt // the stage of those who are able
		result = choice{candidate: -1, soonest: math.MaxInt64}

		full, fullStage     = -1, math.MaxInt
		fewestWaiting       int64
		resort, resortUntil = -1, int64(math.MaxInt64)
		candidates          = p.routes.candidates
	)
	for word, allowed := range p.allowed {
		for ; allowed != 0; allowed &= allowed - 1 {
			index := word*64 + bits.TrailingZeros64(allowed)
			c := &candidates[index]
			stage := int(c.tier)
			if p.order != nil {
				stage = p.stage(c)
			}
			if stage > best {
				if p.order == nil {
					return p.weigh(able) // tiers come in order
				}
				continue
			}
			paced := c.key.pacedUntil(now)
			if paced == 0 && c.well() && !c.key.full() {
				if stage < best {
					best, able = stage, able[:0]
				}
				able = append(able, weighed{int32(index), fullShare, c.key.running.Load()})
				continue
			}
			worst, recovered, until, refused := c.at(now)
			cause := RateLimited
			if paced <= until {
				cause = c.cause(now)
			} else if !refused {
				worst, until = shut, paced // as if its provider had said so
			}
			switch {
			case worst <= probing && c.key.full():
				if waiting := c.key.waiting.Load(); stage < fullStage || stage == fullStage && waiting < fewestWaiting {
					full, fullStage, fewestWaiting = index, stage, waiting
				}
			case worst <= probing:
				if stage < best {
					best, able = stage, able[:0]
				}
				share := max(1, recovered*c.state.limitShare(now)/fullShare)
				able = append(able, weighed{int32(index), share, c.key.running.Load()})
			default:
				result.left = true
				if !refused {
					result.notRefused = true
					if until < result.soonest {
						result.soonest, result.cause = until, cause
					}
				}
				if worst == cooling && until < resortUntil && !c.key.full() {
					resort, resortUntil = index, until
				}
			}
		}
	}
	switch {
	case len(able) > 0:
		return p.weigh(able)
	case full >= 0:
		return choice{candidate: full, full: true, waiting: fewestWaiting}
	case resort >= 0:
		return choice{candidate: resort, lastResort: true}
	}
	return result
}

// well tells, as most are, that nothing keeps requests from a candidate, nor lowers
// its weight.
func (c *candidate) well() bool {
	return c.key.troubled.Load()|c.key.until.Load()|c.address.until.Load() == 0
}

// at is how a candidate stands: as the worst of its circuits does. recovered is its
// share after a cool-down, until when it can be asked again, if it cannot now; refused
// tells that this is the key's matter.
func (c *candidate) at(now int64) (worst standing, recovered uint32, until int64, refused bool) {
	worst, recovered = c.state.at(now)
	if worst > probing {
		until = c.state.until.Load()
	}
	if c.address.until.Load() != 0 {
		standing, part := c.address.at(now)
		worst, recovered = max(worst, standing), recovered*part/fullShare
		if standing > probing {
			until = max(until, c.address.until.Load())
		}
	}
	if c.key.until.Load() != 0 {
		standing, part := c.key.at(now)
		worst, recovered = max(worst, standing), recovered*part/fullShare
		if standing > probing {
			until, refused = max(until, c.key.until.Load()), true
		}
	}
	return worst, recovered, until, refused
}

// cause is what a candidate is left alone for, if that is not the key's matter.
func (c *candidate) cause(now int64) Result {
	if standing, _ := c.address.at(now); standing > probing {
		return Result(c.address.result.Load())
	}
	return Result(c.state.result.Load())
}

// stage is a candidate's turn where the caller has an order of providers: those that
// it names, each with its tiers, and then the others.
func (p *Plan) stage(c *candidate) int {
	position := slices.Index(p.order, p.routes.targets[c.target].Provider.Name)
	if position < 0 {
		position = len(p.order)
	}
	return position<<16 | int(c.tier)
}

// weigh chooses one of those who are able.
func (p *Plan) weigh(able []weighed) choice {
	if len(able) == 1 {
		return choice{candidate: int(able[0].index)}
	}
	p.lowerOverloaded(able)
	if p.affinity != 0 {
		if index := p.home(able); index >= 0 {
			return choice{candidate: index}
		}
	}
	total := uint64(0)
	for i := range able {
		total += p.weightOf(&able[i])
	}
	drawn, _ := bits.Mul64(p.selector.health.random(), total)
	for i := range able {
		weight := p.weightOf(&able[i])
		if drawn < weight {
			return choice{candidate: int(able[i].index)}
		}
		drawn -= weight
	}
	return choice{candidate: int(able[len(able)-1].index)}
}

// weightOf is a candidate's weight as it is now.
func (p *Plan) weightOf(w *weighed) uint64 {
	return max(1, uint64(p.routes.candidates[w.index].weight)*uint64(w.share)/fullShare)
}

// lowerOverloaded lowers the shares of keys at which far more requests run than at
// the others, for their weights: those hang. What differs by chance, or as one provider
// is some times slower than another, stays: weights are to hold.
func (p *Plan) lowerOverloaded(able []weighed) {
	var running, total int64
	for i := range able {
		running += able[i].running
	}
	if running <= someInFlight {
		return
	}
	for i := range able {
		total += int64(p.routes.candidates[able[i].index].weight)
	}
	for i := range able {
		weight := int64(p.routes.candidates[able[i].index].weight)
		due := (running - able[i].running) * weight / (total - weight)
		if most := farMore*due + someInFlight; able[i].running > most {
			able[i].share = uint32(max(1, int64(able[i].share)*most/able[i].running))
		}
	}
}

// home is the key that the conversation has by weighted rendezvous. As a key's share
// falls, conversations leave it, and as it grows they come back, the same ones first.
func (p *Plan) home(able []weighed) int {
	chosen, highest := -1, 0.0
	for i := range able {
		c := &p.routes.candidates[able[i].index]
		if share := able[i].share; share < fullShare && uint32(mix(p.affinity+c.key.spread)%fullShare) >= share {
			continue
		}
		if score := rendezvous(p.affinity, c.key.spread, float64(c.weight), highest); score > highest {
			chosen, highest = int(able[i].index), score
		}
	}
	return chosen
}

// unavailable says why nobody can be asked.
func (p *Plan) unavailable(why *choice, now int64) error {
	switch {
	case !why.left:
		return ErrExhausted
	case !why.notRefused:
		return &UnavailableError{Reason: ErrKeysRefused}
	}
	// Where a try is running the cool-down is over, but not yet decided on.
	return &UnavailableError{Reason: ErrCoolingDown, Cause: why.cause, RetryAfter: max(time.Duration(why.soonest-now), time.Second)}
}
