package ledger

import (
	"context"
	"fmt"
	"math"

	"github.com/faregate/faregate/metering"
)

// The states of a hold. It leaves stateOpen once, under the wallet's lock: that is
// why exactly one of Settle and Release takes effect.
const (
	stateOpen = iota
	stateSettled
	stateReleased
)

// Hold is credit set aside for one request.
type Hold struct {
	ledger  *Ledger
	account *account
	limit   *wallet // of the key; nil where it has none

	// The account's lock guards what follows.
	state  int
	amount metering.Nanos
	// operatorCost is what providers charge for the request and nobody pays for.
	operatorCost metering.Nanos
	entry        *entry // the settlement, once there is one
}

// Request says what is to be held.
type Request struct {
	AccountID string
	// KeyID names a key of the account whose spend limit, if it has one, counts as well:
	// both are held or none. Empty: no key's limit counts.
	KeyID  string
	Amount metering.Nanos
	// Wait says to wait, up to Options.WaitFor, for running holds of the account to end
	// if the amount would then fit, and for credit of nodes that have vanished.
	Wait bool
}

// Hold sets `amount` of the account's credit aside until it is settled or released,
// without a key's limit and without waiting for other holds.
func (l *Ledger) Hold(ctx context.Context, accountID string, amount metering.Nanos) (*Hold, error) {
	return l.Place(ctx, Request{AccountID: accountID, Amount: amount})
}

// Place sets credit aside until it is settled or released. Before it refuses, it asks
// the store for the latest deposit, and other nodes for what they do not use. Other
// errors than *InsufficientError: ErrNoAccount, ErrCrowded, ErrUnavailable (with
// ErrElsewhere after a wait for a node that is not heard of), ErrClosed, ErrAmount, the
// end of ctx.
func (l *Ledger) Place(ctx context.Context, wanted Request) (*Hold, error) {
	if wanted.Amount < 0 {
		return nil, fmt.Errorf("hold %s: %w", wanted.Amount, ErrAmount)
	}
	if l.committer.unavailable() {
		// Told at once, before anybody waits for the lease or for a grant.
		return nil, ErrUnavailable
	}
	hold := &Hold{ledger: l}
	err := l.withAccount(ctx, wanted.AccountID, func(a *account) error {
		return l.reserve(ctx, &request{
			account: a, hold: hold, keyID: wanted.KeyID, amount: wanted.Amount, patient: wanted.Wait,
		})
	})
	if err != nil {
		return nil, err
	}
	l.committer.expected.Add(1)
	return hold, nil
}

// open is an error unless the hold is. The lock must be held.
func (h *Hold) open() error {
	switch h.state {
	case stateSettled:
		return ErrSettled
	case stateReleased:
		return ErrReleased
	}
	return nil
}

// Amount returns what is set aside.
func (h *Hold) Amount() metering.Nanos {
	h.account.mu.Lock()
	defer h.account.mu.Unlock()
	return h.amount
}

// AddOperatorCost notes what a provider will charge for the request and nobody pays for,
// as for an answer that was given up for another provider's. It is booked with the
// settlement, whatever that charges; after it, and for a negative amount, it does nothing.
func (h *Hold) AddOperatorCost(amount metering.Nanos) {
	h.account.mu.Lock()
	defer h.account.mu.Unlock()
	if h.state == stateOpen {
		h.operatorCost = plus(h.operatorCost, max(amount, 0))
	}
}

// plus adds two amounts that are not negative; a sum that does not fit is the largest one.
func plus(a, b metering.Nanos) metering.Nanos { return min(a, math.MaxInt64-b) + b }

// Extend sets `amount` more aside, with the errors of Place, and ErrSettled, ErrReleased
// or ErrFenced. What was held before stays held in any case; that is why it does not
// wait for other holds: two that extend would wait for each other.
func (h *Hold) Extend(ctx context.Context, amount metering.Nanos) error {
	if amount < 0 {
		return fmt.Errorf("extend a hold by %s: %w", amount, ErrAmount)
	}
	if h.ledger.closed.Load() {
		return ErrClosed
	}
	h.account.mu.Lock()
	err := h.open()
	h.account.mu.Unlock()
	if err != nil {
		return err
	}
	if h.account.tenure.fenced.Load() {
		return ErrFenced
	}
	r := &request{account: h.account, hold: h, amount: amount, extends: true}
	if h.limit != nil {
		r.keyID = h.limit.name.KeyID
	}
	return h.ledger.reserve(ctx, r)
}

// Release gives the hold back; nothing is recorded. After Settle it does nothing.
func (h *Hold) Release() {
	a := h.account
	a.mu.Lock()
	defer a.mu.Unlock()
	if h.state != stateOpen {
		return
	}
	h.state = stateReleased
	h.ledger.committer.expected.Add(-1)
	a.wallet.held -= h.amount
	if h.limit != nil {
		h.limit.held -= h.amount
	}
	a.users--
	a.admit(h.ledger.options.Now())
}
