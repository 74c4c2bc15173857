package simulation

import (
	"context"
	"errors"
	"fmt"
	"hash/fnv"
	"math/rand/v2"
	"runtime"
	"sync"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

var errNetwork = errors.New("the network failed")

// link is a node's connection to the store. It is slow, loses calls and answers, lets
// calls arrive long after their caller has given up, and may be down.
type link struct {
	store ledger.Store
	trace *trace
	name  string

	mu        sync.Mutex
	seed      uint64
	calls     map[string]uint64
	trouble   int // of 100 calls, how many meet with a fault
	downUntil time.Time
	stall     time.Time // calls arrive then, as after a pause of the process
	dead      bool      // for ever
}

// fate is what becomes of one call.
type fate struct {
	there, back         time.Duration
	refused             bool // at once
	callLost, replyLost bool
}

// decide draws the fate of a call from its kind and how many there were of it before:
// so it does not depend on calls of another kind at the same moment.
func (l *link) decide(kind string) fate {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[kind]++
	hash := fnv.New64a()
	_, _ = hash.Write([]byte(kind))
	random := rand.New(rand.NewPCG(l.seed^hash.Sum64(), l.calls[kind]))
	millisecond := int64(time.Millisecond)
	f := fate{
		there: time.Duration(random.Int64N(3 * millisecond)), back: time.Duration(random.Int64N(3 * millisecond)),
	}
	fault := random.IntN(6)
	slow := time.Duration(random.Int64N(8000 * millisecond))
	if random.IntN(100) < l.trouble {
		switch fault {
		case 0:
			f.refused = true
		case 1:
			f.callLost = true
		case 2:
			f.replyLost = true
		case 3:
			f.there += slow // likely after the caller has given up
		case 4:
			f.back += slow
		case 5:
			f.there, f.replyLost = f.there+slow, true
		}
	}
	if wait := time.Until(l.stall); wait > 0 {
		f.there += wait
	}
	if l.dead {
		f.refused = true
	}
	return f
}

// passes tells whether something on the wire arrives.
func (l *link) passes() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return !time.Now().Before(l.downUntil)
}

func (l *link) isDead() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.dead
}

func (l *link) set(change func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change()
}

// call sends a call and waits for its answer until ctx ends. The store carries out
// what arrives, whoever still waits for it.
func call[T any](ctx context.Context, l *link, kind, what string, do func(context.Context) (T, error)) (answer T, err error) {
	type reply struct {
		answer T
		err    error
	}
	f := l.decide(kind)
	if f.refused {
		return answer, errNetwork
	}
	replies := make(chan reply, 1)
	go func() {
		time.Sleep(f.there)
		// Go's scheduler interrupts what runs for 10 ms without a pause; this is one.
		runtime.Gosched()
		if f.callLost || !l.passes() {
			return
		}
		var r reply
		r.answer, r.err = do(context.WithoutCancel(ctx))
		l.trace.note("%s %s %s: %s, %v", l.name, kind, what, told(r.answer), r.err)
		time.Sleep(f.back)
		if !f.replyLost && l.passes() && !l.isDead() {
			replies <- r
		}
	}()
	select {
	case r := <-replies:
		return r.answer, r.err
	case <-ctx.Done():
		return answer, fmt.Errorf("%w: %w", errNetwork, ctx.Err())
	}
}

// told writes an answer without addresses of pointers, which differ from run to run.
func told(answer any) string {
	switch a := answer.(type) {
	case ledger.Drawn:
		if a.Key != nil {
			return fmt.Sprintf("%+v %+v", a.Account, *a.Key)
		}
		return fmt.Sprintf("%+v", a.Account)
	case []*ledger.Settlement:
		text := ""
		for _, s := range a {
			text += fmt.Sprintf(" %s (debit %d, present %t, standing %d)", s.Record.ID, s.Debit, s.Present, s.Standing)
		}
		return text
	default:
		return fmt.Sprintf("%+v", a)
	}
}

type joined struct {
	lease ledger.Lease
	live  int
}

func (l *link) Join(ctx context.Context, node string, term time.Duration) (ledger.Lease, int, error) {
	j, err := call(ctx, l, "join", "", func(ctx context.Context) (joined, error) {
		lease, live, err := l.store.Join(ctx, node, term)
		return joined{lease, live}, err
	})
	return j.lease, j.live, err
}

func (l *link) Heartbeat(ctx context.Context, lease ledger.Lease, term time.Duration) (int, error) {
	return call(ctx, l, "heartbeat", "", func(ctx context.Context) (int, error) { return l.store.Heartbeat(ctx, lease, term) })
}

func (l *link) End(ctx context.Context, lease ledger.Lease) error {
	_, err := call(ctx, l, "end", "", func(ctx context.Context) (struct{}, error) { return struct{}{}, l.store.End(ctx, lease) })
	return err
}

func (l *link) Reclaim(ctx context.Context) (int, error) {
	return call(ctx, l, "reclaim", "", func(ctx context.Context) (int, error) { return l.store.Reclaim(ctx) })
}

func (l *link) Draw(ctx context.Context, lease ledger.Lease, draw ledger.Draw) (ledger.Drawn, error) {
	return call(ctx, l, "draw "+draw.AccountID, fmt.Sprintf("%+v", draw), func(ctx context.Context) (ledger.Drawn, error) {
		return l.store.Draw(ctx, lease, draw)
	})
}

func (l *link) PutBack(ctx context.Context, lease ledger.Lease, number int64, wallet ledger.Wallet, returned metering.Nanos) (ledger.Standing, error) {
	return call(ctx, l, fmt.Sprintf("put back %+v", wallet), fmt.Sprintf("number %d up to %d", number, returned), func(ctx context.Context) (ledger.Standing, error) {
		return l.store.PutBack(ctx, lease, number, wallet, returned)
	})
}

// Settle sends copies: what is on the wire does not change any more.
func (l *link) Settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	sent := make([]*ledger.Settlement, len(settlements))
	for i, settlement := range settlements {
		sent[i] = new(ledger.Settlement)
		*sent[i] = *settlement
	}
	answer, err := call(ctx, l, "settle", fmt.Sprintf("%d under %+v", len(sent), lease), func(ctx context.Context) ([]*ledger.Settlement, error) {
		return sent, l.store.Settle(ctx, lease, sent)
	})
	if err == nil {
		for i, settlement := range settlements {
			settlement.Present, settlement.Standing = answer[i].Present, answer[i].Standing
		}
	}
	return err
}

func (l *link) Nodes(ctx context.Context) ([]ledger.Node, error) { return l.store.Nodes(ctx) }
