package ledger_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func TestStoreOutage(t *testing.T) {
	t.Parallel()
	for name, fault := range map[string]storetest.Fault{
		"calls are lost": storetest.Lost, "answers are lost": storetest.Ambiguous, "calls hang": storetest.Hanging,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const retryFor = 300 * time.Millisecond
			s := openStore(t)
			customer := storetest.NewCustomer(t, s, 100)
			faulty := storetest.NewFaulty(s, sound)
			l := storetest.OpenLedger(t, faulty, ledger.Options{RetryFor: retryFor})
			hold, err := l.Hold(t.Context(), customer.AccountID, 60)
			must(t, err)

			faulty.Plan(failing("settle", fault))
			record := customer.Record(50)
			began := time.Now()
			if err := hold.Settle(t.Context(), record); !errors.Is(err, ledger.ErrUnavailable) {
				t.Fatalf("settle: %v, want ErrUnavailable", err)
			}
			if took := time.Since(began); took < retryFor || took > 3*retryFor {
				t.Errorf("it was tried for %v, want %v", took, retryFor)
			}
			if _, err := l.Hold(t.Context(), customer.AccountID, 1); !errors.Is(err, ledger.ErrUnavailable) {
				t.Errorf("hold while nothing can be settled: %v", err)
			}
			if err := hold.Settle(t.Context(), record); !errors.Is(err, ledger.ErrUnavailable) {
				t.Errorf("settled again: %v, want the same answer", err)
			}
			// What may have been charged is not promised to others.
			mustHave(t, l, customer.AccountID, 50)

			faulty.Plan(sound)
			want, basis := metering.Nanos(100), metering.BasisInterrupted
			if fault == storetest.Ambiguous {
				want, basis = 50, metering.BasisMeasured // it had been charged
			}
			eventually(t, "the ledger recovers", func() bool {
				hold, err := l.Hold(t.Context(), customer.AccountID, 0)
				if err == nil {
					hold.Release()
				}
				return err == nil
			})
			stored, err := s.Record(t.Context(), record.ID)
			if err != nil || stored.Basis != basis || stored.Cost != 100-want {
				t.Errorf("stored %+v, %v", stored, err)
			}
			mustHave(t, l, customer.AccountID, want)
			hold, err = l.Hold(t.Context(), customer.AccountID, want)
			must(t, err)
			must(t, hold.Settle(t.Context(), customer.Record(want)))
			storetest.MustVerify(t, s)
		})
	}
}

// TestSlowCommitRefusesNothing: a commit that takes some seconds is none that hangs.
func TestSlowCommitRefusesNothing(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	g := &gate{Store: s, arrived: make(chan string, 1), settle: make(chan struct{})}
	var late atomic.Int64
	began := time.Now()
	l := storetest.OpenLedger(t, g, ledger.Options{Now: func() time.Time { return began.Add(time.Duration(late.Load())) }})
	hold, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	settled := make(chan error, 1)
	go func() { settled <- hold.Settle(t.Context(), customer.Record(10)) }()
	<-g.arrived
	late.Store(int64(2 * time.Second))
	other, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	other.Release()
	late.Store(int64(4 * time.Second))
	if _, err := l.Hold(t.Context(), customer.AccountID, 10); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("beside a commit that hangs: %v, want ErrUnavailable", err)
	}
	g.settle <- struct{}{}
	must(t, <-settled)
}

// TestHangingCommitRefusesHolds: new requests are told before long, however long the
// commit that hangs may still be tried.
func TestHangingCommitRefusesHolds(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	g := &gate{Store: s, arrived: make(chan string, 1), settle: make(chan struct{})}
	l := storetest.OpenLedger(t, g, ledger.Options{AskFor: 300 * time.Millisecond})
	hold, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	settled := make(chan error, 1)
	go func() { settled <- hold.Settle(t.Context(), customer.Record(10)) }()
	<-g.arrived
	eventually(t, "holds are refused", func() bool {
		_, err := l.Hold(t.Context(), customer.AccountID, 0)
		return errors.Is(err, ledger.ErrUnavailable)
	})
	g.settle <- struct{}{}
	must(t, <-settled)
	_, err = l.Hold(t.Context(), customer.AccountID, 90)
	must(t, err)
}

// TestLogInAnOutage: what charges nothing is not kept for when the store is back, as
// anybody with a key can cause as many such records as they like.
func TestLogInAnOutage(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	faulty := storetest.NewFaulty(s, failing("settle", storetest.Lost))
	l := storetest.OpenLedger(t, faulty, ledger.Options{})
	hold, err := l.Hold(t.Context(), customer.AccountID, 10)
	must(t, err)
	settled := make(chan error, 1)
	go func() { settled <- hold.Settle(t.Context(), customer.Record(10)) }()
	eventually(t, "the outage is noticed", func() bool {
		_, err := l.Hold(t.Context(), customer.AccountID, 0)
		return errors.Is(err, ledger.ErrUnavailable)
	})
	refused := customer.Record(0)
	if err := l.Log(t.Context(), refused); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("log: %v, want ErrUnavailable", err)
	}
	faulty.Plan(sound)
	must(t, <-settled)
	later := customer.Record(0)
	must(t, l.Log(t.Context(), later))
	if _, err := s.Record(t.Context(), later.ID); err != nil {
		t.Errorf("a record after the outage: %v", err)
	}
	if _, err := s.Record(t.Context(), refused.ID); err == nil {
		t.Error("a record of the outage was kept")
	}
}

// stuck is a store whose Settle does not look for the end of its context, as SQLite's does not
// while it waits for the disk. hang is called before each.
type stuck struct {
	ledger.Store
	hang func() error
}

