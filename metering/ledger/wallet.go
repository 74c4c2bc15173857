package ledger

import (
	"time"

	"github.com/faregate/faregate/metering"
)

// wallet is what a node has of one account, or of a key's limit in one period.
// 0 <= settling <= held <= credit, always. Its account's lock guards it.
type wallet struct {
	name   Wallet
	loaded bool           // the store was asked at least once
	unsure bool           // the outcome of the last call is not known
	credit metering.Nanos // granted to this node and not yet debited
	held   metering.Nanos // the part of credit that is promised to holds and settlements
	// settling is the part of held that settlements under way take away for good.
	settling metering.Nanos
	// The store's latest answer; but Returned is what was tried last.
	standing Standing
	demand   demand
	// recalled is when the node was last asked to put credit back, and yield how much of
	// it still has to be.
	recalled time.Time
	yield    yield
	// othersUntil is how long the store grants to another only.
	othersUntil time.Time
}

// yield says how much of what is free a node shall put back.
type yield int

const (
	yieldNothing yield = iota
	yieldHalf
	yieldAll
)

// free is what is not promised to anybody.
func (w *wallet) free() metering.Nanos { return w.credit - w.held }

// usable is what a new hold could take: not what nodes have beyond a lowered limit.
func (w *wallet) usable() metering.Nanos { return w.free() + min(0, w.standing.Left) }

// possible is what a new hold could take if every other were released, on every node.
func (w *wallet) possible() metering.Nanos {
	return w.credit - w.settling + w.standing.Elsewhere + w.standing.Left
}

// learn takes over what the store says.
func (w *wallet) learn(told Standing, now time.Time) {
	if w.loaded {
		w.credit += told.Issued - w.standing.Issued
		// Less returned than tried means that an attempt of ours had no effect. It never
		// will have: stores ignore calls that come late.
		w.credit += w.standing.Returned - told.Returned
	} else {
		// Nothing of a wallet just made is under way, so Debited is complete.
		w.credit, w.loaded = told.Issued-told.Returned-told.Debited, true
	}
	w.standing, w.unsure, w.yield, w.othersUntil = told, false, yieldNothing, time.Time{}
	switch {
	case told.Recalled:
		w.recalled, w.othersUntil, w.yield = now, now.Add(RecallFor), yieldAll
	case told.Left < 0:
		w.yield = yieldHalf
	}
}

// recall notes that somebody asks for credit. The first time the node keeps half, as
// its own next request may come; whoever still needs more asks again.
func (w *wallet) recall(now time.Time) {
	w.yield = yieldHalf
	if !w.recalled.IsZero() && now.Sub(w.recalled) < 2*RecallFor {
		w.yield = yieldAll
	}
	w.recalled = now
}

// spare is what has to be put back by a recall.
func (w *wallet) spare(least metering.Nanos, now time.Time) metering.Nanos {
	switch w.yield {
	case yieldAll:
		return w.free()
	case yieldHalf:
		return min(w.free(), max(w.free()-w.free()/2, w.free()-w.demand.target(least, now), -w.standing.Left))
	}
	return 0
}

// reserve promises credit.
func (w *wallet) reserve(amount metering.Nanos, now time.Time) {
	w.held += amount
	w.demand.promise(w.held-w.settling, now)
}

// settle turns a promise of `held` into a debit under way; the rest is free.
func (w *wallet) settle(held, debit metering.Nanos, now time.Time) {
	w.held += debit - held
	w.settling += debit
	w.demand.spend(debit, now)
}

// settled ends a settlement: of what was reserved, debit is gone for good.
func (w *wallet) settled(reserved, debit metering.Nanos) {
	w.held -= reserved
	w.settling -= reserved
	w.credit -= debit
}

// contested tells whether other nodes use the wallet as well.
func (w *wallet) contested(now time.Time) bool {
	return !w.recalled.IsZero() && now.Sub(w.recalled) < contestFor
}

// contestFor is how long a wallet counts as used elsewhere after a recall.
const contestFor = time.Minute
