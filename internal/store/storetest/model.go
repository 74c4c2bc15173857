package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"testing"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// model is what the ledger should be, written as plainly as possible: one account,
// and what the node knows of it.
type model struct {
	customer Customer
	balance  metering.Nanos // in the store
	known    metering.Nanos // granted to the node, which it learns only by asking
	asked    bool           // since the last restart
	held     metering.Nanos
	holds    []*modelHold
	records  int
}

type modelHold struct {
	real   *ledger.Hold
	amount metering.Nanos
}

func (m *model) ask()                 { m.known, m.asked = m.balance, true }
func (m *model) free() metering.Nanos { return m.known - m.held }

// reserve says whether the amount can be had, asking the store as the ledger does.
func (m *model) reserve(amount metering.Nanos) bool {
	if !m.asked || m.free() < amount {
		m.ask()
	}
	return m.free() >= amount
}

func randomOperations(t *testing.T, s Store) {
	for seed := range uint64(4) {
		if !t.Run(fmt.Sprint("seed ", seed), func(t *testing.T) { randomRun(t, s, seed) }) {
			return
		}
	}
}

func randomRun(t *testing.T, s Store, seed uint64) {
	random := rand.New(rand.NewPCG(seed, 17))
	var faults atomic.Bool
	faulty := NewFaulty(s, func(call string) Fault {
		if faults.Load() && call == "settle" && random.IntN(8) == 0 {
			return []Fault{Lost, Ambiguous}[random.IntN(2)]
		}
		return Sound
	})
	var models []*model
	for range 3 {
		models = append(models, &model{customer: NewCustomer(t, s, 0)})
	}
	l := OpenLedger(t, faulty, ledger.Options{Node: fmt.Sprint("node-", seed)})
	for step := range 150 {
		m := models[random.IntN(len(models))]
		amount := metering.Nanos(random.IntN(100))
		operation := random.IntN(100)
		faults.Store(seed%2 == 1)
		switch {
		case operation < 15:
			MustDeposit(t, s, m.customer.AccountID, amount+1)
			m.balance += amount + 1
		case operation < 45:
			m.hold(t, l, amount)
		case operation < 55 && len(m.holds) > 0:
			m.extend(t, m.holds[random.IntN(len(m.holds))], amount)
		case operation < 75 && len(m.holds) > 0:
			m.settle(t, random.IntN(len(m.holds)), amount)
		case operation < 85 && len(m.holds) > 0:
			m.release(random.IntN(len(m.holds)))
		case operation < 90:
			must(t, l.Log(t.Context(), m.customer.Record(0)))
			m.records++
		case operation < 95:
			l.Refresh(m.customer.AccountID)
			if got, err := l.Available(t.Context(), m.customer.AccountID); err != nil || got != m.balance-m.held {
				t.Fatalf("step %d: %s is available, %v; want %s", step, got, err, m.balance-m.held)
			}
			m.ask()
		case operation < 97:
			if operation == 95 {
				closeLedger(t, l) // else: a crash
			}
			previous := l
			l = OpenLedger(t, faulty, ledger.Options{Node: fmt.Sprint("node-", seed)})
			for _, other := range models {
				other.restart(t)
			}
			closeLedger(t, previous) // when what was lost is booked
		}
		if t.Failed() {
			t.Fatalf("at step %d", step)
		}
	}
	for _, m := range models {
		mustBalance(t, s, m.customer.AccountID, m.balance, m.known)
		if records := recordsOf(t, s, store.Filter{AccountID: m.customer.AccountID}); len(records) != m.records {
			t.Errorf("%d records, want %d", len(records), m.records)
		}
	}
	MustVerify(t, s)
}

func (m *model) hold(t *testing.T, l *ledger.Ledger, amount metering.Nanos) {
	hold, err := l.Hold(t.Context(), m.customer.AccountID, amount)
	if !m.reserve(amount) {
		m.mustBeShort(t, err, amount)
		return
	}
	if err != nil {
		t.Errorf("hold of %s with %s free: %v", amount, m.free(), err)
		return
	}
	m.held += amount
	m.holds = append(m.holds, &modelHold{hold, amount})
}

func (m *model) extend(t *testing.T, hold *modelHold, amount metering.Nanos) {
	err := hold.real.Extend(t.Context(), amount)
	if !m.reserve(amount) {
		m.mustBeShort(t, err, amount)
		return
	}
	if err != nil {
		t.Errorf("extension by %s with %s free: %v", amount, m.free(), err)
		return
	}
	m.held += amount
	hold.amount += amount
}

func (m *model) mustBeShort(t *testing.T, err error, amount metering.Nanos) {
	var short *ledger.InsufficientError
	if !errors.As(err, &short) || short.Needed != amount || short.Available != m.free() {
		t.Errorf("%s with %s free: %v", amount, m.free(), err)
	}
}

func (m *model) settle(t *testing.T, index int, cost metering.Nanos) {
	hold := m.holds[index]
	if cost > hold.amount+m.free() {
		m.ask() // before it books a shortfall
	}
	debit := min(cost, hold.amount+m.free())
	record := m.customer.Record(cost)
	if err := hold.real.Settle(t.Context(), record); err != nil {
		t.Errorf("settle: %v", err)
	}
	if record.Shortfall != cost-debit {
		t.Errorf("shortfall is %s, want %s", record.Shortfall, cost-debit)
	}
	m.records++
	m.held -= hold.amount
	m.known -= debit
	m.balance -= debit
	m.drop(index)
}

func (m *model) release(index int) {
	m.holds[index].real.Release()
	m.held -= m.holds[index].amount
	m.drop(index)
}

func (m *model) drop(index int) {
	m.holds[index] = m.holds[len(m.holds)-1]
	m.holds = m.holds[:len(m.holds)-1]
}

// restart forgets what a crash or a stop loses. Holds from before cannot be settled.
func (m *model) restart(t *testing.T) {
	for _, hold := range m.holds {
		switch err := hold.real.Settle(t.Context(), m.customer.Record(hold.amount)); {
		case errors.Is(err, ledger.ErrFenced):
			m.records++ // uncharged
		case !errors.Is(err, ledger.ErrClosed):
			t.Errorf("settlement of a lost hold: %v", err)
		}
	}
	m.known, m.held, m.holds, m.asked = 0, 0, nil, false
}
