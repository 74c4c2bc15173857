package ledger

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/faregate/faregate/metering"
)

// Recall tells that somebody needs credit of the account that this node may have
// without a use for it (a change of kind "recall"): another node, a refund, a lowered
// limit. It returns at once; what is idle goes back soon.
func (l *Ledger) Recall(accountID string) {
	a := l.latest().find(accountID)
	if a == nil {
		return
	}
	a.mu.Lock()
	now := l.options.Now()
	for _, w := range a.wallets() {
		w.recall(now)
	}
	a.mu.Unlock()
	l.yields.add(accountID)
}

// mustYield tells whether a wallet has to put credit back. The lock must be held.
func (a *account) mustYield(now time.Time) bool {
	return slices.ContainsFunc(a.wallets(), func(w *wallet) bool { return a.yields(w, now) })
}

// yields tells whether the wallet has to put credit back now. While requests wait for
// more of it here it does not, unless it is another's turn: then what is here serves
// nobody. The lock must be held.
func (a *account) yields(w *wallet, now time.Time) bool {
	switch {
	case w.yield == yieldNothing:
		return false
	case w.unsure:
		return true // there may be more than is known
	case w.free() <= 0:
		return false
	}
	return now.Before(w.othersUntil) || !a.awaited(w, now)
}

// awaited tells whether a request waits for the wallet. The lock must be held.
func (a *account) awaited(w *wallet, now time.Time) bool {
	return slices.ContainsFunc(a.queue, func(r *request) bool {
		limit, _ := r.limit(now)
		return w == a.wallet || w == limit
	})
}

// yields are the accounts that have credit to put back.
type yields struct {
	mu    sync.Mutex
	ids   []string
	known map[string]bool
	wake  chan struct{}
}

func (y *yields) add(accountID string) {
	y.mu.Lock()
	defer y.mu.Unlock()
	if !y.known[accountID] {
		y.known[accountID] = true
		y.ids = append(y.ids, accountID)
	}
	select {
	case y.wake <- struct{}{}:
	default:
	}
}

func (y *yields) take() []string {
	y.mu.Lock()
	defer y.mu.Unlock()
	ids := y.ids
	y.ids = nil
	clear(y.known)
	return ids
}

// yieldWhenAsked puts back what is recalled until ctx ends.
func (l *Ledger) yieldWhenAsked(ctx context.Context) {
	for {
		select {
		case <-l.yields.wake:
		case <-ctx.Done():
			return
		}
		for _, id := range l.yields.take() {
			if a := l.latest().find(id); a != nil {
				l.yield(ctx, a)
			}
		}
	}
}

// yield puts back what has to be.
func (l *Ledger) yield(ctx context.Context, a *account) {
	a.mu.Lock()
	wallets := a.wallets()
	a.mu.Unlock()
	for _, w := range wallets {
		if ctx.Err() != nil {
			return
		}
		l.putBack(ctx, a, w, func(now time.Time) (amount metering.Nanos) {
			if a.yields(w, now) {
				amount = w.spare(l.options.Slice, now)
			}
			w.yield = yieldNothing
			return amount
		})
	}
}

// putBack gives back as much of the wallet as `amount` says, which is called with the
// lock held and no other call under way.
func (l *Ledger) putBack(ctx context.Context, a *account, w *wallet, amount func(now time.Time) metering.Nanos) {
	if !l.seize(ctx, a) {
		return
	}
	defer a.mu.Unlock()
	now := l.options.Now()
	back := amount(now)
	if past := slices.Contains(a.past, w); back <= 0 && (!past || !w.unsure) {
		unsure := w.unsure
		a.end(nil)
		if unsure {
			// A draw without an answer may have granted something: another one tells.
			a.mu.Unlock()
			_, _, _ = l.refill(ctx, a, w.name.KeyID, shortage{}) // else the next sweep
			a.mu.Lock()
		}
		return
	}
	w.credit -= back
	w.standing.Returned += back
	returned, number := w.standing.Returned, a.tenure.calls.Add(1)
	a.mu.Unlock()

	ask, cancel := context.WithTimeout(ctx, l.options.AskFor)
	standing, err := l.store.PutBack(ask, a.tenure.lease, number, w.name, returned)
	cancel()
	err = a.tenure.judge(err)
	a.mu.Lock()
	now = l.options.Now()
	if err == nil {
		w.learn(standing, now)
		if a.mustYield(now) {
			l.yields.add(a.id)
		}
	} else {
		// It is unknown whether the credit is still ours. It counts as gone, and the
		// next call to the store tells.
		w.unsure = true
		if w == a.wallet {
			a.stale = true
		}
	}
	a.end(err)
	a.admit(now)
}

// seize waits for the end of the call under way and begins the next one; then the
// account's lock is held. False: the account is gone, or ctx has ended.
func (l *Ledger) seize(ctx context.Context, a *account) bool {
	for {
		a.mu.Lock()
		if a.gone {
			a.mu.Unlock()
			return false
		}
		current, own := a.begin("")
		if own {
			return true
		}
		a.mu.Unlock()
		_ = current.wait(ctx) // its outcome is its owner's
		if ctx.Err() != nil {
			return false
		}
	}
}
