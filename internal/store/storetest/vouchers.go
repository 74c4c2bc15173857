package storetest

import (
	"errors"
	"reflect"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// NewVoucher makes a voucher of this amount that does not expire.
func NewVoucher(t testing.TB, s Store, amount metering.Nanos) *store.Voucher {
	t.Helper()
	v := &store.Voucher{ID: NewID(), Hash: newHash(), Amount: amount, Actor: "op", Note: "fair", CreatedAt: Moment}
	must(t, s.CreateVouchers(t.Context(), []*store.Voucher{v}))
	return v
}

func vouchers(t *testing.T, s Store) {
	ctx := t.Context()
	ada, bob := NewCustomer(t, s, 0).AccountID, NewCustomer(t, s, 0).AccountID
	now := Moment.Add(time.Hour)
	var made []*store.Voucher
	for i := range 4 {
		made = append(made, &store.Voucher{
			ID: NewID(), Hash: newHash(), Amount: 5, Actor: "op", Note: "fair", CreatedAt: Moment, ExpiresAt: now.Add(time.Duration(i) * time.Second),
		})
	}
	expired, good, revoked, last := made[0], made[1], made[2], made[3]
	last.ExpiresAt = time.Time{}
	must(t, s.CreateVouchers(ctx, made))
	must(t, s.CreateVouchers(ctx, made)) // once more, as after a lost answer
	twin := *good
	twin.ID = NewID()
	if err := s.CreateVouchers(ctx, []*store.Voucher{{ID: NewID(), Hash: newHash(), Amount: 1, CreatedAt: Moment}, &twin}); !errors.Is(err, store.ErrTaken) {
		t.Errorf("the same hash: %v", err)
	}
	for _, amount := range []metering.Nanos{0, store.MostAtOnce + 1} {
		if err := s.CreateVouchers(ctx, []*store.Voucher{{ID: NewID(), Hash: newHash(), Amount: amount, CreatedAt: Moment}}); !errors.Is(err, store.ErrAmount) {
			t.Errorf("a voucher of %s: %v", amount, err)
		}
	}
	if list, err := s.ListVouchers(ctx); err != nil || !reflect.DeepEqual(list, made) {
		t.Errorf("vouchers are %+v, %v; want %+v", list, err, made)
	}
	for range 2 {
		must(t, s.RevokeVoucher(ctx, revoked.ID, now))
	}
	redeem := func(v *store.Voucher, accountID string, added bool, want error) {
		t.Helper()
		got, was, err := s.RedeemVoucher(ctx, store.Redemption{AccountID: accountID, Hash: v.Hash, Actor: "op", At: now})
		if was != added || !errors.Is(err, want) || err == nil && (got.ID != v.ID || got.RedeemedBy != accountID || !got.RedeemedAt.Equal(now)) {
			t.Errorf("redeemed %+v, added is %v, %v; want %v, %v", got, was, err, added, want)
		}
	}
	redeem(expired, ada, false, store.ErrVoucherExpired)
	redeem(revoked, ada, false, store.ErrVoucherRevoked)
	redeem(&store.Voucher{Hash: newHash()}, ada, false, store.ErrUnknownVoucher)
	redeem(good, NewID(), false, store.ErrNotFound)
	mustBalance(t, s, ada, 0, 0)
	redeem(good, ada, true, nil)
	redeem(good, ada, false, nil)
	redeem(good, bob, false, store.ErrVoucherUsed)
	mustBalance(t, s, ada, 5, 0)
	mustBalance(t, s, bob, 0, 0)
	if err := s.RevokeVoucher(ctx, good.ID, now); !errors.Is(err, store.ErrVoucherUsed) {
		t.Errorf("revoking a redeemed voucher: %v", err)
	}
	if err := s.RevokeVoucher(ctx, NewID(), now); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking an unknown voucher: %v", err)
	}
	want := []store.Transfer{{Kind: "voucher", Ref: good.ID, Debit: store.HousePromotion, Credit: ada, Amount: 5, Actor: "op", Note: "fair", At: now}}
	if got := transfersOf(t, s, store.TransferFilter{}); !reflect.DeepEqual(got, want) {
		t.Errorf("transfers are %+v, want %+v", got, want)
	}
}

func concurrentRedemptions(t *testing.T, s Store) { Redeem(t, s) }

// Redeem lets many accounts redeem the same few vouchers at once, by all the stores
// given, each another way to the same database: each voucher is added once.
func Redeem(t *testing.T, stores ...Store) {
	const accounts, tries = 8, 4
	s := stores[0]
	var made []*store.Voucher
	for range 3 {
		made = append(made, NewVoucher(t, s, 7))
	}
	var customers []string
	for range accounts {
		customers = append(customers, NewCustomer(t, s, 0).AccountID)
	}
	var group sync.WaitGroup
	var added, used atomic.Int64
	for _, v := range made {
		for i := range accounts * tries {
			group.Go(func() {
				_, was, err := stores[i%len(stores)].RedeemVoucher(t.Context(), store.Redemption{AccountID: customers[i%accounts], Hash: v.Hash, At: Moment})
				switch {
				case errors.Is(err, store.ErrVoucherUsed):
					used.Add(1)
				case err != nil:
					t.Errorf("redeem: %v", err)
				case was:
					added.Add(1)
				}
			})
		}
	}
	group.Wait()
	if want := int64(len(made)); added.Load() != want || used.Load() != want*(accounts-1)*tries {
		t.Errorf("%d were added and %d used before, want %d and %d", added.Load(), used.Load(), want, want*(accounts-1)*tries)
	}
	if report := MustVerify(t, s); report.Balance != 21 {
		t.Errorf("the accounts have %d, want 7 for each of three vouchers", int64(report.Balance))
	}
}
