package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// maxWaiting bounds the connections of a load with a rate: more would mean that the
// gateway cannot keep up.
const maxWaiting = 4096

// load is clients that call one gateway in one way.
type load struct {
	workload *workload
	address  string
	requests [][]byte // one for each key, in turn

	answered atomic.Int64 // that were whole
	events   atomic.Int64
	late     atomic.Int64 // found no connection when they were due
	next     atomic.Int64
	opened   atomic.Int64 // connections

	mu      sync.Mutex
	samples []sample
	failed  error
}

// sample is one call, in time since it was due. Counting from then and not from when it
// was sent is what keeps a gateway that stalls from hiding it.
type sample struct {
	due         time.Time
	first, last time.Duration
}

func newLoad(w *workload, address string, secrets []string) *load {
	l := &load{workload: w, address: address}
	for _, secret := range secrets {
		l.requests = append(l.requests, w.request(address, secret))
	}
	return l
}

// caller is one connection, opened anew where the last answer closed it.
type caller struct {
	load       *load
	connection *connection
	samples    []sample
}

func (c *caller) call(due time.Time) error {
	l, w := c.load, c.load.workload
	if c.connection == nil {
		opened, err := dial(l.address)
		if err != nil {
			return err
		}
		l.opened.Add(1)
		c.connection = opened
	}
	request := l.requests[l.next.Add(1)%int64(len(l.requests))]
	before := int64(0)
	c.connection.progress = func(events int) {
		l.events.Add(int64(events) - before)
		before = int64(events)
	}
	r, err := c.connection.call(request, w.streams(), w.leaveAfter)
	if err != nil || r.closes || w.leaveAfter > 0 {
		c.close()
	}
	if err != nil {
		return err
	}
	if !w.whole(r) {
		return fmt.Errorf("status %d with %d bytes and %d events, ending with %q", r.status, r.bytes, r.events, r.tail)
	}
	l.answered.Add(1)
	c.samples = append(c.samples, sample{due: due, first: r.first.Sub(due), last: r.last.Sub(due)})
	return nil
}

func (c *caller) close() {
	if c.connection != nil {
		c.connection.Close()
		c.connection = nil
	}
}

// end hands over what was measured.
func (c *caller) end(err error) {
	c.close()
	l := c.load
	l.mu.Lock()
	defer l.mu.Unlock()
	l.samples = append(l.samples, c.samples...)
	if l.failed == nil && err != nil {
		l.failed = err
	}
}

// over tells whether a call has failed: then nobody may be left to make more.
func (l *load) over() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.failed != nil
}

// closed lets the workload's clients call one after another until ctx ends. It returns
// when all answers under way have come.
func (l *load) closed(ctx context.Context) {
	var running sync.WaitGroup
	// Streams with a pace would all begin, and settle, in the same moment.
	spread := time.Duration(l.workload.events) * l.workload.pace
	for range l.workload.clients {
		delay := time.Duration(0)
		if spread > 0 {
			delay = rand.N(spread)
		}
		running.Go(func() {
			c := &caller{load: l}
			var err error
			if delay > 0 {
				select {
				case <-ctx.Done():
				case <-time.After(delay):
				}
			}
			for err == nil && ctx.Err() == nil {
				err = c.call(time.Now())
			}
			c.end(err)
		})
	}
	running.Wait()
}

// open calls at fixed moments, whether or not earlier answers have come.
func (l *load) open(ctx context.Context, rate float64) {
	interval := time.Duration(float64(time.Second) / rate)
	due := make(chan time.Time)
	var running sync.WaitGroup
	callers := 0
	add := func() {
		callers++
		running.Go(func() {
			c := &caller{load: l}
			var err error
			for moment := range due {
				if err = errors.Join(err, c.call(moment)); err != nil {
					c.close()
				}
			}
			c.end(err)
		})
	}
	for range 4 {
		add()
	}
	began := time.Now()
	for i := 0; ctx.Err() == nil; i++ {
		moment := began.Add(time.Duration(i) * interval)
		sleepUntil(moment)
		select {
		case due <- moment:
			continue
		default:
		}
		if callers < maxWaiting {
			add()
		} else {
			l.late.Add(1)
		}
		due <- moment
	}
	close(due)
	running.Wait()
}

// between are the samples that were due in a time, and how long they took, sorted.
func (l *load) between(from, to time.Time) (first, last []time.Duration) {
	for _, s := range l.samples {
		if !s.due.Before(from) && s.due.Before(to) {
			first, last = append(first, s.first), append(last, s.last)
		}
	}
	slices.Sort(first)
	slices.Sort(last)
	return first, last
}

// quantile of sorted durations; 0 where there are none.
func quantile(sorted []time.Duration, q float64) time.Duration {
	if len(sorted) == 0 {
		return 0
	}
	return sorted[min(int(q*float64(len(sorted))), len(sorted)-1)]
}
