package storetest

import (
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Bench is a store that several nodes share, with what others than nodes do to it.
type Bench struct {
	Store ledger.Store
	// NewCustomer makes an account with a key and this credit.
	NewCustomer func(credit metering.Nanos) Customer
	// Limit sets what a key may spend in each period; a limit below zero is none.
	Limit func(keyID string, amount metering.Nanos, period ledger.Period)
	// Balance is what an account has, and the part of it that nodes have.
	Balance func(accountID string) (balance, granted metering.Nanos)
	// Advance moves the store's clock.
	Advance func(time.Duration)
	// Verify adds the ledger up and fails the test on any difference.
	Verify func()
}

// term is how long the leases of these tests last.
const term = 10 * time.Second

// RunShared checks what nodes that share a store do to each other.
func RunShared(t *testing.T, open func(testing.TB) Bench) {
	for name, test := range map[string]func(*testing.T, Bench){
		"slices":                      slices,
		"late calls":                  lateCalls,
		"recalls":                     recalls,
		"recalls of keys":             keyRecalls,
		"put back":                    putBack,
		"key limits":                  keyLimits,
		"key periods":                 keyPeriods,
		"leases that expire":          expiry,
		"renewals against reclaims":   renewOrReclaim,
		"settlements without a lease": withoutLease,
		"nodes":                       nodes,
		"three nodes, credit for 20":  threeNodes,
		"everything at once":          allAtOnce,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := open(t)
			test(t, b)
			b.Verify()
		})
	}
}

func join(t *testing.T, b Bench, node string) ledger.Lease {
	t.Helper()
	lease, _, err := b.Store.Join(t.Context(), node, term)
	must(t, err)
	return lease
}

func (b Bench) mustBalance(t *testing.T, accountID string, balance, granted metering.Nanos) {
	t.Helper()
	if gotBalance, gotGranted := b.Balance(accountID); gotBalance != balance || gotGranted != granted {
		t.Errorf("the account has %d, %d of it granted; want %d and %d", int64(gotBalance), int64(gotGranted), int64(balance), int64(granted))
	}
}

// mustDraw draws and expects the account's standing.
func (b Bench) mustDraw(t *testing.T, lease ledger.Lease, draw ledger.Draw, want ledger.Standing) {
	t.Helper()
	if drawn, err := b.Store.Draw(t.Context(), lease, draw); err != nil || drawn.Account != want {
		t.Errorf("%s draws %+v: %+v, %v; want %+v", lease.Node, draw, drawn.Account, err, want)
	}
}

func issued(amount metering.Nanos) ledger.Position { return ledger.Position{Issued: amount} }

func slices(t *testing.T, b Bench) {
	customer := b.NewCustomer(100)
	first, second := join(t, b, "a"), join(t, b, "b")
	draw := func(number int64, wish ledger.Wish) ledger.Draw {
		return ledger.Draw{Number: number, AccountID: customer.AccountID, Account: wish}
	}
	b.mustDraw(t, first, draw(1, ledger.Wish{}), ledger.Standing{Left: 100})
	b.mustDraw(t, first, draw(2, ledger.Wish{Least: 10, Most: 30}), ledger.Standing{Position: issued(30), Left: 70})
	b.mustDraw(t, second, draw(1, ledger.Wish{Least: 10, Most: 5, Whole: 20}), ledger.Standing{Position: issued(10), Left: 60, Elsewhere: 30})
	b.mustDraw(t, first, draw(3, ledger.Wish{Most: 20, Whole: 39}), ledger.Standing{Position: issued(50), Left: 40, Elsewhere: 10})
	b.mustDraw(t, first, draw(4, ledger.Wish{Most: 1, Whole: 39}), ledger.Standing{Position: issued(90), Elsewhere: 10})
	b.mustDraw(t, first, draw(5, ledger.Wish{Most: 1}), ledger.Standing{Position: issued(90), Elsewhere: 10})
	b.mustBalance(t, customer.AccountID, 100, 100)
	_, err := b.Store.Draw(t.Context(), first, ledger.Draw{Number: 6, AccountID: NewID(), Account: ledger.Wish{Most: 1}})
	if !errors.Is(err, ledger.ErrNoAccount) {
		t.Errorf("draw on an unknown account: %v", err)
	}
	must(t, b.Store.End(t.Context(), first))
	if _, err := b.Store.Draw(t.Context(), first, draw(7, ledger.Wish{Most: 1})); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("draw after the end: %v", err)
	}
	b.mustBalance(t, customer.AccountID, 100, 10)
}

