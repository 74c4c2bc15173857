package storetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// allAtOnce lets several nodes do everything that a store can be asked at the same
// time, on the same few wallets. Every answer must be one that the rules allow, and
// the books must balance at the end.
func allAtOnce(t *testing.T, b Bench) {
	var customers []Customer
	for range 3 {
		customers = append(customers, b.NewCustomer(1000))
	}
	for _, customer := range customers[:2] {
		b.Limit(customer.KeyID, 700, ledger.PeriodTotal)
	}
	var group sync.WaitGroup
	var settled [4]metering.Nanos
	for i := range settled {
		group.Go(func() {
			node := randomNode{t: t, b: b, customers: customers, random: rand.New(rand.NewPCG(uint64(i), 7)), name: fmt.Sprint("node-", i)}
			node.run()
			settled[i] = node.settled
		})
	}
	group.Wait()
	balance := metering.Nanos(0)
	for _, customer := range customers {
		left, granted := b.Balance(customer.AccountID)
		if granted != 0 {
			t.Errorf("%d is granted after all nodes have ended", int64(granted))
		}
		balance += left
	}
	for _, amount := range settled {
		balance += amount
	}
	if balance != 3000 {
		t.Errorf("what is left and what was settled are %d together, want 3000", int64(balance))
	}
}

// randomNode does one thing after the other, and knows what it may expect.
type randomNode struct {
	t         *testing.T
	b         Bench
	customers []Customer
	random    *rand.Rand
	name      string
	number    int64
	settled   metering.Nanos
	lease     ledger.Lease
	accounts  map[string]ledger.Position
	keys      map[string]ledger.Position
}

func has(p ledger.Position) metering.Nanos { return p.Issued - p.Returned - p.Debited }

func (n *randomNode) run() {
	n.join()
	for range 60 {
		if n.t.Failed() {
			return
		}
		customer := n.customers[n.random.IntN(len(n.customers))]
		switch choice := n.random.IntN(20); {
		case choice < 8:
			n.draw(customer)
		case choice < 14:
			n.settle()
		case choice < 17:
			n.putBack(customer)
		case choice < 18:
			_, err := n.b.Store.Heartbeat(n.t.Context(), n.lease, term)
			n.must(err)
		case choice < 19:
			_, err := n.b.Store.Reclaim(n.t.Context())
			n.must(err)
		case choice == 19:
			n.join()
		}
	}
	n.must(n.b.Store.End(n.t.Context(), n.lease))
}

func (n *randomNode) must(err error) {
	n.t.Helper()
	if err != nil {
		n.t.Errorf("%s: %v", n.name, err)
	}
}

func (n *randomNode) join() {
	lease, _, err := n.b.Store.Join(n.t.Context(), n.name, term)
	n.must(err)
	n.lease, n.accounts, n.keys = lease, make(map[string]ledger.Position), make(map[string]ledger.Position)
}

func (n *randomNode) draw(customer Customer) {
	n.number++
	wish := ledger.Wish{Least: metering.Nanos(n.random.IntN(50)), Most: metering.Nanos(n.random.IntN(200)), Whole: 20}
	drawn, err := n.b.Store.Draw(n.t.Context(), n.lease, ledger.Draw{
		Number: n.number, AccountID: customer.AccountID, KeyID: customer.KeyID, Account: wish, Key: wish,
	})
	n.must(err)
	n.learn(n.accounts, customer.AccountID, drawn.Account)
	if drawn.Key != nil {
		n.learn(n.keys, customer.KeyID, drawn.Key.Standing)
	}
}

// learn compares what the node knows with what the store says: only what a draw
// issues may be new.
func (n *randomNode) learn(known map[string]ledger.Position, id string, now ledger.Standing) {
	before := known[id]
	if now.Issued < before.Issued || now.Returned != before.Returned || now.Debited != before.Debited || now.Elsewhere < 0 {
		n.t.Errorf("%s: %+v, after %+v", n.name, now, before)
	}
	if now.Recalled && now.Issued != before.Issued {
		n.t.Errorf("%s: %+v was granted during another's recall, after %+v", n.name, now, before)
	}
	known[id] = now.Position
}

func (n *randomNode) settle() {
	var batch []*ledger.Settlement
	var sum metering.Nanos
	for _, customer := range n.customers {
		limited := n.keys[customer.KeyID].Issued > 0
		amount := has(n.accounts[customer.AccountID])
		if limited {
			amount = min(amount, has(n.keys[customer.KeyID]))
		}
		amount = min(amount, metering.Nanos(n.random.IntN(40)))
		batch = append(batch, &ledger.Settlement{Record: *customer.Record(amount), Debit: amount, Limited: limited, OperatorCost: metering.Nanos(n.random.IntN(2))})
		n.debit(n.accounts, customer.AccountID, amount)
		if limited {
			n.debit(n.keys, customer.KeyID, amount)
		}
		sum += amount
	}
	// Sometimes the answer is lost, and the call is made again.
	for range 1 + n.random.IntN(2) {
		n.must(n.b.Store.Settle(n.t.Context(), n.lease, batch))
	}
	n.settled += sum
	tooMuch := &ledger.Settlement{Record: *n.customers[0].Record(5000), Debit: 5000}
	if err := n.b.Store.Settle(n.t.Context(), n.lease, []*ledger.Settlement{batch[0], tooMuch}); !errors.Is(err, ledger.ErrRejected) {
		n.t.Errorf("%s spends what it does not have: %v", n.name, err)
	}
}

func (n *randomNode) debit(known map[string]ledger.Position, id string, amount metering.Nanos) {
	position := known[id]
	position.Debited += amount
	known[id] = position
}

func (n *randomNode) putBack(customer Customer) {
	n.number++
	known, id, wallet := n.accounts, customer.AccountID, ledger.Wallet{AccountID: customer.AccountID}
	if n.keys[customer.KeyID].Issued > 0 && n.random.IntN(2) == 0 {
		known, id, wallet.KeyID = n.keys, customer.KeyID, customer.KeyID
	}
	position := known[id]
	position.Returned += metering.Nanos(n.random.Int64N(int64(has(position)) + 1))
	standing, err := n.b.Store.PutBack(n.t.Context(), n.lease, n.number, wallet, position.Returned)
	n.must(err)
	if err == nil && standing.Position != position {
		n.t.Errorf("%s puts back: %+v, want %+v", n.name, standing, position)
	}
	known[id] = standing.Position
}
