package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"math"
	"slices"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// The kinds of transfers.
const (
	kindDeposit      = "deposit"
	kindVoucher      = "voucher"
	kindRefund       = "refund"
	kindAdjustment   = "adjustment"
	kindChargeBack   = "charge_back"
	kindReceivable   = "receivable"
	kindErasure      = "erasure"
	kindShortfall    = "shortfall"
	kindOperatorCost = "operator_cost"
)

// Deposit is as store.Store's.
func (s *Store) Deposit(_ context.Context, d store.Deposit) (added bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	transfer := store.Transfer{
		Kind: kindDeposit, Ref: d.Ref, Debit: store.HouseCash, Credit: d.AccountID,
		Amount: d.Amount, Actor: d.Actor, Note: d.Note, At: d.At,
	}
	if d.Owed {
		transfer.Credit = store.Receivable(d.AccountID)
	}
	return s.book(transfer, d.AccountID, func(a *account) error {
		if !d.Owed {
			return a.credit(d.Amount)
		}
		if owed := s.owed(d.AccountID); owed < d.Amount {
			return fmt.Errorf("the account owes %s: %w", owed, store.ErrAmount)
		}
		return nil
	})
}

// Refund is as store.Store's.
func (s *Store) Refund(_ context.Context, r store.Refund) (made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	transfer := store.Transfer{
		Kind: kindRefund, Ref: r.Ref, Debit: r.AccountID, Credit: store.HouseCash,
		Amount: r.Amount, Actor: r.Actor, Note: r.Note, At: r.At,
	}
	return s.book(transfer, r.AccountID, func(a *account) error { return s.withdraw(a, transfer) })
}

// Adjust is as store.Store's.
func (s *Store) Adjust(_ context.Context, adjustment store.Adjustment) (made bool, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	house := store.HouseRevenue
	if adjustment.Promotion {
		house = store.HousePromotion
	}
	transfer := store.Transfer{
		Kind: kindAdjustment, Ref: adjustment.Ref, Debit: house, Credit: adjustment.AccountID,
		Amount: adjustment.Amount, Actor: adjustment.Actor, Note: adjustment.Note, At: adjustment.At,
	}
	if adjustment.Amount < 0 {
		transfer.Debit, transfer.Credit, transfer.Amount = adjustment.AccountID, house, -adjustment.Amount
	}
	return s.book(transfer, adjustment.AccountID, func(a *account) error {
		if adjustment.Amount < 0 {
			return s.withdraw(a, transfer)
		}
		return a.credit(adjustment.Amount)
	})
}

// book writes a transfer of an account, once, after move has changed what the account has.
func (s *Store) book(transfer store.Transfer, accountID string, move func(*account) error) (added bool, err error) {
	a := s.accounts[accountID]
	switch {
	case transfer.Amount <= 0:
		return false, fmt.Errorf("%s of %s: %w", transfer.Kind, transfer.Amount, store.ErrAmount)
	case transfer.Ref == "":
		return false, fmt.Errorf("a %s needs a reference that no other has: %w", transfer.Kind, store.ErrReference)
	case a == nil:
		return false, fmt.Errorf("%s: account: %w", transfer.Kind, store.ErrNotFound)
	}
	if standing := s.transfers[reference{transfer.Kind, transfer.Ref}]; standing != nil {
		if standing.Debit != transfer.Debit || standing.Credit != transfer.Credit || standing.Amount != transfer.Amount {
			return false, store.ErrReference
		}
		return false, nil
	}
	if err := move(a); err != nil {
		return false, fmt.Errorf("%s: %w", transfer.Kind, err)
	}
	s.write(transfer)
	s.announce(store.KindWallet, accountID)
	return true, nil
}

func (s *Store) write(transfer store.Transfer) {
	transfer.At = transfer.At.Truncate(time.Microsecond).UTC()
	s.transfers[reference{transfer.Kind, transfer.Ref}] = &transfer
}

func (a *account) credit(amount metering.Nanos) error {
	switch {
	case a.Status == auth.StatusErased:
		return store.ErrErased
	case amount > store.MostAtOnce:
		return store.CheckMost(amount)
	case a.balance > math.MaxInt64-amount:
		return fmt.Errorf("the balance would be too large: %w", store.ErrAmount)
	}
	a.balance += amount
	return nil
}

func (s *Store) withdraw(a *account, transfer store.Transfer) error {
	if a.balance < transfer.Amount {
		return store.ErrBalance
	}
	return s.takeFree(a, transfer.Kind+":"+transfer.Ref, transfer.Amount)
}

// takeFree takes what no node has, or recalls it.
func (s *Store) takeFree(a *account, claimant string, amount metering.Nanos) error {
	now := s.now()
	switch {
	case a.recalledByOther(claimant, now):
		return store.ErrGranted
	case a.balance-a.granted < amount:
		a.recalledBy, a.recalledUntil = claimant, now.Add(ledger.RecallFor)
		s.announce(store.KindRecall, a.ID)
		return store.ErrGranted
	}
	a.recalledBy = ""
	a.balance -= amount
	return nil
}

