// Package ledger takes the price of every request from its account: exactly once,
// and never more than the account has.
//
// Credit lives in a store. A node (one running gateway) is granted credit by the
// store and then serves holds out of memory, under one lock per account, so that
// no number of concurrent requests can spend the same nano-dollar twice. A
// settlement is durable before Settle returns; many that arrive together share one
// commit.
//
//	book, err := ledger.Open(ctx, store, ledger.Options{})
//	hold, err := book.Hold(ctx, account, worstCase) // *InsufficientError: answer 402
//	…                                               // the provider answers
//	record.Cost = price                             // what was really used
//	err = hold.Settle(ctx, record)                  // durable: the last bytes may go out
//	hold.Release()                                  // does nothing after Settle: may be deferred
package ledger

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/faregate/faregate/metering"
)

// Options are the settings of a Ledger; every zero field has a default.
type Options struct {
	// Node names this gateway among those of one store. Two that run at the same
	// time must not share a name: the later one fences the earlier. Default: "main".
	Node string
	// Now is the clock. Default: time.Now.
	Now func() time.Time
	// RetryFor is how long a settlement is tried again while the store cannot
	// write. Default: 10 s.
	RetryFor time.Duration
	// Pace is the time between two commits, while there are few settlements to be written: no
	// more than one commit for each, but for a few at once; a quarter of it where they are one
	// or two. Below zero is none. Default: 8 ms.
	Pace time.Duration
	// AskFor is how long one call to the store may take while somebody waits for it, and
	// how long a hold that shall not wait waits for credit that other nodes do not use. A
	// commit that takes three times as long makes new holds be refused. Default: 1 s.
	AskFor time.Duration
	// WaitFor is how long a hold waits for running holds to end; where other nodes have
	// credit of the account, at least until one that has vanished has lost its lease,
	// which is 14 s with the defaults. Default: 10 s.
	WaitFor time.Duration
	// MaxWaiting bounds the holds of one account that wait for others to end; who comes
	// then is told ErrCrowded. Default: 1,000.
	MaxWaiting int
	// LeaseFor is how long the node's lease lasts when it is not renewed, which happens
	// four times in that time. Default: 10 s.
	LeaseFor time.Duration
	// IdleFor is how long an account without requests keeps its grant and its
	// place in memory. Default: 10 min.
	IdleFor time.Duration
	// Slice is the least credit that a node keeps of an account that it serves, where
	// there are other nodes; it keeps more of one that is used more. Default: 0.10 USD.
	Slice metering.Nanos
	// Whole is how much of an account is not worth sharing: where no more is left, a
	// node takes all of it, unless other nodes serve the account, too. Default: 1 USD.
	Whole metering.Nanos
}

func (o Options) withDefaults() Options {
	if o.Node == "" {
		o.Node = "main"
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Pace == 0 {
		o.Pace = 8 * time.Millisecond
	}
	if o.MaxWaiting <= 0 {
		o.MaxWaiting = 1000
	}
	for value, standard := range map[*time.Duration]time.Duration{
		&o.RetryFor: 10 * time.Second, &o.AskFor: time.Second, &o.WaitFor: 10 * time.Second,
		&o.LeaseFor: 10 * time.Second, &o.IdleFor: 10 * time.Minute,
	} {
		if *value <= 0 {
			*value = standard
		}
	}
	for value, standard := range map[*metering.Nanos]metering.Nanos{&o.Slice: metering.Dollar / 10, &o.Whole: metering.Dollar} {
		if *value <= 0 {
			*value = standard
		}
	}
	return o
}

// Ledger serves the holds and settlements of one node. Its methods may be called
// from many goroutines.
type Ledger struct {
	store     Store
	options   Options
	committer *committer
	closed    atomic.Bool
	closing   sync.Once
	closeErr  error

	mu      sync.Mutex
	tenure  *tenure
	joining *call // the call for a new lease under way
	// renewing is the call of those under way that need a renewal before they go on.
	renewing *call

	waiting    atomic.Int64 // requests that wait for credit
	yields     yields
	silence    silence
	background sync.WaitGroup
	stop       context.CancelFunc
}

// Open takes a lease for the node: whatever was granted to an earlier life of it
// returns to its accounts first.
func Open(ctx context.Context, store Store, options Options) (*Ledger, error) {
	l := &Ledger{store: store, options: options.withDefaults()}
	l.yields.known, l.yields.wake = make(map[string]bool), make(chan struct{}, 1)
	tenure, err := l.claim(ctx)
	if err != nil {
		return nil, err
	}
	l.tenure = tenure
	l.committer = newCommitter(store, l.options)
	background, stop := context.WithCancel(context.Background())
	l.stop = stop
	l.background.Go(func() { l.beat(background) })
	l.background.Go(func() { l.sweepRegularly(background) })
	l.background.Go(func() { l.yieldWhenAsked(background) })
	return l, nil
}

// Log writes a record that charges nothing (rejected, waived, interrupted) and
// returns when it is durable. It shares commits with settlements. While the store cannot
// write it is ErrUnavailable at once, and nothing is kept for later: nobody's credit
// bounds how many such records there are.
func (l *Ledger) Log(ctx context.Context, record *metering.Record) error {
	if record.Cost != 0 || record.Shortfall != 0 {
		return fmt.Errorf("record %s: a record with a cost needs a hold: %w", record.ID, ErrAmount)
	}
	if l.committer.unavailable() {
		return ErrUnavailable
	}
	e := l.committer.newEntry(record)
	if err := l.committer.submit(e); err != nil {
		return err
	}
	return e.wait(ctx)
}

// Close refuses new holds and those that wait, waits until every settlement under way
// is durable or ctx ends, and returns the node's grants. Holds still open then are
// lost, uncharged; settle or release them first.
func (l *Ledger) Close(ctx context.Context) error {
	l.closing.Do(func() {
		l.closed.Store(true)
		for _, a := range l.latest().all() {
			a.wakeAll()
		}
		err := l.committer.close(ctx)
		l.stop() // the lease is kept until here
		l.background.Wait()
		tenure := l.latest()
		if endErr := l.store.End(ctx, tenure.lease); endErr != nil && !errors.Is(endErr, ErrFenced) {
			// Nothing is lost: the next lease of this node, or the end of this one, returns
			// the grants.
			err = errors.Join(err, fmt.Errorf("return the grants of node %s: %w", tenure.lease.Node, endErr))
		}
		l.closeErr = err
	})
	return l.closeErr
}

func (a *account) wakeAll() {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, r := range a.queue {
		r.wake()
	}
}

// Figures count what a ledger did since it was opened.
type Figures struct {
	Commits     int64 // durable group commits
	Settlements int64 // records in them
	Failures    int64 // commits that failed and were tried again
	Wallets     int   // accounts in memory now
	Waiting     int64 // holds that wait for credit now
	Nodes       int64 // with a lease on the same store, as of the last heartbeat
}

// Figures returns the present counts, for metrics.
func (l *Ledger) Figures() Figures {
	tenure := l.latest()
	return Figures{
		Commits:     l.committer.commits.Load(),
		Settlements: l.committer.settlements.Load(),
		Failures:    l.committer.failures.Load(),
		Wallets:     tenure.size(),
		Waiting:     l.waiting.Load(),
		Nodes:       tenure.live.Load(),
	}
}
