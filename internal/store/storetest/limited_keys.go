package storetest

import (
	"context"
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering/ledger"
)

// Limiting is a store in which keys can be changed.
type Limiting interface {
	Store
	CreateLimitedKey(context.Context, *store.LimitedKey) error
	EditKey(context.Context, string, func(*store.LimitedKey) error) (*store.LimitedKey, error)
	LimitedKey(context.Context, string) (*store.LimitedKey, *auth.Account, error)
	ListLimitedKeys(context.Context, string) ([]*store.LimitedKey, error)
}

// RunLimitedKeys creates, changes and uses a key with a spend limit.
func RunLimitedKeys(t *testing.T, s Limiting) {
	ctx := t.Context()
	customer, lease := NewCustomer(t, s, 1000), claim(t, s, "a")
	home, err := limits.ParseAddressList("203.0.113.0/24,2001:db8::/32")
	must(t, err)
	key := &store.LimitedKey{
		Key: auth.Key{
			ID: NewID(), AccountID: customer.AccountID, Name: "ci", Hash: newHash(), Models: []string{"gpt-5"},
			ExactCaps: true, CreatedAt: Moment.Add(time.Minute), ExpiresAt: Moment.Add(time.Hour),
			Rates: limits.Rates{RequestsPerMinute: 60, TokensPerMinute: 1_000_000, Concurrency: 4}, Addresses: home,
			Providers:    preferences.Providers{Only: []string{"a"}, DataPolicy: preferences.DataPolicyRetains},
			OnDisconnect: auth.OnDisconnectDrain,
		},
		Limit: &store.KeyLimit{Amount: 100, Period: ledger.PeriodMonth},
	}
	must(t, s.CreateLimitedKey(ctx, key))
	must(t, s.CreateLimitedKey(ctx, key)) // once more, as after a lost answer
	bad := *key
	bad.ID, bad.Hash, bad.Limit = NewID(), newHash(), &store.KeyLimit{Amount: 1, Period: "year"}
	if err := s.CreateLimitedKey(ctx, &bad); !errors.Is(err, store.ErrAmount) {
		t.Errorf("a limit per year: %v", err)
	}
	negative := *key
	negative.ID, negative.Hash, negative.Rates.Concurrency = NewID(), newHash(), limits.NoLimit
	if err := s.CreateLimitedKey(ctx, &negative); !errors.Is(err, store.ErrAmount) {
		t.Errorf("a negative limit: %v", err)
	}
	if got, _, err := s.FindKey(ctx, key.Hash); err != nil || !reflect.DeepEqual(got, &key.Key) {
		t.Errorf("FindKey = %+v, %v", got, err)
	}

	spend := func(amount int64) {
		t.Helper()
		drawn, err := s.Draw(ctx, lease, ledger.Draw{
			Number: amount, AccountID: customer.AccountID, KeyID: key.ID, Account: ledger.Wish{Most: 50}, Key: ledger.Wish{Most: 50},
		})
		must(t, err)
		record := customer.Record(20)
		record.KeyID = key.ID
		must(t, s.Settle(ctx, lease, []*ledger.Settlement{{Record: *record, Debit: 20, Limited: true, PeriodStart: drawn.Key.PeriodStart}}))
	}
	spend(1)
	start, err := s.LastChange(ctx)
	must(t, err)
	want := *key
	want.Spent = 20
	list, err := s.ListLimitedKeys(ctx, customer.AccountID)
	if err != nil || len(list) != 2 || list[0].ID != customer.KeyID || list[0].Limit != nil || !reflect.DeepEqual(list[1], &want) {
		t.Fatalf("ListLimitedKeys = %v, %v", list, err)
	}

	if got, account, err := s.LimitedKey(ctx, key.ID); err != nil || !reflect.DeepEqual(got, &want) || account.ID != customer.AccountID {
		t.Errorf("LimitedKey = %+v, %v", got, err)
	}
	if _, _, err := s.LimitedKey(ctx, NewID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}

	// Of what is not to be changed nothing changes.
	edited, err := s.EditKey(ctx, key.ID, func(k *store.LimitedKey) error {
		if !reflect.DeepEqual(k, &want) {
			t.Errorf("shown %+v, want %+v", *k, want)
		}
		k.Name, k.Models, k.ExpiresAt, k.ExactCaps = "nightly", nil, time.Time{}, false
		k.Rates, k.Addresses = limits.Rates{TokensPerMinute: 5}, limits.AddressList{}
		k.OnDisconnect = auth.OnDisconnectCancel
		k.Providers = preferences.Providers{Order: []string{"b"}, DataPolicy: preferences.DataPolicyZDR}
		k.AccountID, k.CreatedAt = "nobody", Moment // not for changing
		return nil
	})
	must(t, err)
	got, _, err := s.FindKey(ctx, key.Hash)
	must(t, err)
	if !reflect.DeepEqual(got, &auth.Key{ID: key.ID, AccountID: customer.AccountID, Name: "nightly", Hash: key.Hash, CreatedAt: key.CreatedAt,
		Rates: limits.Rates{TokensPerMinute: 5}, OnDisconnect: auth.OnDisconnectCancel, Providers: preferences.Providers{Order: []string{"b"}, DataPolicy: preferences.DataPolicyZDR}}) || edited.Name != "nightly" {
		t.Errorf("the key is %+v", *got)
	}
	changes, err := s.Changes(ctx, start)
	if err != nil || !reflect.DeepEqual(changes, []store.Change{{Sequence: start + 1, Kind: store.KindKey, ID: key.ID}}) {
		t.Errorf("changes %v, %v", changes, err)
	}

	edited, err = s.EditKey(ctx, key.ID, func(k *store.LimitedKey) error {
		k.Limit.Amount, k.Limit.Period = 70, ledger.PeriodTotal // in place
		return nil
	})
	if err != nil || *edited.Limit != (store.KeyLimit{Amount: 70, Period: ledger.PeriodTotal}) || edited.Spent != 0 {
		t.Errorf("another limit: %+v, %v", *edited, err)
	}
	if changes, err = s.Changes(ctx, start+1); err != nil || len(changes) != 3 {
		t.Errorf("a new limit is told as %v, %v", changes, err)
	}
	spend(2)
	if list, err = s.ListLimitedKeys(ctx, customer.AccountID); err != nil || list[1].Spent != 20 {
		t.Errorf("spent in all: %+v, %v", *list[1], err)
	}
	edited, err = s.EditKey(ctx, key.ID, func(k *store.LimitedKey) error { k.Limit = nil; return nil })
	if limit, limitErr := s.KeyLimit(ctx, key.ID); err != nil || edited.Limit != nil || edited.Spent != 0 || limit != nil || limitErr != nil {
		t.Errorf("without a limit: %+v, %v, %v, %v", *edited, err, limit, limitErr)
	}

	refusal := errors.New("no")
	for want, edit := range map[error]func(*store.LimitedKey) error{
		refusal:                   func(k *store.LimitedKey) error { k.Name = "changed"; return refusal },
		preferences.ErrUnreadable: func(k *store.LimitedKey) error { k.Providers.Only = []string{"A"}; return nil },
		auth.ErrModelPattern:      func(k *store.LimitedKey) error { k.Models = []string{"a,b"}; return nil },
		auth.ErrOnDisconnect:      func(k *store.LimitedKey) error { k.OnDisconnect = "linger"; return nil },
		store.ErrAmount: func(k *store.LimitedKey) error {
			k.Limit = &store.KeyLimit{Amount: -1, Period: ledger.PeriodDay}
			return nil
		},
	} {
		if _, err := s.EditKey(ctx, key.ID, edit); !errors.Is(err, want) {
			t.Errorf("%v, want %v", err, want)
		}
	}
	if _, err := s.EditKey(ctx, NewID(), func(*store.LimitedKey) error { return nil }); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("an unknown key: %v", err)
	}
	if got, _, err = s.FindKey(ctx, key.Hash); err != nil || got.Name != "nightly" {
		t.Errorf("after what failed: %+v, %v", got, err)
	}
	MustVerify(t, s)
}
