package storetest

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// RunLedger checks the ledger on the store.
func RunLedger(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Store){
		"200 calls on credit for 20":        oversell,
		"200 calls on three nodes":          oversellOnSeveral,
		"settle and release at once":        settleAndRelease,
		"shortfall takes what is free":      shortfall,
		"settlements with lost answers":     ambiguousSettlements,
		"deposit while calls are refused":   depositWhileRefused,
		"refund while calls run":            refundWhileRunning,
		"charge-back while calls run":       chargeBackWhileRunning,
		"crash and restart":                 crashAndRestart,
		"two ledgers, the later one wins":   laterLedgerWins,
		"rejected record harms no other":    rejectedAmongGood,
		"records without charge":            recordsWithoutCharge,
		"random operations against a model": randomOperations,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			test(t, s)
			MustVerify(t, s)
		})
	}
}

// OpenLedger opens a ledger that is closed with the test.
func OpenLedger(t testing.TB, s ledger.Store, options ledger.Options) *ledger.Ledger {
	t.Helper()
	l, err := ledger.Open(t.Context(), s, options)
	must(t, err)
	t.Cleanup(func() { closeLedger(t, l) })
	return l
}

// closeLedger returns grants; on a fenced or closed ledger it does nothing.
func closeLedger(t testing.TB, l *ledger.Ledger) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Errorf("close the ledger: %v", err)
	}
}

func oversell(t *testing.T, s Store) {
	const price = 1_234_567
	customer := NewCustomer(t, s, 20*price)
	l := OpenLedger(t, s, ledger.Options{})
	var served, refused atomic.Int64
	var group sync.WaitGroup
	for range 200 {
		group.Go(func() {
			hold, err := l.Hold(t.Context(), customer.AccountID, price)
			if errors.Is(err, ledger.ErrInsufficient) {
				refused.Add(1)
				return
			}
			if err != nil {
				t.Errorf("hold: %v", err)
				return
			}
			defer hold.Release()
			if err := hold.Settle(t.Context(), customer.Record(price)); err != nil {
				t.Errorf("settle: %v", err)
			}
			served.Add(1)
		})
	}
	group.Wait()
	if served.Load() != 20 || refused.Load() != 180 {
		t.Errorf("%d calls were served and %d refused, want 20 and 180", served.Load(), refused.Load())
	}
	mustBalance(t, s, customer.AccountID, 0, 0)
	if records := recordsOf(t, s, store.Filter{}); len(records) != 20 {
		t.Errorf("%d records, want 20", len(records))
	}
}

func settleAndRelease(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 1000)
	l := OpenLedger(t, s, ledger.Options{})
	settled := metering.Nanos(0)
	for range 25 {
		hold, err := l.Hold(t.Context(), customer.AccountID, 20)
		must(t, err)
		record := customer.Record(7)
		var group sync.WaitGroup
		var won atomic.Int64
		for range 3 {
			group.Go(func() {
				switch err := hold.Settle(t.Context(), copyOf(record)); {
				case err == nil:
					won.Add(1)
				case !errors.Is(err, ledger.ErrReleased):
					t.Errorf("settle: %v", err)
				}
			})
			group.Go(hold.Release)
		}
		group.Wait()
		switch _, err := s.Record(t.Context(), record.ID); {
		case err == nil && won.Load() == 3:
			settled += 7
		case !errors.Is(err, store.ErrNotFound) || won.Load() != 0:
			t.Fatalf("%d of 3 settlements succeeded, but the record says %v", won.Load(), err)
		}
		if available, err := l.Available(t.Context(), customer.AccountID); err != nil || available != 1000-settled {
			t.Fatalf("%s is available, %v; want %s", available, err, 1000-settled)
		}
	}
	mustBalance(t, s, customer.AccountID, 1000-settled, 1000-settled)
}

// copyOf copies a record, as concurrent callers of Settle each bring their own.
func copyOf(record *metering.Record) *metering.Record {
	twin := *record
	return &twin
}

