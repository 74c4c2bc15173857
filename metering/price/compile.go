package price

import (
	"errors"
	"maps"
	"slices"
	"strconv"
)

// ErrDefinition says that a definition of prices has mistakes.
var ErrDefinition = errors.New("these prices cannot be used")

// largestScaled bounds a price once it is brought to the common quantity, so
// that a sum over all classes fits into 128 bits.
const largestScaled = 1 << 60

// NewRates makes rates of a definition, as the `price` line of the
// configuration gives it. The error wraps ErrDefinition and names every mistake.
func NewRates(definition Definition) (*Rates, error) {
	var problems problems
	rates := compile(&definition, "", &problems)
	if err := problems.err(ErrDefinition); err != nil {
		return nil, err
	}
	return rates, nil
}

// compiler turns one definition into rates. It works in two passes, as the
// common quantity is known only when all prices are read.
type compiler struct {
	problems *problems
	quantity uint64
}

func compile(definition *Definition, place string, problems *problems) *Rates {
	c := compiler{problems: problems, quantity: 1}
	base := c.readSheet(place, definition.Prices, definition.Tiers, nil)
	serviceTiers := c.readAdjustments(place+"/service_tiers", definition.ServiceTiers, base, canonicalServiceTier)
	speeds := c.readAdjustments(place+"/speeds", definition.Speeds, base, canonicalSpeed)
	geos := c.readAdjustments(place+"/geos", definition.Geos, base, canonicalGeo)
	units := c.readUnits(place+"/units", definition.Units)

	rates := &Rates{
		base:         c.scaleSheet(place, base),
		serviceTiers: c.scaleAdjustments(place, serviceTiers),
		speeds:       c.scaleAdjustments(place, speeds),
		geos:         c.scaleAdjustments(place, geos),
		definition:   definition,
		own:          base.own(),
	}
	rates.units = c.scaleUnits(place+"/units", units)
	rates.units.least = c.readLeast(place+"/least", definition)
	rates.quantity = c.quantity
	replaced := 0
	for _, adjustments := range [][]adjustment{rates.serviceTiers, rates.speeds, rates.geos} {
		if replacing(adjustments) {
			replaced++
		}
	}
	if replaced > 1 {
		problems.add(place, "service_tiers, speeds and geos replace prices in more than one place, and could not be combined; write all but one of them as multiply")
	}
	return rates
}

// readPrices is the prices of one tier as they are written.
type readPrices map[Class]amount

type readTier struct {
	above  int64
	prices readPrices
}

type readSheet struct {
	short readPrices
	tiers []readTier
}

type readAdjustment struct {
	name   string
	factor Factor
	sheet  *readSheet
}

// readSheet reads prices and tiers. like is the sheet that it must price the
// same classes as; nil for a base.
func (c *compiler) readSheet(place string, texts map[string]string, tiers []Tier, like *readSheet) *readSheet {
	sheet := &readSheet{short: c.readPrices(place+"/prices", texts)}
	if like != nil {
		c.sameClasses(place+"/prices", sheet.short, like.short)
	} else {
		for _, required := range []Class{Input, Output} {
			if _, stated := texts[required.String()]; !stated {
				c.problems.add(place+"/prices", `no price of %s: write %q, with "0" if it is really free`, required, required.String())
			}
		}
	}
	last := int64(0)
	for i, written := range tiers {
		tierPlace := place + "/tiers/" + strconv.Itoa(i)
		if written.Above <= last {
			c.problems.add(tierPlace+"/above", "%d is not more than %d: thresholds are positive and ascend", written.Above, last)
		}
		last = written.Above
		read := readTier{written.Above, c.readPrices(tierPlace+"/prices", written.Prices)}
		c.sameClasses(tierPlace+"/prices", read.prices, sheet.short)
		sheet.tiers = append(sheet.tiers, read)
	}
	return sheet
}

// sameClasses demands that a tier or adjustment prices what its base prices: a
// class left out would silently keep a price that is no longer right.
func (c *compiler) sameClasses(place string, these, those readPrices) {
	for class := range classCount {
		_, here := these[class]
		_, there := those[class]
		if there && !here {
			c.problems.add(place, "no price of %s, which the base prices have: state it", class)
		}
		if here && !there {
			c.problems.add(place+"/"+class.String(), "the base prices have no %s: state it there too", class)
		}
	}
}

func (c *compiler) readPrices(place string, texts map[string]string) readPrices {
	read := readPrices{}
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		class, known := classNamed(name)
		if !known {
			c.problems.add(place+"/"+pointer(name), "there is no class %q; the classes are %s", name, listed(classNames[:]))
			continue
		}
		price, err := parseTokenPrice(texts[name])
		if err != nil {
			c.problems.add(place+"/"+name, "%v", err)
		}
		read[class] = price
		c.meet(place+"/"+name, price)
	}
	return read
}

// readUnit is the price of a unit, or of one kind of it.
type readUnit struct {
	unit  Unit
	kind  string
	price amount
}

func (c *compiler) readUnits(place string, texts map[string]string) []readUnit {
	var read []readUnit
	for _, name := range slices.Sorted(maps.Keys(texts)) {
		unit, kind, known := splitUnit(name)
		if !known {
			c.problems.add(place+"/"+pointer(name), `there is no unit %q; the units are %s, and each can have kinds of a-z, 0-9, ., _ and -, like "images:hd-1024x1792"`,
				name, listed(unitNames[:]))
			continue
		}
		if _, plain := texts[unit.String()]; !plain {
			c.problems.add(place+"/"+pointer(name), "state the price of %s too: it is what a request costs that asks for no kind", unit)
		}
		price, err := parseUnitPrice(texts[name])
		if err != nil {
			c.problems.add(place+"/"+pointer(name), "%v", err)
		}
		read = append(read, readUnit{unit, kind, price})
		c.meet(place+"/"+pointer(name), price)
	}
	return read
}

