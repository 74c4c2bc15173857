package memory

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// Records is as store.Store's.
func (s *Store) Records(_ context.Context, filter store.Filter) iter.Seq2[*metering.Record, error] {
	return func(yield func(*metering.Record, error) bool) {
		for _, record := range s.chosen(filter) {
			if !yield(record, nil) {
				return
			}
		}
	}
}

func (s *Store) chosen(filter store.Filter) []*metering.Record {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []*metering.Record
	for _, r := range s.records {
		if (filter.AccountID == "" || r.AccountID == filter.AccountID) && (filter.KeyID == "" || r.KeyID == filter.KeyID) &&
			(filter.Since.IsZero() || !r.StartedAt.Before(filter.Since)) && (filter.Until.IsZero() || r.StartedAt.Before(filter.Until)) {
			found := *r
			list = append(list, &found)
		}
	}
	slices.SortFunc(list, func(a, b *metering.Record) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), cmp.Compare(a.ID, b.ID))
	})
	return list
}

// Record is as store.Store's.
func (s *Store) Record(_ context.Context, id string) (*metering.Record, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	r := s.records[id]
	if r == nil {
		return nil, fmt.Errorf("usage record: %w", store.ErrNotFound)
	}
	found := *r
	return &found, nil
}

// OperatorCost returns what was booked as the operator's for the record with this id.
func (s *Store) OperatorCost(_ context.Context, id string) (metering.Nanos, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if t := s.transfers[reference{kindOperatorCost, id}]; t != nil {
		return t.Amount, nil
	}
	return 0, nil
}

// Changes is as store.Store's.
func (s *Store) Changes(_ context.Context, after int64) ([]store.Change, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []store.Change
	for what, sequence := range s.changes {
		if sequence > after {
			list = append(list, store.Change{Sequence: sequence, Kind: what.kind, ID: what.id})
		}
	}
	slices.SortFunc(list, func(a, b store.Change) int { return cmp.Compare(a.Sequence, b.Sequence) })
	return list, nil
}

// LastChange is as store.Store's.
func (s *Store) LastChange(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.sequence, nil
}