func lateCalls(t *testing.T, b Bench) {
	customer, lease := b.NewCustomer(100), join(t, b, "a")
	wallet := ledger.Wallet{AccountID: customer.AccountID}
	draw := ledger.Draw{Number: 5, AccountID: customer.AccountID, Account: ledger.Wish{Most: 40}}
	b.mustDraw(t, lease, draw, ledger.Standing{Position: issued(40), Left: 60})
	draw.Number = 3
	b.mustDraw(t, lease, draw, ledger.Standing{Position: issued(40), Left: 60})
	late, err := b.Store.PutBack(t.Context(), lease, 4, wallet, 10)
	if want := (ledger.Standing{Position: issued(40), Left: 60}); err != nil || late != want {
		t.Errorf("put back too late: %+v, %v; want %+v", late, err, want)
	}
	back, err := b.Store.PutBack(t.Context(), lease, 8, wallet, 10)
	if want := (ledger.Standing{Position: ledger.Position{Issued: 40, Returned: 10}, Left: 70}); err != nil || back != want {
		t.Errorf("put back: %+v, %v; want %+v", back, err, want)
	}
	draw.Number = 7
	b.mustDraw(t, lease, draw, back)
	// Numbers are those of a lease: the next one begins anew.
	draw.Number = 1
	b.mustDraw(t, join(t, b, "a"), draw, ledger.Standing{Position: issued(40), Left: 60})
}

func recalls(t *testing.T, b Bench) {
	customer := b.NewCustomer(100)
	rich, poor, third := join(t, b, "rich"), join(t, b, "poor"), join(t, b, "third")
	numbers := make(map[ledger.Lease]int64)
	draw := func(lease ledger.Lease, wish ledger.Wish, want ledger.Standing) {
		t.Helper()
		numbers[lease]++
		b.mustDraw(t, lease, ledger.Draw{Number: numbers[lease], AccountID: customer.AccountID, Account: wish}, want)
	}
	putBack := func(lease ledger.Lease, returned metering.Nanos) {
		t.Helper()
		numbers[lease]++
		_, err := b.Store.PutBack(t.Context(), lease, numbers[lease], ledger.Wallet{AccountID: customer.AccountID}, returned)
		must(t, err)
	}
	draw(rich, ledger.Wish{Most: 90}, ledger.Standing{Position: issued(90), Left: 10})
	// What is left is less than the least: it is granted, and the rest recalled.
	draw(poor, ledger.Wish{Least: 40}, ledger.Standing{Position: issued(10), Elsewhere: 90})
	putBack(rich, 25)
	draw(rich, ledger.Wish{Most: 90}, ledger.Standing{Position: ledger.Position{Issued: 90, Returned: 25}, Elsewhere: 10, Left: 25, Recalled: true})
	draw(third, ledger.Wish{Least: 5}, ledger.Standing{Elsewhere: 75, Left: 25, Recalled: true})
	draw(poor, ledger.Wish{Least: 30}, ledger.Standing{Position: issued(35), Elsewhere: 65}) // still short, and renewed
	putBack(rich, 60)
	draw(poor, ledger.Wish{Least: 5}, ledger.Standing{Position: issued(40), Elsewhere: 30, Left: 30})
	// Now the recall is over.
	draw(third, ledger.Wish{Least: 5}, ledger.Standing{Position: issued(5), Elsewhere: 70, Left: 25})
	// One whose claimant does not come back ends by itself.
	draw(third, ledger.Wish{Least: 95}, ledger.Standing{Position: issued(30), Elsewhere: 70})
	putBack(rich, 70)
	draw(rich, ledger.Wish{Most: 1}, ledger.Standing{Position: ledger.Position{Issued: 90, Returned: 70}, Elsewhere: 70, Left: 10, Recalled: true})
	b.Advance(ledger.RecallFor + time.Millisecond)
	draw(rich, ledger.Wish{Most: 1}, ledger.Standing{Position: ledger.Position{Issued: 91, Returned: 70}, Elsewhere: 70, Left: 9})
}

