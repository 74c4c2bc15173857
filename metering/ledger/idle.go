package ledger

import (
	"context"
	"slices"
	"time"

	"github.com/faregate/faregate/metering"
)

// sweepRegularly puts back what is not needed until ctx ends.
func (l *Ledger) sweepRegularly(ctx context.Context) {
	ticker := time.NewTicker(max(l.options.IdleFor/4, time.Millisecond))
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		l.sweep(ctx)
	}
}

// sweep puts back what accounts do not need and forgets those that were idle for long
// enough: memory is for accounts in use, however many there are.
func (l *Ledger) sweep(ctx context.Context) {
	tenure := l.latest()
	for _, a := range tenure.all() {
		if ctx.Err() != nil || tenure.fenced.Load() {
			return
		}
		a.mu.Lock()
		now := l.options.Now()
		for keyID := range a.keys {
			a.limit(keyID, now) // a period may have ended
		}
		idle := a.idle(now, l.options.IdleFor)
		wallets := a.wallets()
		a.mu.Unlock()
		for _, w := range wallets {
			if ctx.Err() != nil {
				return
			}
			l.putBack(ctx, a, w, func(now time.Time) metering.Nanos { return l.excess(a, w, now) })
		}
		if idle {
			l.forget(ctx, a)
		} else {
			a.prune()
		}
	}
}

// idle tells whether nobody has used the account for that long. The lock must be held.
func (a *account) idle(now time.Time, idleFor time.Duration) bool {
	return !a.gone && a.users == 0 && now.Sub(a.touched) >= idleFor
}

// prune forgets limits of the past that nothing is left of.
func (a *account) prune() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.past = slices.DeleteFunc(a.past, func(w *wallet) bool { return w.credit == 0 && w.held == 0 && !w.unsure })
}

// excess is what the node shall not keep of the wallet. The lock must be held.
func (l *Ledger) excess(a *account, w *wallet, now time.Time) metering.Nanos {
	switch {
	case slices.Contains(a.past, w), a.idle(now, l.options.IdleFor):
		return w.free()
	case a.tenure.alone() || a.awaited(w, now):
		return 0
	}
	target := w.demand.target(l.options.Slice, now)
	if w.free() <= 2*target+l.options.Whole {
		return 0
	}
	return w.free() - target
}

// forget drops the account from memory, if nothing of it is here any more.
func (l *Ledger) forget(ctx context.Context, a *account) {
	a.mu.Lock()
	var unsure []string
	for keyID, k := range a.keys {
		if k.unsure {
			unsure = append(unsure, keyID)
		}
	}
	a.mu.Unlock()
	slices.Sort(unsure)
	for _, keyID := range unsure {
		// A draw without an answer may have granted something: this one tells.
		if _, _, err := l.refill(ctx, a, keyID, shortage{}); err != nil {
			return
		}
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.call != nil || !a.idle(l.options.Now(), l.options.IdleFor) {
		return
	}
	for _, w := range a.wallets() {
		if w.credit != 0 || w.unsure {
			return
		}
	}
	a.gone = true
	a.tenure.drop(a.id)
}
