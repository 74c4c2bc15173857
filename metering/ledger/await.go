package ledger

import (
	"context"
	"fmt"
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
	if len(a.queue) >= l.options.MaxWaiting {
		err := r.refusal(now)
		a.mu.Unlock()
		return err
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
	began time.Time
	// asked counts how often the store was asked since the last news. A call of others
	// that was under way before may have missed the latest deposit: only one of our
	// own, which counts twice, or a second one is a final answer.
	asked int
	pause time.Duration // before the store is asked again
}

// The steps of a wait.
type step int

const (
	stepEnd step = iota
	stepAsk
	stepWait
)

// await waits until the request is done or must be refused.
func (l *Ledger) await(ctx context.Context, r *request) error {
	w := &wait{request: r, began: l.options.Now(), pause: firstPoll}
	end := time.NewTimer(l.options.WaitFor)
	defer end.Stop()
	for {
		next, poll, err := l.next(w)
		switch next {
		case stepEnd:
			return err
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
			if err := w.wait(ctx, poll, end.C); err != nil {
				return err
			}
		}
	}
}

// next decides what to do; poll is set where other nodes may have what is needed.
func (l *Ledger) next(w *wait) (next step, poll bool, err error) {
	a, now := w.account, l.options.Now()
	a.mu.Lock()
	defer a.mu.Unlock()
	if w.news {
		w.news, w.asked = false, 0
	}
	_, known := w.limit(now)
	switch {
	case w.done:
		return stepEnd, false, w.err
	case a.tenure.fenced.Load():
		return stepEnd, false, ErrFenced
	case l.closed.Load():
		return stepEnd, false, ErrClosed
	case !known || w.asked < 2:
		return stepAsk, false, nil
	}
	patience := l.options.WaitFor
	if !w.patient {
		patience = 0
		if w.byRecall(now) {
			patience = l.options.AskFor
		}
	}
	if !w.possible(now) || now.Sub(w.began) >= patience {
		return stepEnd, false, w.refusal(now)
	}
	return stepWait, w.remote(now), nil
}

// wait waits for something to happen; all of it makes the store worth asking again.
func (w *wait) wait(ctx context.Context, poll bool, end <-chan time.Time) error {
	var again <-chan time.Time
	if poll {
		timer := time.NewTimer(w.pause)
		defer timer.Stop()
		again = timer.C
		w.pause = min(2*w.pause, longestPoll)
	}
	select {
	case <-w.woken:
	case <-again:
	case <-end:
	case <-ctx.Done():
		return fmt.Errorf("wait for credit: %w", context.Cause(ctx))
	}
	w.asked = 0
	return nil
}