func shortfall(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 100)
	l := OpenLedger(t, s, ledger.Options{})
	hold, err := l.Hold(ctx, customer.AccountID, 30)
	must(t, err)
	other, err := l.Hold(ctx, customer.AccountID, 50)
	must(t, err)
	must(t, hold.Extend(ctx, 10))
	var short *ledger.InsufficientError
	if err := hold.Extend(ctx, 11); !errors.As(err, &short) || *short != (ledger.InsufficientError{Needed: 11, Available: 10}) {
		t.Fatalf("extend beyond the credit: %v", err)
	}
	if hold.Amount() != 40 {
		t.Errorf("the hold is of %d, want 40", int64(hold.Amount()))
	}
	// 40 held, 10 free, 50 promised to another: of 65, 50 can be paid.
	record := customer.Record(65)
	must(t, hold.Settle(ctx, record))
	if record.Shortfall != 15 {
		t.Errorf("shortfall %d, want 15", int64(record.Shortfall))
	}
	if stored, err := s.Record(ctx, record.ID); err != nil || stored.Shortfall != 15 || stored.Cost != 65 {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if err := hold.Extend(ctx, 0); !errors.Is(err, ledger.ErrSettled) {
		t.Errorf("extend after settle: %v", err)
	}
	if err := hold.Settle(ctx, customer.Record(1)); !errors.Is(err, ledger.ErrSettled) {
		t.Errorf("settle with another record: %v", err)
	}
	mustBalance(t, s, customer.AccountID, 50, 50)
	other.Release()
	if err := other.Extend(ctx, 1); !errors.Is(err, ledger.ErrReleased) {
		t.Errorf("extend after release: %v", err)
	}
	if available, err := l.Available(ctx, customer.AccountID); err != nil || available != 50 {
		t.Errorf("%s is available, %v", available, err)
	}
}

func ambiguousSettlements(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 1000)
	var mu sync.Mutex
	random := rand.New(rand.NewPCG(1, 2))
	faulty := NewFaulty(s, func(call string) Fault {
		mu.Lock()
		defer mu.Unlock()
		if call != "settle" {
			return Sound
		}
		return []Fault{Sound, Lost, Ambiguous, Ambiguous}[random.IntN(4)]
	})
	l := OpenLedger(t, faulty, ledger.Options{})
	var group sync.WaitGroup
	var holds []*ledger.Hold
	for range 40 {
		hold, err := l.Hold(t.Context(), customer.AccountID, 10)
		must(t, err)
		holds = append(holds, hold)
	}
	for _, hold := range holds {
		group.Go(func() {
			if err := hold.Settle(t.Context(), customer.Record(9)); err != nil {
				t.Errorf("settle: %v", err)
			}
		})
	}
	group.Wait()
	mustBalance(t, s, customer.AccountID, 1000-40*9, 1000-40*9)
	if available, err := l.Available(t.Context(), customer.AccountID); err != nil || available != 1000-40*9 {
		t.Errorf("%s is available, %v: memory and store disagree", available, err)
	}
	if records := recordsOf(t, s, store.Filter{}); len(records) != 40 {
		t.Errorf("%d records, want 40", len(records))
	}
}

func depositWhileRefused(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 5)
	l := OpenLedger(t, s, ledger.Options{})
	var short *ledger.InsufficientError
	if _, err := l.Hold(ctx, customer.AccountID, 8); !errors.As(err, &short) || short.Available != 5 || short.Needed != 8 {
		t.Fatalf("hold: %v", err)
	}
	MustDeposit(t, s, customer.AccountID, 3)
	if available, err := l.Available(ctx, customer.AccountID); err != nil || available != 5 {
		t.Errorf("%s is available, %v; nobody told the ledger yet", available, err)
	}
	l.Refresh(customer.AccountID)
	if available, err := l.Available(ctx, customer.AccountID); err != nil || available != 8 {
		t.Errorf("%s is available, %v; want 8 after the news", available, err)
	}
	MustDeposit(t, s, customer.AccountID, 2)
	// Before anybody is refused the store is asked, news or not.
	hold, err := l.Hold(ctx, customer.AccountID, 10)
	must(t, err)
	hold.Release()
	if _, err := l.Hold(ctx, NewID(), 1); !errors.Is(err, ledger.ErrNoAccount) {
		t.Errorf("hold on an unknown account: %v", err)
	}
	if _, err := l.Hold(ctx, customer.AccountID, -1); !errors.Is(err, ledger.ErrAmount) {
		t.Errorf("negative hold: %v", err)
	}
}

