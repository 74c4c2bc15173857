package storetest

import (
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func refunds(t *testing.T, s Store) {
	ctx := t.Context()
	customer, other := NewCustomer(t, s, 100), NewCustomer(t, s, 100)
	refund := store.Refund{AccountID: customer.AccountID, Amount: 30, Ref: "credit-note-1", Note: "sorry", Actor: "op", At: Moment}
	for i, want := range []bool{true, false, false} {
		if made, err := s.Refund(ctx, refund); err != nil || made != want {
			t.Errorf("refund %d: made is %v, %v", i, made, err)
		}
	}
	mustBalance(t, s, customer.AccountID, 70, 0)
	for name, row := range map[string]struct {
		change func(*store.Refund)
		want   error
	}{
		"another amount":         {func(r *store.Refund) { r.Amount++ }, store.ErrReference},
		"another account":        {func(r *store.Refund) { r.AccountID = other.AccountID }, store.ErrReference},
		"no reference":           {func(r *store.Refund) { r.Ref = "" }, store.ErrReference},
		"unknown account":        {func(r *store.Refund) { r.AccountID, r.Ref = NewID(), "new" }, store.ErrNotFound},
		"a house account":        {func(r *store.Refund) { r.AccountID, r.Ref = store.HouseCash, "new" }, store.ErrNotFound},
		"nothing":                {func(r *store.Refund) { r.Amount, r.Ref = 0, "new" }, store.ErrAmount},
		"less than nothing":      {func(r *store.Refund) { r.Amount, r.Ref = -1, "new" }, store.ErrAmount},
		"more than there is":     {func(r *store.Refund) { r.Amount, r.Ref = 71, "new" }, store.ErrBalance},
		"far more than there is": {func(r *store.Refund) { r.Amount, r.Ref = math.MaxInt64, "new" }, store.ErrBalance},
	} {
		changed := refund
		row.change(&changed)
		if made, err := s.Refund(ctx, changed); !errors.Is(err, row.want) || made {
			t.Errorf("%s: made is %v, %v; want %v", name, made, err, row.want)
		}
	}
	// What failed can be tried again with the reference: nothing was written.
	refund.Ref, refund.Amount = "new", 70
	if made, err := s.Refund(ctx, refund); err != nil || !made {
		t.Errorf("refund of all: made is %v, %v", made, err)
	}
	mustBalance(t, s, customer.AccountID, 0, 0)
	mustBalance(t, s, other.AccountID, 100, 0)
}

func concurrentRefunds(t *testing.T, s Store) {
	customer := NewCustomer(t, s, 100)
	var group sync.WaitGroup
	var made, refused atomic.Int64
	for i := range 40 {
		group.Go(func() {
			// Each of twenty refunds is asked for twice, and there is credit for ten.
			refund := store.Refund{AccountID: customer.AccountID, Amount: 10, Ref: string(rune('a' + i/2)), At: Moment}
			switch added, err := s.Refund(t.Context(), refund); {
			case errors.Is(err, store.ErrBalance):
				refused.Add(1)
			case err != nil:
				t.Errorf("refund: %v", err)
			case added:
				made.Add(1)
			}
		})
	}
	group.Wait()
	if made.Load() != 10 || refused.Load() != 20 {
		t.Errorf("%d refunds were made and %d refused, want 10 and 20", made.Load(), refused.Load())
	}
	mustBalance(t, s, customer.AccountID, 0, 0)
}

// refundsRecall: what a node has is asked back, and granted to nobody meanwhile.
func refundsRecall(t *testing.T, s Store) {
	ctx := t.Context()
	customer, lease := NewCustomer(t, s, 100), claim(t, s, "a")
	grant(t, s, lease, customer.AccountID, 90)
	start, err := s.LastChange(ctx)
	must(t, err)
	refund := store.Refund{AccountID: customer.AccountID, Amount: 40, Ref: "r", At: Moment}
	for range 2 {
		if made, err := s.Refund(ctx, refund); !errors.Is(err, store.ErrGranted) || made {
			t.Fatalf("refund of what a node has: made is %v, %v", made, err)
		}
	}
	changes, err := s.Changes(ctx, start)
	if err != nil || len(changes) != 1 || changes[0].Kind != store.KindRecall || changes[0].ID != customer.AccountID {
		t.Errorf("changes are %+v, %v; want a recall", changes, err)
	}
	drawn, err := s.Draw(ctx, lease, ledger.Draw{Number: 2, AccountID: customer.AccountID, Account: ledger.Wish{Most: 10}})
	if err != nil || !drawn.Account.Recalled || drawn.Account.Issued != 90 {
		t.Errorf("draw during the recall: %+v, %v", drawn.Account, err)
	}
	// Another's refund waits for its turn, though there is enough for it.
	other := refund
	other.Ref, other.Amount = "other", 5
	if _, err := s.Refund(ctx, other); !errors.Is(err, store.ErrGranted) {
		t.Errorf("refund during another's recall: %v", err)
	}
	_, err = s.PutBack(ctx, lease, 3, ledger.Wallet{AccountID: customer.AccountID}, 30)
	must(t, err)
	if made, err := s.Refund(ctx, refund); err != nil || !made {
		t.Fatalf("refund of what was put back: made is %v, %v", made, err)
	}
	mustBalance(t, s, customer.AccountID, 60, 60)
	// The recall is over with it.
	MustDeposit(t, s, customer.AccountID, 7)
	drawn, err = s.Draw(ctx, lease, ledger.Draw{Number: 4, AccountID: customer.AccountID, Account: ledger.Wish{Most: 10}})
	if err != nil || drawn.Account.Recalled || drawn.Account.Issued != 97 {
		t.Errorf("draw after the refund: %+v, %v", drawn.Account, err)
	}
}

func adjustments(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 10)
	adjust := func(ref string, amount metering.Nanos, promotion bool) (bool, error) {
		return s.Adjust(ctx, store.Adjustment{AccountID: customer.AccountID, Amount: amount, Ref: ref, Promotion: promotion, Note: "why", At: Moment})
	}
	for _, row := range []struct {
		ref       string
		amount    metering.Nanos
		promotion bool
		made      bool
		want      error
		balance   metering.Nanos
	}{
		{"a", 5, false, true, nil, 15},
		{"a", 5, false, false, nil, 15},
		{"a", 5, true, false, store.ErrReference, 15},
		{"a", -5, false, false, store.ErrReference, 15},
		{"b", -12, false, true, nil, 3},
		{"b", -12, false, false, nil, 3},
		{"c", -4, false, false, store.ErrBalance, 3},
		{"d", 4, true, true, nil, 7},
		{"e", -4, true, true, nil, 3},
		{"f", 0, false, false, store.ErrAmount, 3},
		{"g", math.MinInt64, false, false, store.ErrAmount, 3},
		{"h", math.MaxInt64, false, false, store.ErrAmount, 3},
		{"", 1, false, false, store.ErrReference, 3},
	} {
		if made, err := adjust(row.ref, row.amount, row.promotion); made != row.made || !errors.Is(err, row.want) {
			t.Errorf("adjustment %q by %d: made is %v, %v; want %v, %v", row.ref, int64(row.amount), made, err, row.made, row.want)
		}
		mustBalance(t, s, customer.AccountID, row.balance, 0)
	}
	lease := claim(t, s, "a")
	grant(t, s, lease, customer.AccountID, 3)
	if _, err := adjust("i", -1, false); !errors.Is(err, store.ErrGranted) {
		t.Errorf("adjustment of what a node has: %v", err)
	}
}

