package ledger

import (
	"time"

	"github.com/faregate/faregate/metering"
)

// demandWindow is how long a slice of credit should last.
const demandWindow = 10 * time.Second

// demand measures what a wallet is used for: the most that was promised at a time and
// what was spent, in the present window and the one before.
type demand struct {
	began         time.Time // of the present window
	now, previous struct{ promised, spent metering.Nanos }
}

func (d *demand) roll(now time.Time) {
	switch age := now.Sub(d.began); {
	case age < demandWindow:
		return
	case age < 2*demandWindow:
		d.previous = d.now
	default:
		d.previous.promised, d.previous.spent = 0, 0
	}
	d.now.promised, d.now.spent = 0, 0
	d.began = now
}

// promise notes how much is promised to holds now.
func (d *demand) promise(held metering.Nanos, now time.Time) {
	d.roll(now)
	d.now.promised = max(d.now.promised, held)
}

// spend notes a debit.
func (d *demand) spend(debit metering.Nanos, now time.Time) {
	d.roll(now)
	d.now.spent += debit
}

// target is how much credit should be free, so that the store is asked about once in
// a window; never under `least`.
func (d *demand) target(least metering.Nanos, now time.Time) metering.Nanos {
	d.roll(now)
	return max(least, d.now.promised+d.now.spent, d.previous.promised+d.previous.spent)
}