func crashAndRestart(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 100)
	crashed := OpenLedger(t, s, ledger.Options{})
	lost, err := crashed.Hold(ctx, customer.AccountID, 60)
	must(t, err)
	mustBalance(t, s, customer.AccountID, 100, 100)

	l := OpenLedger(t, s, ledger.Options{})
	mustBalance(t, s, customer.AccountID, 100, 0)
	hold, err := l.Hold(ctx, customer.AccountID, 100)
	must(t, err)
	if err := lost.Settle(ctx, customer.Record(60)); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("settlement from before: %v, want ErrFenced", err)
	}
	must(t, hold.Settle(ctx, customer.Record(99)))
	closeLedger(t, l)
	mustBalance(t, s, customer.AccountID, 1, 0)
	if _, err := l.Hold(ctx, customer.AccountID, 1); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("hold after close: %v", err)
	}
	if err := l.Log(ctx, customer.Record(0)); !errors.Is(err, ledger.ErrClosed) {
		t.Errorf("log after close: %v", err)
	}
}

func laterLedgerWins(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 100)
	first := OpenLedger(t, s, ledger.Options{})
	old, err := first.Hold(ctx, customer.AccountID, 10)
	must(t, err)
	OpenLedger(t, s, ledger.Options{})
	if err := old.Extend(ctx, 91); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("extend: %v, want ErrFenced", err)
	}
	if err := old.Settle(ctx, customer.Record(5)); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("settle: %v, want ErrFenced", err)
	}
	mustBalance(t, s, customer.AccountID, 100, 0)
	// The fenced ledger claims again when it is needed again.
	hold, err := first.Hold(ctx, customer.AccountID, 100)
	must(t, err)
	must(t, first.Log(ctx, customer.Record(0)))
	must(t, hold.Settle(ctx, customer.Record(5)))
	mustBalance(t, s, customer.AccountID, 95, 95)
}

func rejectedAmongGood(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 1000)
	l := OpenLedger(t, s, ledger.Options{})
	var group sync.WaitGroup
	for i := range 32 {
		hold, err := l.Hold(t.Context(), customer.AccountID, 10)
		must(t, err)
		group.Go(func() {
			record := customer.Record(10)
			if i%8 == 3 {
				record.KeyID = NewID()
				if err := hold.Settle(t.Context(), record); !errors.Is(err, ledger.ErrRejected) {
					t.Errorf("record with an unknown key: %v", err)
				}
				return
			}
			if err := hold.Settle(t.Context(), record); err != nil {
				t.Errorf("good record: %v", err)
			}
		})
	}
	group.Wait()
	mustBalance(t, s, customer.AccountID, 1000-28*10, 1000-28*10)
	if available, err := l.Available(t.Context(), customer.AccountID); err != nil || available != 1000-28*10 {
		t.Errorf("%s is available, %v: a rejected settlement kept its credit", available, err)
	}
}

func recordsWithoutCharge(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 0)
	l := OpenLedger(t, s, ledger.Options{})
	record := customer.Record(0)
	record.Status, record.Basis = metering.StatusRejected, metering.BasisWaived
	must(t, l.Log(ctx, record))
	must(t, l.Log(ctx, record))
	if stored, err := s.Record(ctx, record.ID); err != nil || stored.Status != metering.StatusRejected {
		t.Errorf("stored %+v, %v", stored, err)
	}
	if err := l.Log(ctx, customer.Record(1)); !errors.Is(err, ledger.ErrAmount) {
		t.Errorf("log of a record with a cost: %v", err)
	}
	// A free model needs no credit, and its record is written all the same.
	hold, err := l.Hold(ctx, customer.AccountID, 0)
	must(t, err)
	must(t, hold.Settle(ctx, customer.Record(0)))
	if records := recordsOf(t, s, store.Filter{AccountID: customer.AccountID}); len(records) != 2 {
		t.Errorf("%d records, want 2", len(records))
	}
}
