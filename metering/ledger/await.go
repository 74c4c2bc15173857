package ledger

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"time"
)

// The pauses between questions to the store, while a request waits for credit that
// other nodes have.
const firstPoll, longestPoll = 50 * time.Millisecond, 500 * time.Millisecond

// reserve serves the request, if need be after a while. Before it refuses it asks the
// store, and through it the other nodes.
func (l *Ledger) reserve(ctx context.Context, r *request) error {
	if l.committer.unavailable() {
		// What is in memory could be promised, but not be settled.
		return ErrUnavailable
	}
	a, now := r.account, l.options.Now()
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return errGone
	}
	limit, known := r.limit(now)
	if len(a.queue) == 0 && a.wallet.loaded && known && usable(a.wallet, limit) >= r.amount {
		r.take(limit, now)
		a.mu.Unlock()
		return r.err
	}
	r.woken = make(chan struct{}, 1)
	a.enqueue(r)
	a.admit(now)
	a.mu.Unlock()

	l.waiting.Add(1)
	err := l.await(ctx, r)
	l.waiting.Add(-1)

	a.mu.Lock()
	defer a.mu.Unlock()
	a.leave(r)
	if r.done {
		return r.err // it was served while it was about to give up
	}
	a.admit(l.options.Now()) // others may have waited behind this one
	return err
}

// wait is a request on its way through the queue.
type wait struct {
	*request
	began time.Time // by the clock of timers, which nobody sets
	// asked counts how often the store was asked since the last news. A call of others
	// that was under way before may have missed the latest deposit: only one of our
	// own, which counts twice, or a second one is a final answer.
	asked int
	pause time.Duration // before the store is asked again
	poll  bool          // other nodes may have what is needed
}

// The steps of a wait.
type step int

const (
	stepEnd step = iota
	stepAsk
	stepWait
	stepRefuse // as other nodes did not give up what they have
)

// await waits until the request is done or must be refused.
func (l *Ledger) await(ctx context.Context, r *request) error {
	w := &wait{request: r, began: time.Now(), pause: firstPoll}
	for {
		next, left, err := l.next(w)
		switch next {
		case stepEnd:
			return err
		case stepRefuse:
			return l.refuse(ctx, w, err)
		case stepAsk:
			covers, own, err := l.refill(ctx, r.account, r.keyID, shortage{})
			if err != nil {
				return err
			}
			if covers {
				w.asked++
			}
			if covers && own {
				w.asked++
			}
		case stepWait:
			if err := w.wait(ctx, left); err != nil {
				return err
			}
		}
	}
}

// next decides what to do, and how long to wait at most.
func (l *Ledger) next(w *wait) (next step, left time.Duration, err error) {
	a, now := w.account, l.options.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.news {
		w.news, w.asked = false, 0
	}
	limit, known := w.limit(now)
	possible := w.possible(now)
	switch {
	case w.done:
		return stepEnd, 0, w.err
	case a.tenure.fenced.Load():
		return stepEnd, 0, ErrFenced
	case l.closed.Load():
		return stepEnd, 0, ErrClosed
	case w.amount == 0 && known && a.wallet.loaded:
		w.take(limit, now) // what is free takes nothing from those who came first
		return stepEnd, 0, w.err
	case known && possible && a.ahead(w.request) >= l.options.MaxWaiting:
		return stepEnd, 0, ErrCrowded
	case !known || w.asked < 2:
		return stepAsk, 0, nil
	case !possible:
		return stepEnd, 0, w.refusal(now)
	}
	w.poll = w.remote(now)
	left = l.patience(w.request, now) - time.Since(w.began)
	switch {
	case left > 0:
		return stepWait, left, nil
	case w.patient && w.shared(now):
		return stepRefuse, 0, w.refusal(now)
	default:
		return stepEnd, 0, w.refusal(now)
	}
}

// patience is how long the request may wait, as things are. The lock must be held.
func (l *Ledger) patience(r *request, now time.Time) time.Duration {
	switch {
	case r.patient && r.shared(now):
		return max(l.options.WaitFor, l.options.returnedAfter())
	case r.patient:
		return l.options.WaitFor
	case r.byRecall(now):
		return l.options.AskFor
	}
	return 0
}

// returnedAfter is how long it takes until credit of a node that has vanished can be
// had again: its lease ends, the next heartbeat of another finds that, and a poll the
// credit.
func (o *Options) returnedAfter() time.Duration {
	return o.LeaseFor + o.LeaseFor/beatsPerLease + longestPoll + o.AskFor
}

// refuse returns the refusal of a request that waited in vain for credit of other
// nodes. Where one of them is not heard of, the account is not to blame.
func (l *Ledger) refuse(ctx context.Context, w *wait, refusal error) error {
	silent, err := l.silence.found(ctx, l)
	switch {
	case err != nil:
		return w.account.tenure.judge(err)
	case silent:
		return fmt.Errorf("%w: %w", ErrUnavailable, ErrElsewhere)
	}
	return refusal
}

// silence tells whether a node that has credit is not heard of. As listing the nodes is
// work for the store, many that are refused at the same time share an answer.
type silence struct {
	mu    sync.Mutex
	call  *call // under way
	asked time.Time
	last  bool
	err   error
}

func (s *silence) found(ctx context.Context, l *Ledger) (silent bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.asked.IsZero() && time.Since(s.asked) < l.options.AskFor {
		return s.last, s.err
	}
	if current := s.call; current != nil {
		s.mu.Unlock()
		err = current.wait(ctx)
		s.mu.Lock()
		return s.last, err
	}
	s.call = &call{done: make(chan struct{})}
	s.mu.Unlock()
	silent, err = l.missing(ctx)
	s.mu.Lock()
	s.asked, s.last, s.err = time.Now(), silent, err
	s.call.end(err)
	s.call = nil
	return silent, err
}

// missing asks the store whether a node that has credit is not heard of.
func (l *Ledger) missing(ctx context.Context) (bool, error) {
	// The answer serves others too: the client that happened to ask may leave.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.options.AskFor)
	defer cancel()
	nodes, err := l.store.Nodes(ctx)
	if err != nil {
		return false, err
	}
	var latest time.Time // by the store's clock, as all times of nodes
	for _, n := range nodes {
		if n.RenewedAt.After(latest) {
			latest = n.RenewedAt
		}
	}
	return slices.ContainsFunc(nodes, func(n Node) bool {
		return n.Granted > 0 && latest.Sub(n.RenewedAt) > l.options.LeaseFor/2
	}), nil
}

// wait waits for something to happen; all of it makes the store worth asking again.
func (w *wait) wait(ctx context.Context, left time.Duration) error {
	end := time.NewTimer(left)
	defer end.Stop()
	var again <-chan time.Time
	if w.poll {
		timer := time.NewTimer(w.pause)
		defer timer.Stop()
		again = timer.C
		w.pause = min(2*w.pause, longestPoll)
	}
	select {
	case <-w.woken:
	case <-again:
	case <-end.C:
	case <-ctx.Done():
		return fmt.Errorf("wait for credit: %w", context.Cause(ctx))
	}
	w.asked = 0
	return nil
}
