package memory

import (
	"context"
	"fmt"
	"time"

	"github.com/faregate/faregate/metering/ledger"
)

// Join implements ledger.Store.
func (s *Store) Join(_ context.Context, name string, term time.Duration) (ledger.Lease, int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.nodes[name]
	if n == nil {
		n = &node{Node: ledger.Node{Name: name}}
		s.nodes[name] = n
	}
	s.putBackAll(name)
	now := s.now()
	n.Epoch++
	n.ended, n.ClaimedAt, n.RenewedAt, n.ExpiresAt = false, now, now, now.Add(term)
	return ledger.Lease{Node: name, Epoch: n.Epoch}, s.live(), nil
}

func (s *Store) live() (count int) {
	for _, n := range s.nodes {
		if !n.ended && s.now().Before(n.ExpiresAt) {
			count++
		}
	}
	return count
}

// inForce is ErrFenced unless the lease is.
func (s *Store) inForce(lease ledger.Lease) (*node, error) {
	n := s.nodes[lease.Node]
	if n == nil || n.ended || n.Epoch != lease.Epoch {
		return nil, fmt.Errorf("node %s, epoch %d: %w", lease.Node, lease.Epoch, ledger.ErrFenced)
	}
	return n, nil
}

// Heartbeat implements ledger.Store.
func (s *Store) Heartbeat(_ context.Context, lease ledger.Lease, term time.Duration) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.inForce(lease)
	if err != nil {
		return 0, err
	}
	n.RenewedAt, n.ExpiresAt = s.now(), s.now().Add(term)
	return s.live(), nil
}

// End implements ledger.Store.
func (s *Store) End(_ context.Context, lease ledger.Lease) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := s.inForce(lease)
	if err != nil {
		return err
	}
	s.end(n)
	return nil
}

func (s *Store) end(n *node) {
	n.ended = true
	s.putBackAll(n.Name)
}

// Reclaim implements ledger.Store.
func (s *Store) Reclaim(context.Context) (ended int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, n := range s.nodes {
		if !n.ended && !s.now().Before(n.ExpiresAt) {
			s.end(n)
			ended++
		}
	}
	return ended, nil
}

func (s *Store) putBackAll(name string) {
	for _, a := range s.accounts {
		a.forget(name)
	}
	for _, k := range s.keys {
		for _, p := range k.periods {
			p.forget(name)
		}
	}
}

func (w *wallet) forget(name string) {
	if g := w.grants[name]; g != nil {
		w.granted -= g.credit()
		delete(w.grants, name)
	}
}

// Nodes implements ledger.Store.
func (s *Store) Nodes(context.Context) ([]ledger.Node, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []ledger.Node
	for _, n := range sorted(s.nodes, func(n *node) string { return n.Name }) {
		found := n.Node
		found.Live = !n.ended && s.now().Before(n.ExpiresAt)
		for _, a := range s.accounts {
			if g := a.grants[n.Name]; g != nil && g.credit() > 0 {
				found.Granted += g.credit()
				found.Accounts++
			}
		}
		list = append(list, found)
	}
	return list, nil
}
