package storetest

import (
	"errors"
	"reflect"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/store"
)

func accounts(t *testing.T, s Store) {
	ctx := t.Context()
	ada := &auth.Account{
		ID: NewID(), Email: "ada@example.com", Username: "ada", Group: "partners", Status: auth.StatusActive,
		PasswordHash: "$argon2id$test", DataPolicy: preferences.DataPolicyNoTraining, CreatedAt: Moment,
	}
	bob := &auth.Account{ID: NewID(), Email: "bob@example.com", Username: "bob", Status: auth.StatusActive, CreatedAt: Moment.Add(time.Second)}
	must(t, s.CreateAccount(ctx, ada))
	must(t, s.CreateAccount(ctx, bob))
	for _, name := range []string{ada.ID, "ada@example.com", "ADA@example.com ", "ada"} {
		got, err := s.FindAccount(ctx, name)
		if err != nil || !reflect.DeepEqual(got, ada) {
			t.Errorf("FindAccount(%q) = %+v, %v; want %+v", name, got, err, ada)
		}
	}
	must(t, s.CreateAccount(ctx, ada)) // once more, as after a lost answer
	for _, name := range []string{"", "eve", "%", "ada\x00", "\xff", "ada@example.co", "x' OR '1'='1"} {
		if _, err := s.FindAccount(ctx, name); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("FindAccount(%q): %v, want ErrNotFound", name, err)
		}
	}
	all, err := s.ListAccounts(ctx)
	if err != nil || len(all) != 2 || !reflect.DeepEqual(all[0], ada) || !reflect.DeepEqual(all[1], bob) {
		t.Errorf("ListAccounts = %+v, %v", all, err)
	}
	mustBalance(t, s, ada.ID, 0, 0)

	must(t, s.SetAccountStatus(ctx, ada.ID, auth.StatusSuspended, "charge-back"))
	got, err := s.FindAccount(ctx, "ada")
	if err != nil || got.Status != auth.StatusSuspended || got.SuspendedReason != "charge-back" {
		t.Errorf("after suspending: %+v, %v", got, err)
	}
	must(t, s.SetAccountStatus(ctx, ada.ID, auth.StatusActive, "ignored"))
	if got, err := s.FindAccount(ctx, "ada"); err != nil || got.Status != auth.StatusActive || got.SuspendedReason != "" {
		t.Errorf("after resuming: %+v, %v", got, err)
	}
	if err := s.SetAccountStatus(ctx, NewID(), auth.StatusSuspended, ""); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("suspending an unknown account: %v", err)
	}
	if _, err := s.Balance(ctx, NewID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("balance of an unknown account: %v", err)
	}
}

func takenNames(t *testing.T, s Store) {
	ctx := t.Context()
	first := auth.Account{ID: NewID(), Email: "ada@example.com", Username: "ada", Status: auth.StatusActive, CreatedAt: Moment}
	must(t, s.CreateAccount(ctx, &first))
	for name, change := range map[string]func(*auth.Account){
		"e-mail address": func(a *auth.Account) { a.ID, a.Username = NewID(), "other" },
		"username":       func(a *auth.Account) { a.ID, a.Email = NewID(), "other@example.com" },
		"id":             func(a *auth.Account) { a.Username, a.Email = "other", "other@example.com" },
	} {
		second := first
		change(&second)
		if err := s.CreateAccount(ctx, &second); !errors.Is(err, store.ErrTaken) {
			t.Errorf("same %s: %v, want ErrTaken", name, err)
		}
	}
	if all, err := s.ListAccounts(ctx); err != nil || len(all) != 1 {
		t.Errorf("%d accounts, %v; want the first alone", len(all), err)
	}
}

