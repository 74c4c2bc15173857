package simulator

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
)

// Received is one request as the provider saw it.
type Received struct {
	Method, RequestURI, Host, Proto string

	Header http.Header
	Body   []byte
	TLS    bool

	// Incomplete: the client left (or sent too much) before its body was
	// there; Body is what came, and nothing was answered.
	Incomplete bool

	// Ended: the answer is over, one way or the other. Sent counts the body
	// bytes that were written to the connection by then.
	Ended bool
	Sent  int64

	// ClosedEarly: the client left when Sent bytes had been written and more
	// were to come. A client that leaves while the last piece is on its way
	// may go unnoticed; a Pause at AtEnd makes that certain.
	ClosedEarly bool
}

// ErrNotRecording is returned by the waits of a simulator that keeps nothing.
var ErrNotRecording = errors.New("the simulator was made without Options.Record")

type register struct {
	record bool

	mu       sync.Mutex
	requests []*Received
	ended    int
	changed  chan struct{} // closed and replaced at every change
}

// Requests returns all requests that arrived so far, oldest first.
func (s *Simulator) Requests() []Received {
	s.seen.mu.Lock()
	defer s.seen.mu.Unlock()
	return s.seen.copies()
}

// WaitRequests waits until n requests have arrived with their bodies and
// returns all there are.
func (s *Simulator) WaitRequests(ctx context.Context, n int) ([]Received, error) {
	return s.seen.wait(ctx, "arrived", n, func() int { return len(s.seen.requests) })
}

// WaitEnded waits until n requests are over: answered, cut off or left by the
// client. It returns all there are, which tells who left early.
func (s *Simulator) WaitEnded(ctx context.Context, n int) ([]Received, error) {
	return s.seen.wait(ctx, "ended", n, func() int { return s.seen.ended })
}

func (g *register) wait(ctx context.Context, what string, n int, count func() int) ([]Received, error) {
	if !g.record {
		return nil, ErrNotRecording
	}
	for {
		g.mu.Lock()
		have := count()
		if have >= n {
			defer g.mu.Unlock()
			return g.copies(), nil
		}
		if g.changed == nil {
			g.changed = make(chan struct{})
		}
		changed := g.changed
		g.mu.Unlock()
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, fmt.Errorf("%d of %d requests %s: %w", have, n, what, ctx.Err())
		}
	}
}

func (g *register) copies() []Received {
	requests := make([]Received, len(g.requests))
	for i, request := range g.requests {
		requests[i] = *request
	}
	return requests
}

func (g *register) arrived(r *http.Request, body []byte, err error) *Received {
	if !g.record {
		return nil
	}
	entry := &Received{
		Method: r.Method, RequestURI: r.RequestURI, Host: r.Host, Proto: r.Proto,
		Header: r.Header.Clone(), Body: slices.Clone(body), TLS: r.TLS != nil,
		Incomplete: err != nil,
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	g.requests = append(g.requests, entry)
	g.announce()
	return entry
}

func (g *register) finish(entry *Received, sent int64, early bool) {
	if entry == nil {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	entry.Ended, entry.Sent, entry.ClosedEarly = true, sent, early
	g.ended++
	g.announce()
}

func (g *register) announce() {
	if g.changed != nil {
		close(g.changed)
		g.changed = nil
	}
}
