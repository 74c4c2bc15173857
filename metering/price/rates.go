package price

import (
	"maps"
	"math"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// Rates is what a model costs at one moment. It is immutable and safe for
// concurrent use.
type Rates struct {
	base         *sheet
	serviceTiers []adjustment
	speeds       []adjustment
	geos         []adjustment
	units        unitPrices
	// Every price of this Rates is in pico-dollars per quantity base units:
	// the least common multiple of the quantities that its prices are given for.
	quantity   uint64
	group      Factor
	definition *Definition
	// own are the classes of OwnPrice.
	own Classes
}

// prices is the price of each class, fall-backs resolved.
type prices [classCount]uint64

// sheet is the prices of all sizes of a prompt.
type sheet struct {
	short prices
	tiers []tier // ascending
}

type tier struct {
	above  int64
	prices prices
}

func (s *sheet) forPrompt(tokens int64) *prices {
	for i := len(s.tiers) - 1; i >= 0; i-- {
		if tokens > s.tiers[i].above {
			return &s.tiers[i].prices
		}
	}
	return &s.short
}

// Times is the same rates with everything, units included, multiplied: the
// price of a price group. It replaces an earlier factor.
func (r *Rates) Times(group Factor) *Rates {
	if group == r.group {
		return r // which nobody changes
	}
	multiplied := *r
	multiplied.group = group
	return &multiplied
}

// UnitPrices are the prices of units and their kinds as they are written:
// "web_search": "0.01", "milliseconds": "0.36/3600000".
func (r *Rates) UnitPrices() map[string]string { return maps.Clone(r.definition.Units) }

// OwnPrice tells whether a class has a price of its own in the base prices, for
// the shortest prompts or longer ones, that differs from what it would cost
// without: OutputImage of a model whose image tokens are dearer than its text.
// Input and Output, which fall back to nothing, never do.
func (r *Rates) OwnPrice(class Class) bool { return r.own.Has(class) }

// Cost is the price of the usage under the conditions that the response
// reported, rounded up once to a nano-dollar. An amount that does not fit is
// the largest one. Negative counts are taken as zero.
func (r *Rates) Cost(u usage.Usage, c Conditions) metering.Nanos {
	sheet, over, under := r.under(c)
	counts, prompt := countsOf(&u)
	applied := sheet.forPrompt(prompt)
	var tokens wide
	for class, count := range counts {
		if count != 0 {
			tokens = tokens.plusProduct(count, applied[class])
		}
	}
	pieces := unitCountsOf(&u)
	units := r.units.cost(&pieces, &c.Kinds, (*unitPrices).of)
	return r.nanos(tokens, units, over, under)
}

// nanos is (tokens × over / under + units) × group, from pico-dollars per
// r.quantity to nano-dollars, rounded up.
func (r *Rates) nanos(tokens, units wide, over, under factors) metering.Nanos {
	for i := range over {
		tokens = tokens.times(over[i])
		units = units.times(under[i])
	}
	groupOver, groupUnder := r.group.parts()
	total := tokens.plus(units).times(groupOver)
	for _, divisor := range under {
		total = total.dividedUp(divisor)
	}
	total = total.dividedUp(groupUnder).dividedUp(r.quantity).dividedUp(picoPerNano)
	if total[3]|total[2]|total[1] != 0 || total[0] > math.MaxInt64 {
		return math.MaxInt64
	}
	return metering.Nanos(total[0])
}

const picoPerNano = 1000

// countsOf spreads the usage over the priced classes. What a total has beyond
// its classes is plain input or output, so that a class that a parser does not
// know is not free.
func countsOf(u *usage.Usage) (counts [classCount]uint64, prompt int64) {
	counts = [classCount]uint64{
		Input: natural(u.Input), CacheRead: natural(u.CacheRead),
		CacheWrite: natural(u.CacheWrite), CacheWrite5m: natural(u.CacheWrite5m), CacheWrite1h: natural(u.CacheWrite1h),
		InputAudio: natural(u.InputAudio), InputImage: natural(u.InputImage), InputVideo: natural(u.InputVideo),
		CacheReadAudio: natural(u.CacheReadAudio), CacheReadImage: natural(u.CacheReadImage), CacheReadVideo: natural(u.CacheReadVideo),
		Output: natural(u.Output), OutputAudio: natural(u.OutputAudio), OutputImage: natural(u.OutputImage), OutputVideo: natural(u.OutputVideo),
	}
	counts[Input] += beyond(u.InputTotal, counts[Input:Output])
	counts[Output] += beyond(u.OutputTotal, counts[Output:])
	prompt = u.InputTotal
	if prompt <= 0 { // no total was reported: the classes are all there is
		prompt = int64(min(sum(counts[Input:Output]), math.MaxInt64))
	}
	return counts, prompt
}

// beyond is what total has more than its parts; parts may exceed a total, as
// OpenRouter counts Gemini's freshly written tokens as read and as written.
func beyond(total int64, parts []uint64) uint64 {
	if all, parted := natural(total), sum(parts); all > parted {
		return all - parted
	}
	return 0
}

// sum saturates.
func sum(counts []uint64) uint64 {
	var all uint64
	for _, count := range counts {
		all += count
		if all < count {
			return math.MaxUint64
		}
	}
	return all
}

func natural(count int64) uint64 {
	return uint64(max(count, 0))
}
