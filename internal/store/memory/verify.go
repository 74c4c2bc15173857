package memory

import (
	"context"
	"fmt"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// Verify is as store.Store's: it adds up everything again.
func (s *Store) Verify(context.Context) (*store.Report, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	report := &store.Report{Accounts: int64(len(s.accounts)), Records: int64(len(s.records)), Transfers: int64(len(s.transfers))}
	differ := func(check, subject string, stored, computed metering.Nanos) {
		if stored != computed {
			report.Differences = append(report.Differences, store.Difference{Check: check, Subject: subject, Stored: stored, Computed: computed})
		}
	}
	balances, spent := make(map[string]metering.Nanos), make(map[string]metering.Nanos)
	for _, t := range s.transfers {
		balances[t.Debit] -= t.Amount
		balances[t.Credit] += t.Amount
	}
	for _, r := range s.records {
		balances[r.AccountID] -= r.Cost - r.Shortfall
		spent[r.KeyID] += r.Cost - r.Shortfall
		booked := metering.Nanos(0)
		if t := s.transfers[reference{kindShortfall, r.ID}]; t != nil {
			booked = t.Amount
		}
		differ("shortfall of the record against its transfer", r.ID, r.Shortfall, booked)
	}
	for _, v := range sorted(s.vouchers, func(v *store.Voucher) string { return v.ID }) {
		booked := metering.Nanos(0)
		if t := s.transfers[reference{kindVoucher, v.ID}]; t != nil && t.Credit == v.RedeemedBy {
			booked = t.Amount
		}
		if v.RedeemedBy != "" {
			differ("redeemed voucher against its transfer", v.ID, v.Amount, booked)
		}
	}
	for _, a := range sorted(s.accounts, func(a *account) string { return a.ID }) {
		report.Balance += a.balance
		differ("balance against the sum of transfers and records", a.ID, a.balance, balances[a.ID])
		differ("balance below zero", a.ID, min(a.balance, 0), 0)
		differ("receivable below zero", a.ID, max(balances[store.Receivable(a.ID)], 0), 0)
		differ("granted below zero or above the balance", a.ID, a.granted, min(max(a.granted, 0), a.balance))
		s.verifyGrants(a.ID, &a.wallet, differ)
	}
	for _, k := range sorted(s.keys, func(k *key) string { return k.ID }) {
		var counted metering.Nanos
		for start, p := range k.periods {
			name := fmt.Sprintf("%s from %d", k.ID, start)
			counted += p.spent
			differ("spent or granted below zero", name, min(p.spent, p.granted, 0), 0)
			s.verifyGrants(name, &p.wallet, differ)
		}
		// Records of a time without a limit count in no period.
		differ("spent of limits above the sum of records", k.ID, max(counted, spent[k.ID]), spent[k.ID])
	}
	return report, nil
}

func (s *Store) verifyGrants(name string, w *wallet, differ func(check, subject string, stored, computed metering.Nanos)) {
	var sum metering.Nanos
	for node, g := range w.grants {
		sum += g.credit()
		differ("grant below zero", name, min(g.credit(), g.Issued, g.Returned, g.Debited, 0), 0)
		if s.nodes[node] == nil || s.nodes[node].ended {
			differ("grant without a lease in force", name, 1, 0)
		}
	}
	differ("granted against the sum of grants", name, w.granted, sum)
}
