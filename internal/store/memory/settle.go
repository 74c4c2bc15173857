package memory

import (
	"context"
	"fmt"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Settle implements ledger.Store.
func (s *Store) Settle(_ context.Context, lease ledger.Lease, settlements []*ledger.Settlement) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if lease != (ledger.Lease{}) {
		if _, err := s.inForce(lease); err != nil {
			return err
		}
	}
	debits := make(map[*grant]metering.Nanos)
	seen := make(map[string]*metering.Record)
	var writes []*ledger.Settlement // one may stand in the batch twice
	for _, settlement := range settlements {
		record := &settlement.Record
		settlement.Present, settlement.Standing = false, 0
		if err := s.acceptable(settlement); err != nil {
			return fmt.Errorf("record %s: %w: %w", record.ID, ledger.ErrRejected, err)
		}
		standing := s.records[record.ID]
		if standing == nil {
			standing = seen[record.ID]
		}
		if standing != nil {
			if standing.AccountID != record.AccountID {
				return fmt.Errorf("record %s is another account's: %w", record.ID, ledger.ErrRejected)
			}
			settlement.Present, settlement.Standing = true, standing.Cost-standing.Shortfall
			continue
		}
		seen[record.ID] = record
		writes = append(writes, settlement)
		for _, w := range s.payers(settlement) {
			g := w.grants[lease.Node]
			if g == nil || g.credit() < debits[g]+settlement.Debit {
				return fmt.Errorf("record %s: the node was granted less than it spends: %w", record.ID, ledger.ErrRejected)
			}
			debits[g] += settlement.Debit
		}
	}
	for _, settlement := range writes {
		s.settle(lease, settlement)
	}
	return nil
}

// acceptable is an error for what can never be written.
func (s *Store) acceptable(settlement *ledger.Settlement) error {
	r := &settlement.Record
	k := s.keys[r.KeyID]
	switch {
	case s.accounts[r.AccountID] == nil || k == nil || k.AccountID != r.AccountID:
		return store.ErrNotFound
	case r.Cost < 0, r.Shortfall < 0, r.Shortfall > r.Cost, settlement.Debit != r.Cost-r.Shortfall, settlement.OperatorCost < 0:
		return store.ErrAmount
	case settlement.Limited && settlement.Debit > 0 && k.periods[settlement.PeriodStart] == nil:
		return store.ErrNotFound
	}
	return nil
}

// payers are the wallets that the settlement takes its debit from.
func (s *Store) payers(settlement *ledger.Settlement) []*wallet {
	if settlement.Debit == 0 {
		return nil
	}
	payers := []*wallet{&s.accounts[settlement.Record.AccountID].wallet}
	if settlement.Limited {
		payers = append(payers, &s.keys[settlement.Record.KeyID].periods[settlement.PeriodStart].wallet)
	}
	return payers
}

func (s *Store) settle(lease ledger.Lease, settlement *ledger.Settlement) {
	record, debit := settlement.Record, settlement.Debit
	s.records[record.ID] = &record
	for _, w := range s.payers(settlement) {
		w.grants[lease.Node].Debited += debit
		w.granted -= debit
	}
	s.accounts[record.AccountID].balance -= debit
	if settlement.Limited && debit > 0 {
		s.keys[record.KeyID].periods[settlement.PeriodStart].spent += debit
	}
	for _, transfer := range []store.Transfer{
		{Kind: kindShortfall, Debit: store.HouseShortfall, Credit: store.HouseRevenue, Amount: record.Shortfall},
		{Kind: kindOperatorCost, Debit: store.HouseCash, Credit: store.HouseProviderCost, Amount: settlement.OperatorCost},
	} {
		if transfer.Amount > 0 {
			transfer.Ref, transfer.At = record.ID, record.StartedAt
			s.write(transfer)
		}
	}
}
