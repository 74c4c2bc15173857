package ledger_test

import (
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

// jumping is a node's clock that somebody sets while it runs. (That of a process does
// not jump: time.Now measures spans by a clock that nobody sets.)
type jumping struct{ by atomic.Int64 }

func (j *jumping) jump(by time.Duration) { j.by.Add(int64(by)) }

func (j *jumping) now() time.Time { return time.Now().Add(time.Duration(j.by.Load())) }

// TestClockJumps: the store's clock says when a lease and a period end. A node whose own
// clock is set neither spends what is another's nor counts in a period that is not.
func TestClockJumps(t *testing.T) {
	for name, by := range map[string]time.Duration{"forward": time.Hour, "back": -time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, clock := memory.New(time.Now), new(jumping)
				away := storetest.NewFaulty(s, sound)
				a := storetest.OpenLedger(t, away, ledger.Options{Node: "a", Now: clock.now})
				b := storetest.OpenLedger(t, s, ledger.Options{Node: "b"})
				customer := storetest.NewCustomer(t, s, 100)
				setLimit(t, s, customer, 40, ledger.PeriodDay)
				today := time.Now() // midnight
				time.Sleep(23*time.Hour + 30*time.Minute)
				place := func(amount metering.Nanos) (*ledger.Hold, error) {
					return a.Place(t.Context(), ledger.Request{AccountID: customer.AccountID, KeyID: customer.KeyID, Amount: amount})
				}
				hold, err := place(30)
				must(t, err)
				clock.jump(by)
				must(t, hold.Settle(t.Context(), customer.Record(30)))
				if _, err := place(11); !errors.Is(err, ledger.ErrInsufficient) {
					t.Errorf("beyond the limit of the day: %v", err)
				}
				hold, err = place(10)
				must(t, err)
				mustHaveSpent(t, s, customer, ledger.PeriodDay, today, 30)

				// Cut off, its lease ends by the store's clock, whatever its own one says.
				away.Plan(func(string) storetest.Fault { return storetest.Lost })
				time.Sleep(5 * time.Second)
				clock.jump(by)
				time.Sleep(8 * time.Second)
				clock.jump(-by)
				whole, err := b.Hold(t.Context(), customer.AccountID, 70)
				must(t, err)
				away.Plan(sound)
				if err := hold.Settle(t.Context(), customer.Record(10)); !errors.Is(err, ledger.ErrFenced) {
					t.Errorf("settled under a lease that has ended: %v", err)
				}
				must(t, whole.Settle(t.Context(), customer.Record(60)))
				mustHaveSpent(t, s, customer, ledger.PeriodDay, today, 30)

				// Midnight, by the store's clock: the limit starts afresh.
				clock.jump(-by)
				time.Sleep(time.Hour)
				hold, err = place(10)
				must(t, err)
				must(t, hold.Settle(t.Context(), customer.Record(10)))
				mustHaveSpent(t, s, customer, ledger.PeriodDay, today, 30)
				mustHaveSpent(t, s, customer, ledger.PeriodDay, time.Now(), 10)
				storetest.MustVerify(t, s)
			})
		})
	}
}
