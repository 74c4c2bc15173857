package main

import (
	"cmp"
	"fmt"
	"slices"
)

// choose takes the smallest recordings that together show every trait.
func choose(cases []*recorded) []*recorded {
	ordered := slices.Clone(cases)
	// Bytes as received are better than bytes that the recorder wrote anew.
	rank := func(c *recorded) int {
		if c.Response.Fidelity == "raw" {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(ordered, func(a, b *recorded) int {
		return cmp.Or(rank(a)-rank(b), len(a.body)-len(b.body), cmp.Compare(a.Provider+"/"+a.ID, b.Provider+"/"+b.ID))
	})
	shown := map[string]int{} // by how many chosen recordings
	var chosen []*recorded
	for _, c := range ordered {
		if slices.ContainsFunc(traits(c), func(trait string) bool { return shown[trait] == 0 }) {
			chosen = append(chosen, c)
			for _, trait := range traits(c) {
				shown[trait]++
			}
		}
	}
	// A later choice may have made an earlier one superfluous.
	chosen = slices.DeleteFunc(chosen, func(c *recorded) bool {
		if slices.ContainsFunc(traits(c), func(trait string) bool { return shown[trait] == 1 }) {
			return false
		}
		for _, trait := range traits(c) {
			shown[trait]--
		}
		return true
	})
	slices.SortFunc(chosen, func(a, b *recorded) int { return cmp.Compare(a.Provider+"/"+a.ID, b.Provider+"/"+b.ID) })
	return chosen
}

// traits are what one recording shows.
func traits(c *recorded) []string {
	form := fmt.Sprintf("%s streamed=%v", c.Dialect, c.Response.Streamed)
	list := []string{
		fmt.Sprint(c.Provider, " ", form),
		fmt.Sprint(c.Dialect, " status ", c.Response.Status),
		fmt.Sprint(c.Dialect, " finish ", c.Expected.FinishReason),
		fmt.Sprint(c.Dialect, " tier ", c.Expected.ServiceTier),
	}
	for _, quirk := range c.Quirks {
		list = append(list, form+" "+quirk)
	}
	if len(c.body) > 16<<10 {
		list = append(list, form+" long")
	}
	slices.Sort(list)
	return slices.Compact(list)
}
