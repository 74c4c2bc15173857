package ledger

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// tenure is the time of one lease, with the credit that was granted under it. When the
// lease is lost, all that was held under it is void and a new tenure begins.
type tenure struct {
	lease  Lease
	fenced atomic.Bool
	// renewed is when the latest renewal was sent: the lease lasts at least for its
	// term from then on.
	renewed atomic.Pointer[time.Time]
	live    atomic.Int64 // nodes with a lease, this one included
	calls   atomic.Int64 // numbers calls to the store

	mu       sync.RWMutex
	accounts map[string]*account
}

func newTenure(lease Lease, sent time.Time, live int) *tenure {
	t := &tenure{lease: lease, accounts: make(map[string]*account)}
	t.renewed.Store(&sent)
	t.live.Store(int64(live))
	return t
}

// alone tells whether no other node can have a use for credit.
func (t *tenure) alone() bool { return t.live.Load() <= 1 }

// account returns the account, a new one without credit if need be.
func (t *tenure) account(id string) *account {
	if a := t.find(id); a != nil {
		return a
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	a := t.accounts[id]
	if a == nil {
		a = newAccount(t, id)
		t.accounts[id] = a
	}
	return a
}

func (t *tenure) find(id string) *account {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.accounts[id]
}

func (t *tenure) drop(id string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.accounts, id)
}

// all returns the accounts in the order of their ids.
func (t *tenure) all() []*account {
	t.mu.RLock()
	list := make([]*account, 0, len(t.accounts))
	for _, a := range t.accounts {
		list = append(list, a)
	}
	t.mu.RUnlock()
	slices.SortFunc(list, func(a, b *account) int { return cmp.Compare(a.id, b.id) })
	return list
}

func (t *tenure) size() int {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return len(t.accounts)
}

// judge tells errors that are answers from those that say that the store is out of reach.
func (t *tenure) judge(err error) error {
	switch {
	case err == nil, errors.Is(err, ErrNoAccount):
		return err
	case errors.Is(err, ErrFenced):
		t.lose()
		return err
	default:
		return fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
}

// lose notes that the lease was taken away, and wakes who waits for credit under it: they
// wait under the next one. No account's lock may be held.
func (t *tenure) lose() {
	if t.fenced.Swap(true) {
		return
	}
	for _, a := range t.all() {
		a.wakeAll()
	}
}

// latest returns the latest tenure, lost or not.
func (l *Ledger) latest() *tenure {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tenure
}

// currentTenure returns a tenure whose lease is in force as far as can be known; where
// it was lost it takes a new one.
func (l *Ledger) currentTenure(ctx context.Context) (*tenure, error) {
	for {
		t := l.latest()
		switch {
		case l.closed.Load():
			return nil, ErrClosed
		case t.fenced.Load():
			if err := l.join(ctx, t); err != nil {
				return nil, err
			}
		case l.options.Now().Sub(*t.renewed.Load()) < l.options.LeaseFor:
			return t, nil
		default:
			// This node was paused, or the store away, for so long that another may
			// have taken the lease: what is held now might be held in vain.
			if err := l.renewForAll(ctx, t); err != nil && !errors.Is(err, ErrFenced) {
				return nil, err
			}
		}
	}
}

// renewForAll is renew for all who ask at the same time: each with a renewal of its own
// would keep the others from the store.
func (l *Ledger) renewForAll(ctx context.Context, t *tenure) error {
	l.mu.Lock()
	renewing := l.renewing
	own := renewing == nil
	if own {
		renewing = &call{done: make(chan struct{})}
		l.renewing = renewing
	}
	l.mu.Unlock()
	if !own {
		return renewing.wait(ctx)
	}
	err := l.renew(context.WithoutCancel(ctx), t) // as in join
	l.mu.Lock()
	l.renewing = nil
	l.mu.Unlock()
	renewing.end(err)
	return err
}

// renew makes the lease last for another term.
func (l *Ledger) renew(ctx context.Context, t *tenure) error {
	ctx, cancel := context.WithTimeout(ctx, l.options.AskFor)
	defer cancel()
	sent := l.options.Now()
	live, err := l.store.Heartbeat(ctx, t.lease, l.options.LeaseFor)
	if err == nil {
		t.renewed.Store(&sent)
		t.live.Store(int64(live))
	}
	return t.judge(err)
}

// join begins a tenure after `lost`; one goroutine does, and others wait for it.
func (l *Ledger) join(ctx context.Context, lost *tenure) error {
	l.mu.Lock()
	if l.tenure != lost {
		l.mu.Unlock()
		return nil
	}
	joining := l.joining
	own := joining == nil
	if own {
		joining = &call{done: make(chan struct{})}
		l.joining = joining
	}
	l.mu.Unlock()
	if !own {
		return joining.wait(ctx)
	}
	// The lease serves others too: the client that happened to need it may leave.
	next, err := l.claim(context.WithoutCancel(ctx))
	l.mu.Lock()
	defer l.mu.Unlock()
	l.joining = nil
	if err == nil {
		l.tenure = next
	}
	joining.end(err)
	return err
}

func (l *Ledger) claim(ctx context.Context) (*tenure, error) {
	ctx, cancel := context.WithTimeout(ctx, l.options.AskFor)
	defer cancel()
	sent := l.options.Now()
	lease, live, err := l.store.Join(ctx, l.options.Node, l.options.LeaseFor)
	if err != nil {
		return nil, fmt.Errorf("%w: take a lease for node %s: %w", ErrUnavailable, l.options.Node, err)
	}
	return newTenure(lease, sent, live), nil
}

// beatsPerLease is how often a lease is renewed in the time that it lasts.
const beatsPerLease = 4

// beat keeps the lease until ctx ends, and takes those away that were not kept.
func (l *Ledger) beat(ctx context.Context) {
	ticker := time.NewTicker(max(l.options.LeaseFor/beatsPerLease, time.Millisecond))
	defer ticker.Stop()
	heard := time.Now() // of the store
	var again time.Time // heard of it for the first time after an absence
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		// A lease that was lost is tried too: that the store says so is a word from it. After
		// an error holds ask again, before they rely on the lease.
		if err := l.renew(ctx, l.latest()); err != nil && !errors.Is(err, ErrFenced) {
			continue
		}
		if time.Since(heard) > l.options.LeaseFor/2 {
			again = time.Now()
		}
		heard = time.Now()
		if ctx.Err() != nil {
			return
		}
		if time.Since(again) < l.options.LeaseFor/2 {
			// Others had no store either, and are about to renew: they keep what runs.
			continue
		}
		reclaim, cancel := context.WithTimeout(ctx, l.options.AskFor)
		// What could not be reclaimed now is by the next beat, or by another node.
		_, _ = l.store.Reclaim(reclaim)
		cancel()
	}
}
