package storetest

import (
	"context"
	"reflect"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Retaining is a store that keeps records for long, and not for ever.
type Retaining interface {
	Store
	DailyUsage(ctx context.Context, accountID string, since, until time.Time) ([]store.Daily, error)
	Purge(ctx context.Context, before time.Time, limit int) (deleted int, err error)
}

// RunRetention takes old records away, a few at a time, from books that balance throughout.
func RunRetention(t *testing.T, s Retaining) {
	ctx := t.Context()
	customer, other, lease := NewCustomer(t, s, 1000), NewCustomer(t, s, 1000), claim(t, s, "a")
	must(t, s.SetKeyLimit(ctx, customer.KeyID, &store.KeyLimit{Amount: 500, Period: ledger.PeriodTotal}))
	for number, c := range []Customer{customer, other} {
		_, err := s.Draw(ctx, lease, ledger.Draw{
			Number: int64(number), AccountID: c.AccountID, KeyID: c.KeyID, Account: ledger.Wish{Most: 600}, Key: ledger.Wish{Most: 400},
		})
		must(t, err)
	}
	const day = 24 * time.Hour
	var batch []*ledger.Settlement
	for i := range 30 {
		c := []Customer{customer, other}[i%2]
		record := c.Record(metering.Nanos(10 + i))
		record.StartedAt = Moment.Add(time.Duration(i%3) * day)
		record.Shortfall = metering.Nanos(i % 4)
		batch = append(batch, &ledger.Settlement{
			Record: *record, Debit: record.Cost - record.Shortfall, Limited: c == customer, OperatorCost: metering.Nanos(i % 5),
		})
	}
	must(t, s.Settle(ctx, lease, batch))
	balanceBefore, err := s.Balance(ctx, customer.AccountID)
	must(t, err)
	daysBefore, err := s.DailyUsage(ctx, customer.AccountID, Moment, Moment.Add(3*day))
	must(t, err)
	var cost, shortfall, operator metering.Nanos
	requests := int64(0)
	for i, daily := range daysBefore {
		if want := Moment.Truncate(day).Add(time.Duration(i) * day); !daily.Day.Equal(want) || daily.KeyID != customer.KeyID || daily.ModelServed != "gpt" {
			t.Errorf("day %d is %+v", i, daily)
		}
		requests, cost, shortfall, operator = requests+daily.Requests, cost+daily.Cost, shortfall+daily.Shortfall, operator+daily.OperatorCost
	}
	if requests != 15 || cost != 15*10+2*(14*15/2) || shortfall != 14 || operator != 30 {
		t.Errorf("sums of the days: %d requests, cost %d, shortfall %d, operator cost %d", requests, int64(cost), int64(shortfall), int64(operator))
	}

	before := Moment.Add(2 * day)
	for _, want := range []int{8, 8, 4, 0} {
		if deleted, err := s.Purge(ctx, before, 8); err != nil || deleted != want {
			t.Errorf("purged %d, %v; want %d", deleted, err, want)
		}
		MustVerify(t, s)
	}
	// One that was recorded late, and a purge of less: the books go on.
	late := customer.Record(5)
	late.Shortfall = 1
	must(t, s.Settle(ctx, lease, []*ledger.Settlement{{Record: *late, Debit: 4, Limited: true}}))
	MustVerify(t, s)
	if deleted, err := s.Purge(ctx, Moment, 8); err != nil || deleted != 0 {
		t.Errorf("purged %d again, %v", deleted, err)
	}
	if deleted, err := s.Purge(ctx, before, 8); err != nil || deleted != 1 {
		t.Errorf("purged %d late ones, %v", deleted, err)
	}
	report := MustVerify(t, s)
	records := recordsOf(t, s, store.Filter{})
	if len(records) != 10 || report.Records != 10 {
		t.Errorf("%d records are left, want the 10 of the last day", len(records))
	}
	for _, record := range records {
		if record.StartedAt.Before(before.Truncate(day)) {
			t.Errorf("a record of %v is left", record.StartedAt)
		}
	}
	mustBalance(t, s, customer.AccountID, balanceBefore.Balance-4, balanceBefore.Granted-4)
	daysAfter, err := s.DailyUsage(ctx, customer.AccountID, Moment, Moment.Add(3*day))
	must(t, err)
	daysBefore[0].Requests++
	daysBefore[0].Cost += 5
	daysBefore[0].Shortfall++
	daysBefore[0].InputTotal += late.Usage.InputTotal
	daysBefore[0].OutputTotal += late.Usage.OutputTotal
	if !reflect.DeepEqual(daysAfter, daysBefore) {
		t.Errorf("the sums of the days are %+v, want %+v", daysAfter, daysBefore)
	}
}
