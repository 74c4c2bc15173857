package ledger

import (
	"slices"
	"time"

	"github.com/faregate/faregate/metering"
)

// request is a hold, or an extension of one, that is not granted yet. The account's
// lock guards it.
type request struct {
	account *account
	hold    *Hold
	keyID   string
	amount  metering.Nanos
	extends bool // the hold is open already
	patient bool // it may wait for running holds
	done    bool
	err     error         // of a request that is done
	news    bool          // what the store said last may not be true any more
	woken   chan struct{} // one token: look again
}

func (r *request) wake() {
	select {
	case r.woken <- struct{}{}:
	default:
	}
}

// limit returns the wallet of the limit that the request counts in, if that is known.
func (r *request) limit(now time.Time) (*wallet, bool) {
	if r.extends {
		// Also of a period that is over, as the hold is of that one: then there are no news.
		limit, k := r.hold.limit, r.account.keys[r.keyID]
		return limit, limit == nil || k == nil || k.limit != limit || k.known
	}
	return r.account.limit(r.keyID, now)
}

// take promises the credit to the hold. It must be free.
func (r *request) take(limit *wallet, now time.Time) {
	a, h := r.account, r.hold
	r.done = true
	if r.extends {
		if r.err = h.open(); r.err != nil {
			return
		}
	} else {
		h.account, h.limit = a, limit
		a.users++
	}
	a.wallet.reserve(r.amount, now)
	if limit != nil {
		limit.reserve(r.amount, now)
	}
	h.amount += r.amount
	a.touched = now
}

// enqueue puts the request behind those that came before it. Running requests go
// first: others wait for their end. The lock must be held.
func (a *account) enqueue(r *request) {
	at := len(a.queue)
	if r.extends {
		at = 0
		for at < len(a.queue) && a.queue[at].extends {
			at++
		}
	}
	a.queue = slices.Insert(a.queue, at, r)
	a.users++
}

// leave takes the request out of the queue, done or not. The lock must be held.
func (a *account) leave(r *request) {
	a.users--
	if at := slices.Index(a.queue, r); at >= 0 {
		a.queue = slices.Delete(a.queue, at, at+1)
	}
}

// ahead is how many wait for credit before a request in the queue. Extensions do not
// count: there are no more of them than running holds. The lock must be held.
func (a *account) ahead(r *request) (count int) {
	if r.extends {
		return 0
	}
	for _, other := range a.queue {
		switch {
		case other == r:
			return count
		case !other.extends:
			count++
		}
	}
	return count
}

// admit grants what can be granted, first come, first served: a request that lacks
// credit of the account keeps all behind it waiting, one that lacks some of its key's
// limit those of its key. It wakes those that can no longer be served by waiting. The
// lock must be held.
func (a *account) admit(now time.Time) {
	if len(a.queue) == 0 || a.tenure.fenced.Load() {
		return // what is left under a lost lease is promised to nobody
	}
	waiting := a.queue[:0]
	var blocked []*wallet
	for i, r := range a.queue {
		limit, known := r.limit(now)
		switch {
		case !a.wallet.loaded || a.wallet.free() < r.amount:
			waiting = append(waiting, a.queue[i:]...)
			clear(a.queue[len(waiting):])
			a.queue = waiting
			a.wakeHopeless(now)
			return
		case !known || limit != nil && (slices.Contains(blocked, limit) || limit.usable() < r.amount):
			if limit != nil {
				blocked = append(blocked, limit)
			}
			waiting = append(waiting, r)
		default:
			r.take(limit, now)
			r.wake()
		}
	}
	clear(a.queue[len(waiting):])
	a.queue = waiting
	a.wakeHopeless(now)
}

func (a *account) wakeHopeless(now time.Time) {
	for _, r := range a.queue {
		if !r.possible(now) {
			r.wake()
		}
	}
}

// possible tells whether the request could be served if all running holds ended.
func (r *request) possible(now time.Time) bool {
	limit, known := r.limit(now)
	return r.account.wallet.possible() >= r.amount && (!known || limit == nil || limit.possible() >= r.amount)
}

// remote tells whether credit that this node does not have could serve the request.
func (r *request) remote(now time.Time) bool {
	limit, known := r.limit(now)
	return r.account.wallet.remote() || known && limit != nil && limit.remote()
}

func (w *wallet) remote() bool { return w.standing.Elsewhere > 0 || w.standing.Left > 0 }

// shared tells whether other nodes have credit that the request could use. The lock
// must be held.
func (r *request) shared(now time.Time) bool {
	limit, known := r.limit(now)
	return r.account.wallet.standing.Elsewhere > 0 || known && limit != nil && limit.standing.Elsewhere > 0
}

// byRecall tells whether the request could be served by what other nodes may not need,
// without the end of any hold of this node.
func (r *request) byRecall(now time.Time) bool {
	enough := func(w *wallet) bool {
		return w == nil || w.free()+w.standing.Elsewhere+max(0, w.standing.Left) >= r.amount
	}
	limit, known := r.limit(now)
	return known && enough(r.account.wallet) && enough(limit) && r.remote(now)
}

// refusal is the error of a request that is not served.
func (r *request) refusal(now time.Time) error {
	a := r.account
	limit, _ := r.limit(now)
	available, ofKey := usable(a.wallet, limit), limit != nil && limit.usable() < a.wallet.usable()
	for _, other := range a.queue {
		if other == r {
			break
		}
		if a.wallet.free() < other.amount {
			available = 0 // what is free is for those who came first
		}
	}
	return &InsufficientError{Needed: r.amount, Available: max(0, available), KeyLimit: ofKey}
}
