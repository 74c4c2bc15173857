package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// allTransfersAtOnce moves the money of two accounts in every way at the same time, while
// nodes spend it and an erasure is on its way. Every answer must be one that the rules
// allow, and the books must balance at the end.
func allTransfersAtOnce(t *testing.T, s Store) {
	customers := []Customer{NewCustomer(t, s, 2000), NewCustomer(t, s, 2000)}
	var group sync.WaitGroup
	for worker := range 6 {
		random := rand.New(rand.NewPCG(uint64(worker), 11))
		group.Go(func() {
			for step := range 25 {
				customer := customers[random.IntN(len(customers))]
				if err := oneTransfer(t, s, customer.AccountID, random, fmt.Sprintf("%d-%d", worker%3, step)); err != nil {
					t.Errorf("worker %d, step %d: %v", worker, step, err)
				}
			}
		})
	}
	for i := range 2 {
		lease := claim(t, s, fmt.Sprint("node-", i))
		group.Go(func() { spendAndPutBack(t, s, lease, customers) })
	}
	group.Go(func() {
		for step := range 5 {
			id := customers[0].AccountID
			if _, err := s.EraseAccount(t.Context(), store.Erasure{AccountID: id, Forfeit: step > 2, At: Moment}); !allowed(err) {
				t.Errorf("erase: %v", err)
			}
			time.Sleep(5 * time.Millisecond)
		}
	})
	group.Wait()
	MustVerify(t, s)
}

// allowed tells whether a transfer may end so. The names are used by several workers,
// with other amounts or accounts.
func allowed(err error) bool {
	for _, sentinel := range []error{
		nil, store.ErrGranted, store.ErrBalance, store.ErrReference, store.ErrErased, store.ErrUnspent,
		store.ErrVoucherUsed, store.ErrAmount,
	} {
		if errors.Is(err, sentinel) {
			return true
		}
	}
	return false
}

func oneTransfer(t *testing.T, s Store, accountID string, random *rand.Rand, ref string) (err error) {
	ctx := t.Context()
	amount := metering.Nanos(1 + random.IntN(200))
	switch random.IntN(8) {
	case 0:
		_, err = s.Deposit(ctx, store.Deposit{AccountID: accountID, Amount: amount, Ref: ref, Owed: random.IntN(4) == 0, At: Moment})
	case 1, 2:
		_, err = s.Refund(ctx, store.Refund{AccountID: accountID, Amount: amount, Ref: ref, At: Moment})
	case 3:
		_, err = s.Adjust(ctx, store.Adjustment{AccountID: accountID, Amount: amount - 100, Ref: ref, At: Moment})
	case 4:
		_, err = s.ChargeBack(ctx, store.ChargeBack{AccountID: accountID, Amount: amount, Ref: ref, Final: random.IntN(2) == 0, At: Moment})
	case 5:
		_, _, err = s.RedeemVoucher(ctx, store.Redemption{AccountID: accountID, Hash: NewVoucher(t, s, amount).Hash, At: Moment})
	case 6:
		err = s.EditAccount(ctx, accountID, store.AccountEdit{Group: new(string)})
	case 7:
		err = s.CreateKey(ctx, &auth.Key{ID: NewID(), AccountID: accountID, Name: "test", Hash: newHash(), CreatedAt: Moment})
	}
	if allowed(err) {
		return nil
	}
	return err
}

// spendAndPutBack is a node that uses what it gets.
func spendAndPutBack(t *testing.T, s Store, lease ledger.Lease, customers []Customer) {
	var positions [2]ledger.Position
	for number := range int64(40) {
		which := int(number) % len(customers)
		customer, position := customers[which], &positions[which]
		drawn, err := s.Draw(t.Context(), lease, ledger.Draw{
			Number: 2*number + 1, AccountID: customer.AccountID, KeyID: customer.KeyID, Account: ledger.Wish{Least: 10, Most: 100},
		})
		if err != nil {
			t.Errorf("draw: %v", err)
			return
		}
		*position = drawn.Account.Position
		if spent := has(*position) / 2; spent > 0 {
			if err := s.Settle(t.Context(), lease, []*ledger.Settlement{{Record: *customer.Record(spent), Debit: spent}}); err != nil {
				t.Errorf("settle: %v", err)
				return
			}
			position.Debited += spent
		}
		if _, err := s.PutBack(t.Context(), lease, 2*number+2, ledger.Wallet{AccountID: customer.AccountID}, position.Returned+has(*position)); err != nil {
			t.Errorf("put back: %v", err)
			return
		}
	}
}
