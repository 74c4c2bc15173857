package ledger_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// reference is what one account with one key should be, without slices, leases or
// caches: what is there, and what is held of it.
type reference struct {
	balance, held metering.Nanos
	limited       bool
	limit         metering.Nanos
	days          map[time.Time]*day // of the key's limit
	holds         []*heldReference
}

type day struct{ spent, held metering.Nanos }

type heldReference struct {
	real   *ledger.Hold
	amount metering.Nanos
	day    *day // nil: the hold does not count in a limit
}

func (r *reference) today() *day {
	start, _ := ledger.PeriodDay.Bounds(time.Now())
	if r.days[start] == nil {
		r.days[start] = new(day)
	}
	return r.days[start]
}

// room is how much more a hold can take that counts in this day's limit.
func (r *reference) room(of *day) metering.Nanos {
	room := r.balance - r.held
	if of != nil && r.limited {
		room = min(room, r.limit-of.spent-of.held)
	}
	return room
}

func (r *reference) take(h *heldReference, amount metering.Nanos) {
	h.amount += amount
	r.held += amount
	if h.day != nil {
		h.day.held += amount
	}
}

func (r *reference) drop(i int) *heldReference {
	h := r.holds[i]
	r.take(h, -h.amount)
	r.holds = append(r.holds[:i], r.holds[i+1:]...)
	return h
}

// fuzzOptions keep heartbeats rare, as nights pass.
var fuzzOptions = ledger.Options{IdleFor: time.Hour, LeaseFor: 1000 * time.Hour}

// FuzzLedger plays any sequence of operations and compares each outcome with the
// reference. An operation is two bytes: what, and how much.
func FuzzLedger(f *testing.F) {
	f.Add([]byte{0, 100, 2, 60, 6, 50, 2, 50, 3, 10, 8, 0})
	f.Add([]byte{0, 200, 10, 80, 1, 60, 1, 30, 4, 25, 6, 90, 10, 20, 1, 1, 11, 0, 1, 50, 12, 30, 7, 60})
	f.Add([]byte{0, 50, 1, 20, 10, 10, 1, 5, 13, 0, 2, 10, 6, 255, 9, 0, 1, 5, 12, 255, 1, 5})
	random := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		operations := make([]byte, 20+random.IntN(200))
		for i := range operations {
			operations[i] = byte(random.IntN(256))
		}
		f.Add(operations)
	}
	f.Fuzz(func(t *testing.T, operations []byte) {
		if len(operations) > 400 {
			return // longer ones only take longer
		}
		synctest.Test(t, func(t *testing.T) {
			g := &game{t: t, store: memory.New(time.Now), reference: reference{days: make(map[time.Time]*day)}}
			g.customer = storetest.NewCustomer(t, g.store, 0)
			g.ledger = storetest.OpenLedger(t, g.store, fuzzOptions)
			for i := 0; i+1 < len(operations) && !t.Failed(); i += 2 {
				g.play(operations[i], metering.Nanos(operations[i+1]))
				synctest.Wait()
				g.compare()
			}
		})
	})
}

type game struct {
	reference
	t        *testing.T
	store    *memory.Store
	customer storetest.Customer
	ledger   *ledger.Ledger
}

