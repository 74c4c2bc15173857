package store

import (
	"cmp"
	"database/sql"
	"fmt"
	"maps"
	"slices"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// settlementValues are those of insertRecord.
func settlementValues(values []any, settlement *ledger.Settlement) []any {
	return append(recordValues(values, &settlement.Record), sql.NullInt64{Int64: settlement.PeriodStart, Valid: settlement.Limited})
}

// checkSettlements is ledger.ErrRejected where amounts make no sense by themselves.
func checkSettlements(settlements []*ledger.Settlement) error {
	for _, settlement := range settlements {
		record := &settlement.Record
		if settlement.Debit != record.Cost-record.Shortfall {
			return fmt.Errorf("record %s: its debit is not its cost without its shortfall: %w", record.ID, ledger.ErrRejected)
		}
		if settlement.OperatorCost < 0 {
			return fmt.Errorf("record %s: an operator cost below zero: %w", record.ID, ledger.ErrRejected)
		}
	}
	return nil
}

// needsLease is false for records without a debit, which nobody's credit pays for.
func needsLease(lease ledger.Lease) bool { return lease != (ledger.Lease{}) }

// debits are what new records take from each wallet.
type debits map[ledger.Wallet]metering.Nanos

func (d debits) add(settlement *ledger.Settlement) {
	if settlement.Debit == 0 {
		return
	}
	record := &settlement.Record
	d[ledger.Wallet{AccountID: record.AccountID}] += settlement.Debit
	if settlement.Limited {
		d[ledger.Wallet{AccountID: record.AccountID, KeyID: record.KeyID, PeriodStart: settlement.PeriodStart}] += settlement.Debit
	}
}

// inOrder yields the wallets in the order in which all transactions lock them.
func (d debits) inOrder() []ledger.Wallet {
	return slices.SortedFunc(maps.Keys(d), func(a, b ledger.Wallet) int {
		// No key comes before all keys.
		return cmp.Or(cmp.Compare(a.KeyID, b.KeyID), cmp.Compare(a.PeriodStart, b.PeriodStart), cmp.Compare(a.AccountID, b.AccountID))
	})
}

// settlementTransfers yields the values of insertTransfer for what a record books
// beside its debit.
func settlementTransfers(settlement *ledger.Settlement, yield func(values ...any)) {
	record := &settlement.Record
	for _, transfer := range []struct {
		kind, debit, credit string
		amount              metering.Nanos
	}{
		{transferShortfall, HouseShortfall, HouseRevenue, record.Shortfall},
		{transferOperatorCost, HouseCash, HouseProviderCost, settlement.OperatorCost},
	} {
		if transfer.amount > 0 {
			yield(transfer.kind, record.ID, transfer.debit, transfer.credit, int64(transfer.amount), "", "", record.StartedAt.UnixMicro())
		}
	}
}

const selectStanding = `SELECT account_id, cost - shortfall FROM usage_records WHERE id = $1`

// findStanding reads what the record that is there already took, as selectStanding found it.
func findStanding(found row, settlement *ledger.Settlement) error {
	var account string
	if err := found.Scan(&account, (*int64)(&settlement.Standing)); err != nil {
		return err
	}
	if account != settlement.Record.AccountID {
		return fmt.Errorf("record %s is another account's: %w", settlement.Record.ID, ledger.ErrRejected)
	}
	settlement.Present = true
	return nil
}
