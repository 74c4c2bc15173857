package caddymodule

import (
	"errors"
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"
)

// defaultBodyMemory is what all request bodies may take at once unless configured.
const defaultBodyMemory = 1 << 30

// memoryFor is what a body of a length takes at most: while it is read, a buffer and the
// larger one that takes over from it. A copy with what is changed for the provider is
// made of short ones only, and is smaller.
func memoryFor(length int64) int64 { return 2 * int64(bufferSize(int(length)+1)) }

// errBodyMemory says that request bodies take as much memory as they may.
var errBodyMemory = errors.New("too many request bodies in memory")

// bodyMemory counts the bytes that request bodies take, in all configurations of the
// process: requests of one that was replaced go on.
type bodyMemory struct{ used atomic.Int64 }

// bodiesMemory is the process's.
var bodiesMemory = new(bodyMemory)

// bodyShare is what one request body takes of it. It belongs to one goroutine until it is
// given back.
type bodyShare struct {
	memory *bodyMemory
	limit  int64 // of all
	taken  int64
}

// take reserves memory before it is allocated; errBodyMemory if there is too little.
func (s *bodyShare) take(bytes int) error {
	if s.memory.used.Add(int64(bytes)) > s.limit {
		s.memory.used.Add(-int64(bytes))
		return errBodyMemory
	}
	s.taken += int64(bytes)
	return nil
}

// give returns memory.
func (s *bodyShare) give(bytes int) {
	s.memory.used.Add(-int64(bytes))
	s.taken -= int64(bytes)
}

// giveAll returns what is left.
func (s *bodyShare) giveAll() { s.give(int(s.taken)) }

var bodyMemoryMetric = prometheus.NewGaugeFunc(prometheus.GaugeOpts{
	Namespace: "faregate", Name: "body_memory_bytes", Help: "Memory that request bodies take now.",
}, func() float64 { return float64(bodiesMemory.used.Load()) })
