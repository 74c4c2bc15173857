package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// request is a customer's call of one node, from the hold to the settlement.
func (w *world) request(n *node, c *customer, id string, random *rand.Rand) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if random.IntN(10) == 0 { // the client leaves early
		ctx, cancel = context.WithTimeout(ctx, time.Duration(random.Int64N(int64(2*time.Second))))
		defer cancel()
	}
	amount := metering.Nanos(random.IntN(400))
	hold, err := n.ledger.Place(ctx, ledger.Request{AccountID: c.account, KeyID: c.key, Amount: amount, Wait: random.IntN(3) > 0})
	if err != nil {
		w.refused(id, err)
		return
	}
	time.Sleep(time.Duration(random.Int64N(int64([]time.Duration{time.Second, 5 * time.Second, 20 * time.Second}[random.IntN(3)]))))
	if random.IntN(5) == 0 {
		more := metering.Nanos(random.IntN(200))
		if err := hold.Extend(ctx, more); err == nil {
			amount += more
		}
	}
	if hold.Amount() != amount {
		w.t.Errorf("%s holds %d, want %d", id, hold.Amount(), amount)
	}
	if random.IntN(8) == 0 {
		hold.Release()
		hold.Release() // as a deferred one does
		w.trace.note("%s released", id)
		record := &metering.Record{ID: id, AccountID: c.account, KeyID: c.key, Cost: 1}
		if err := hold.Settle(ctx, record); !errors.Is(err, ledger.ErrReleased) {
			w.t.Errorf("settle %s after its release: %v", id, err)
		}
		return
	}
	record := &metering.Record{ID: id, AccountID: c.account, KeyID: c.key, StartedAt: time.Now(), Status: metering.StatusOK, Basis: metering.BasisMeasured}
	record.Cost = metering.Nanos(random.Int64N(int64(amount) + 1))
	if random.IntN(10) == 0 {
		record.Cost = amount + metering.Nanos(random.IntN(300)) // beyond the bound
	}
	w.settle(hold, record, random)
}

func (w *world) refused(id string, err error) {
	w.trace.note("%s refused: %v", id, err)
	for _, known := range []error{ledger.ErrInsufficient, ledger.ErrCrowded, ledger.ErrUnavailable, ledger.ErrFenced, ledger.ErrClosed, context.DeadlineExceeded} {
		if errors.Is(err, known) {
			return
		}
	}
	w.t.Errorf("%s refused: %v", id, err)
}

func (w *world) settle(hold *ledger.Hold, record *metering.Record, random *rand.Rand) {
	w.mu.Lock()
	o := &outcome{record: *record}
	w.outcomes[record.ID] = o
	w.mu.Unlock()
	attempts := 1 + random.IntN(2) // some ask again what became of it
	for range attempts {
		err := hold.Settle(context.Background(), record)
		w.trace.note("%s settled, %d short: %v", record.ID, record.Shortfall, err)
		w.mu.Lock()
		o.record.Shortfall = record.Shortfall
		o.settled = err == nil
		switch {
		case err == nil:
			w.served++
		case errors.Is(err, ledger.ErrFenced):
			o.void = true
		case errors.Is(err, ledger.ErrUnavailable), errors.Is(err, ledger.ErrClosed):
			// It may have been charged by a call whose answer was lost.
		default:
			w.t.Errorf("settle %s: %v", record.ID, err)
		}
		w.mu.Unlock()
	}
}

// script lets things happen for a while.
func (w *world) script() {
	for step := range 100 + w.random.IntN(300) {
		time.Sleep(w.between(time.Microsecond, 400*time.Millisecond))
		n, c := w.nodes[w.random.IntN(len(w.nodes))], w.keys[w.random.IntN(len(w.keys))]
		random := rand.New(rand.NewPCG(w.random.Uint64(), 3))
		amount, pause := w.amount(3000), w.between(100*time.Millisecond, 12*time.Second)
		switch event := w.random.IntN(200); {
		case event < 150:
			w.work.Go(func() { w.request(n, c, fmt.Sprint("record-", step), random) })
		case event < 160:
			w.deposit(c.account, amount)
		case event < 165:
			w.work.Go(func() { w.refund(c.account, amount, fmt.Sprint("refund-", step)) })
		case event < 172 && c.limited:
			w.limit(c, amount)
		case event < 178:
			w.trace.note("%s is cut off for %v", n.name, pause)
			n.link.set(func() { n.link.downUntil = time.Now().Add(pause) })
		case event < 184:
			w.trace.note("%s pauses for %v", n.name, pause)
			n.link.set(func() { n.link.stall = time.Now().Add(pause) })
		case event < 188:
			jump := []time.Duration{time.Hour, -time.Hour, pause, -pause}[w.random.IntN(4)]
			w.trace.note("the clock of %s jumps by %v", n.name, jump)
			n.link.set(func() { n.ahead += jump })
		case event < 192:
			n.crash()
			w.replace(n)
		case event < 194:
			w.work.Go(n.close)
			w.replace(n)
		case event < 195:
			w.trace.note("the store is away for %v", pause)
			for _, n := range w.nodes {
				n.link.set(func() { n.link.downUntil = time.Now().Add(pause) })
			}
		}
		if step%25 == 0 {
			w.audit()
		}
	}
}

// replace starts another node in the place of one that ended.
func (w *world) replace(gone *node) {
	for i, n := range w.nodes {
		if n == gone {
			name := n.name
			if w.random.IntN(2) == 0 {
				name = fmt.Sprintf("%s+", n.name) // under a new name: the old lease has to expire
			}
			w.nodes[i] = w.start(name)
		}
	}
}
