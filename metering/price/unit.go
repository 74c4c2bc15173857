package price

import (
	"slices"
	"strings"

	"github.com/faregate/faregate/metering/usage"
)

// Unit is something that is priced by the piece.
type Unit uint8

// The units, named as in a price book and in a usage record.
const (
	WebSearch Unit = iota
	WebFetch
	XSearch
	FileSearch
	CodeInterpreter // containers
	Images
	Characters
	Milliseconds // of audio
	Pages
	// Request is a fee for the request itself. No usage record counts it: whatever
	// has been used at all was used by one request.
	Request
	unitCount
)

var unitNames = [unitCount]string{
	WebSearch: "web_search", WebFetch: "web_fetch", XSearch: "x_search", FileSearch: "file_search", CodeInterpreter: "code_interpreter",
	Images: "images", Characters: "characters", Milliseconds: "milliseconds", Pages: "pages", Request: "request",
}

// String is the unit's name, "web_search".
func (u Unit) String() string { return unitNames[u] }

// Units lists all units.
func Units() []Unit {
	all := make([]Unit, unitCount)
	for i := range all {
		all[i] = Unit(i)
	}
	return all
}

// Kinds says of which kind a request's units are, where kinds have prices of
// their own:
//
//	price.Kinds{price.Images: price.ImageKind("hd", "1024x1792")}
//
// An empty kind is the one that a request gets which does not say. Kinds are
// asked for, so that they are known before and after.
type Kinds [unitCount]string

// ImageKind is the kind of images of a quality and a size as the request of an
// image says them; empty or "auto" is what the provider does by itself.
func ImageKind(quality, size string) string {
	if quality == "" || quality == "auto" {
		quality = "standard"
	}
	if size == "" || size == "auto" {
		size = "1024x1024"
	}
	return quality + "-" + size
}

// splitUnit reads a unit of a definition, "images" or "images:hd-1024x1792".
func splitUnit(name string) (u Unit, kind string, ok bool) {
	name, kind, several := strings.Cut(name, ":")
	i := slices.Index(unitNames[:], name)
	return Unit(max(i, 0)), kind, i >= 0 && (!several || isKind(kind))
}

// isKind tells whether a text can name a kind: it becomes a part of messages.
func isKind(text string) bool {
	return text != "" && len(text) <= 64 && strings.Trim(text, "abcdefghijklmnopqrstuvwxyz0123456789._-") == ""
}

// kindPrice is the price of a kind of a unit.
type kindPrice struct {
	unit Unit
	name string
	cost uint64
}

// unitPrices are the prices of units. A unit without a price costs nothing.
type unitPrices struct {
	plain   [unitCount]uint64 // of what no kind was asked for
	kinds   []kindPrice
	dearest [unitCount]uint64 // of plain and kinds
	least   unitCounts        // that is charged if there is any
}

// find is the price of a kind of a unit; several tells whether it has kinds at all.
func (p *unitPrices) find(unit Unit, kind string) (cost uint64, known, several bool) {
	for i := range p.kinds {
		if p.kinds[i].unit == unit {
			several = true
			if p.kinds[i].name == kind {
				return p.kinds[i].cost, true, true
			}
		}
	}
	return 0, false, several
}

// of is the price of a unit of a kind. The kind is the word of whoever makes
// the request, so that one that is not known costs what the dearest does.
func (p *unitPrices) of(unit Unit, kind string) uint64 {
	if kind == "" {
		return p.plain[unit]
	}
	switch cost, known, several := p.find(unit, kind); {
	case known:
		return cost
	case several:
		return p.dearest[unit]
	}
	return p.plain[unit]
}

// knows tells whether the kind has a price, or the unit has no kinds.
func (p *unitPrices) knows(unit Unit, kind string) bool {
	_, known, several := p.find(unit, kind)
	return kind == "" || known || !several
}

// most is the highest price that a request for the kind can meet: what it asks
// for or, should that not be taken notice of, what is served to others.
func (p *unitPrices) most(unit Unit, kind string) uint64 {
	return max(p.plain[unit], p.of(unit, kind))
}

// counts of units. Request is one if anything was used at all.
type unitCounts [unitCount]int64

func unitCountsOf(u *usage.Usage) unitCounts {
	counts := unitCounts{
		WebSearch: u.Units.WebSearch, WebFetch: u.Units.WebFetch, XSearch: u.Units.XSearch,
		FileSearch: u.Units.FileSearch, CodeInterpreter: u.Units.CodeInterpreter,
		Images: u.Units.Images, Characters: u.Units.Characters, Milliseconds: u.Units.Milliseconds, Pages: u.Units.Pages,
	}
	if !u.Zero() {
		counts[Request] = 1
	}
	return counts
}

// cost is the price of the counts, in pico-dollars per quantity.
func (p *unitPrices) cost(counts *unitCounts, kinds *Kinds, price func(*unitPrices, Unit, string) uint64) wide {
	var sum wide
	for unit, count := range counts {
		if count > 0 && p.dearest[unit] != 0 {
			sum = sum.plusProduct(uint64(max(count, p.least[unit])), price(p, Unit(unit), kinds[unit]))
		}
	}
	return sum
}
