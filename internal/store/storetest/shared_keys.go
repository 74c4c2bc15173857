package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func keyLimits(t *testing.T, b Bench) {
	ctx := t.Context()
	customer, other, lease := b.NewCustomer(100), b.NewCustomer(100), join(t, b, "a")
	number := int64(0)
	draw := func(keyID string, account, key ledger.Wish) (ledger.Drawn, error) {
		number++
		return b.Store.Draw(ctx, lease, ledger.Draw{Number: number, AccountID: customer.AccountID, KeyID: keyID, Account: account, Key: key})
	}
	if drawn, err := draw(customer.KeyID, ledger.Wish{Most: 10}, ledger.Wish{Most: 10}); err != nil || drawn.Key != nil || drawn.Account.Issued != 10 {
		t.Errorf("a key without a limit: %+v, %v", drawn, err)
	}
	for _, keyID := range []string{NewID(), other.KeyID} {
		if _, err := draw(keyID, ledger.Wish{Most: 10}, ledger.Wish{}); !errors.Is(err, ledger.ErrNoAccount) {
			t.Errorf("a key of nobody, or of another: %v", err)
		}
	}
	b.mustBalance(t, customer.AccountID, 100, 10)
	b.Limit(customer.KeyID, 50, ledger.PeriodTotal)
	drawn, err := draw(customer.KeyID, ledger.Wish{Most: 30}, ledger.Wish{Most: 40})
	must(t, err)
	if want := (ledger.KeyStanding{Standing: ledger.Standing{Position: issued(40), Left: 10}}); drawn.Key == nil || *drawn.Key != want || drawn.Account.Issued != 40 {
		t.Fatalf("a key with a limit: %+v, %+v; want %+v", drawn.Account, drawn.Key, want)
	}
	spend := func(amount metering.Nanos, limited bool) error {
		return b.Store.Settle(ctx, lease, []*ledger.Settlement{{Record: *customer.Record(amount), Debit: amount, Limited: limited}})
	}
	must(t, spend(25, true))
	must(t, spend(5, false))
	b.mustBalance(t, customer.AccountID, 70, 10)
	// The account's grant has 10 left, the key's 15: neither is overdrawn.
	for amount, limited := range map[metering.Nanos]bool{11: false, 12: true} {
		if err := spend(amount, limited); !errors.Is(err, ledger.ErrRejected) {
			t.Errorf("%d of what has 10: %v, want ErrRejected", int64(amount), err)
		}
	}
	drawn, err = draw(customer.KeyID, ledger.Wish{Most: 60}, ledger.Wish{})
	must(t, err)
	if err := spend(16, true); !errors.Is(err, ledger.ErrRejected) {
		t.Errorf("16 of a limit that has 15: %v, want ErrRejected", err)
	}
	// A lower limit takes effect at once: 25 spent and 15 granted of 30.
	b.Limit(customer.KeyID, 30, ledger.PeriodTotal)
	drawn, err = draw(customer.KeyID, ledger.Wish{}, ledger.Wish{Most: 1})
	must(t, err)
	if want := (ledger.Standing{Position: ledger.Position{Issued: 40, Debited: 25}, Left: -10}); drawn.Key.Standing != want {
		t.Errorf("after the limit was lowered: %+v, want %+v", drawn.Key.Standing, want)
	}
	number++
	standing, err := b.Store.PutBack(ctx, lease, number, ledger.Wallet{AccountID: customer.AccountID, KeyID: customer.KeyID}, 12)
	if err != nil || standing.Left != 2 || standing.Returned != 12 {
		t.Errorf("put back what is too much: %+v, %v", standing, err)
	}
	must(t, spend(3, true)) // what is granted may still be spent
	must(t, b.Store.End(ctx, lease))
	b.mustBalance(t, customer.AccountID, 67, 0)
	if drawn, err := b.Store.Draw(ctx, join(t, b, "b"), ledger.Draw{Number: 1, AccountID: customer.AccountID, KeyID: customer.KeyID}); err != nil || drawn.Key.Left != 2 {
		t.Errorf("after the end of the lease: %+v, %v; want 2 left of the key's 30", drawn.Key, err)
	}
}

func keyPeriods(t *testing.T, b Bench) {
	ctx := t.Context()
	customer, lease := b.NewCustomer(100), join(t, b, "a")
	b.Limit(customer.KeyID, 10, ledger.PeriodDay)
	draw := ledger.Draw{Number: 1, AccountID: customer.AccountID, KeyID: customer.KeyID, Account: ledger.Wish{Most: 20}, Key: ledger.Wish{Most: 10}}
	today, err := b.Store.Draw(ctx, lease, draw)
	must(t, err)
	if today.Key == nil || today.Key.Issued != 10 || today.Key.Remaining <= 0 || today.Key.Remaining > 24*time.Hour {
		t.Fatalf("today: %+v", today.Key)
	}
	b.Advance(today.Key.Remaining)
	_, err = b.Store.Heartbeat(ctx, lease, term)
	must(t, err)
	draw.Number, draw.Account = 2, ledger.Wish{}
	tomorrow, err := b.Store.Draw(ctx, lease, draw)
	must(t, err)
	if tomorrow.Key.PeriodStart != today.Key.PeriodStart+24*time.Hour.Microseconds() || tomorrow.Key.Standing != (ledger.Standing{Position: issued(10)}) {
		t.Errorf("the next day: %+v, after %+v", tomorrow.Key, today.Key)
	}
	// Requests of yesterday settle in yesterday's limit, and what they leave goes back there.
	record := customer.Record(4)
	must(t, b.Store.Settle(ctx, lease, []*ledger.Settlement{
		{Record: *record, Debit: 4, Limited: true, PeriodStart: today.Key.PeriodStart},
		{Record: *customer.Record(7), Debit: 7, Limited: true, PeriodStart: tomorrow.Key.PeriodStart},
	}))
	wallet := ledger.Wallet{AccountID: customer.AccountID, KeyID: customer.KeyID, PeriodStart: today.Key.PeriodStart}
	standing, err := b.Store.PutBack(ctx, lease, 3, wallet, 6)
	if want := (ledger.Position{Issued: 10, Returned: 6, Debited: 4}); err != nil || standing.Position != want {
		t.Errorf("put back into yesterday's: %+v, %v; want %+v", standing, err, want)
	}
	wallet.PeriodStart += 5
	if standing, err := b.Store.PutBack(ctx, lease, 4, wallet, 0); err != nil || standing != (ledger.Standing{}) {
		t.Errorf("put back into what never was: %+v, %v", standing, err)
	}
	b.mustBalance(t, customer.AccountID, 89, 9)
}
