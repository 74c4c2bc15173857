package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/faregate/faregate/metering"
)

// errGone says that an account was dropped between its look-up and its lock.
var errGone = errors.New("the account is not in memory any more")

// account is what a node has of one account and of the limits of its keys. One lock
// covers them all: a hold takes from both or from none.
type account struct {
	tenure *tenure
	id     string

	mu     sync.Mutex
	gone   bool // dropped from the tenure: look the account up again
	stale  bool // the store has news
	wallet *wallet
	keys   map[string]*key
	// past holds limits that no new hold counts in: their period or the limit is over.
	past  []*wallet
	queue []*request
	// users counts open holds, settlements under way and requests that wait; an
	// account with users stays.
	users   int
	call    *call // the one call to the store under way
	touched time.Time
}

// key is what is known of one key of the account.
type key struct {
	known  bool // the store has told about the limit, and has no news
	unsure bool // the outcome of the last call is not known
	limit  *wallet
	ends   time.Time // when the limit's period does; zero: never
}

// call is one call to the store; others wait for its end.
type call struct {
	keyID string // that it asks for as well
	done  chan struct{}
	err   error
}

func (c *call) wait(ctx context.Context) error {
	select {
	case <-c.done:
		return c.err
	case <-ctx.Done():
		return fmt.Errorf("wait for the store: %w", context.Cause(ctx))
	}
}

func (c *call) end(err error) {
	c.err = err
	close(c.done)
}

func newAccount(t *tenure, id string) *account {
	return &account{tenure: t, id: id, wallet: &wallet{name: Wallet{AccountID: id}}, keys: make(map[string]*key)}
}

// begin makes the caller the owner of the account's next call to the store, or
// returns the one under way. The lock must be held.
func (a *account) begin(keyID string) (current *call, own bool) {
	if a.call != nil {
		return a.call, false
	}
	a.call = &call{keyID: keyID, done: make(chan struct{})}
	return a.call, true
}

// end ends the owner's call. The lock must be held.
func (a *account) end(err error) {
	a.call.end(err)
	a.call = nil
}

// limit returns the wallet of the key's limit, nil if it has none. It is not known
// before the store was asked, after news, and when a period has ended. The lock must be held.
func (a *account) limit(keyID string, now time.Time) (limit *wallet, known bool) {
	if keyID == "" {
		return nil, true
	}
	k := a.keys[keyID]
	if k == nil || !k.known {
		return nil, false
	}
	if k.limit != nil && !k.ends.IsZero() && !now.Before(k.ends) {
		a.supersede(k, nil)
		k.known = false
		return nil, false
	}
	return k.limit, true
}

// supersede replaces the key's limit. The lock must be held.
func (a *account) supersede(k *key, next *wallet) {
	if k.limit != nil && k.limit != next {
		a.past = append(a.past, k.limit)
	}
	k.limit = next
}

// learn takes over the answer to a draw that was sent then. The lock must be held.
func (a *account) learn(keyID string, drawn Drawn, sent, now time.Time) {
	a.wallet.learn(drawn.Account, now)
	if keyID == "" {
		return
	}
	k := a.key(keyID)
	k.known, k.unsure = true, false
	if drawn.Key == nil {
		a.supersede(k, nil)
		return
	}
	name := Wallet{AccountID: a.id, KeyID: keyID, PeriodStart: drawn.Key.PeriodStart}
	if k.limit == nil || k.limit.name != name {
		a.supersede(k, a.revive(name))
	}
	k.limit.learn(drawn.Key.Standing, now)
	k.ends = time.Time{}
	if drawn.Key.Remaining > 0 {
		// The store looked at its clock after this was sent, so that the period never
		// ends later here than there.
		k.ends = sent.Add(drawn.Key.Remaining)
	}
}

func (a *account) key(keyID string) *key {
	k := a.keys[keyID]
	if k == nil {
		k = new(key)
		a.keys[keyID] = k
	}
	return k
}

// revive returns the wallet of this name, a past one if there is one: the end of its
// period came too early here. The lock must be held.
func (a *account) revive(name Wallet) *wallet {
	for i, w := range a.past {
		if w.name == name {
			a.past = slices.Delete(a.past, i, i+1)
			return w
		}
	}
	return &wallet{name: name}
}

// wallets returns all wallets of the account, in a fixed order. The lock must be held.
func (a *account) wallets() []*wallet {
	list := append([]*wallet{a.wallet}, a.past...)
	for _, k := range a.keys {
		if k.limit != nil {
			list = append(list, k.limit)
		}
	}
	slices.SortStableFunc(list, func(a, b *wallet) int { return compare(a.name, b.name) })
	return list
}

// usable is what a hold with this key could take now: of the account, and of the limit
// if there is one. The lock must be held.
func usable(own, limit *wallet) metering.Nanos {
	if limit == nil {
		return own.usable()
	}
	return min(own.usable(), limit.usable())
}

// withAccount calls do with the account: again if that was dropped meanwhile, and once
// again under a new lease if the lease was lost.
func (l *Ledger) withAccount(ctx context.Context, accountID string, do func(*account) error) error {
	fenced := false
	for {
		tenure, err := l.currentTenure(ctx)
		if err != nil {
			return err
		}
		err = do(tenure.account(accountID))
		switch {
		case errors.Is(err, errGone):
		case errors.Is(err, ErrFenced) && !fenced:
			fenced = true
		default:
			return err
		}
	}
}

// Available returns what a hold on the account could take now, without a limit of a
// key and without credit that other nodes have.
func (l *Ledger) Available(ctx context.Context, accountID string) (metering.Nanos, error) {
	var available metering.Nanos
	err := l.withAccount(ctx, accountID, func(a *account) error {
		for {
			a.mu.Lock()
			known, gone := a.wallet.loaded && !a.stale, a.gone
			available = a.wallet.free() + max(0, a.wallet.standing.Left)
			a.mu.Unlock()
			if gone {
				return errGone
			}
			if known {
				return nil
			}
			if _, _, err := l.refill(ctx, a, "", shortage{}); err != nil {
				return err
			}
		}
	})
	return available, err
}

// Refresh tells that the account or a limit of its keys changed in the store (a change
// of kind "wallet"), as by a deposit. It returns at once; the store is asked when the
// account is used next, and at once for requests that wait.
func (l *Ledger) Refresh(accountID string) {
	a := l.latest().find(accountID)
	if a == nil {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.stale = true
	for _, k := range a.keys {
		k.known = false
	}
	for _, r := range a.queue {
		r.news = true
		r.wake()
	}
}