func (s *stuck) Settle(ctx context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	if err := s.hang(); err != nil {
		return err
	}
	return s.Store.Settle(context.WithoutCancel(ctx), lease, settlements)
}

// TestStuckCommitKeepsNobodyWaiting: who settles is answered in time also where the store never
// answers. What was in the attempt is charged if that comes true; what waited for it is not.
func TestStuckCommitKeepsNobodyWaiting(t *testing.T) {
	for name, test := range map[string]struct {
		outcome error
		want    metering.Nanos // of the attempt that hung
	}{"it comes true": {nil, 10}, "it fails": {errors.New("input/output error"), 0}} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := memory.New(time.Now)
				customer := storetest.NewCustomer(t, s, 100)
				outcome := make(chan error)
				var hung atomic.Bool
				l := storetest.OpenLedger(t, &stuck{Store: s, hang: func() error {
					if hung.CompareAndSwap(false, true) {
						return <-outcome
					}
					return nil
				}}, ledger.Options{})
				records := []*metering.Record{customer.Record(10), customer.Record(20)}
				answers := make(chan error, len(records))
				began := time.Now()
				for _, record := range records {
					hold, err := l.Hold(t.Context(), customer.AccountID, record.Cost)
					must(t, err)
					go func() { answers <- hold.Settle(t.Context(), record) }()
					synctest.Wait() // the second comes while the first one hangs
				}
				for range records {
					if err := <-answers; !errors.Is(err, ledger.ErrUnavailable) {
						t.Errorf("settle: %v, want ErrUnavailable", err)
					}
				}
				if took := time.Since(began); took < 10*time.Second || took > 12*time.Second {
					t.Errorf("the answers came after %s, want some 10 s", took)
				}
				time.Sleep(time.Minute)
				mustHave(t, l, customer.AccountID, 100-10-20) // what may be charged is nobody else's

				outcome <- test.outcome
				synctest.Wait()
				time.Sleep(time.Second) // the pause before another attempt
				synctest.Wait()
				for i, want := range []metering.Nanos{test.want, 0} {
					if stored, err := s.Record(t.Context(), records[i].ID); err != nil || stored.Cost != want {
						t.Errorf("record %d: %+v, %v, want %s charged", i, stored, err, want)
					}
				}
				mustHave(t, l, customer.AccountID, 100-test.want)
				storetest.MustVerify(t, s)
			})
		})
	}
}

// TestStuckCommitDoesNotKeepTheProcess: a stop does not wait for a store that never answers.
func TestStuckCommitDoesNotKeepTheProcess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := memory.New(time.Now)
		customer := storetest.NewCustomer(t, s, 100)
		outcome := make(chan error)
		l, err := ledger.Open(t.Context(), &stuck{Store: s, hang: func() error { return <-outcome }}, ledger.Options{})
		must(t, err)
		hold, err := l.Hold(t.Context(), customer.AccountID, 10)
		must(t, err)
		answer := make(chan error, 1)
		go func() { answer <- hold.Settle(t.Context(), customer.Record(10)) }()
		synctest.Wait()
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began := time.Now()
		if err := l.Close(ctx); err == nil {
			t.Error("the ledger was closed as if all were settled")
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("closing took %s", took)
		}
		if err := <-answer; !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("settle: %v, want ErrUnavailable", err)
		}
		outcome <- errors.New("input/output error")
	})
}

// TestRejectedAfterAnOutage: a store that rejects what could not be written before is
// there again.
func TestRejectedAfterAnOutage(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	var failures atomic.Int64
	l := storetest.OpenLedger(t, storetest.NewFaulty(s, func(call string) storetest.Fault {
		if call == "settle" && failures.Add(1) == 1 {
			return storetest.Lost
		}
		return storetest.Sound
	}), ledger.Options{})
	hold, err := l.Hold(t.Context(), customer.AccountID, 60)
	must(t, err)
	record := customer.Record(50)
	record.KeyID = "unknown"
	if err := hold.Settle(t.Context(), record); !errors.Is(err, ledger.ErrRejected) || failures.Load() < 2 {
		t.Fatalf("settle: %v after %d attempts, want ErrRejected after two", err, failures.Load())
	}
	hold, err = l.Hold(t.Context(), customer.AccountID, 100)
	must(t, err)
	must(t, hold.Settle(t.Context(), customer.Record(50)))
	storetest.MustVerify(t, s)
}

func TestGrantOutage(t *testing.T) {
	t.Parallel()
	s := openStore(t)
	customer := storetest.NewCustomer(t, s, 100)
	faulty := storetest.NewFaulty(s, failing("draw", storetest.Hanging))
	l := storetest.OpenLedger(t, faulty, ledger.Options{AskFor: 50 * time.Millisecond})
	if _, err := l.Hold(t.Context(), customer.AccountID, 1); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("hanging store: %v", err)
	}
	if _, err := l.Available(t.Context(), customer.AccountID); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("available with a hanging store: %v", err)
	}
	faulty.Plan(failing("draw", storetest.Ambiguous))
	if _, err := l.Hold(t.Context(), customer.AccountID, 1); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("lost answer: %v", err)
	}
	faulty.Plan(sound)
	// The grant whose answer was lost counts once.
	mustHave(t, l, customer.AccountID, 100)
	faulty.Plan(failing("draw", storetest.Ambiguous))
	storetest.MustDeposit(t, s, customer.AccountID, 11)
	if _, err := l.Hold(t.Context(), customer.AccountID, 111); !errors.Is(err, ledger.ErrUnavailable) {
		t.Errorf("lost answer: %v", err)
	}
	faulty.Plan(sound)
	hold, err := l.Hold(t.Context(), customer.AccountID, 111)
	must(t, err)
	must(t, hold.Settle(t.Context(), customer.Record(111)))
	storetest.MustVerify(t, s)
}
