package memory

import (
	"context"
	"errors"
	"fmt"
	"math"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// The kinds of transfers.
const (
	kindDeposit      = "deposit"
	kindRefund       = "refund"
	kindShortfall    = "shortfall"
	kindOperatorCost = "operator_cost"
)

// Deposit is as store.Store's.
func (s *Store) Deposit(_ context.Context, d store.Deposit) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	made, err := s.madeBefore(kindDeposit, d.Ref, d.Amount, transfer{store.HouseCash, d.AccountID, d.Amount})
	if made || err != nil {
		return false, err
	}
	a := s.accounts[d.AccountID]
	switch {
	case a == nil:
		return false, fmt.Errorf("deposit: account: %w", store.ErrNotFound)
	case a.balance > math.MaxInt64-d.Amount:
		return false, fmt.Errorf("deposit: the balance would be too large: %w", store.ErrAmount)
	}
	a.balance += d.Amount
	s.transfers[reference{kindDeposit, d.Ref}] = &transfer{store.HouseCash, d.AccountID, d.Amount}
	s.announce(store.KindWallet, d.AccountID)
	return true, nil
}

// madeBefore tells whether this very transfer is there already.
func (s *Store) madeBefore(kind, ref string, amount metering.Nanos, same transfer) (bool, error) {
	if amount <= 0 {
		return false, fmt.Errorf("%s of %s: %w", kind, amount, store.ErrAmount)
	}
	if ref == "" {
		return false, fmt.Errorf("a %s needs a reference that no other has: %w", kind, store.ErrReference)
	}
	standing := s.transfers[reference{kind, ref}]
	if standing != nil && *standing != same {
		return false, store.ErrReference
	}
	return standing != nil, nil
}

// ErrGranted says that nodes have the credit. It is recalled: try again.
var ErrGranted = errors.New("nodes have that credit")

// ErrBalance says that the account has less.
var ErrBalance = errors.New("the account has less than that")

// Refund takes credit back from an account, once per reference, as soon as no node has
// it: until then ErrGranted. Other errors as Deposit, and ErrBalance.
func (s *Store) Refund(_ context.Context, accountID string, amount metering.Nanos, ref string) (made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	refund := transfer{accountID, store.HouseCash, amount}
	before, err := s.madeBefore(kindRefund, ref, amount, refund)
	if before || err != nil {
		return false, err
	}
	a, now, claimant := s.accounts[accountID], s.now(), "refund:"+ref
	switch {
	case a == nil:
		return false, fmt.Errorf("refund: account: %w", store.ErrNotFound)
	case a.balance < amount:
		return false, fmt.Errorf("refund: %w", ErrBalance)
	case a.recalledByOther(claimant, now):
		return false, fmt.Errorf("refund: %w", ErrGranted)
	case a.balance-a.granted < amount:
		a.recalledBy, a.recalledUntil = claimant, now.Add(ledger.RecallFor)
		s.announce(store.KindRecall, accountID)
		return false, fmt.Errorf("refund: %w", ErrGranted)
	}
	a.recalledBy = ""
	a.balance -= amount
	s.transfers[reference{kindRefund, ref}] = &refund
	s.announce(store.KindWallet, accountID)
	return true, nil
}
