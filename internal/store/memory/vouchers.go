package memory

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/faregate/faregate/internal/store"
)

// CreateVouchers is as store.Store's.
func (s *Store) CreateVouchers(_ context.Context, vouchers []*store.Voucher) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range vouchers {
		if v.Amount <= 0 || v.Amount > store.MostAtOnce {
			return fmt.Errorf("create vouchers: %w", store.ErrAmount)
		}
		for _, other := range s.vouchers {
			same := other.ID == v.ID && other.Hash == v.Hash && other.Amount == v.Amount
			if (other.ID == v.ID || other.Hash == v.Hash) && !same {
				return fmt.Errorf("create vouchers: %w", store.ErrTaken)
			}
		}
	}
	for _, v := range vouchers {
		if s.vouchers[v.ID] == nil {
			created := *v
			s.vouchers[v.ID] = &created
		}
	}
	return nil
}

// ListVouchers is as store.Store's.
func (s *Store) ListVouchers(context.Context) ([]*store.Voucher, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*store.Voucher
	for _, v := range sorted(s.vouchers, func(v *store.Voucher) string { return v.ID }) {
		found := *v
		list = append(list, &found)
	}
	slices.SortStableFunc(list, func(a, b *store.Voucher) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

// RevokeVoucher is as store.Store's.
func (s *Store) RevokeVoucher(_ context.Context, id string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	v := s.vouchers[id]
	switch {
	case v == nil:
		return fmt.Errorf("revoke a voucher: %w", store.ErrNotFound)
	case v.RedeemedBy != "":
		return store.ErrVoucherUsed
	case v.RevokedAt.IsZero():
		v.RevokedAt = at
	}
	return nil
}

// RedeemVoucher is as store.Store's.
func (s *Store) RedeemVoucher(_ context.Context, redemption store.Redemption) (*store.Voucher, bool, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, v := range s.vouchers {
		if v.Hash != redemption.Hash {
			continue
		}
		switch {
		case v.RedeemedBy == redemption.AccountID:
			found := *v
			return &found, false, nil
		case v.RedeemedBy != "":
			return nil, false, store.ErrVoucherUsed
		case !v.RevokedAt.IsZero():
			return nil, false, store.ErrVoucherRevoked
		case v.Expired(redemption.At):
			return nil, false, store.ErrVoucherExpired
		}
		transfer := store.Transfer{
			Kind: kindVoucher, Ref: v.ID, Debit: store.HousePromotion, Credit: redemption.AccountID,
			Amount: v.Amount, Actor: redemption.Actor, Note: v.Note, At: redemption.At,
		}
		added, err := s.book(transfer, redemption.AccountID, func(a *account) error { return a.credit(v.Amount) })
		if err != nil {
			return nil, false, err
		}
		v.RedeemedAt, v.RedeemedBy = redemption.At, redemption.AccountID
		found := *v
		return &found, added, nil
	}
	return nil, false, store.ErrUnknownVoucher
}