func (s *Store) owed(accountID string) (owed metering.Nanos) {
	for _, t := range s.transfers {
		switch store.Receivable(accountID) {
		case t.Debit:
			owed += t.Amount
		case t.Credit:
			owed -= t.Amount
		}
	}
	return owed
}

// ChargeBack is as store.Store's.
func (s *Store) ChargeBack(_ context.Context, back store.ChargeBack) (done store.ChargedBack, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := store.Transfer{
		Kind: kindChargeBack, Ref: back.Ref, Debit: back.AccountID, Credit: store.HouseCash,
		Actor: back.Actor, Note: back.Note, At: back.At,
	}
	owed := taken
	owed.Kind, owed.Debit = kindReceivable, store.Receivable(back.AccountID)
	a := s.accounts[back.AccountID]
	switch {
	case back.Amount <= 0, back.Amount > store.MostAtOnce:
		return done, fmt.Errorf("charge back: %w", store.ErrAmount)
	case back.Ref == "":
		return done, fmt.Errorf("charge back: %w", store.ErrReference)
	}
	for _, part := range []struct {
		transfer store.Transfer
		amount   *metering.Nanos
	}{{taken, &done.Taken}, {owed, &done.Owed}} {
		if standing := s.transfers[reference{part.transfer.Kind, back.Ref}]; standing != nil {
			if standing.Debit != part.transfer.Debit {
				return store.ChargedBack{}, store.ErrReference
			}
			*part.amount = standing.Amount
		}
	}
	switch sum := done.Taken + done.Owed; {
	case sum == back.Amount:
		return done, nil
	case sum != 0:
		return store.ChargedBack{}, store.ErrReference
	case a == nil:
		return done, fmt.Errorf("charge back: account: %w", store.ErrNotFound)
	}
	if a.Status == auth.StatusActive {
		a.Status, a.SuspendedReason = auth.StatusSuspended, "charge-back "+back.Ref
		s.announce(store.KindAccount, a.ID)
	}
	taken.Amount = min(back.Amount, a.balance)
	if back.Final {
		taken.Amount = min(taken.Amount, a.balance-a.granted)
		a.balance -= taken.Amount
	} else if err := s.takeFree(a, kindChargeBack+":"+back.Ref, taken.Amount); err != nil {
		return done, fmt.Errorf("charge back: %w", err)
	}
	owed.Amount = back.Amount - taken.Amount
	for _, transfer := range []store.Transfer{taken, owed} {
		if transfer.Amount > 0 {
			s.write(transfer)
		}
	}
	s.announce(store.KindWallet, a.ID)
	return store.ChargedBack{Made: true, Taken: taken.Amount, Owed: owed.Amount}, nil
}

// EraseAccount is as store.Store's.
func (s *Store) EraseAccount(_ context.Context, erasure store.Erasure) (forfeited metering.Nanos, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[erasure.AccountID]
	switch {
	case a == nil:
		return 0, fmt.Errorf("erase an account: %w", store.ErrNotFound)
	case a.balance > 0 && !erasure.Forfeit:
		return 0, fmt.Errorf("erase an account: %w", store.ErrUnspent)
	}
	if a.Status != auth.StatusErased {
		a.Email, a.Username, a.PasswordHash, a.SuspendedReason, a.Status = "", "", "", "", auth.StatusErased
		for _, k := range s.keys {
			if k.AccountID != a.ID {
				continue
			}
			if k.Name, k.Addresses = "", (limits.AddressList{}); k.RevokedAt.IsZero() {
				k.RevokedAt = erasure.At
			}
			clear(k.former)
		}
		s.announce(store.KindAccount, a.ID)
	}
	if a.balance == 0 {
		return 0, nil
	}
	transfer := store.Transfer{
		Kind: kindErasure, Ref: a.ID, Debit: a.ID, Credit: store.HouseRevenue,
		Amount: a.balance, Actor: erasure.Actor, Note: erasure.Note, At: erasure.At,
	}
	if err := s.withdraw(a, transfer); err != nil {
		return 0, fmt.Errorf("erase an account: %w", err)
	}
	s.write(transfer)
	return transfer.Amount, nil
}

// Transfers is as store.Store's.
func (s *Store) Transfers(_ context.Context, filter store.TransferFilter) iter.Seq2[*store.Transfer, error] {
	return func(yield func(*store.Transfer, error) bool) {
		for _, transfer := range s.chosenTransfers(filter) {
			if !yield(transfer, nil) {
				return
			}
		}
	}
}

func (s *Store) chosenTransfers(filter store.TransferFilter) []*store.Transfer {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*store.Transfer
	for _, t := range s.transfers {
		own := []string{t.Debit, t.Credit}
		if (filter.AccountID == "" || slices.Contains(own, filter.AccountID) || slices.Contains(own, store.Receivable(filter.AccountID))) &&
			(filter.Kind == "" || t.Kind == filter.Kind) &&
			(filter.Since.IsZero() || !t.At.Before(filter.Since)) && (filter.Until.IsZero() || t.At.Before(filter.Until)) {
			found := *t
			list = append(list, &found)
		}
	}
	slices.SortFunc(list, func(a, b *store.Transfer) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref))
	})
	return list
}
