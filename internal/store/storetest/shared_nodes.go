package storetest

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func expiry(t *testing.T, b Bench) {
	ctx := t.Context()
	customer := b.NewCustomer(100)
	gone, live := join(t, b, "gone"), join(t, b, "live")
	for lease, amount := range map[ledger.Lease]metering.Nanos{gone: 60, live: 15} {
		_, err := b.Store.Draw(ctx, lease, ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: amount}})
		must(t, err)
	}
	b.Advance(term / 2)
	if count, err := b.Store.Heartbeat(ctx, live, term); err != nil || count != 2 {
		t.Errorf("%d leases are live, %v; want 2", count, err)
	}
	if ended, err := b.Store.Reclaim(ctx); err != nil || ended != 0 {
		t.Errorf("%d leases were ended, %v; none has expired", ended, err)
	}
	b.Advance(term/2 + 1e6)
	if count, err := b.Store.Heartbeat(ctx, live, term); err != nil || count != 1 {
		t.Errorf("%d leases are live, %v; want 1", count, err)
	}
	// Expired, but nobody took it away: it still settles.
	must(t, b.Store.Settle(ctx, gone, []*ledger.Settlement{{Record: *customer.Record(10), Debit: 10}}))
	b.mustBalance(t, customer.AccountID, 90, 65)
	for _, want := range []int{1, 0} {
		if ended, err := b.Store.Reclaim(ctx); err != nil || ended != want {
			t.Errorf("%d leases were ended, %v; want %d", ended, err, want)
		}
	}
	b.mustBalance(t, customer.AccountID, 90, 15)
	if err := b.Store.Settle(ctx, gone, []*ledger.Settlement{{Record: *customer.Record(1), Debit: 1}}); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("settlement after the reclaim: %v", err)
	}
	if _, err := b.Store.Heartbeat(ctx, gone, term); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("renewal after the reclaim: %v", err)
	}
	again, count, err := b.Store.Join(ctx, "gone", term)
	if err != nil || again.Epoch <= gone.Epoch || count != 2 {
		t.Errorf("joined again as %+v, %d live, %v", again, count, err)
	}
}

// renewOrReclaim lets both happen at once: the node keeps its lease and its credit, or
// learns that both are gone.
func renewOrReclaim(t *testing.T, b Bench) {
	ctx := t.Context()
	customer := b.NewCustomer(100)
	for round := range 10 {
		lease := join(t, b, fmt.Sprint("node-", round))
		_, err := b.Store.Draw(ctx, lease, ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: 5}})
		must(t, err)
		b.Advance(term + 1e6)
		var renewal, settlement error
		var group sync.WaitGroup
		group.Go(func() { _, renewal = b.Store.Heartbeat(ctx, lease, term) })
		group.Go(func() {
			settlement = b.Store.Settle(ctx, lease, []*ledger.Settlement{{Record: *customer.Record(1), Debit: 1}})
		})
		for range 2 {
			group.Go(func() {
				if _, err := b.Store.Reclaim(ctx); err != nil {
					t.Errorf("reclaim: %v", err)
				}
			})
		}
		group.Wait()
		if settlement != nil && !errors.Is(settlement, ledger.ErrFenced) {
			t.Errorf("settlement: %v", settlement)
		}
		balance, granted := b.Balance(customer.AccountID)
		switch {
		case renewal == nil && (settlement != nil || granted != 4):
			t.Errorf("renewed, but %s is granted; settlement: %v", granted, settlement)
		case renewal != nil && (!errors.Is(renewal, ledger.ErrFenced) || granted != 0):
			t.Errorf("not renewed: %v, but %s is granted", renewal, granted)
		}
		if renewal == nil {
			must(t, b.Store.End(ctx, lease))
		}
		b.mustBalance(t, customer.AccountID, balance, 0)
	}
}

func withoutLease(t *testing.T, b Bench) {
	ctx := t.Context()
	customer := b.NewCustomer(100)
	record := customer.Record(0)
	record.Status, record.Basis = metering.StatusInterrupted, metering.BasisInterrupted
	lost := &ledger.Settlement{Record: *record, OperatorCost: 12}
	for range 2 {
		must(t, b.Store.Settle(ctx, ledger.Lease{}, []*ledger.Settlement{lost}))
	}
	if !lost.Present || lost.Standing != 0 {
		t.Errorf("written twice: %+v", lost)
	}
	for name, bad := range map[string]*ledger.Settlement{
		"a debit":                  {Record: *customer.Record(1), Debit: 1},
		"operator cost below zero": {Record: *customer.Record(0), OperatorCost: -1},
	} {
		if err := b.Store.Settle(ctx, ledger.Lease{}, []*ledger.Settlement{bad}); !errors.Is(err, ledger.ErrRejected) {
			t.Errorf("%s without a lease: %v, want ErrRejected", name, err)
		}
	}
	b.mustBalance(t, customer.AccountID, 100, 0)
}

func nodes(t *testing.T, b Bench) {
	ctx := t.Context()
	first, second := b.NewCustomer(100), b.NewCustomer(50)
	b.Limit(first.KeyID, 30, ledger.PeriodTotal)
	lease, ended := join(t, b, "node-a"), join(t, b, "node-b")
	for number, customer := range []Customer{first, second} {
		_, err := b.Store.Draw(ctx, lease, ledger.Draw{
			Number: int64(number + 1), AccountID: customer.AccountID, KeyID: customer.KeyID, Account: ledger.Wish{Most: 20}, Key: ledger.Wish{Most: 30},
		})
		must(t, err)
	}
	must(t, b.Store.End(ctx, ended))
	list, err := b.Store.Nodes(ctx)
	must(t, err)
	if len(list) != 2 || list[0].Name != "node-a" || list[1].Name != "node-b" {
		t.Fatalf("nodes %+v", list)
	}
	if a := list[0]; !a.Live || a.Granted != 40 || a.Accounts != 2 || a.Epoch != lease.Epoch || a.ExpiresAt.Sub(a.RenewedAt) != term || a.ClaimedAt != a.RenewedAt {
		t.Errorf("the live node is %+v", a)
	}
	if z := list[1]; z.Live || z.Granted != 0 || z.Accounts != 0 {
		t.Errorf("the ended node is %+v", z)
	}
}

// threeNodes spend credit for 20 calls as fast as they can, each in slices of 3.
func threeNodes(t *testing.T, b Bench) {
	const price = 1_234_567
	customer := b.NewCustomer(20 * price)
	var served atomic.Int64
	var group sync.WaitGroup
	for i := range 3 {
		lease := join(t, b, fmt.Sprint("node-", i))
		group.Go(func() {
			var spent metering.Nanos
			for number := int64(1); ; number++ {
				drawn, err := b.Store.Draw(t.Context(), lease, ledger.Draw{
					Number: number, AccountID: customer.AccountID, Account: ledger.Wish{Most: 3 * price, Whole: price},
				})
				if err != nil {
					t.Errorf("draw: %v", err)
					return
				}
				if drawn.Account.Issued == spent {
					return // all is spent
				}
				for ; spent < drawn.Account.Issued; spent += price {
					settlement := &ledger.Settlement{Record: *customer.Record(price), Debit: price}
					if err := b.Store.Settle(t.Context(), lease, []*ledger.Settlement{settlement, settlement}); err != nil {
						t.Errorf("settle: %v", err)
						return
					}
					served.Add(1)
				}
			}
		})
	}
	group.Wait()
	if served.Load() != 20 {
		t.Errorf("%d calls were served, want 20", served.Load())
	}
	b.mustBalance(t, customer.AccountID, 0, 0)
}
