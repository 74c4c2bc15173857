package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering/ledger"
)

func edits(t *testing.T, s Store) {
	ctx := t.Context()
	id, other := NewCustomer(t, s, 0).AccountID, NewCustomer(t, s, 0).AccountID
	start, err := s.LastChange(ctx)
	must(t, err)
	text := func(text string) *string { return &text }
	must(t, s.EditAccount(ctx, id, store.AccountEdit{Email: text("ada@example.com"), Username: text("ada")}))
	zdr := preferences.DataPolicyZDR
	must(t, s.EditAccount(ctx, id, store.AccountEdit{Group: text("partners"), DataPolicy: &zdr}))
	must(t, s.EditAccount(ctx, id, store.AccountEdit{Email: text("ada@example.com"), Username: text("countess")}))
	got, err := s.FindAccount(ctx, "countess")
	if err != nil || got.ID != id || got.Email != "ada@example.com" || got.Group != "partners" || got.DataPolicy != zdr {
		t.Errorf("after the edits: %s %s %s, %v", got.Email, got.Username, got.Group, err)
	}
	if _, err := s.FindAccount(ctx, "ada"); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("the old username: %v", err)
	}
	for name, row := range map[string]struct {
		id   string
		edit store.AccountEdit
		want error
	}{
		"e-mail of another":   {other, store.AccountEdit{Email: text("ada@example.com"), Group: text("x")}, store.ErrTaken},
		"username of another": {other, store.AccountEdit{Username: text("countess"), Group: text("x")}, store.ErrTaken},
		"unknown account":     {NewID(), store.AccountEdit{Group: text("x")}, store.ErrNotFound},
	} {
		if err := s.EditAccount(ctx, row.id, row.edit); !errors.Is(err, row.want) {
			t.Errorf("%s: %v, want %v", name, err, row.want)
		}
	}
	if got, err := s.FindAccount(ctx, other); err != nil || got.Group != "" {
		t.Errorf("a failed edit changed the group to %q, %v", got.Group, err)
	}
	if changes, err := s.Changes(ctx, start); err != nil || len(changes) != 1 || changes[0].Kind != store.KindAccount || changes[0].ID != id {
		t.Errorf("changes are %+v, %v", changes, err)
	}
}

