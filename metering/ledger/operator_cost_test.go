package ledger_test

import (
	"errors"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// What was given up on the way is the operator's, whatever becomes of the settlement.
func TestOperatorCost(t *testing.T) {
	for name, c := range map[string]struct {
		cost, want metering.Nanos
		outage     bool
	}{
		"of a request that is charged": {cost: 50, want: 7},
		"of one that is not":           {cost: 0, want: 7},
		"of one that cannot be":        {cost: 50, want: 57, outage: true},
	} {
		t.Run(name, func(t *testing.T) {
			s := memory.New(time.Now)
			customer := storetest.NewCustomer(t, s, 100)
			faulty := storetest.NewFaulty(s, sound)
			l := storetest.OpenLedger(t, faulty, ledger.Options{RetryFor: 50 * time.Millisecond})
			hold, err := l.Hold(t.Context(), customer.AccountID, 60)
			must(t, err)
			hold.AddOperatorCost(3)
			hold.AddOperatorCost(4)
			hold.AddOperatorCost(-5)
			if c.outage {
				faulty.Plan(failing("settle", storetest.Lost))
			}
			record := customer.Record(c.cost)
			if err := hold.Settle(t.Context(), record); errors.Is(err, ledger.ErrUnavailable) != c.outage {
				t.Fatal(err)
			}
			hold.AddOperatorCost(9) // too late
			faulty.Plan(sound)
			eventually(t, "the operator's cost is booked", func() bool {
				booked, err := s.OperatorCost(t.Context(), record.ID)
				return err == nil && booked == c.want
			})
			storetest.MustVerify(t, s)
		})
	}
}
