package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Draw implements ledger.Store.
func (s *Store) Draw(_ context.Context, lease ledger.Lease, draw ledger.Draw) (drawn ledger.Drawn, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.inForce(lease); err != nil {
		return drawn, err
	}
	a := s.accounts[draw.AccountID]
	if a == nil {
		return drawn, ledger.ErrNoAccount
	}
	var k *key
	if draw.KeyID != "" {
		if k = s.keys[draw.KeyID]; k == nil || k.AccountID != draw.AccountID {
			return drawn, fmt.Errorf("key: %w", ledger.ErrNoAccount)
		}
	}
	drawn.Account = s.draw(lease.Node, draw, draw.Account, &a.wallet, a.balance)
	if k == nil || k.limit == nil {
		return drawn, nil
	}
	now := s.now()
	start, end := k.limit.Period.Bounds(now)
	p := k.periods[start.UnixMicro()]
	if p == nil {
		p = new(period)
		k.periods[start.UnixMicro()] = p
	}
	drawn.Key = &ledger.KeyStanding{
		Standing:    s.draw(lease.Node, draw, draw.Key, &p.wallet, k.left(p)),
		PeriodStart: start.UnixMicro(),
	}
	if !end.IsZero() {
		drawn.Key.Remaining = end.Sub(now)
	}
	return drawn, nil
}

// draw grants of a wallet that has `total`, granted or not.
func (s *Store) draw(node string, draw ledger.Draw, wish ledger.Wish, w *wallet, total metering.Nanos) ledger.Standing {
	g := w.grant(node)
	now := s.now()
	if draw.Number >= g.number && !w.recalledByOther(node, now) {
		amount := wish.Amount(total - w.granted)
		g.Issued += amount
		w.granted += amount
		switch {
		case amount < wish.Least && w.granted > g.credit():
			w.recalledBy, w.recalledUntil = node, now.Add(ledger.RecallFor)
			s.announce(store.KindRecall, draw.AccountID)
		case w.recalledBy == node:
			w.recalledBy = ""
		}
	}
	g.number = max(g.number, draw.Number)
	return w.standing(node, now, total)
}

func (w *wallet) grant(node string) *grant {
	g := w.grants[node]
	if g == nil {
		if w.grants == nil {
			w.grants = make(map[string]*grant)
		}
		g = new(grant)
		w.grants[node] = g
	}
	return g
}

func (w *wallet) recalledByOther(claimant string, now time.Time) bool {
	return w.recalledBy != "" && w.recalledBy != claimant && now.Before(w.recalledUntil)
}

func (w *wallet) standing(node string, now time.Time, total metering.Nanos) ledger.Standing {
	g := w.grant(node)
	return ledger.Standing{
		Position: g.Position, Elsewhere: w.granted - g.credit(), Left: total - w.granted,
		Recalled: w.recalledByOther(node, now),
	}
}

// find returns the wallet and what it has, granted or not; nil if there is none.
func (s *Store) find(name ledger.Wallet) (w *wallet, total metering.Nanos) {
	a := s.accounts[name.AccountID]
	if a == nil {
		return nil, 0
	}
	if name.KeyID == "" {
		return &a.wallet, a.balance
	}
	k := s.keys[name.KeyID]
	if k == nil || k.AccountID != name.AccountID || k.periods[name.PeriodStart] == nil {
		return nil, 0
	}
	p := k.periods[name.PeriodStart]
	return &p.wallet, k.left(p)
}

// PutBack implements ledger.Store.
func (s *Store) PutBack(_ context.Context, lease ledger.Lease, number int64, name ledger.Wallet, returned metering.Nanos) (ledger.Standing, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, err := s.inForce(lease); err != nil {
		return ledger.Standing{}, err
	}
	w, total := s.find(name)
	if w == nil {
		return ledger.Standing{}, nil
	}
	g := w.grant(lease.Node)
	if amount := returned - g.Returned; number >= g.number && amount > 0 {
		if amount > g.credit() {
			return ledger.Standing{}, fmt.Errorf("put back %s of %s: %w", amount, g.credit(), store.ErrAmount)
		}
		g.Returned += amount
		w.granted -= amount
	}
	g.number = max(g.number, number)
	return w.standing(lease.Node, s.now(), total), nil
}
