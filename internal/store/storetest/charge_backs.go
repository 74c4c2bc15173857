package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func chargeBacks(t *testing.T, s Store) {
	ctx := t.Context()
	customer, other := NewCustomer(t, s, 100), NewCustomer(t, s, 100)
	back := store.ChargeBack{AccountID: customer.AccountID, Amount: 30, Ref: "bank-1", Note: "stolen card", Actor: "op", At: Moment}
	charge := func(want store.ChargedBack) {
		t.Helper()
		if done, err := s.ChargeBack(ctx, back); err != nil || done != want {
			t.Errorf("charge-back of %d: %+v, %v; want %+v", int64(back.Amount), done, err, want)
		}
	}
	charge(store.ChargedBack{Made: true, Taken: 30})
	mustBalance(t, s, customer.AccountID, 70, 0)
	account, err := s.FindAccount(ctx, customer.AccountID)
	if err != nil || account.Status != auth.StatusSuspended || account.SuspendedReason != "charge-back bank-1" {
		t.Errorf("the account is %s for %q, %v", account.Status, account.SuspendedReason, err)
	}
	// Once more, after the operator has resumed the account: nothing changes.
	must(t, s.SetAccountStatus(ctx, customer.AccountID, auth.StatusActive, ""))
	charge(store.ChargedBack{Taken: 30})
	if account, err := s.FindAccount(ctx, customer.AccountID); err != nil || account.Status != auth.StatusActive {
		t.Errorf("a charge-back that was made before suspends again: %s, %v", account.Status, err)
	}
	for name, row := range map[string]struct {
		change func(*store.ChargeBack)
		want   error
	}{
		"another amount":    {func(b *store.ChargeBack) { b.Amount++ }, store.ErrReference},
		"another account":   {func(b *store.ChargeBack) { b.AccountID = other.AccountID }, store.ErrReference},
		"no reference":      {func(b *store.ChargeBack) { b.Ref = "" }, store.ErrReference},
		"unknown account":   {func(b *store.ChargeBack) { b.AccountID, b.Ref = NewID(), "new" }, store.ErrNotFound},
		"nothing":           {func(b *store.ChargeBack) { b.Amount, b.Ref = 0, "new" }, store.ErrAmount},
		"less than nothing": {func(b *store.ChargeBack) { b.Amount, b.Ref = -5, "new" }, store.ErrAmount},
		"more than at once": {func(b *store.ChargeBack) { b.Amount, b.Ref = store.MostAtOnce+1, "new" }, store.ErrAmount},
	} {
		changed := back
		row.change(&changed)
		if done, err := s.ChargeBack(ctx, changed); !errors.Is(err, row.want) || done != (store.ChargedBack{}) {
			t.Errorf("%s: %+v, %v; want %v", name, done, err, row.want)
		}
	}
	if account, err := s.FindAccount(ctx, other.AccountID); err != nil || account.Status != auth.StatusActive {
		t.Errorf("a failed charge-back suspends: %s, %v", account.Status, err)
	}

	// More than there is, some of it with a node: the account is suspended at once.
	lease := claim(t, s, "a")
	grant(t, s, lease, customer.AccountID, 50)
	back.Amount, back.Ref = 100, "bank-2"
	if done, err := s.ChargeBack(ctx, back); !errors.Is(err, store.ErrGranted) || done != (store.ChargedBack{}) {
		t.Errorf("charge-back of what a node has: %+v, %v", done, err)
	}
	if account, err := s.FindAccount(ctx, customer.AccountID); err != nil || account.Status != auth.StatusSuspended {
		t.Errorf("the account is %s, %v, while its credit is recalled", account.Status, err)
	}
	mustBalance(t, s, customer.AccountID, 70, 50)
	back.Final = true
	charge(store.ChargedBack{Made: true, Taken: 20, Owed: 80})
	charge(store.ChargedBack{Taken: 20, Owed: 80})
	balance, err := s.Balance(ctx, customer.AccountID)
	if want := (store.Balance{Balance: 50, Granted: 50, Owed: 80}); err != nil || balance != want {
		t.Errorf("balance %+v, %v; want %+v", balance, err, want)
	}
	// Of an account that has nothing all is owed.
	back = store.ChargeBack{AccountID: NewCustomer(t, s, 0).AccountID, Amount: 9, Ref: "bank-3", At: Moment}
	charge(store.ChargedBack{Made: true, Owed: 9})
	charge(store.ChargedBack{Owed: 9})
}

