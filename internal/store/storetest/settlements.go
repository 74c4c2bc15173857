package storetest

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func settlements(t *testing.T, s Store) {
	ctx := t.Context()
	ada, bob, lease := NewCustomer(t, s, 100), NewCustomer(t, s, 100), claim(t, s, "a")
	for _, customer := range []Customer{ada, bob} {
		grant(t, s, lease, customer.AccountID, 50)
	}
	short := ada.Record(45)
	short.Shortfall = 5
	free := bob.Record(0)
	batch := []*ledger.Settlement{
		{Record: *ada.Record(10), Debit: 10}, {Record: *short, Debit: 40},
		{Record: *bob.Record(7), Debit: 7}, {Record: *free},
	}
	for attempt := range 3 {
		must(t, s.Settle(ctx, lease, batch))
		for i, settlement := range batch {
			if want := attempt > 0; settlement.Present != want || want && settlement.Standing != settlement.Debit {
				t.Errorf("attempt %d, settlement %d: present %v, standing %d", attempt, i, settlement.Present, int64(settlement.Standing))
			}
		}
		mustBalance(t, s, ada.AccountID, 50, 0)
		mustBalance(t, s, bob.AccountID, 93, 43)
	}
	if position := grant(t, s, lease, bob.AccountID, 0); position != (ledger.Position{Issued: 50, Debited: 7}) {
		t.Errorf("position %+v", position)
	}
	if got, err := s.Record(ctx, short.ID); err != nil || got.Shortfall != 5 || got.Cost != 45 {
		t.Errorf("record with shortfall: %+v, %v", got, err)
	}
	// A record of the same id that charges nothing finds out what stands.
	void := &ledger.Settlement{Record: batch[0].Record}
	void.Record.Cost = 0
	must(t, s.Settle(ctx, lease, []*ledger.Settlement{void}))
	if !void.Present || void.Standing != 10 {
		t.Errorf("the void settlement found %+v, want the 10 that stand", void)
	}
	if report := MustVerify(t, s); report.Records != 4 || report.Transfers != 3 || report.Balance != 143 {
		t.Errorf("report %+v", report)
	}
}

func rejectedSettlements(t *testing.T, s Store) {
	ctx := t.Context()
	customer, other, lease := NewCustomer(t, s, 100), NewCustomer(t, s, 100), claim(t, s, "a")
	for _, account := range []string{customer.AccountID, other.AccountID} {
		grant(t, s, lease, account, 50)
	}
	standing := other.Record(1)
	must(t, s.Settle(ctx, lease, []*ledger.Settlement{{Record: *standing, Debit: 1}}))
	for name, change := range map[string]func(*ledger.Settlement){
		"more than granted":         func(x *ledger.Settlement) { x.Record.Cost, x.Debit = 51, 51 },
		"unknown key":               func(x *ledger.Settlement) { x.Record.KeyID = NewID() },
		"unknown account":           func(x *ledger.Settlement) { x.Record.AccountID = NewID() },
		"negative cost":             func(x *ledger.Settlement) { x.Record.Cost, x.Debit = -5, -5 },
		"debit that is not cost":    func(x *ledger.Settlement) { x.Debit++ },
		"id of another's record":    func(x *ledger.Settlement) { x.Record.ID = standing.ID },
		"shortfall beyond the cost": func(x *ledger.Settlement) { x.Record.Shortfall, x.Debit = 11, -1 },
	} {
		good, bad := &ledger.Settlement{Record: *customer.Record(10), Debit: 10}, &ledger.Settlement{Record: *customer.Record(10), Debit: 10}
		change(bad)
		if err := s.Settle(ctx, lease, []*ledger.Settlement{good, bad}); !errors.Is(err, ledger.ErrRejected) {
			t.Errorf("%s: %v, want ErrRejected", name, err)
		}
		if _, err := s.Record(ctx, good.Record.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: half of the batch was written: %v", name, err)
		}
	}
	mustBalance(t, s, customer.AccountID, 100, 50)
}