// refundWhileRunning: a node puts back what is idle, and what a request holds when it ends.
func refundWhileRunning(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 100)
	l := OpenNode(t, s, ledger.Options{})
	hold, err := l.Hold(ctx, customer.AccountID, 40)
	must(t, err)
	mustBalance(t, s, customer.AccountID, 100, 100)
	refund := func(ref string, amount metering.Nanos, patience time.Duration) error {
		return store.UntilFree(ctx, patience, func() error {
			_, err := s.Refund(ctx, store.Refund{AccountID: customer.AccountID, Amount: amount, Ref: ref, At: Moment})
			return err
		})
	}
	if err := refund("idle", 60, time.Minute); err != nil {
		t.Fatalf("refund of all that is idle: %v", err)
	}
	if err := refund("held", 1, 300*time.Millisecond); !errors.Is(err, store.ErrGranted) {
		t.Errorf("refund of what is held: %v, want ErrGranted", err)
	}
	if err := refund("beyond", 41, time.Minute); !errors.Is(err, store.ErrBalance) {
		t.Errorf("refund of more than there is: %v, want ErrBalance", err)
	}
	refunded := make(chan error, 1)
	go func() { refunded <- refund("rest", 15, time.Minute) }()
	must(t, hold.Settle(ctx, customer.Record(25)))
	if err := <-refunded; err != nil {
		t.Errorf("refund of what the request did not use: %v", err)
	}
	if balance, err := s.Balance(ctx, customer.AccountID); err != nil || balance.Balance != 0 {
		t.Errorf("balance %+v, %v", balance, err)
	}
	// A node that serves others goes on.
	MustDeposit(t, s, customer.AccountID, 5)
	Eventually(t, "the node serves out of a new deposit", func() bool {
		hold, err := l.Hold(ctx, customer.AccountID, 5)
		if err == nil {
			hold.Release()
		}
		return err == nil
	})
}

// chargeBackWhileRunning: what a request holds stays the request's.
func chargeBackWhileRunning(t *testing.T, s Store) {
	ctx := t.Context()
	customer := NewCustomer(t, s, 100)
	l := OpenNode(t, s, ledger.Options{})
	hold, err := l.Hold(ctx, customer.AccountID, 40)
	must(t, err)
	back := store.ChargeBack{AccountID: customer.AccountID, Amount: 100, Ref: "bank-1", At: Moment}
	attempt := func() error {
		_, err := s.ChargeBack(ctx, back)
		return err
	}
	if err := store.UntilFree(ctx, 300*time.Millisecond, attempt); !errors.Is(err, store.ErrGranted) {
		t.Fatalf("charge-back of what is held: %v, want ErrGranted", err)
	}
	Eventually(t, "the node puts back what is idle", func() bool {
		balance, err := s.Balance(ctx, customer.AccountID)
		must(t, err)
		return balance.Available() == 60 || !errors.Is(attempt(), store.ErrGranted)
	})
	back.Final = true
	done, err := s.ChargeBack(ctx, back)
	if want := (store.ChargedBack{Made: true, Taken: 60, Owed: 40}); err != nil || done != want {
		t.Errorf("charge-back: %+v, %v; want %+v", done, err, want)
	}
	must(t, hold.Settle(ctx, customer.Record(25)))
	balance, err := s.Balance(ctx, customer.AccountID)
	if err != nil || balance.Balance != 15 || balance.Owed != 40 {
		t.Errorf("balance %+v, %v", balance, err)
	}
}