func keyRecalls(t *testing.T, b Bench) {
	customer := b.NewCustomer(100)
	b.Limit(customer.KeyID, 20, ledger.PeriodTotal)
	first, second := join(t, b, "a"), join(t, b, "b")
	draw := ledger.Draw{Number: 1, AccountID: customer.AccountID, KeyID: customer.KeyID, Account: ledger.Wish{Most: 30}, Key: ledger.Wish{Most: 20}}
	_, err := b.Store.Draw(t.Context(), first, draw)
	must(t, err)
	draw.Account, draw.Key = ledger.Wish{Least: 15}, ledger.Wish{Least: 15}
	drawn, err := b.Store.Draw(t.Context(), second, draw)
	must(t, err)
	if drawn.Account.Issued != 15 || drawn.Key == nil || drawn.Key.Standing != (ledger.Standing{Elsewhere: 20}) {
		t.Fatalf("the key's limit is with another node: %+v, %+v", drawn.Account, drawn.Key)
	}
	_, err = b.Store.PutBack(t.Context(), first, 2, ledger.Wallet{AccountID: customer.AccountID, KeyID: customer.KeyID}, 20)
	must(t, err)
	draw.Number, draw.Account, draw.Key = 3, ledger.Wish{Most: 1}, ledger.Wish{Most: 1}
	drawn, err = b.Store.Draw(t.Context(), first, draw)
	must(t, err)
	if drawn.Account.Recalled || drawn.Account.Issued != 31 || !drawn.Key.Recalled || drawn.Key.Issued != 20 {
		t.Errorf("during the key's recall: %+v, %+v", drawn.Account, drawn.Key)
	}
}

func putBack(t *testing.T, b Bench) {
	customer, lease := b.NewCustomer(100), join(t, b, "a")
	wallet := ledger.Wallet{AccountID: customer.AccountID}
	if standing, err := b.Store.PutBack(t.Context(), lease, 1, wallet, 0); err != nil || standing.Position != (ledger.Position{}) {
		t.Errorf("put back nothing of nothing: %+v, %v", standing, err)
	}
	_, err := b.Store.Draw(t.Context(), lease, ledger.Draw{Number: 2, AccountID: customer.AccountID, Account: ledger.Wish{Most: 60}})
	must(t, err)
	must(t, b.Store.Settle(t.Context(), lease, []*ledger.Settlement{{Record: *customer.Record(10), Debit: 10}}))
	if _, err := b.Store.PutBack(t.Context(), lease, 3, wallet, 51); err == nil || errors.Is(err, ledger.ErrFenced) {
		t.Errorf("put back more than there is: %v", err)
	}
	for _, returned := range []metering.Nanos{50, 50, 20} {
		standing, err := b.Store.PutBack(t.Context(), lease, 4, wallet, returned)
		if want := (ledger.Position{Issued: 60, Returned: 50, Debited: 10}); err != nil || standing.Position != want || standing.Left != 90 {
			t.Errorf("put back up to %d: %+v, %v", int64(returned), standing, err)
		}
	}
	var group sync.WaitGroup
	_, err = b.Store.Draw(t.Context(), lease, ledger.Draw{Number: 5, AccountID: customer.AccountID, Account: ledger.Wish{Most: 40}})
	must(t, err)
	for range 8 {
		group.Go(func() {
			if _, err := b.Store.PutBack(t.Context(), lease, 6, wallet, 75); err != nil {
				t.Errorf("put back: %v", err)
			}
		})
	}
	group.Wait()
	b.mustBalance(t, customer.AccountID, 90, 15)
	must(t, b.Store.End(t.Context(), lease))
	if _, err := b.Store.PutBack(t.Context(), lease, 7, wallet, 80); !errors.Is(err, ledger.ErrFenced) {
		t.Errorf("put back after the end: %v", err)
	}
}
