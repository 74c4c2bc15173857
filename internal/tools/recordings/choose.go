package main

import (
	"cmp"
	"fmt"
	"slices"
)

// tenStreams are the wire formats whose streams tests leave in their middle, ten of each
// that have one usage and come to a good end.
var tenStreams = []string{"anthropic_messages", "gemini_generate", "openai_chat", "openai_responses"}

// choose takes the smallest recordings that together show every trait, and of some wire
// formats ten streams at least.
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
	for _, dialect := range tenStreams {
		streams := func(c *recorded) bool {
			return c.Dialect == dialect && c.Response.Streamed && c.Response.Status == 200 && c.Expected.Error == nil && len(c.Expected.Usage) > 0 && len(c.Expected.Iterations) == 0
		}
		missing := 10
		for _, c := range chosen {
			if streams(c) {
				missing--
			}
		}
		for _, c := range ordered {
			if missing > 0 && streams(c) && !slices.Contains(chosen, c) {
				chosen = append(chosen, c)
				missing--
			}
		}
	}
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
