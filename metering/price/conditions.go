package price

import "slices"

// Conditions is what a response says about how it was served, in the words of
// the provider, and of which kind its units are. The zero value is the standard
// service.
type Conditions struct {
	ServiceTier string // "default", "flex", "priority", "ON_DEMAND_FLEX", …
	Speed       string // Anthropic: "fast"
	Geo         string // Anthropic's inference_geo: "us"
	// Kinds are those of the units, which the request asks for: the quality and
	// size of an image, the context size of a search.
	Kinds Kinds
}

// dimensions is the number of conditions: their multipliers stack.
const dimensions = 3

// factors is one side of the stacked multipliers.
type factors [dimensions]uint64

// adjustment is what one value of a condition changes.
type adjustment struct {
	name   string
	factor Factor
	sheet  *sheet // instead of the base sheet, if set
}

// canonicalServiceTier brings the providers' names together; standard is "".
// OpenAI renamed priority to fast on 2026-07-30 and accepts and reports both
// (openai.com/api-fast-mode). "auto" in a response says that the provider chose
// and did not say what; Gemini reports serviceTier or trafficType. Capacity
// paid in advance is the standard service to a customer.
func canonicalServiceTier(name string) string {
	switch name {
	case "", "default", "standard", "auto", "on_demand", "ON_DEMAND", "scale", "provisioned", "PROVISIONED_THROUGHPUT":
		return ""
	case "fast", "priority", "ON_DEMAND_PRIORITY":
		return "priority"
	case "flex", "ON_DEMAND_FLEX":
		return "flex"
	}
	return name
}

// standard speeds and regions: Anthropic reports "standard", and "global" or
// "not_available" where no region was asked for.
func canonicalSpeed(name string) string {
	if name == "standard" {
		return ""
	}
	return name
}

func canonicalGeo(name string) string {
	if name == "global" || name == "not_available" {
		return ""
	}
	return name
}

func find(adjustments []adjustment, name string) *adjustment {
	for i := range adjustments {
		if adjustments[i].name == name {
			return &adjustments[i]
		}
	}
	return nil
}

// Knows tells whether every condition is the standard one or one that these
// rates have a price for. If not, Cost charges the standard price for that
// condition (the dearest kind for a kind) and the caller should flag the record.
func (r *Rates) Knows(c Conditions) bool {
	known := func(adjustments []adjustment, name string) bool {
		return name == "" || find(adjustments, name) != nil
	}
	for unit, kind := range c.Kinds {
		if !r.units.knows(Unit(unit), kind) {
			return false
		}
	}
	return known(r.serviceTiers, canonicalServiceTier(c.ServiceTier)) &&
		known(r.speeds, canonicalSpeed(c.Speed)) && known(r.geos, canonicalGeo(c.Geo))
}

// under is the sheet and the stacked multipliers of the conditions. At most one
// dimension replaces the sheet (checked when the rates are made).
func (r *Rates) under(c Conditions) (*sheet, factors, factors) {
	chosen := [dimensions]*adjustment{
		find(r.serviceTiers, canonicalServiceTier(c.ServiceTier)),
		find(r.speeds, canonicalSpeed(c.Speed)),
		find(r.geos, canonicalGeo(c.Geo)),
	}
	return r.stacked(chosen)
}

func (r *Rates) stacked(chosen [dimensions]*adjustment) (*sheet, factors, factors) {
	sheet, over, under := r.base, factors{1, 1, 1}, factors{1, 1, 1}
	for i, adjustment := range chosen {
		if adjustment == nil {
			continue
		}
		over[i], under[i] = adjustment.factor.parts()
		if adjustment.sheet != nil {
			sheet = adjustment.sheet
		}
	}
	return sheet, over, under
}

// replacing tells whether any of the adjustments brings its own sheet.
func replacing(adjustments []adjustment) bool {
	return slices.ContainsFunc(adjustments, func(a adjustment) bool { return a.sheet != nil })
}