func (c *compiler) readLeast(place string, definition *Definition) unitCounts {
	var read unitCounts
	for _, name := range slices.Sorted(maps.Keys(definition.Least)) {
		unit, kind, known := splitUnit(name)
		switch _, priced := definition.Units[name]; {
		case !known || kind != "" || !priced:
			c.problems.add(place+"/"+pointer(name), "%q is no unit that has a price here", name)
			continue
		case definition.Least[name] < 1:
			c.problems.add(place+"/"+pointer(name), "%d is not a number from 1 on", definition.Least[name])
		}
		read[unit] = definition.Least[name]
	}
	return read
}

func (c *compiler) scaleUnits(place string, read []readUnit) unitPrices {
	var scaled unitPrices
	for _, one := range read {
		cost := c.scale(place, one.price)
		scaled.dearest[one.unit] = max(scaled.dearest[one.unit], cost)
		if one.kind == "" {
			scaled.plain[one.unit] = cost
			continue
		}
		scaled.kinds = append(scaled.kinds, kindPrice{one.unit, one.kind, cost})
	}
	return scaled
}

func (c *compiler) readAdjustments(place string, written map[string]Adjustment, base *readSheet, canonicalOf func(string) string) []readAdjustment {
	var read []readAdjustment
	for _, name := range slices.Sorted(maps.Keys(written)) {
		adjustment := written[name]
		here := place + "/" + pointer(name)
		switch canonical := canonicalOf(name); {
		case canonical == "":
			c.problems.add(here, "%q is the standard service, which prices gives the price of: leave it out", name)
			continue
		case canonical != name:
			c.problems.add(here, "%q is another name of %q: write that", name, canonical)
			continue
		}
		if (adjustment.Multiply == "") == (adjustment.Prices == nil) {
			c.problems.add(here, "state either multiply or prices")
			continue
		}
		one := readAdjustment{name: name}
		if adjustment.Prices != nil {
			one.sheet = c.readSheet(here, adjustment.Prices, adjustment.Tiers, base)
		} else {
			factor, err := ParseFactor(adjustment.Multiply)
			if err != nil {
				c.problems.add(here+"/multiply", "%v", err)
			}
			if adjustment.Tiers != nil {
				c.problems.add(here+"/tiers", "tiers belong to prices; multiply applies to the tiers of the base")
			}
			one.factor = factor
		}
		read = append(read, one)
	}
	return read
}

// meet widens the common quantity so that it is a multiple of the price's.
func (c *compiler) meet(place string, price amount) {
	if price.quantity == 0 {
		return // not a price: already reported
	}
	widened := c.quantity / commonDivisor(c.quantity, price.quantity)
	if price.quantity > largestQuantity/widened {
		c.problems.add(place, "this price has no common quantity with the others that can be counted with; use fewer decimals")
		return
	}
	c.quantity = widened * price.quantity
}

// largestQuantity bounds the common quantity: 10^6 (twelve decimals per million
// tokens) times hours in milliseconds fit well.
const largestQuantity = 1 << 45

func (c *compiler) scale(place string, price amount) uint64 {
	if price.quantity == 0 || c.quantity%price.quantity != 0 {
		return 0 // already reported
	}
	factor := c.quantity / price.quantity
	if price.pico != 0 && factor >= largestScaled/price.pico {
		c.problems.add(place, "a price is too large to be counted with beside prices that are so small; use fewer decimals")
		return 0
	}
	return price.pico * factor
}

func (c *compiler) scalePrices(place string, read readPrices) prices {
	var scaled prices
	for class := range classCount {
		price, stated := read[class]
		if !stated {
			price = read.fallback(class)
		}
		scaled[class] = c.scale(place, price)
	}
	return scaled
}

// fallback is what a class costs that has no price of its own.
func (p readPrices) fallback(class Class) amount {
	for _, next := range fallbacks[class] {
		if price, stated := p[next]; stated {
			return price
		}
	}
	return amount{}
}

// own are the classes whose price differs from their fallback's.
func (s *readSheet) own() Classes {
	var own Classes
	all := []readPrices{s.short}
	for _, t := range s.tiers {
		all = append(all, t.prices)
	}
	for _, prices := range all {
		for class, price := range prices {
			if fallbacks[class] != nil && price != prices.fallback(class) {
				own |= ClassesOf(class)
			}
		}
	}
	return own
}

func (c *compiler) scaleSheet(place string, read *readSheet) *sheet {
	scaled := &sheet{short: c.scalePrices(place, read.short)}
	for _, t := range read.tiers {
		scaled.tiers = append(scaled.tiers, tier{t.above, c.scalePrices(place, t.prices)})
	}
	return scaled
}

func (c *compiler) scaleAdjustments(place string, read []readAdjustment) []adjustment {
	var scaled []adjustment
	for _, one := range read {
		made := adjustment{name: one.name, factor: one.factor}
		if one.sheet != nil {
			made.sheet = c.scaleSheet(place, one.sheet)
		}
		scaled = append(scaled, made)
	}
	return scaled
}
