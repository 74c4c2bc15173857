package upstream

import (
	"context"
	"errors"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// slots are the requests that may run at once with one key, and the short queue for
// them. The zero value has no limit.
type slots struct {
	limit   atomic.Int64 // 0 = none
	running atomic.Int64
	waiting atomic.Int64

	mu    sync.Mutex
	queue []chan struct{}
}

var (
	errQueueFull = errors.New("the queue is full")
	errWaited    = errors.New("waited for too long")
)

// full tells whether a request would have to wait. Nobody overtakes those who do.
func (s *slots) full() bool {
	limit := s.limit.Load()
	return limit > 0 && (s.running.Load() >= limit || s.waiting.Load() > 0)
}

// take takes a slot if one is free.
func (s *slots) take() bool {
	for {
		running, limit := s.running.Load(), s.limit.Load()
		if limit > 0 && running >= limit {
			return false
		}
		if s.running.CompareAndSwap(running, running+1) {
			return true
		}
	}
}

// give gives a slot back, to whoever has waited longest.
func (s *slots) give() {
	s.running.Add(-1)
	if s.waiting.Load() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve()
}

// serve hands free slots to the queue.
func (s *slots) serve() {
	for len(s.queue) > 0 && s.take() {
		close(s.queue[0])
		s.queue[0] = nil
		s.queue = s.queue[1:]
		s.waiting.Add(-1)
	}
}

// wait takes a slot as soon as one is free. Errors are errQueueFull, errWaited and the
// context's.
func (s *slots) wait(ctx context.Context, longestQueue int, patience time.Duration) error {
	if patience <= 0 {
		return errWaited
	}
	mine := make(chan struct{})
	s.mu.Lock()
	if len(s.queue) >= longestQueue {
		s.mu.Unlock()
		return errQueueFull
	}
	s.queue = append(s.queue, mine)
	s.waiting.Add(1)
	// A slot may have been given back before this request was seen to wait.
	s.serve()
	s.mu.Unlock()

	timer := time.NewTimer(patience)
	defer timer.Stop()
	err := errWaited
	select {
	case <-mine:
		return nil
	case <-timer.C:
	case <-ctx.Done():
		err = ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.queue, mine); i >= 0 {
		s.queue = slices.Delete(s.queue, i, i+1)
		s.waiting.Add(-1)
		return err
	}
	if ctx.Err() != nil { // served and gone at once
		s.running.Add(-1)
		s.serve()
		return err
	}
	return nil
}

// setLimit changes the limit, when a new configuration says so.
func (s *slots) setLimit(limit int64) {
	s.limit.Store(limit)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.serve()
}
