package storetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Fault says how a call to a Faulty store goes wrong.
type Fault int

// The faults.
const (
	Sound     Fault = iota
	Lost            // the call never reaches the store
	Ambiguous       // the call takes effect, but its answer is lost
	Hanging         // the call lasts until its context ends
)

// ErrFault is the error of injected faults.
var ErrFault = errors.New("injected fault")

// Faulty is a ledger.Store that fails as it is told.
type Faulty struct {
	Store ledger.Store
	mu    sync.Mutex
	next  func(call string) Fault
}

// NewFaulty wraps a store; next decides the fate of each call, by its name.
func NewFaulty(store ledger.Store, next func(call string) Fault) *Faulty {
	return &Faulty{Store: store, next: next}
}

// Plan changes what happens to the calls from now on.
func (f *Faulty) Plan(next func(call string) Fault) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.next = next
}

func (f *Faulty) call(ctx context.Context, name string, call func() error) error {
	f.mu.Lock()
	fault := f.next(name)
	f.mu.Unlock()
	switch fault {
	case Lost:
		return ErrFault
	case Hanging:
		<-ctx.Done()
		return ctx.Err()
	}
	err := call()
	if fault == Ambiguous && err == nil {
		err = ErrFault
	}
	return err
}

// Join implements ledger.Store.
func (f *Faulty) Join(ctx context.Context, node string, term time.Duration) (lease ledger.Lease, live int, err error) {
	err = f.call(ctx, "join", func() (err error) { lease, live, err = f.Store.Join(ctx, node, term); return err })
	return lease, live, err
}

// Heartbeat implements ledger.Store.
func (f *Faulty) Heartbeat(ctx context.Context, lease ledger.Lease, term time.Duration) (live int, err error) {
	err = f.call(ctx, "heartbeat", func() (err error) { live, err = f.Store.Heartbeat(ctx, lease, term); return err })
	return live, err
}

// End implements ledger.Store.
func (f *Faulty) End(ctx context.Context, lease ledger.Lease) error {
	return f.call(ctx, "end", func() error { return f.Store.End(ctx, lease) })
}

// Reclaim implements ledger.Store.
func (f *Faulty) Reclaim(ctx context.Context) (ended int, err error) {
	err = f.call(ctx, "reclaim", func() (err error) { ended, err = f.Store.Reclaim(ctx); return err })
	return ended, err
}

// Draw implements ledger.Store.
func (f *Faulty) Draw(ctx context.Context, lease ledger.Lease, draw ledger.Draw) (drawn ledger.Drawn, err error) {
	err = f.call(ctx, "draw", func() (err error) { drawn, err = f.Store.Draw(ctx, lease, draw); return err })
	return drawn, err
}

// PutBack implements ledger.Store.
func (f *Faulty) PutBack(ctx context.Context, lease ledger.Lease, number int64, wallet ledger.Wallet, returned metering.Nanos) (standing ledger.Standing, err error) {
	err = f.call(ctx, "put back", func() (err error) {
		standing, err = f.Store.PutBack(ctx, lease, number, wallet, returned)
		return err
	})
	return standing, err
}

// Settle implements ledger.Store.
func (f *Faulty) Settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	return f.call(ctx, "settle", func() error { return f.Store.Settle(ctx, lease, settlements) })
}

// Nodes implements ledger.Store.
func (f *Faulty) Nodes(ctx context.Context) (nodes []ledger.Node, err error) {
	err = f.call(ctx, "nodes", func() (err error) { nodes, err = f.Store.Nodes(ctx); return err })
	return nodes, err
}
