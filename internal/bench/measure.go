package main

import (
	"context"
	"errors"
	"fmt"
	"time"
)

var errUnsupported = errors.New("the benchmark needs Linux: it pins processes and reads their CPU time from the kernel")

// cell is one measurement: one gateway, one workload, once.
type cell struct {
	requests, events int64
	wall, cpu        time.Duration
	peak             int64 // resident bytes
	late             int64 // requests for which all of maxWaiting connections were busy
	// of calls: from when they were due
	firstP50, firstP99, lastP50, lastP99 time.Duration
	// of each request, in all goroutines together
	allocations, allocated float64 // objects; bytes
	// of settlements: how long they took on average, and how many shared a commit
	settlement time.Duration
	batch      float64
}

func (c *cell) perRequest() float64 { return micros(c.cpu) / float64(max(c.requests, 1)) }
func (c *cell) perEvent() float64   { return micros(c.cpu) / float64(max(c.events, 1)) }
func (c *cell) rate() float64       { return float64(c.requests) / c.wall.Seconds() }
func (c *cell) busy() float64       { return float64(c.cpu) / float64(c.wall) }

func micros(d time.Duration) float64 { return float64(d) / float64(time.Microsecond) }

// plan says how long a cell is measured, and after what time to warm up.
type plan struct {
	warm, measure time.Duration
	rate          float64 // per second; 0: as fast as the clients can
	// least is how many requests it takes at least, and a quarter of them to warm up.
	least int64
}

// await sleeps, and goes on until so many more have been answered, or ctx ends.
func (l *load) await(ctx context.Context, wait time.Duration, more int64) {
	before := l.answered.Load()
	for time.Sleep(wait); l.answered.Load()-before < more && ctx.Err() == nil && !l.over(); {
		time.Sleep(10 * time.Millisecond)
	}
}

const (
	settlementSum   = "faregate_settlement_duration_seconds_sum"
	settlementCount = "faregate_settlement_duration_seconds_count"
	commitsDurable  = `faregate_commits_total{outcome="durable"}`
	objectsMade     = "go_memstats_mallocs_total"
	bytesMade       = "go_memstats_alloc_bytes_total"
)

// measured are the series that a cell is made of.
var measured = []string{settlementSum, settlementCount, commitsDurable, objectsMade, bytesMade}

// measure runs a workload against a gateway. It returns the load, too, which knows how
// many requests were made in all.
func measure(ctx context.Context, g *gateway, w *workload, secrets []string, p plan) (*cell, *load, error) {
	l := newLoad(w, g.address, secrets)
	loading, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if p.rate > 0 {
			l.open(loading, p.rate)
		} else {
			l.closed(loading)
		}
	}()
	if w.pace > 0 && w.leaveAfter == 0 {
		p.warm += time.Duration(w.events) * w.pace // until all clients have begun
	}
	l.await(ctx, p.warm, p.least/4)
	answered := l.answered.Load()
	before, err := g.metrics(ctx, measured...)
	if err != nil {
		return nil, l, err
	}
	if err := resetPeak(g.pid()); err != nil {
		return nil, l, err
	}
	c := &cell{}
	requests, events := l.answered.Load(), l.events.Load()
	cpu, err := cpuTime(g.pid())
	if err != nil {
		return nil, l, err
	}
	began := time.Now()
	l.await(ctx, p.measure, p.least)
	end := time.Now()
	used, err := cpuTime(g.pid())
	if err != nil {
		return nil, l, err
	}
	c.requests, c.events = l.answered.Load()-requests, l.events.Load()-events
	c.wall, c.cpu = end.Sub(began), used-cpu
	if _, c.peak, err = memory(g.pid()); err != nil {
		return nil, l, err
	}
	stop()
	<-ended
	if l.failed != nil {
		return nil, l, fmt.Errorf("%s, %s: %w", g.name, w.name, l.failed)
	}
	c.late = l.late.Load()
	after, err := g.metrics(ctx, measured...)
	if err != nil {
		return nil, l, err
	}
	again, err := g.metrics(ctx, measured...)
	if err != nil {
		return nil, l, err
	}
	// What is between the last two is what it takes to tell the figures.
	perRequest := func(name string) float64 {
		return (after[name] - before[name] - (again[name] - after[name])) / float64(max(l.answered.Load()-answered, 1))
	}
	c.allocations, c.allocated = perRequest(objectsMade), perRequest(bytesMade)
	if settled := after[settlementCount] - before[settlementCount]; settled > 0 {
		c.settlement = time.Duration((after[settlementSum] - before[settlementSum]) / settled * float64(time.Second))
		c.batch = settled / max(after[commitsDurable]-before[commitsDurable], 1)
	}
	first, last := l.between(began, end)
	c.firstP50, c.firstP99 = quantile(first, .5), quantile(first, .99)
	c.lastP50, c.lastP99 = quantile(last, .5), quantile(last, .99)
	return c, l, nil
}
