package ledger

import (
	"context"
	"fmt"
	"time"

	"github.com/faregate/faregate/metering"
)

// Settle takes record.Cost from the account (and from the key's limit) and writes the
// record; it returns when both are durable. What the hold and the wallets cannot pay
// of the cost is set as record.Shortfall. Called again with the same record it waits
// for the same outcome. Errors: ErrReleased, ErrSettled (with another record),
// ErrAmount, ErrFenced, ErrRejected, ErrDuplicate, ErrClosed; and ErrUnavailable after
// Options.RetryFor: the last bytes of the answer must then not be sent. After ErrFenced
// and ErrUnavailable the ledger writes the record as interrupted, uncharged, with the
// cost as the operator's, as soon as the store takes it; but after ErrUnavailable a charge
// stands that the store had taken before, in an attempt whose answer was lost.
// When ctx ends first, the settlement goes on and its outcome is unknown: give
// it a context that does not end with the client.
func (h *Hold) Settle(ctx context.Context, record *metering.Record) error {
	a := h.account
	switch {
	case record.AccountID != a.id:
		return fmt.Errorf("record %s is of another account than the hold: %w", record.ID, ErrRejected)
	case h.limit != nil && record.KeyID != h.limit.name.KeyID:
		return fmt.Errorf("record %s is of another key than the hold: %w", record.ID, ErrRejected)
	case record.Cost < 0:
		return fmt.Errorf("record %s costs %s: %w", record.ID, record.Cost, ErrAmount)
	}
	h.fetch(ctx, record.Cost)
	now := h.ledger.options.Now()
	e := h.ledger.committer.newEntry(record)
	a.mu.Lock()
	if h.state != stateOpen {
		state, e := h.state, h.entry
		a.mu.Unlock()
		switch {
		case state == stateReleased:
			return ErrReleased
		case e.id != record.ID:
			return ErrSettled
		}
		return e.wait(ctx)
	}
	extra := min(max(record.Cost-h.amount, 0), max(0, usable(a.wallet, h.limit)))
	debit := min(record.Cost, h.amount+extra)
	record.Shortfall = record.Cost - debit
	e.settlement.Record.Shortfall = record.Shortfall
	e.settlement.OperatorCost = h.operatorCost
	e.charge(h, debit)
	a.wallet.settle(h.amount, debit, now) // what was held too much is free at once
	if h.limit != nil {
		h.limit.settle(h.amount, debit, now)
	}
	a.touched = now
	h.amount = debit
	h.state, h.entry = stateSettled, e
	a.admit(now)
	a.mu.Unlock()
	h.ledger.committer.expected.Add(-1)
	if err := h.ledger.committer.submit(e); err != nil {
		e.end(0, err, now)
		return err
	}
	return e.wait(ctx)
}

// fetch asks the store for what the cost is above the hold, once, unless it is here for
// sure: the credit may be there and not be granted yet. Without it there is a shortfall.
func (h *Hold) fetch(ctx context.Context, cost metering.Nanos) {
	a, l := h.account, h.ledger
	a.mu.Lock()
	missing := cost - h.amount
	short := shortage{own: missing}
	enough := a.wallet.free() >= missing
	keyID := ""
	if h.limit != nil {
		short.limit, keyID = missing, h.limit.name.KeyID
		enough = enough && h.limit.usable() >= missing && a.key(keyID).known
	}
	needed := h.state == stateOpen && missing > 0 && !enough
	a.mu.Unlock()
	if !needed || a.tenure.fenced.Load() || l.committer.unavailable() {
		return
	}
	for {
		if covers, own, err := l.refill(ctx, a, keyID, short); covers && own || err != nil {
			return
		}
	}
}

// settled ends a settlement: of what was reserved, debit is gone for good.
func (a *account) settled(limit *wallet, reserved, debit metering.Nanos, now time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.wallet.settled(reserved, debit)
	if limit != nil {
		limit.settled(reserved, debit)
	}
	a.users--
	a.admit(now)
}
