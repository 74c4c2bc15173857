package price

import (
	"errors"
	"math"

	"github.com/faregate/faregate/metering"
)

// ErrBound says that a bound is not one: a negative number.
var ErrBound = errors.New("a bound on tokens or units must not be negative")

// ErrTooLarge says that a worst case is more money than can be counted.
var ErrTooLarge = errors.New("the worst case of this request costs more than 9223372036 dollars")

// Bound is the most that a request can consume.
type Bound struct {
	InputTokens  int64
	OutputTokens int64 // already times the choices asked for
	// The most of each unit; a fee for the request itself is always counted.
	WebSearches, WebFetches, XSearches, FileSearches, CodeInterpreters int64
	Images, Characters, Milliseconds, Pages                            int64
	// Without are the classes that this request cannot reach: audio where its
	// body has none, cache writes where the provider writes only when asked. The
	// zero value reaches everything.
	Without Classes
	// Conditions is what the request asks for. A provider may serve the standard
	// service instead, so that the dearer of both counts.
	Conditions Conditions
	// AnyConditions counts the dearest of all service tiers, speeds and regions that
	// the rates know, for requests that leave the choice to the provider's account
	// settings.
	AnyConditions bool
}

// Hold is the most that a request within the bound can cost: the input bound at
// its dearest reachable class and the output bound at its, in the dearest
// reachable tier of the prompt's length, plus units, under the dearest reachable
// conditions. For every usage within the bound, Cost ≤ Hold.
func (r *Rates) Hold(b Bound) (metering.Nanos, error) {
	units, err := r.boundUnits(&b)
	if err != nil || b.InputTokens < 0 || b.OutputTokens < 0 {
		return 0, ErrBound
	}
	var worst metering.Nanos
	r.worstCases(b, func(input, output uint64, over, under factors) {
		var tokens wide
		tokens = tokens.plusProduct(uint64(b.InputTokens), input).plusProduct(uint64(b.OutputTokens), output)
		worst = max(worst, r.nanos(tokens, units, over, under))
	})
	if worst == math.MaxInt64 {
		return 0, ErrTooLarge
	}
	return worst, nil
}

// OutputTokensWithin is the largest number of output tokens whose Hold, with
// the bound's other numbers, is no more than available; b.OutputTokens is not
// read. It is -1 if not even the input fits or the bound is negative, and
// math.MaxInt64 if output is free.
func (r *Rates) OutputTokensWithin(b Bound, available metering.Nanos) int64 {
	units, err := r.boundUnits(&b)
	if err != nil || available < 0 || b.InputTokens < 0 {
		return -1
	}
	// Hold refuses the largest amount, as it cannot be told from a larger one.
	available = min(available, math.MaxInt64-1)
	most := int64(math.MaxInt64)
	r.worstCases(b, func(input, output uint64, over, under factors) {
		var tokens wide
		tokens = tokens.plusProduct(uint64(b.InputTokens), input)
		most = min(most, r.outputWithin(tokens, units, output, over, under, available))
	})
	return most
}

// outputWithin solves nanos(tokens + n × output, units, …) ≤ available for the
// largest n. As the sum is an integer and available too, rounding up compares
// the same as not rounding: sum × group ≤ available × 1000 × quantity × ….
func (r *Rates) outputWithin(tokens, units wide, output uint64, over, under factors, available metering.Nanos) int64 {
	groupOver, groupUnder := r.group.parts()
	if groupOver == 0 {
		return math.MaxInt64
	}
	budget := wide{uint64(available)}.times(picoPerNano).times(r.quantity).times(groupUnder)
	for i := range over {
		tokens = tokens.times(over[i])
		units = units.times(under[i])
		budget = budget.times(under[i])
	}
	budget, _ = budget.dividedBy(groupOver)
	rest, below := budget.minus(tokens.plus(units))
	if below {
		return -1
	}
	divisors := [dimensions + 1]uint64{output, over[0], over[1], over[2]}
	for _, divisor := range divisors {
		if divisor == 0 {
			return math.MaxInt64
		}
		rest, _ = rest.dividedBy(divisor)
	}
	if rest[3]|rest[2]|rest[1] != 0 || rest[0] > math.MaxInt64 {
		return math.MaxInt64
	}
	return int64(rest[0])
}

func (r *Rates) boundUnits(b *Bound) (wide, error) {
	counts := unitCounts{
		WebSearch: b.WebSearches, WebFetch: b.WebFetches, XSearch: b.XSearches, FileSearch: b.FileSearches, CodeInterpreter: b.CodeInterpreters,
		Images: b.Images, Characters: b.Characters, Milliseconds: b.Milliseconds, Pages: b.Pages, Request: 1,
	}
	for _, count := range counts {
		if count < 0 {
			return wide{}, ErrBound
		}
	}
	return r.units.cost(&counts, &b.Conditions.Kinds, (*unitPrices).most), nil
}

// worstCases calls visit with the dearest input and output price of every
// combination of reachable conditions and tiers. The tier is that of a prompt
// within the bound, so all tiers below the bound's are visited too: nothing says
// that a longer prompt is dearer in every class.
func (r *Rates) worstCases(b Bound, visit func(input, output uint64, over, under factors)) {
	serviceTiers := reachable{r.serviceTiers, canonicalServiceTier(b.Conditions.ServiceTier), b.AnyConditions}
	speeds := reachable{r.speeds, canonicalSpeed(b.Conditions.Speed), b.AnyConditions}
	geos := reachable{r.geos, canonicalGeo(b.Conditions.Geo), b.AnyConditions}
	for i := -1; i < len(r.serviceTiers); i++ {
		for j := -1; j < len(r.speeds); j++ {
			for k := -1; k < len(r.geos); k++ {
				if !serviceTiers.has(i) || !speeds.has(j) || !geos.has(k) {
					continue
				}
				sheet, over, under := r.stacked([dimensions]*adjustment{serviceTiers.at(i), speeds.at(j), geos.at(k)})
				input, output := dearest(&sheet.short, b.Without)
				visit(input, output, over, under)
				for t := range sheet.tiers {
					if b.InputTokens > sheet.tiers[t].above {
						input, output := dearest(&sheet.tiers[t].prices, b.Without)
						visit(input, output, over, under)
					}
				}
			}
		}
	}
}

// reachable is which adjustments of a dimension a request can meet; index -1 is
// the standard service, which it always can.
type reachable struct {
	adjustments []adjustment
	asked       string
	any         bool
}

func (d reachable) has(i int) bool {
	return i < 0 || d.any || d.adjustments[i].name == d.asked
}

func (d reachable) at(i int) *adjustment {
	if i < 0 {
		return nil
	}
	return &d.adjustments[i]
}

// dearest is the highest price of an input and of an output class. Plain input
// and output are always reachable.
func dearest(p *prices, without Classes) (input, output uint64) {
	input, output = p[Input], p[Output]
	for class, price := range p {
		switch {
		case without.Has(Class(class)):
		case Class(class).isInput():
			input = max(input, price)
		default:
			output = max(output, price)
		}
	}
	return input, output
}