// wholeRecords fills every field, found by reflection, with a value of its own: a
// field that is added without a column fails here.
func wholeRecords(t *testing.T, s Store) {
	customer, lease := NewCustomer(t, s, 0), claim(t, s, "a")
	record := customer.Record(0)
	next := int64(1000)
	fill(reflect.ValueOf(record).Elem(), &next)
	record.ID, record.AccountID, record.KeyID = NewID(), customer.AccountID, customer.KeyID
	record.StartedAt, record.Cost, record.Shortfall = Moment, 77, 77
	must(t, s.Settle(t.Context(), lease, []*ledger.Settlement{{Record: *record}}))
	got, err := s.Record(t.Context(), record.ID)
	if err != nil || !reflect.DeepEqual(got, record) {
		t.Errorf("the record came back as\n%+v, %v; want\n%+v", got, err, record)
	}
	if _, err := s.Record(t.Context(), NewID()); !errors.Is(err, store.ErrNotFound) {
		t.Errorf("unknown record: %v", err)
	}
}

func fill(value reflect.Value, next *int64) {
	for i := range value.NumField() {
		*next++
		field := value.Field(i)
		switch {
		case field.Type() == reflect.TypeFor[time.Duration]():
			field.SetInt(*next * int64(time.Microsecond))
		case field.CanInt():
			field.SetInt(*next)
		case field.Kind() == reflect.String:
			field.SetString(fmt.Sprint("text-", *next))
		case field.Kind() == reflect.Bool:
			field.SetBool(true)
		case field.Kind() == reflect.Struct && field.Type() != reflect.TypeFor[time.Time]():
			fill(field, next)
		}
	}
}

func recordsByFilter(t *testing.T, s Store) {
	ctx := t.Context()
	ada, bob, lease := NewCustomer(t, s, 0), NewCustomer(t, s, 0), claim(t, s, "a")
	second := Customer{AccountID: ada.AccountID, KeyID: NewKey(t, s, ada.AccountID)}
	// More than any page, many with equal times, written in no order of time.
	const count = 600
	var batch []*ledger.Settlement
	times := make(map[string]time.Time)
	for i := range count {
		record := []Customer{ada, bob, second}[i%3].Record(0)
		record.StartedAt = Moment.Add(time.Duration(i*7919%100) * time.Minute)
		times[record.ID] = record.StartedAt
		batch = append(batch, &ledger.Settlement{Record: *record})
	}
	must(t, s.Settle(ctx, lease, batch))
	hour, day := Moment.Add(time.Hour), Moment.Add(24*time.Hour)
	for name, row := range map[string]struct {
		filter store.Filter
		want   func(*metering.Record) bool
	}{
		"all":              {store.Filter{}, func(*metering.Record) bool { return true }},
		"account":          {store.Filter{AccountID: ada.AccountID}, func(r *metering.Record) bool { return r.AccountID == ada.AccountID }},
		"key":              {store.Filter{KeyID: second.KeyID}, func(r *metering.Record) bool { return r.KeyID == second.KeyID }},
		"since":            {store.Filter{Since: hour}, func(r *metering.Record) bool { return !r.StartedAt.Before(hour) }},
		"until":            {store.Filter{Until: hour}, func(r *metering.Record) bool { return r.StartedAt.Before(hour) }},
		"account and time": {store.Filter{AccountID: bob.AccountID, Since: hour, Until: day}, func(r *metering.Record) bool { return r.AccountID == bob.AccountID && !r.StartedAt.Before(hour) }},
		"key of another":   {store.Filter{AccountID: bob.AccountID, KeyID: second.KeyID}, func(*metering.Record) bool { return false }},
		"injection":        {store.Filter{AccountID: "' OR 1=1 --"}, func(*metering.Record) bool { return false }},
		"later":            {store.Filter{Since: day}, func(*metering.Record) bool { return false }},
	} {
		want := 0
		for _, settlement := range batch {
			if row.want(&settlement.Record) {
				want++
			}
		}
		got := recordsOf(t, s, row.filter)
		seen := make(map[string]bool)
		for i, record := range got {
			if seen[record.ID] || !row.want(record) || !record.StartedAt.Equal(times[record.ID]) {
				t.Fatalf("%s: record %d does not belong", name, i)
			}
			seen[record.ID] = true
			if i > 0 && record.StartedAt.Before(got[i-1].StartedAt) {
				t.Fatalf("%s: record %d is older than the one before it", name, i)
			}
		}
		if len(got) != want {
			t.Errorf("%s: %d records, want %d", name, len(got), want)
		}
	}
	for _, err := range s.Records(ctx, store.Filter{}) {
		must(t, err)
		break // a reader that stops early must not keep a connection
	}
}
