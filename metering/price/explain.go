package price

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
)

// Explain says step by step what the model costs at a moment and why, one line
// a step.
func (m *Model) Explain(at time.Time) []string {
	at = at.UTC()
	lines := []string{fmt.Sprintf("%s of %s at %s", m.Name, m.Provider, at.Format(time.RFC3339))}
	if len(m.Aliases) > 0 {
		lines = append(lines, "also called "+strings.Join(m.Aliases, ", "))
	}
	if m.Note != "" {
		lines = append(lines, "note: "+m.Note)
	}
	if m.Reasons {
		lines = append(lines, "can reason unasked, and bills reasoning that it does not show as output")
	}
	period := m.periodAt(at)
	if period == nil {
		return append(lines, "no price: the first period begins on "+m.periods[0].file.From)
	}
	since := "ever"
	if period.file.From != "" {
		since = period.file.From
	}
	lines = append(lines, fmt.Sprintf("price since %s, as %s said on %s", since, period.file.Source, period.file.Checked))
	rates := period.rates
	for i, hours := range period.hours {
		written := period.file.Hours[i]
		days := ""
		if len(written.Days) > 0 {
			days = " (" + strings.Join(written.Days, ", ") + ")"
		}
		if hours.hold(at) {
			lines = append(lines, fmt.Sprintf("it is between %s and %s UTC%s, which has prices of its own", written.From, written.Until, days))
			rates = hours.rates
			break
		}
		lines = append(lines, fmt.Sprintf("other prices hold from %s to %s UTC%s", written.From, written.Until, days))
	}
	lines = append(lines, rates.Explain()...)
	for _, next := range m.periods {
		if next.from.After(at) {
			lines = append(lines, "the price changes on "+next.file.From)
			break
		}
	}
	return lines
}

// Explain says step by step what the rates are.
func (r *Rates) Explain() []string {
	lines := explainPrices("", r.definition.Prices)
	for _, tier := range r.definition.Tiers {
		lines = append(lines, fmt.Sprintf("a prompt (all input together) of more than %d tokens: every token of the request at", tier.Above))
		lines = append(lines, explainPrices("  ", tier.Prices)...)
	}
	for _, dimension := range []struct {
		name        string
		adjustments map[string]Adjustment
	}{{"service tier", r.definition.ServiceTiers}, {"speed", r.definition.Speeds}, {"region", r.definition.Geos}} {
		for _, name := range slices.Sorted(maps.Keys(dimension.adjustments)) {
			adjustment := dimension.adjustments[name]
			if adjustment.Prices == nil {
				lines = append(lines, fmt.Sprintf("%s %s: all token prices times %s", dimension.name, name, adjustment.Multiply))
				continue
			}
			lines = append(lines, fmt.Sprintf("%s %s: prices of its own", dimension.name, name))
			lines = append(lines, explainPrices("  ", adjustment.Prices)...)
			for _, tier := range adjustment.Tiers {
				lines = append(lines, fmt.Sprintf("  a prompt of more than %d tokens: every token of the request at", tier.Above))
				lines = append(lines, explainPrices("    ", tier.Prices)...)
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.definition.Units)) {
		price, per, several := strings.Cut(r.definition.Units[name], "/")
		if !several {
			per = "1"
		}
		if unit, kind, _ := splitUnit(name); kind != "" {
			lines = append(lines, fmt.Sprintf("%s of the kind %s: $%s for %s", unit, kind, price, per))
			continue
		}
		lines = append(lines, fmt.Sprintf("%s: $%s for %s", name, price, per))
	}
	for _, name := range slices.Sorted(maps.Keys(r.definition.Least)) {
		lines = append(lines, fmt.Sprintf("%s: at least %d are charged if there are any", name, r.definition.Least[name]))
	}
	if over, under := r.group.parts(); over != under {
		lines = append(lines, fmt.Sprintf("price group: everything times %d/%d", over, under))
	}
	return append(lines, "the sum is rounded up once to a nano-dollar")
}

// explainPrices has a line per class with a price, and one for all the classes that
// have none of their own and cost what that class does.
func explainPrices(indent string, texts map[string]string) []string {
	var lines []string
	following := map[Class][]string{}
	for class := range classCount {
		if text, stated := texts[class.String()]; stated {
			lines = append(lines, fmt.Sprintf("%s%s: $%s per million tokens", indent, class, text))
			continue
		}
		for _, next := range fallbacks[class] {
			if _, stated := texts[next.String()]; stated {
				following[next] = append(following[next], class.String())
				break
			}
		}
	}
	for class := range classCount {
		if names := following[class]; len(names) > 0 {
			lines = append(lines, fmt.Sprintf("%sas %s, having no price of their own: %s", indent, class, listed(names)))
		}
	}
	return lines
}
