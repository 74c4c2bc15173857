package storetest

import (
	"errors"
	"fmt"
	"math"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func deposits(t *testing.T, s Store) {
	ctx := t.Context()
	customer, other := NewCustomer(t, s, 0), NewCustomer(t, s, 0)
	deposit := store.Deposit{AccountID: customer.AccountID, Amount: 5 * metering.Dollar, Ref: "invoice-17", Note: "thanks", Actor: "op", At: Moment}
	for i, want := range []bool{true, false, false} {
		if added, err := s.Deposit(ctx, deposit); err != nil || added != want {
			t.Errorf("deposit %d: added is %v, %v", i, added, err)
		}
	}
	mustBalance(t, s, customer.AccountID, 5*metering.Dollar, 0)
	for name, row := range map[string]struct {
		change func(*store.Deposit)
		want   error
	}{
		"another amount":       {func(d *store.Deposit) { d.Amount++ }, store.ErrReference},
		"another account":      {func(d *store.Deposit) { d.AccountID = other.AccountID }, store.ErrReference},
		"no reference":         {func(d *store.Deposit) { d.Ref = "" }, store.ErrReference},
		"unknown account":      {func(d *store.Deposit) { d.AccountID, d.Ref = NewID(), "new" }, store.ErrNotFound},
		"a house account":      {func(d *store.Deposit) { d.AccountID, d.Ref = store.HouseRevenue, "new" }, store.ErrNotFound},
		"nothing":              {func(d *store.Deposit) { d.Amount, d.Ref = 0, "new" }, store.ErrAmount},
		"less than nothing":    {func(d *store.Deposit) { d.Amount, d.Ref = -1, "new" }, store.ErrAmount},
		"more than can be had": {func(d *store.Deposit) { d.Amount, d.Ref = math.MaxInt64, "new" }, store.ErrAmount},
		"more than at once":    {func(d *store.Deposit) { d.Amount, d.Ref = store.MostAtOnce+1, "new" }, store.ErrAmount},
	} {
		changed := deposit
		row.change(&changed)
		if added, err := s.Deposit(ctx, changed); !errors.Is(err, row.want) || added {
			t.Errorf("%s: added is %v, %v; want %v", name, added, err, row.want)
		}
	}
	mustBalance(t, s, customer.AccountID, 5*metering.Dollar, 0)
	mustBalance(t, s, other.AccountID, 0, 0)
}

func concurrentDeposits(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 0)
	var group sync.WaitGroup
	for i := range 20 {
		group.Go(func() {
			// Each of five payments is reported four times.
			deposit := store.Deposit{AccountID: customer.AccountID, Amount: 7, Ref: fmt.Sprint("payment-", i%5), At: Moment}
			if _, err := s.Deposit(t.Context(), deposit); err != nil {
				t.Errorf("deposit: %v", err)
			}
		})
	}
	group.Wait()
	mustBalance(t, s, customer.AccountID, 35, 0)
}

func claim(t *testing.T, s Store, node string) ledger.Lease {
	t.Helper()
	lease, _, err := s.Join(t.Context(), node, time.Hour)
	must(t, err)
	return lease
}

// grant draws up to `most` of the account's credit.
func grant(t *testing.T, s Store, lease ledger.Lease, accountID string, most metering.Nanos) ledger.Position {
	t.Helper()
	drawn, err := s.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: accountID, Account: ledger.Wish{Most: most}})
	must(t, err)
	return drawn.Account.Position
}

func grants(t *testing.T, s Store) {
	customer, lease := NewCustomer(t, s, 100), claim(t, s, "a")
	mustGrant := func(most metering.Nanos, want ledger.Position) {
		t.Helper()
		if got := grant(t, s, lease, customer.AccountID, most); got != want {
			t.Errorf("grant of %d: %+v, want %+v", int64(most), got, want)
		}
	}
	mustGrant(0, ledger.Position{})
	mustGrant(30, ledger.Position{Issued: 30})
	mustBalance(t, s, customer.AccountID, 100, 30)
	mustGrant(ledger.Everything, ledger.Position{Issued: 100})
	mustGrant(ledger.Everything, ledger.Position{Issued: 100})
	MustDeposit(t, s, customer.AccountID, 11)
	mustGrant(10, ledger.Position{Issued: 110})
	mustBalance(t, s, customer.AccountID, 111, 110)
	if got := grant(t, s, claim(t, s, "b"), customer.AccountID, 5); got != (ledger.Position{Issued: 1}) {
		t.Errorf("the other node was granted %+v; want the 1 that is left", got)
	}
}

func claimsAndFences(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 100)
	first, bystander := claim(t, s, "a"), claim(t, s, "b")
	grant(t, s, first, customer.AccountID, 60)
	grant(t, s, bystander, customer.AccountID, 15)
	must(t, s.Settle(ctx, first, []*ledger.Settlement{{Record: *customer.Record(10), Debit: 10}}))
	mustBalance(t, s, customer.AccountID, 90, 65)

	second := claim(t, s, "a")
	if second.Epoch <= first.Epoch {
		t.Fatalf("epoch %d after %d", second.Epoch, first.Epoch)
	}
	mustBalance(t, s, customer.AccountID, 90, 15) // the other node keeps its grant
	fenced := func(lease ledger.Lease) {
		t.Helper()
		late := customer.Record(1)
		_, drawErr := s.Draw(ctx, lease, ledger.Draw{Number: 2, AccountID: customer.AccountID, Account: ledger.Wish{Most: 1}})
		_, putBackErr := s.PutBack(ctx, lease, 3, ledger.Wallet{AccountID: customer.AccountID}, 60)
		_, beatErr := s.Heartbeat(ctx, lease, time.Hour)
		for call, err := range map[string]error{
			"settle": s.Settle(ctx, lease, []*ledger.Settlement{{Record: *late, Debit: 1}}),
			"draw":   drawErr, "put back": putBackErr, "heartbeat": beatErr, "end": s.End(ctx, lease),
		} {
			if !errors.Is(err, ledger.ErrFenced) {
				t.Errorf("%s under epoch %d: %v, want ErrFenced", call, lease.Epoch, err)
			}
		}
		if _, err := s.Record(ctx, late.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("a fenced settlement left its record: %v", err)
		}
	}
	fenced(first)
	fenced(ledger.Lease{Node: "never joined", Epoch: 1})

	grant(t, s, second, customer.AccountID, ledger.Everything)
	mustBalance(t, s, customer.AccountID, 90, 90)
	must(t, s.End(ctx, second))
	mustBalance(t, s, customer.AccountID, 90, 15)
	fenced(second)
	if third := claim(t, s, "a"); third.Epoch <= second.Epoch {
		t.Errorf("epoch %d after the end of %d", third.Epoch, second.Epoch)
	}
}

func competingGrants(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 1000)
	var group sync.WaitGroup
	issued := make([]metering.Nanos, 8)
	for i := range issued {
		lease := claim(t, s, fmt.Sprint("node-", i))
		group.Go(func() {
			for number := range int64(10) {
				drawn, err := s.Draw(t.Context(), lease, ledger.Draw{Number: number, AccountID: customer.AccountID, Account: ledger.Wish{Most: 17}})
				if err != nil {
					t.Errorf("node %d: %v", i, err)
				}
				issued[i] = drawn.Account.Issued
			}
		})
	}
	group.Wait()
	var sum metering.Nanos
	for _, amount := range issued {
		sum += amount
	}
	if sum != 1000 {
		t.Errorf("%d was issued in all, want the balance of 1000", int64(sum))
	}
	mustBalance(t, s, customer.AccountID, 1000, 1000)
}
