package ledger

import (
	"context"
	"time"

	"github.com/faregate/faregate/metering"
)

// shortage is what is missing beyond what the queue waits for.
type shortage struct{ own, limit metering.Nanos }

// refill asks the store for credit of the account and of the key's limit, or waits for
// a call that is under way: then own is false, and covers tells whether it asks for
// the key as well.
func (l *Ledger) refill(ctx context.Context, a *account, keyID string, short shortage) (covers, own bool, err error) {
	a.mu.Lock()
	if a.gone {
		a.mu.Unlock()
		return false, false, errGone
	}
	current, own := a.begin(keyID)
	if !own {
		a.mu.Unlock()
		return keyID == "" || current.keyID == keyID, false, current.wait(ctx)
	}
	a.stale = false // news from now on are news again
	sent := l.options.Now()
	draw := l.wishes(a, keyID, short, sent)
	a.mu.Unlock()
	// The answer serves others too: the client that happened to ask may leave.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), l.options.AskFor)
	defer cancel()
	drawn, err := l.store.Draw(ctx, a.tenure.lease, draw)
	err = a.tenure.judge(err)
	a.mu.Lock()
	defer a.mu.Unlock()
	now := l.options.Now()
	if err == nil {
		a.learn(keyID, drawn, sent, now)
		if a.mustYield(now) {
			l.yields.add(a.id)
		}
	} else {
		a.stale, a.wallet.unsure = true, true
		if keyID != "" {
			k := a.key(keyID)
			k.known, k.unsure = false, true
			if k.limit != nil {
				k.limit.unsure = true
			}
		}
	}
	a.end(err)
	a.admit(now)
	return true, true, err
}

// wishes says how much to ask for. The account's lock must be held.
func (l *Ledger) wishes(a *account, keyID string, short shortage, now time.Time) Draw {
	draw := Draw{Number: a.tenure.calls.Add(1), AccountID: a.id, KeyID: keyID}
	var own, limited need
	for _, r := range a.queue {
		own.add(r.amount)
		if r.keyID == keyID && !r.extends || r.extends && r.hold.limit != nil && r.hold.limit.name.KeyID == keyID {
			limited.add(r.amount)
		}
	}
	draw.Account = l.wish(a.tenure, a.wallet, own, short.own, now)
	if keyID != "" {
		limit, _ := a.limit(keyID, now)
		if limit == nil {
			limit = new(wallet) // not known yet, and maybe none
		}
		draw.Key = l.wish(a.tenure, limit, limited, short.limit, now)
	}
	return draw
}

// need is what requests in the queue wait for.
type need struct{ first, all metering.Nanos }

func (n *need) add(amount metering.Nanos) {
	if n.first == 0 {
		n.first = amount
	}
	if n.all += amount; n.all < 0 {
		n.all = Everything
	}
}

func (l *Ledger) wish(t *tenure, w *wallet, n need, short metering.Nanos, now time.Time) Wish {
	free := w.usable()
	wish := Wish{Least: max(0, n.first-free, short)}
	switch {
	case t.alone():
		wish.Most = Everything
	case w.contested(now):
		wish.Most = max(0, n.all-free)
	default:
		wish.Most = max(0, n.all-free, w.demand.target(l.options.Slice, now)-free)
		wish.Whole = l.options.Whole
	}
	return wish
}
