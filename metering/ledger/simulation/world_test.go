package simulation

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// world is one run: a store, its customers and the nodes that serve them.
type world struct {
	t      *testing.T
	random *rand.Rand
	trace  *trace
	store  *memory.Store
	nodes  []*node
	keys   []*customer
	total  map[string]metering.Nanos // deposits less refunds, by account
	work   sync.WaitGroup            // requests and refunds under way

	mu       sync.Mutex
	outcomes map[string]*outcome // by record
	served   int
	deposits int
}

// customer is a key, and the account that it belongs to.
type customer struct {
	account, key string
	limited      bool           // there was a limit from the start
	highest      metering.Nanos // of all limits
	period       ledger.Period
}

// outcome is what a client of a node was told of its request.
type outcome struct {
	record  metering.Record
	settled bool // durable, as the node said
	void    bool // not charged, as the node said
}

// node is one gateway.
type node struct {
	world  *world
	name   string
	link   *link
	ledger *ledger.Ledger
	ahead  time.Duration // of its clock
	stop   context.CancelFunc
}

func newWorld(t *testing.T, seed uint64) *world {
	w := &world{
		t: t, random: rand.New(rand.NewPCG(seed, 1)), trace: &trace{start: time.Now()}, store: memory.New(time.Now),
		total: make(map[string]metering.Nanos), outcomes: make(map[string]*outcome),
	}
	for a := range 1 + w.random.IntN(3) {
		account := fmt.Sprint("account-", a)
		w.must(w.store.CreateAccount(t.Context(), &auth.Account{ID: account, Email: account, Username: account}))
		for k := range 1 + w.random.IntN(3) {
			c := &customer{account: account, key: fmt.Sprintf("key-%d-%d", a, k)}
			w.must(w.store.CreateKey(t.Context(), &auth.Key{ID: c.key, AccountID: account, Hash: auth.Hash{byte(a), byte(k)}}))
			if w.random.IntN(2) == 0 {
				c.limited = true
				c.period = []ledger.Period{ledger.PeriodTotal, ledger.PeriodDay, ledger.PeriodMonth}[w.random.IntN(3)]
				w.limit(c, w.amount(5000))
			}
			w.keys = append(w.keys, c)
		}
		w.deposit(account, w.amount(10000))
	}
	for i := range 1 + w.random.IntN(4) {
		w.nodes = append(w.nodes, w.start(fmt.Sprint("node-", i)))
	}
	return w
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Error(err)
	}
}

func (w *world) amount(most int) metering.Nanos { return metering.Nanos(1 + w.random.IntN(most)) }

func (w *world) between(least, most time.Duration) time.Duration {
	return least + time.Duration(w.random.Int64N(int64(most-least)))
}

// start runs a node; several attempts may be needed to reach the store.
func (w *world) start(name string) *node {
	n := &node{world: w, name: name}
	n.link = &link{
		store: w.store, trace: w.trace, name: name, seed: w.random.Uint64(), calls: make(map[string]uint64),
		trouble: []int{0, 2, 10, 30}[w.random.IntN(4)],
	}
	options := ledger.Options{
		Node: name, LeaseFor: w.between(2*time.Second, 6*time.Second), RetryFor: w.between(2*time.Second, 10*time.Second),
		IdleFor: w.between(3*time.Second, 30*time.Second), Slice: w.amount(200), Whole: w.amount(200),
		MaxWaiting: 1 + w.random.IntN(20),
		Now:        func() time.Time { n.link.mu.Lock(); defer n.link.mu.Unlock(); return time.Now().Add(n.ahead) },
	}
	var err error
	for n.ledger == nil {
		if n.ledger, err = ledger.Open(w.t.Context(), n.link, options); err != nil && !errors.Is(err, ledger.ErrUnavailable) {
			w.t.Fatalf("open: %v", err)
		}
	}
	w.trace.note("%s starts", name)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go n.follow(ctx, w.between(200*time.Millisecond, 700*time.Millisecond))
	return n
}

// follow reads the changes feed, as a gateway does.
func (n *node) follow(ctx context.Context, interval time.Duration) {
	after := int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
		}
		if ctx.Err() != nil {
			return
		}
		ask, cancel := context.WithTimeout(ctx, time.Second)
		from := after // a call may arrive when this loop is further on
		changes, err := call(ask, n.link, "changes", "", func(ctx context.Context) ([]store.Change, error) { return n.world.store.Changes(ctx, from) })
		cancel()
		if err != nil {
			continue
		}
		for _, change := range changes {
			switch change.Kind {
			case store.KindWallet:
				n.ledger.Refresh(change.ID)
			case store.KindRecall:
				n.ledger.Recall(change.ID)
			}
			after = change.Sequence
		}
	}
}

// crash ends the node as a kill does: nothing of it reaches the store any more but
// what is under way, and no answer reaches it.
func (n *node) crash() {
	n.world.trace.note("%s crashes", n.name)
	n.link.set(func() { n.link.dead = true })
	n.stop()
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	_ = n.ledger.Close(ended) // ends its goroutines
}

// close ends the node in good order.
func (n *node) close() {
	n.stop()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// An error says that the lease could not be ended, and will be.
	n.world.trace.note("%s closes: %v", n.name, n.ledger.Close(ctx))
}

func (w *world) deposit(account string, amount metering.Nanos) {
	w.mu.Lock()
	w.total[account] += amount
	w.deposits++
	ref := fmt.Sprint("deposit-", w.deposits)
	w.mu.Unlock()
	_, err := w.store.Deposit(w.t.Context(), store.Deposit{AccountID: account, Amount: amount, Ref: ref})
	w.must(err)
	w.trace.note("deposit of %d on %s", amount, account)
}

func (w *world) limit(c *customer, amount metering.Nanos) {
	c.highest = max(c.highest, amount)
	w.must(w.store.SetKeyLimit(w.t.Context(), c.key, &store.KeyLimit{Amount: amount, Period: c.period}))
	w.trace.note("limit of %d on %s", amount, c.key)
}

// refund takes credit back, as soon as nodes let it go.
func (w *world) refund(account string, amount metering.Nanos, ref string) {
	for range 20 {
		made, err := w.store.Refund(w.t.Context(), store.Refund{AccountID: account, Amount: amount, Ref: ref})
		if made {
			w.mu.Lock()
			w.total[account] -= amount
			w.mu.Unlock()
			w.trace.note("refund of %d on %s", amount, account)
		}
		if !errors.Is(err, store.ErrGranted) {
			if err != nil && !errors.Is(err, store.ErrBalance) {
				w.t.Errorf("refund: %v", err)
			}
			return
		}
		time.Sleep(300*time.Millisecond + time.Duration(len(ref)))
	}
}