func keys(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 0)
	key := &auth.Key{
		ID: NewID(), AccountID: customer.AccountID, Name: "ci, nightly", Hash: newHash(),
		Models: []string{"gpt-5", "claude-*"}, CreatedAt: Moment, ExpiresAt: Moment.Add(time.Hour),
		Providers: preferences.Providers{Order: []string{"b", "a"}, Ignore: []string{"c"}, DataPolicy: preferences.DataPolicyZDR},
	}
	must(t, s.CreateKey(ctx, key))
	must(t, s.CreateKey(ctx, key)) // once more, as after a lost answer
	got, account, err := s.FindKey(ctx, key.Hash)
	if err != nil || !reflect.DeepEqual(got, key) || account.ID != customer.AccountID {
		t.Fatalf("FindKey = %+v, %+v, %v; want %+v", got, account, err, key)
	}
	if _, _, err := s.FindKey(ctx, newHash()); !errors.Is(err, auth.ErrUnknownKey) {
		t.Errorf("unknown hash: %v", err)
	}
	again := *key
	again.ID = NewID()
	if err := s.CreateKey(ctx, &again); !errors.Is(err, store.ErrTaken) {
		t.Errorf("same hash: %v", err)
	}
	again.AccountID, again.Hash = NewID(), newHash()
	if err := s.CreateKey(ctx, &again); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown account: %v", err)
	}
	again.AccountID, again.Models = customer.AccountID, []string{"a,b"}
	if err := s.CreateKey(ctx, &again); !errors.Is(err, auth.ErrModelPattern) {
		t.Errorf("pattern with a comma: %v", err)
	}
	for _, bad := range []preferences.Providers{{Order: []string{"a|b"}}, {Only: []string{"a, data_policy=zdr"}}, {Ignore: []string{"a", "a"}}} {
		again.Models, again.Providers = nil, bad
		if err := s.CreateKey(ctx, &again); !errors.Is(err, preferences.ErrUnreadable) {
			t.Errorf("preferences %+v: %v", bad, err)
		}
	}

	must(t, s.RevokeKey(ctx, key.ID, Moment.Add(time.Minute)))
	must(t, s.RevokeKey(ctx, key.ID, Moment.Add(time.Hour)))
	if got, _, err := s.FindKey(ctx, key.Hash); err != nil || !got.RevokedAt.Equal(Moment.Add(time.Minute)) {
		t.Errorf("after revoking twice: %+v, %v; want the first time", got, err)
	}
	if err := s.RevokeKey(ctx, NewID(), Moment); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("revoking an unknown key: %v", err)
	}
	list, err := s.ListKeys(ctx, customer.AccountID)
	if err != nil || len(list) != 2 || list[0].ID != customer.KeyID || list[1].ID != key.ID {
		t.Errorf("ListKeys = %+v, %v", list, err)
	}
}

func changes(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 0)
	start, err := s.LastChange(ctx)
	must(t, err)
	if none, err := s.Changes(ctx, start); err != nil || len(none) != 0 {
		t.Fatalf("changes after the last: %v, %v", none, err)
	}
	must(t, s.SetAccountStatus(ctx, customer.AccountID, auth.StatusSuspended, ""))
	MustDeposit(t, s, customer.AccountID, 5)
	must(t, s.RevokeKey(ctx, customer.KeyID, Moment))
	must(t, s.SetAccountStatus(ctx, customer.AccountID, auth.StatusActive, ""))
	got, err := s.Changes(ctx, start)
	must(t, err)
	want := []store.Change{
		{Sequence: start + 2, Kind: store.KindWallet, ID: customer.AccountID},
		{Sequence: start + 3, Kind: store.KindKey, ID: customer.KeyID},
		{Sequence: start + 4, Kind: store.KindAccount, ID: customer.AccountID},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("changes are %+v, want %+v", got, want)
	}
	if err := s.RevokeKey(ctx, NewID(), Moment); err == nil {
		t.Error("revoked an unknown key")
	}
	if last, err := s.LastChange(ctx); err != nil || last != start+4 {
		t.Errorf("last change is %d, %v, want %d: what failed is no change", last, err, start+4)
	}
}
