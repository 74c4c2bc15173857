package price

import (
	"fmt"
	"math"
	"math/big"
	"strings"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// Calculation is how a cost comes about. Amounts are exact decimals in dollars;
// one that has no end ends in "…".
type Calculation struct {
	// Prompt is the length of the whole prompt in tokens, and Above the threshold
	// that it passed, if any: the prices of all tokens are those above it.
	Prompt int64 `json:"prompt"`
	Above  int64 `json:"above,omitzero"`
	// Tokens and Units have a line for all that was counted.
	Tokens []CalculationLine `json:"tokens,omitzero"`
	Units  []CalculationLine `json:"units,omitzero"`
	// Factors multiply the tokens, the price group's everything.
	Factors []CalculationFactor `json:"factors,omitzero"`
	// Unknown are the conditions that have no price here.
	Unknown []string `json:"unknown,omitzero"`
	// Exact is the sum, and Cost what it is rounded up to.
	Exact string         `json:"exact"`
	Cost  metering.Nanos `json:"cost"`
}

// CalculationLine is a count, or the least that is charged, times a price.
type CalculationLine struct {
	Name  string `json:"name"` // of the class, or of the unit and its kind
	Count int64  `json:"count"`
	// Price is for a million tokens, or for one unit or as many as are behind a slash.
	Price string `json:"price"`
	// As is the class whose price it is, where this one has none.
	As     string `json:"as,omitzero"`
	Amount string `json:"amount"`
}

// CalculationFactor is a condition that multiplies, or brings its own prices.
type CalculationFactor struct {
	Condition string `json:"condition"` // "service_tier", "speed", "geo", "group"
	Name      string `json:"name,omitzero"`
	// Times is empty where the condition has prices of its own, which the lines show.
	Times string `json:"times,omitzero"`
}

// Calculate is Cost, with all that leads to it.
func (r *Rates) Calculate(u usage.Usage, c Conditions) Calculation {
	sheet, over, under := r.under(c)
	counts, prompt := countsOf(&u)
	calculation := Calculation{Prompt: prompt, Cost: r.Cost(u, c)}
	for _, tier := range sheet.tiers {
		if prompt > tier.above {
			calculation.Above = tier.above
		}
	}
	applied := sheet.forPrompt(prompt)
	sum := new(big.Rat)
	for class, count := range counts {
		if count == 0 {
			continue
		}
		each := r.dollars(applied[class])
		amount := new(big.Rat).Mul(each, rational(count, 1))
		sum.Add(sum, amount)
		calculation.Tokens = append(calculation.Tokens, CalculationLine{
			Name: Class(class).String(), Count: int64(count), Price: decimalText(each.Mul(each, rational(1_000_000, 1))),
			As: r.pricedAs(Class(class)), Amount: decimalText(amount),
		})
	}
	for i := range over {
		sum.Mul(sum, rational(over[i], under[i]))
	}
	pieces := unitCountsOf(&u)
	for unit, count := range pieces {
		if count <= 0 {
			continue
		}
		line, amount := r.unitLine(Unit(unit), max(count, r.units.least[unit]), c.Kinds[unit])
		if amount != nil {
			sum.Add(sum, amount)
			calculation.Units = append(calculation.Units, line)
		}
	}
	calculation.Factors = r.appliedFactors(c)
	calculation.Unknown = r.unknown(c)
	groupOver, groupUnder := r.group.parts()
	calculation.Exact = decimalText(sum.Mul(sum, rational(groupOver, groupUnder)))
	return calculation
}

// dollars is a scaled price in dollars per base unit.
func (r *Rates) dollars(scaled uint64) *big.Rat {
	price := rational(scaled, r.quantity)
	return price.Quo(price, rational(1_000_000_000_000, 1))
}

// pricedAs is the class that prices a class without a price of its own. Tiers and
// conditions price the same classes as the base.
func (r *Rates) pricedAs(class Class) string {
	if _, stated := r.definition.Prices[class.String()]; stated {
		return ""
	}
	for _, next := range fallbacks[class] {
		if _, stated := r.definition.Prices[next.String()]; stated {
			return next.String()
		}
	}
	return ""
}

// unitLine has no amount for a unit without a price.
func (r *Rates) unitLine(unit Unit, count int64, kind string) (CalculationLine, *big.Rat) {
	name := unit.String()
	text, priced := r.definition.Units[name]
	if !priced {
		return CalculationLine{}, nil
	}
	cost := r.units.of(unit, kind)
	if own, stated := r.definition.Units[name+":"+kind]; stated {
		name, text = name+":"+kind, own
	} else if kind != "" && cost != r.units.plain[unit] {
		name, text = name+":"+kind, decimalText(r.dollars(cost)) // the dearest
	}
	amount := r.dollars(cost)
	amount.Mul(amount, rational(uint64(count), 1))
	return CalculationLine{Name: name, Count: count, Price: text, Amount: decimalText(amount)}, amount
}

func (r *Rates) appliedFactors(c Conditions) []CalculationFactor {
	var factors []CalculationFactor
	for _, dimension := range []struct {
		condition, name string
		adjustments     []adjustment
	}{
		{"service_tier", canonicalServiceTier(c.ServiceTier), r.serviceTiers},
		{"speed", canonicalSpeed(c.Speed), r.speeds}, {"geo", canonicalGeo(c.Geo), r.geos},
	} {
		chosen := find(dimension.adjustments, dimension.name)
		if chosen == nil {
			continue
		}
		factor := CalculationFactor{Condition: dimension.condition, Name: dimension.name}
		if chosen.sheet == nil {
			factor.Times = chosen.factor.text()
		}
		factors = append(factors, factor)
	}
	if over, under := r.group.parts(); over != under {
		factors = append(factors, CalculationFactor{Condition: "group", Times: r.group.text()})
	}
	return factors
}

// unknown names the conditions that Knows does not know.
func (r *Rates) unknown(c Conditions) []string {
	var unknown []string
	note := func(condition, name string, only Conditions) {
		if name != "" && !r.Knows(only) {
			unknown = append(unknown, condition+" "+name)
		}
	}
	note("service_tier", c.ServiceTier, Conditions{ServiceTier: c.ServiceTier})
	note("speed", c.Speed, Conditions{Speed: c.Speed})
	note("geo", c.Geo, Conditions{Geo: c.Geo})
	for unit, kind := range c.Kinds {
		var only Conditions
		only.Kinds[unit] = kind
		note(Unit(unit).String(), kind, only)
	}
	return unknown
}

// Steps writes the calculation as lines for people.
func (c Calculation) Steps() []string {
	var lines []string
	if c.Above != 0 {
		lines = append(lines, fmt.Sprintf("the prompt has %d tokens, more than %d: the prices of long prompts hold for every token", c.Prompt, c.Above))
	}
	for _, line := range c.Tokens {
		as := ""
		if line.As != "" {
			as = " (that of " + line.As + ")"
		}
		lines = append(lines, fmt.Sprintf("%d tokens of %s at $%s per million%s: $%s", line.Count, line.Name, line.Price, as, line.Amount))
	}
	for _, factor := range c.Factors {
		switch {
		case factor.Condition == "group":
		case factor.Times == "":
			lines = append(lines, fmt.Sprintf("these are the prices of %s %s", factor.Condition, factor.Name))
		default:
			lines = append(lines, fmt.Sprintf("%s %s: the tokens times %s", factor.Condition, factor.Name, factor.Times))
		}
	}
	for _, line := range c.Units {
		price, per, several := strings.Cut(line.Price, "/")
		if several {
			price += " for " + per
		}
		lines = append(lines, fmt.Sprintf("%d of %s at $%s: $%s", line.Count, line.Name, price, line.Amount))
	}
	for _, factor := range c.Factors {
		if factor.Condition == "group" {
			lines = append(lines, "price group: everything times "+factor.Times)
		}
	}
	for _, unknown := range c.Unknown {
		lines = append(lines, "no price is known for "+unknown+": the standard price stands, or the dearest kind's")
	}
	if c.Cost == math.MaxInt64 {
		return append(lines, fmt.Sprintf("together $%s, which is more than can be booked: $%s at most", c.Exact, c.Cost))
	}
	return append(lines, fmt.Sprintf("together $%s, rounded up to a nano-dollar: $%s", c.Exact, c.Cost))
}

func rational(numerator, denominator uint64) *big.Rat {
	return new(big.Rat).SetFrac(new(big.Int).SetUint64(numerator), new(big.Int).SetUint64(denominator))
}

// decimalText writes a rational as a decimal; one of more than 18 places ends in "…".
func decimalText(value *big.Rat) string {
	const places = 18
	text := value.FloatString(places)
	if back, _ := new(big.Rat).SetString(text); back.Cmp(value) != 0 {
		return text + "…"
	}
	return strings.TrimSuffix(strings.TrimRight(text, "0"), ".")
}

// text writes a factor as a decimal, which it was made of.
func (f Factor) text() string {
	over, under := f.parts()
	return decimalText(rational(over, under))
}