func erasures(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 30)
	id := customer.AccountID
	home, err := limits.ParseAddressList("203.0.113.7")
	must(t, err)
	key := &auth.Key{ID: NewID(), AccountID: id, Name: "Ada's laptop", Hash: newHash(), CreatedAt: Moment, Addresses: home}
	must(t, s.CreateKey(ctx, key))
	must(t, s.RevokeKey(ctx, customer.KeyID, Moment))
	must(t, s.SetAccountStatus(ctx, id, auth.StatusSuspended, "Ada asked"))
	before, err := s.FindAccount(ctx, id)
	must(t, err)
	erasure := store.Erasure{AccountID: id, Actor: "op", Note: "asked", At: Moment.Add(time.Hour)}
	if _, err := s.EraseAccount(ctx, erasure); !errors.Is(err, store.ErrUnspent) {
		t.Errorf("erasing an account with credit: %v", err)
	}
	if got, err := s.FindAccount(ctx, before.Email); err != nil || got.Status != auth.StatusSuspended {
		t.Errorf("a refused erasure changed the account: %v", err)
	}
	erasure.Forfeit = true
	for _, want := range []int64{30, 0} {
		if forfeited, err := s.EraseAccount(ctx, erasure); err != nil || int64(forfeited) != want {
			t.Errorf("erased, forfeiting %d, %v; want %d", int64(forfeited), err, want)
		}
	}
	erasure.Forfeit = false
	if forfeited, err := s.EraseAccount(ctx, erasure); err != nil || forfeited != 0 {
		t.Errorf("erasing an empty account again: %d, %v", int64(forfeited), err)
	}
	mustBalance(t, s, id, 0, 0)
	got, err := s.FindAccount(ctx, id)
	must(t, err)
	if want := (auth.Account{ID: id, Group: before.Group, Status: auth.StatusErased, CreatedAt: before.CreatedAt}); *got != want {
		t.Errorf("what is left is %#v", *got)
	}
	for _, name := range []string{before.Email, before.Username} {
		if _, err := s.FindAccount(ctx, name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("the old name: %v", err)
		}
	}
	keys, err := s.ListKeys(ctx, id)
	must(t, err)
	for _, key := range keys {
		if key.Name != "" || !key.Addresses.Everywhere() || !key.Revoked() || key.ID == customer.KeyID && !key.RevokedAt.Equal(Moment) {
			t.Errorf("a key is named %q, for the addresses %q, revoked at %v", key.Name, key.Addresses, key.RevokedAt)
		}
	}
	// The names are free again, and the account stays as it is.
	must(t, s.CreateAccount(ctx, &auth.Account{ID: NewID(), Email: before.Email, Username: before.Username, Status: auth.StatusActive, CreatedAt: Moment}))
	name := "ada2"
	_, deposit := s.Deposit(ctx, store.Deposit{AccountID: id, Amount: 1, Ref: "late", At: Moment})
	_, adjust := s.Adjust(ctx, store.Adjustment{AccountID: id, Amount: 1, Ref: "late", At: Moment})
	_, _, redeem := s.RedeemVoucher(ctx, store.Redemption{AccountID: id, Hash: NewVoucher(t, s, 1).Hash, At: Moment})
	for call, err := range map[string]error{
		"deposit": deposit, "adjustment": adjust, "voucher": redeem,
		"resume": s.SetAccountStatus(ctx, id, auth.StatusActive, ""),
		"edit":   s.EditAccount(ctx, id, store.AccountEdit{Username: &name}),
		"key":    s.CreateKey(ctx, &auth.Key{ID: NewID(), AccountID: id, Name: "new", Hash: newHash(), CreatedAt: Moment}),
	} {
		if !errors.Is(err, store.ErrErased) {
			t.Errorf("%s of an erased account: %v, want ErrErased", call, err)
		}
	}
	if _, err := s.EraseAccount(ctx, store.Erasure{AccountID: NewID(), At: Moment}); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("erasing an unknown account: %v", err)
	}
	// A bank may still take money back; the account stays erased.
	done, err := s.ChargeBack(ctx, store.ChargeBack{AccountID: id, Amount: 30, Ref: "bank-1", At: Moment})
	if want := (store.ChargedBack{Made: true, Owed: 30}); err != nil || done != want {
		t.Errorf("charge-back: %+v, %v; want %+v", done, err, want)
	}
	if got, err := s.FindAccount(ctx, id); err != nil || got.Status != auth.StatusErased || got.SuspendedReason != "" {
		t.Errorf("after a charge-back: %s, %v", got.Status, err)
	}
}

// erasuresRecall: the identity does not wait for credit that is held.
func erasuresRecall(t *testing.T, s Store) {
	ctx := t.Context()
	customer, lease := NewCustomer(t, s, 100), claim(t, s, "a")
	grant(t, s, lease, customer.AccountID, 90)
	erasure := store.Erasure{AccountID: customer.AccountID, Forfeit: true, At: Moment}
	for range 2 {
		if _, err := s.EraseAccount(ctx, erasure); !errors.Is(err, store.ErrGranted) {
			t.Fatalf("erasure while credit is held: %v", err)
		}
	}
	if got, err := s.FindAccount(ctx, customer.AccountID); err != nil || got.Status != auth.StatusErased || got.Email != "" {
		t.Errorf("the identity waits: %v", err)
	}
	must(t, s.Settle(ctx, lease, []*ledger.Settlement{{Record: *customer.Record(20), Debit: 20}}))
	_, err := s.PutBack(ctx, lease, 2, ledger.Wallet{AccountID: customer.AccountID}, 70)
	must(t, err)
	if forfeited, err := s.EraseAccount(ctx, erasure); err != nil || forfeited != 80 {
		t.Errorf("forfeited %d, %v; want 80", int64(forfeited), err)
	}
	mustBalance(t, s, customer.AccountID, 0, 0)
}
