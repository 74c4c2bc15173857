// Package memory is a store that forgets everything with its process, for tests and
// simulations. It does what the SQL stores do, as plainly as possible, and passes the
// same conformance suite.
//
//	books := memory.New(time.Now)
//	err := books.CreateAccount(ctx, account)
//	book, err := ledger.Open(ctx, books, ledger.Options{})
package memory

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Store is a whole store behind one lock: every method is a transaction.
type Store struct {
	now func() time.Time

	mu        sync.Mutex
	accounts  map[string]*account
	keys      map[string]*key
	nodes     map[string]*node
	records   map[string]*metering.Record
	transfers map[reference]*store.Transfer
	vouchers  map[string]*store.Voucher
	changes   map[thing]int64
	sequence  int64
}

type account struct {
	auth.Account
	wallet
	balance metering.Nanos
}

type key struct {
	auth.Key
	limit   *store.KeyLimit         // nil: none
	former  map[auth.Hash]time.Time // secrets that were replaced, and until when they work
	periods map[int64]*period       // by their beginning
}

// left is what is not spent of the limit, granted or not.
func (k *key) left(p *period) metering.Nanos {
	if k.limit == nil {
		return 0
	}
	return k.limit.Amount - p.spent
}

// period is what a key spent of its limit in one period.
type period struct {
	wallet
	spent metering.Nanos
}

// wallet is what nodes have of an account or of a key's limit.
type wallet struct {
	granted       metering.Nanos
	grants        map[string]*grant // by node
	recalledBy    string
	recalledUntil time.Time
}

type grant struct {
	ledger.Position
	number int64 // of the latest call
}

func (g *grant) credit() metering.Nanos { return g.Issued - g.Returned - g.Debited }

type node struct {
	ledger.Node
	ended bool
}

type reference struct{ kind, ref string }

type thing struct {
	kind store.Kind
	id   string
}

// New returns an empty store with this clock.
func New(now func() time.Time) *Store {
	return &Store{
		now: now, accounts: make(map[string]*account), keys: make(map[string]*key), nodes: make(map[string]*node),
		records: make(map[string]*metering.Record), transfers: make(map[reference]*store.Transfer),
		vouchers: make(map[string]*store.Voucher), changes: make(map[thing]int64),
	}
}

func (s *Store) announce(kind store.Kind, id string) {
	s.sequence++
	s.changes[thing{kind, id}] = s.sequence
}

// sorted returns the values, ordered by what `of` says of each.
func sorted[K comparable, V any, O cmp.Ordered](values map[K]V, of func(V) O) []V {
	list := make([]V, 0, len(values))
	for _, value := range values {
		list = append(list, value)
	}
	slices.SortFunc(list, func(a, b V) int { return cmp.Compare(of(a), of(b)) })
	return list
}