func owed(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 10)
	_, err := s.ChargeBack(ctx, store.ChargeBack{AccountID: customer.AccountID, Amount: 50, Ref: "bank-1", At: Moment})
	must(t, err)
	deposit := func(ref string, amount metering.Nanos, owed bool) (bool, error) {
		return s.Deposit(ctx, store.Deposit{AccountID: customer.AccountID, Amount: amount, Ref: ref, Owed: owed, At: Moment})
	}
	for i, row := range []struct {
		ref    string
		amount metering.Nanos
		owed   bool
		added  bool
		want   error
		after  store.Balance
	}{
		{"a", 7, false, true, nil, store.Balance{Balance: 7, Owed: 40}}, // what is owed is not paid by itself
		{"b", 15, true, true, nil, store.Balance{Balance: 7, Owed: 25}},
		{"b", 15, true, false, nil, store.Balance{Balance: 7, Owed: 25}},
		{"b", 15, false, false, store.ErrReference, store.Balance{Balance: 7, Owed: 25}},
		{"a", 7, true, false, store.ErrReference, store.Balance{Balance: 7, Owed: 25}},
		{"c", 26, true, false, store.ErrAmount, store.Balance{Balance: 7, Owed: 25}},
		{"c", 25, true, true, nil, store.Balance{Balance: 7}},
		{"d", 1, true, false, store.ErrAmount, store.Balance{Balance: 7}},
	} {
		if added, err := deposit(row.ref, row.amount, row.owed); added != row.added || !errors.Is(err, row.want) {
			t.Errorf("%d: added is %v, %v; want %v, %v", i, added, err, row.added, row.want)
		}
		if balance, err := s.Balance(ctx, customer.AccountID); err != nil || balance != row.after {
			t.Errorf("%d: balance %+v, %v; want %+v", i, balance, err, row.after)
		}
	}
}

func transfersOf(t testing.TB, s Store, filter store.TransferFilter) []store.Transfer {
	t.Helper()
	var list []store.Transfer
	for transfer, err := range s.Transfers(t.Context(), filter) {
		must(t, err)
		list = append(list, *transfer)
	}
	return list
}

func transfersByFilter(t *testing.T, s Store) {
	ctx := t.Context()
	customer, other := NewCustomer(t, s, 0), NewCustomer(t, s, 0)
	id, later := customer.AccountID, Moment.Add(time.Hour)
	_, err := s.Deposit(ctx, store.Deposit{AccountID: id, Amount: 100, Ref: "p", Note: "bank", Actor: "ada", At: Moment})
	must(t, err)
	_, err = s.Adjust(ctx, store.Adjustment{AccountID: id, Amount: -20, Ref: "p", Note: "twice", Actor: "bob", At: later})
	must(t, err)
	_, err = s.Adjust(ctx, store.Adjustment{AccountID: other.AccountID, Amount: 3, Ref: "q", Promotion: true, At: later})
	must(t, err)
	_, err = s.ChargeBack(ctx, store.ChargeBack{AccountID: id, Amount: 90, Ref: "b", At: later.Add(time.Second)})
	must(t, err)
	lease, record := claim(t, s, "a"), other.Record(0)
	must(t, s.Settle(ctx, lease, []*ledger.Settlement{{Record: *record, OperatorCost: 4}}))
	first := store.Transfer{Kind: "deposit", Ref: "p", Debit: "house:cash", Credit: id, Amount: 100, Actor: "ada", Note: "bank", At: Moment}
	cost := store.Transfer{Kind: "operator_cost", Ref: record.ID, Debit: "house:cash", Credit: "house:provider_cost", Amount: 4, At: Moment}
	second := store.Transfer{Kind: "adjustment", Ref: "p", Debit: id, Credit: "house:revenue", Amount: 20, Actor: "bob", Note: "twice", At: later}
	third := store.Transfer{Kind: "adjustment", Ref: "q", Debit: "house:promotion", Credit: other.AccountID, Amount: 3, At: later}
	fourth := store.Transfer{Kind: "charge_back", Ref: "b", Debit: id, Credit: "house:cash", Amount: 80, At: later.Add(time.Second)}
	fifth := store.Transfer{Kind: "receivable", Ref: "b", Debit: "house:receivable:" + id, Credit: "house:cash", Amount: 10, At: later.Add(time.Second)}
	for name, row := range map[string]struct {
		filter store.TransferFilter
		want   []store.Transfer
	}{
		"all":                     {store.TransferFilter{}, []store.Transfer{first, cost, second, third, fourth, fifth}},
		"of an account":           {store.TransferFilter{AccountID: id}, []store.Transfer{first, second, fourth, fifth}},
		"of a kind":               {store.TransferFilter{Kind: "adjustment"}, []store.Transfer{second, third}},
		"of an account by kind":   {store.TransferFilter{AccountID: id, Kind: "adjustment"}, []store.Transfer{second}},
		"since":                   {store.TransferFilter{Since: later}, []store.Transfer{second, third, fourth, fifth}},
		"until":                   {store.TransferFilter{Until: later}, []store.Transfer{first, cost}},
		"of an account in a time": {store.TransferFilter{AccountID: id, Since: later, Until: later.Add(time.Second)}, []store.Transfer{second}},
		"of nobody":               {store.TransferFilter{AccountID: NewID()}, nil},
	} {
		if got := transfersOf(t, s, row.filter); !reflect.DeepEqual(got, row.want) {
			t.Errorf("%s: %+v, want %+v", name, got, row.want)
		}
	}
	// More than a store reads at a time, of one moment.
	for i := range 1100 {
		_, err := s.Deposit(ctx, store.Deposit{AccountID: other.AccountID, Amount: 1, Ref: fmt.Sprintf("many-%04d", i), At: later})
		must(t, err)
	}
	many := transfersOf(t, s, store.TransferFilter{AccountID: other.AccountID, Kind: "deposit"})
	for i, transfer := range many {
		if want := fmt.Sprintf("many-%04d", i); transfer.Ref != want {
			t.Fatalf("transfer %d is %s, want %s", i, transfer.Ref, want)
		}
	}
	if len(many) != 1100 {
		t.Errorf("%d transfers, want 1100", len(many))
	}
}
