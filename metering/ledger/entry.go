package ledger

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// entry is one record on its way through the committer. After submit it belongs to
// the committer; callers only wait for done.
type entry struct {
	settlement Settlement
	id         string
	tenure     *tenure  // nil for what charges nothing, and needs no lease
	account    *account // nil for a record without charge
	limit      *wallet  // of the key, if it has one
	reserved   metering.Nanos
	deadline   time.Time
	// tried tells that an attempt had an unknown outcome: a record found in the
	// store later may be our own.
	tried bool
	// fenced tells that the lease was lost on the way.
	fenced error

	done     chan struct{}
	answered atomic.Bool
	err      error
}

func (c *committer) newEntry(record *metering.Record) *entry {
	return &entry{
		// A copy, as the caller keeps its record when ctx ends before the commit.
		settlement: Settlement{Record: *record},
		id:         record.ID,
		deadline:   c.options.Now().Add(c.options.RetryFor),
		done:       make(chan struct{}),
	}
}

// charge makes the entry take `debit`, which must be reserved, from the hold's wallets.
func (e *entry) charge(h *Hold, debit metering.Nanos) {
	e.account, e.limit, e.tenure = h.account, h.limit, h.account.tenure
	e.reserved, e.settlement.Debit = debit, debit
	if h.limit != nil {
		e.settlement.Limited, e.settlement.PeriodStart = true, h.limit.name.PeriodStart
	}
}

// wait returns the entry's outcome.
func (e *entry) wait(ctx context.Context) error {
	select {
	case <-e.done:
		return e.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the settlement of %s: %w", e.id, context.Cause(ctx))
	}
}

// answer tells the caller the outcome, the first time that it is called.
func (e *entry) answer(err error) {
	if e.answered.CompareAndSwap(false, true) {
		e.err = err
		close(e.done)
	}
}

// written ends an entry whose batch is durable.
func (e *entry) written(now time.Time) {
	s, debit, err := &e.settlement, e.settlement.Debit, e.fenced
	if s.Present {
		debit = s.Standing
		switch {
		case !e.tried:
			// The credit of that record was another hold's.
			debit = 0
			if s.Standing != s.Debit {
				err = fmt.Errorf("settle %s: %w", e.id, ErrDuplicate)
			}
		case s.Standing == e.reserved:
			err = nil // an attempt of ours had taken effect
		}
	}
	e.end(debit, err, now)
}

// end closes the entry; debit is what left the account.
func (e *entry) end(debit metering.Nanos, err error, now time.Time) {
	if e.account != nil {
		e.account.settled(e.limit, e.reserved, debit, now)
	}
	e.answer(err)
}

// void turns the entry into a record that charges nothing. It also finds out whether
// an earlier attempt took effect after all. Until it is written the credit stays
// reserved, as promising it again could spend it twice.
func (e *entry) void() {
	if e.tenure == nil {
		return
	}
	s := &e.settlement
	s.OperatorCost = plus(s.OperatorCost, s.Record.Cost)
	s.Debit, s.Limited = 0, false
	s.Record.Cost, s.Record.Shortfall, s.Record.Usage = 0, 0, usage.Usage{}
	s.Record.Status, s.Record.Basis = metering.StatusInterrupted, metering.BasisInterrupted
	e.tenure = nil
}

// expire answers an entry that could not be written in time. It is written, without
// its charge, when the store is back.
func (e *entry) expire(cause error) {
	if e.answered.Load() {
		return
	}
	e.void()
	e.answer(fmt.Errorf("settle %s: %w: %w", e.id, ErrUnavailable, cause))
}

// fence voids an entry whose lease was lost. Where no attempt can have taken effect
// its caller is told at once.
func (e *entry) fence(cause error) {
	e.fenced = fmt.Errorf("settle %s: %w", e.id, cause)
	e.void()
	if !e.tried {
		e.answer(e.fenced)
	}
}
