package caddymodule

import (
	"maps"
	"sync"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/faregate/faregate/metering"
)

// The classes of tokens that metrics tell apart.
const (
	classInput = iota
	classCacheRead
	classCacheWrite
	classInputMedia
	classOutput
	classReasoning
	classOutputMedia
	classCount
)

var classNames = [classCount]string{"input", "cache_read", "cache_write", "input_media", "output", "reasoning", "output_media"}

// called is what the series of a request have in common.
type called struct{ operation, model, provider string }

// ended is how a request ended.
type ended struct {
	status metering.Status
	basis  metering.Basis
}

// series are the counters of one operation of a model at a provider. To find a dozen of
// them by their labels takes longer than all the rest of a settlement's counting; there
// are as many as the catalogue has names.
type series struct {
	duration, firstToken prometheus.Observer
	cost, shortfall      lazyCounter
	tokens               [classCount]lazyCounter
	requests             table[ended, prometheus.Counter]
}

// lazyCounter makes its series when there is something to count: one that is always
// zero tells nothing.
type lazyCounter struct {
	once    sync.Once
	counter prometheus.Counter
}

func (c *lazyCounter) add(of *prometheus.CounterVec, value float64, labels ...string) {
	c.once.Do(func() { c.counter = of.WithLabelValues(labels...) })
	c.counter.Add(value)
}

// table is a map that is read without a lock and copied when it grows, which it does
// for as long as something new is met.
type table[K comparable, V any] struct {
	growing sync.Mutex
	present atomic.Pointer[map[K]V]
}

func (t *table[K, V]) get(key K, grow func() V) V {
	if present := t.present.Load(); present != nil {
		if value, ok := (*present)[key]; ok {
			return value
		}
	}
	t.growing.Lock()
	defer t.growing.Unlock()
	next := make(map[K]V)
	if present := t.present.Load(); present != nil {
		if value, ok := (*present)[key]; ok {
			return value
		}
		maps.Copy(next, *present)
	}
	value := grow()
	next[key] = value
	t.present.Store(&next)
	return value
}