func (g *game) play(operation byte, amount metering.Nanos) {
	ctx, chosen := g.t.Context(), int(amount)
	switch operation % 14 {
	case 0:
		storetest.MustDeposit(g.t, g.store, g.customer.AccountID, amount+1)
		g.balance += amount + 1
	case 1, 2:
		g.place(amount, operation%14 == 1)
	case 3, 4, 5, 6, 7, 8:
		if len(g.holds) == 0 {
			return
		}
		i := chosen % len(g.holds)
		switch operation % 14 {
		case 3, 4:
			g.extend(g.holds[i], amount)
		case 5, 6, 7:
			g.settle(i, amount)
		default:
			g.drop(i).real.Release()
		}
	case 9: // what is idle goes back
		g.ledger.Recall(g.customer.AccountID)
	case 10:
		if len(g.holds) == 0 || g.limited {
			// Holds from before a limit would not count in it, which the reference leaves out.
			g.limited, g.limit = true, amount
			must(g.t, g.store.SetKeyLimit(ctx, g.customer.KeyID, &store.KeyLimit{Amount: amount, Period: ledger.PeriodDay}))
			g.ledger.Refresh(g.customer.AccountID)
		}
	case 11:
		time.Sleep(9 * time.Hour)
	case 12: // a crash: what was held is lost, uncharged
		g.ledger = storetest.OpenLedger(g.t, g.store, fuzzOptions)
		for len(g.holds) > 0 {
			g.drop(0)
		}
	case 13:
		g.ledger.Sweep(ctx)
	}
}

func (g *game) place(amount metering.Nanos, withKey bool) {
	request, h := ledger.Request{AccountID: g.customer.AccountID, Amount: amount}, new(heldReference)
	if withKey {
		request.KeyID = g.customer.KeyID
		if g.limited {
			h.day = g.today()
		}
	}
	hold, err := g.ledger.Place(g.t.Context(), request)
	if !g.expect("hold", amount, g.room(h.day), err) {
		return
	}
	h.real = hold
	g.take(h, amount)
	g.holds = append(g.holds, h)
}

// expect tells whether the amount was to be had, and fails if the ledger says otherwise.
func (g *game) expect(what string, amount, room metering.Nanos, err error) bool {
	g.t.Helper()
	var short *ledger.InsufficientError
	switch {
	case amount <= room && err != nil:
		g.t.Errorf("%s of %d with room for %d: %v", what, int64(amount), int64(room), err)
	case amount > room && !errors.As(err, &short):
		g.t.Errorf("%s of %d with room for %d: %v", what, int64(amount), int64(room), err)
	case amount > room && (short.Needed != amount || short.Available != max(0, room)):
		g.t.Errorf("%s of %d with room for %d: %+v", what, int64(amount), int64(room), *short)
	}
	return amount <= room && err == nil
}

func (g *game) extend(h *heldReference, amount metering.Nanos) {
	if h.day != nil && h.day != g.today() {
		return // more than what is left here cannot be had of a day that is over
	}
	if g.expect("extension", amount, g.room(h.day), h.real.Extend(g.t.Context(), amount)) {
		g.take(h, amount)
	}
}

func (g *game) settle(i int, cost metering.Nanos) {
	h := g.holds[i]
	if h.day != nil && h.day != g.today() {
		cost = min(cost, h.amount)
	}
	debit := min(cost, h.amount+max(0, g.room(h.day)))
	record := g.customer.Record(cost)
	if err := h.real.Settle(g.t.Context(), record); err != nil || record.Cost-record.Shortfall != debit {
		g.t.Errorf("settlement of %d with %d held took %d, %v; want %d", int64(cost), int64(h.amount), int64(record.Cost-record.Shortfall), err, int64(debit))
	}
	g.drop(i)
	g.balance -= debit
	if h.day != nil {
		h.day.spent += debit
	}
}

func (g *game) compare() {
	balance, err := g.store.Balance(g.t.Context(), g.customer.AccountID)
	if err != nil || balance.Balance != g.balance || balance.Granted < g.held {
		g.t.Errorf("the store has %+v, %v; want %d, of which at least %d granted", balance, err, int64(g.balance), int64(g.held))
	}
	for start, day := range g.days {
		spent, granted, err := g.store.KeySpent(g.t.Context(), g.customer.KeyID, start.UnixMicro())
		if err != nil || spent != day.spent || granted < day.held {
			g.t.Errorf("%d spent and %d granted of the limit of %v, %v; want %d and at least %d", int64(spent), int64(granted), start, err, int64(day.spent), int64(day.held))
		}
	}
	storetest.MustVerify(g.t, g.store)
}
