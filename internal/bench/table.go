package main

import (
	"fmt"
	"io"
	"slices"
	"time"
)

// table prints what was measured, a line for each workload as it is done.
type table struct {
	screen io.Writer
	// last is what was added last.
	last [][2]*cell
}

func newTable(screen io.Writer) *table { return &table{screen: screen} }

// figure is the median of several rounds with its spread.
type figure struct{ median, least, most float64 }

func figureOf(rounds [][2]*cell, of func([2]*cell) float64) figure {
	var values []float64
	for _, cells := range rounds {
		values = append(values, of(cells))
	}
	slices.Sort(values)
	middle := values[len(values)/2]
	if len(values)%2 == 0 {
		middle = (middle + values[len(values)/2-1]) / 2
	}
	return figure{middle, values[0], values[len(values)-1]}
}

func (f figure) format(verb string) string {
	return fmt.Sprintf(verb+" ("+verb+"–"+verb+")", f.median, f.least, f.most)
}

func (t *table) add(w *workload, p plan, rounds [][2]*cell) {
	t.last = rounds
	how := fmt.Sprintf("saturated, %d clients", w.clients)
	if p.rate > 0 {
		how = fmt.Sprintf("%.0f a second", p.rate)
	}
	fmt.Fprintf(t.screen, "\n%s, %s\n", w.name, how)
	line := func(name, verb string, of func(*cell) float64) {
		bare := figureOf(rounds, func(c [2]*cell) float64 { return of(c[0]) })
		ours := figureOf(rounds, func(c [2]*cell) float64 { return of(c[1]) })
		ratio := figureOf(rounds, func(c [2]*cell) float64 { return of(c[1]) / of(c[0]) })
		fmt.Fprintf(t.screen, "  %-28s %-24s %-24s %s\n", name, bare.format(verb), ours.format(verb), ratio.format("%.2f"))
	}
	added := func(name string, of func(*cell) time.Duration) {
		bare := figureOf(rounds, func(c [2]*cell) float64 { return micros(of(c[0])) })
		ours := figureOf(rounds, func(c [2]*cell) float64 { return micros(of(c[1])) })
		more := figureOf(rounds, func(c [2]*cell) float64 { return micros(of(c[1]) - of(c[0])) })
		fmt.Fprintf(t.screen, "  %-28s %-24s %-24s %s\n", name, bare.format("%.0f"), ours.format("%.0f"), more.format("%+.0f"))
	}
	line("CPU, µs a request", "%.1f", (*cell).perRequest)
	if w.streams() {
		line("CPU, µs an event", "%.2f", (*cell).perEvent)
	}
	line("requests a second", "%.0f", (*cell).rate)
	line("busy", "%.2f", (*cell).busy)
	line("allocations a request", "%.0f", func(c *cell) float64 { return c.allocations })
	line("KiB allocated a request", "%.1f", func(c *cell) float64 { return c.allocated / (1 << 10) })
	line("peak memory, MiB", "%.0f", func(c *cell) float64 { return float64(c.peak) / (1 << 20) })
	added("first byte p50, µs", func(c *cell) time.Duration { return c.firstP50 })
	added("first byte p99, µs", func(c *cell) time.Duration { return c.firstP99 })
	added("last byte p50, µs", func(c *cell) time.Duration { return c.lastP50 })
	added("last byte p99, µs", func(c *cell) time.Duration { return c.lastP99 })
	settled := figureOf(rounds, func(c [2]*cell) float64 { return micros(c[1].settlement) })
	batch := figureOf(rounds, func(c [2]*cell) float64 { return c[1].batch })
	fmt.Fprintf(t.screen, "  %-28s %-24s %-24s\n", "settlement, µs", "", settled.format("%.0f"))
	fmt.Fprintf(t.screen, "  %-28s %-24s %-24s\n", "records a commit", "", batch.format("%.1f"))
	if late := figureOf(rounds, func(c [2]*cell) float64 { return float64(c[0].late + c[1].late) }); late.most > 0 {
		fmt.Fprintf(t.screen, "  the gateways, or the load, cannot keep up: up to %.0f requests found no connection\n", late.most)
	}
}
