package memory

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// CreateAccount is as store.Store's.
func (s *Store) CreateAccount(_ context.Context, created *auth.Account) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if same := s.accounts[created.ID]; same != nil && same.Email == created.Email &&
		same.Username == created.Username && same.CreatedAt.Equal(created.CreatedAt) {
		return nil
	}
	for _, other := range s.accounts {
		switch {
		case other.Email == created.Email && created.Email != "", other.Username == created.Username && created.Username != "", other.ID == created.ID:
			return fmt.Errorf("create an account: %w", store.ErrTaken)
		}
	}
	s.accounts[created.ID] = &account{Account: *created}
	s.announce(store.KindAccount, created.ID)
	return nil
}

// FindAccount is as store.Store's.
func (s *Store) FindAccount(_ context.Context, name string) (*auth.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	name = strings.ToLower(strings.TrimSpace(name))
	for _, a := range s.accounts {
		if name != "" && (a.ID == name || a.Email == name || a.Username == name) {
			found := a.Account
			return &found, nil
		}
	}
	return nil, fmt.Errorf("account: %w", store.ErrNotFound)
}

// ListAccounts is as store.Store's.
func (s *Store) ListAccounts(context.Context) ([]*auth.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*auth.Account
	for _, a := range sorted(s.accounts, func(a *account) string { return a.ID }) {
		found := a.Account
		list = append(list, &found)
	}
	slices.SortStableFunc(list, func(a, b *auth.Account) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

// SetAccountStatus is as store.Store's.
func (s *Store) SetAccountStatus(_ context.Context, accountID string, status auth.Status, reason string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[accountID]
	if err := a.editable(); err != nil {
		return fmt.Errorf("set an account's status: %w", err)
	}
	if status == auth.StatusActive {
		reason = ""
	}
	a.Status, a.SuspendedReason = status, reason
	s.announce(store.KindAccount, accountID)
	return nil
}

// editable is ErrNotFound or ErrErased for an account that nothing can be changed of.
func (a *account) editable() error {
	switch {
	case a == nil:
		return store.ErrNotFound
	case a.Status == auth.StatusErased:
		return store.ErrErased
	}
	return nil
}

// EditAccount is as store.Store's.
func (s *Store) EditAccount(_ context.Context, accountID string, edit store.AccountEdit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[accountID]
	if err := a.editable(); err != nil {
		return fmt.Errorf("edit an account: %w", err)
	}
	for _, other := range s.accounts {
		if other != a && (edit.Email != nil && other.Email == *edit.Email || edit.Username != nil && other.Username == *edit.Username) {
			return fmt.Errorf("edit an account: %w", store.ErrTaken)
		}
	}
	for _, field := range []struct{ from, to *string }{{edit.Email, &a.Email}, {edit.Username, &a.Username}, {edit.Group, &a.Group}} {
		if field.from != nil {
			*field.to = *field.from
		}
	}
	if edit.DataPolicy != nil {
		a.DataPolicy = *edit.DataPolicy
	}
	s.announce(store.KindAccount, accountID)
	return nil
}

// Balance is as store.Store's.
func (s *Store) Balance(_ context.Context, accountID string) (store.Balance, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := s.accounts[accountID]
	if a == nil {
		return store.Balance{}, fmt.Errorf("account: %w", store.ErrNotFound)
	}
	return store.Balance{Balance: a.balance, Granted: a.granted, Owed: s.owed(accountID)}, nil
}

// CreateKey is as store.Store's.
func (s *Store) CreateKey(_ context.Context, created *auth.Key) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, pattern := range created.Models {
		if err := auth.ValidateModelPattern(pattern); err != nil {
			return fmt.Errorf("create a key: %w", err)
		}
	}
	if err := created.Providers.Validate(); err != nil {
		return fmt.Errorf("create a key: %w", err)
	}
	if err := s.accounts[created.AccountID].editable(); err != nil {
		return fmt.Errorf("create a key: account: %w", err)
	}
	if same := s.keys[created.ID]; same != nil && same.AccountID == created.AccountID && same.Hash == created.Hash {
		return nil
	}
	for _, other := range s.keys {
		if other.ID == created.ID || other.Hash == created.Hash {
			return fmt.Errorf("create a key: %w", store.ErrTaken)
		}
	}
	s.keys[created.ID] = &key{Key: *created, periods: make(map[int64]*period)}
	s.announce(store.KindKey, created.ID)
	return nil
}

// FindKey implements auth.Directory.
func (s *Store) FindKey(_ context.Context, hash auth.Hash) (*auth.Key, *auth.Account, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range s.keys {
		if k.Hash == hash {
			found, holder := k.Key, s.accounts[k.AccountID].Account
			return &found, &holder, nil
		}
		if ends, ok := k.former[hash]; ok {
			found, holder := k.Key, s.accounts[k.AccountID].Account
			found.Hash, found.SecretEndsAt = hash, ends
			return &found, &holder, nil
		}
	}
	return nil, nil, auth.ErrUnknownKey
}

// ListKeys is as store.Store's.
func (s *Store) ListKeys(_ context.Context, accountID string) ([]*auth.Key, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*auth.Key
	for _, k := range sorted(s.keys, func(k *key) string { return k.ID }) {
		if k.AccountID == accountID {
			found := k.Key
			list = append(list, &found)
		}
	}
	slices.SortStableFunc(list, func(a, b *auth.Key) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return list, nil
}

// RevokeKey is as store.Store's.
func (s *Store) RevokeKey(_ context.Context, keyID string, at time.Time) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[keyID]
	if k == nil {
		return fmt.Errorf("revoke a key: %w", store.ErrNotFound)
	}
	if k.RevokedAt.IsZero() {
		k.RevokedAt = at
	}
	clear(k.former)
	s.announce(store.KindKey, keyID)
	return nil
}

// RotateKey is as store.Store's, but for the limit, which it does not return.
func (s *Store) RotateKey(_ context.Context, rotation store.Rotation) (*store.LimitedKey, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[rotation.KeyID]
	switch {
	case k == nil:
		return nil, fmt.Errorf("rotate a key: %w", store.ErrNotFound)
	case k.Revoked():
		return nil, fmt.Errorf("rotate a key: %w", store.ErrRevoked)
	case k.Hash == rotation.Hash:
		return k.afterRotation(), nil
	case k.Expired(rotation.At):
		return nil, fmt.Errorf("rotate a key: %w", auth.ErrExpiredKey)
	}
	for _, other := range s.keys {
		if _, was := other.former[rotation.Hash]; was || other.Hash == rotation.Hash {
			return nil, fmt.Errorf("rotate a key: %w", store.ErrTaken)
		}
	}
	if k.former == nil {
		k.former = make(map[auth.Hash]time.Time)
	}
	k.former[k.Hash] = rotation.Until
	for hash, ends := range k.former {
		if rotation.Until.Before(ends) {
			ends = rotation.Until
		}
		if k.former[hash] = ends; !ends.After(rotation.At) {
			delete(k.former, hash)
		}
	}
	k.Hash, k.RotatedAt = rotation.Hash, rotation.At
	s.announce(store.KindKey, k.ID)
	return k.afterRotation(), nil
}

func (k *key) afterRotation() *store.LimitedKey {
	rotated := &store.LimitedKey{Key: k.Key}
	for _, ends := range k.former {
		if ends.After(rotated.FormerUntil) {
			rotated.FormerUntil = ends
		}
	}
	return rotated
}

// SetKeyLimit is as store.Store's.
func (s *Store) SetKeyLimit(_ context.Context, keyID string, limit *store.KeyLimit) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[keyID]
	switch {
	case k == nil:
		return fmt.Errorf("limit a key: %w", store.ErrNotFound)
	case limit != nil && (limit.Amount < 0 || !limit.Period.Valid()):
		return fmt.Errorf("limit a key: %w", store.ErrAmount)
	}
	k.limit = nil
	if limit != nil {
		k.limit = new(store.KeyLimit)
		*k.limit = *limit
	}
	s.announce(store.KindWallet, k.AccountID)
	s.announce(store.KindRecall, k.AccountID)
	s.announce(store.KindKey, keyID)
	return nil
}

// KeyLimit is as store.Store's.
func (s *Store) KeyLimit(_ context.Context, keyID string) (*store.KeyLimit, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[keyID]
	if k == nil {
		return nil, fmt.Errorf("key: %w", store.ErrNotFound)
	}
	if k.limit == nil {
		return nil, nil
	}
	limit := *k.limit
	return &limit, nil
}

// KeySpent returns what the key spent of its limit in the period that began then
// (ledger.Wallet.PeriodStart), and what nodes have of it.
func (s *Store) KeySpent(_ context.Context, keyID string, periodStart int64) (spent, granted metering.Nanos, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.keys[keyID]
	if k == nil {
		return 0, 0, fmt.Errorf("key: %w", store.ErrNotFound)
	}
	if p := k.periods[periodStart]; p != nil {
		spent, granted = p.spent, p.granted
	}
	return spent, granted, nil
}
