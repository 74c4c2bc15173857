package caddymodule

import (
	"path/filepath"
	"testing"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// watched is a spending over real books, with a clock that the test sets.
type watched struct {
	*spending
	t      *testing.T
	moment time.Time
	events []map[string]any
}

func newWatched(t *testing.T, w watching) *watched {
	t.Helper()
	books, err := store.Open("sqlite:" + filepath.Join(t.TempDir(), "books.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = books.Close() })
	if err := books.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	watched := &watched{t: t, moment: storetest.Moment}
	watched.spending = newSpending(zap.NewNop, func(event string, data map[string]any) {
		data["name"] = event
		watched.events = append(watched.events, data)
	})
	watched.store, watched.now = books, func() time.Time { return watched.moment }
	watched.watching.Store(&w)
	return watched
}

// spend settles a request of the customer, and has it noted.
func (w *watched) spend(c storetest.Customer, cost metering.Nanos) {
	w.t.Helper()
	record := c.Record(cost)
	record.StartedAt = w.moment
	lease, _, err := w.store.Join(w.t.Context(), "a", time.Hour)
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.store.Draw(w.t.Context(), lease, ledger.Draw{Number: 1, AccountID: c.AccountID, Account: ledger.Wish{Least: cost, Most: cost}}); err != nil {
		w.t.Fatal(err)
	}
	if err := w.store.Settle(w.t.Context(), lease, []*ledger.Settlement{{Record: *record, Debit: cost}}); err != nil {
		w.t.Fatal(err)
	}
	w.settled(c.AccountID, cost)
}

// told looks at what is due, and returns the names of the events that this makes.
func (w *watched) told() (names []string) {
	w.t.Helper()
	w.look(w.t.Context())
	for _, event := range w.events {
		names = append(names, event["name"].(string))
	}
	w.events = nil
	return names
}

func (w *watched) mustTell(when string, want ...string) {
	w.t.Helper()
	got := w.told()
	if len(got) != len(want) || len(want) == 1 && got[0] != want[0] {
		w.t.Errorf("%s: told %v, want %v", when, got, want)
	}
}

func TestAnHourThatCostsMoreThanAnyDay(t *testing.T) {
	w := newWatched(t, watching{anomaly: 10 * metering.Dollar})
	steady := storetest.NewCustomer(t, w.store, 1000*metering.Dollar)
	for day := range 3 {
		for _, dollars := range []metering.Nanos{20, 10} {
			w.moment = storetest.Moment.AddDate(0, 0, day)
			w.spend(steady, dollars*metering.Dollar)
			if told := w.told(); day > 0 && len(told) != 0 {
				t.Errorf("an hour as on other days: told %v", told)
			}
		}
	}
	w.moment = storetest.Moment.AddDate(0, 0, 3)
	w.spend(steady, 30*metering.Dollar)
	w.mustTell("as much as on the dearest day")
	w.spend(steady, metering.Dollar/100)
	w.look(t.Context())
	if len(w.events) != 1 || w.events[0]["account_id"] != steady.AccountID || w.events[0]["spent"] != "30.01" || w.events[0]["dearest_day"] != "30.00" {
		t.Errorf("told %v", w.events)
	}
	w.events = nil
	w.spend(steady, 20*metering.Dollar)
	w.mustTell("again in the same hour")
	w.moment = w.moment.Add(time.Hour)
	w.spend(steady, 20*metering.Dollar)
	w.mustTell("an hour that is not above the dearest day")
	w.spend(steady, 20*metering.Dollar)
	w.mustTell("the next hour", eventSpendAnomaly)

	// Who is new, and who spends little, has no day to compare with.
	fresh := storetest.NewCustomer(t, w.store, 1000*metering.Dollar)
	w.spend(fresh, 10*metering.Dollar)
	w.mustTell("not much")
	w.spend(fresh, 1)
	w.mustTell("much for somebody new", eventSpendAnomaly)
}

func TestABalanceIsLookedAtSeldom(t *testing.T) {
	w := newWatched(t, watching{low: 5 * metering.Dollar})
	c := storetest.NewCustomer(t, w.store, 10*metering.Dollar)
	due := func() int { return len(w.due) }
	w.spend(c, metering.Dollar)
	w.mustTell("enough")
	w.spend(c, metering.Dollar)
	if due() != 0 {
		t.Error("looked at again although there is enough")
	}
	w.moment = w.moment.Add(lookAnyway)
	w.spend(c, metering.Dollar)
	if due() != 1 {
		t.Error("never looked at again, as if nobody else could take from it")
	}
	w.mustTell("still enough")
	w.spend(c, 2*metering.Dollar)
	w.mustTell("as much as the threshold")
	w.spend(c, 1)
	w.mustTell("below", eventBalanceLow)
	w.spend(c, metering.Dollar)
	w.mustTell("still below")

	// What was low before this process began was told before.
	other := newWatched(t, watching{low: 5 * metering.Dollar})
	low := storetest.NewCustomer(t, other.store, 4*metering.Dollar)
	other.spend(low, metering.Dollar)
	other.mustTell("low from the beginning")

	off := newWatched(t, watching{})
	rich := storetest.NewCustomer(t, off.store, 1000*metering.Dollar)
	off.spend(rich, 900*metering.Dollar)
	if len(off.due) != 0 || off.accounts.Len() != 0 {
		t.Error("watched although nobody wants it")
	}
}

func TestTheWatchedAccountsAreBounded(t *testing.T) {
	w := newWatched(t, watching{low: 1})
	for range spendersKept + looksPerTurn {
		w.settled(storetest.NewID(), 1)
	}
	if w.accounts.Len() != spendersKept {
		t.Errorf("%d accounts are kept", w.accounts.Len())
	}
	before := len(w.due)
	w.look(t.Context())
	if before-len(w.due) != looksPerTurn {
		t.Errorf("%d were looked at in one turn", before-len(w.due))
	}
}

func BenchmarkSpendingIsNoted(b *testing.B) {
	s := newSpending(zap.NewNop, nil)
	s.watching.Store(&watching{low: 1, anomaly: 1 << 60})
	ids := make([]string, 1000)
	for i := range ids {
		ids[i] = storetest.NewID()
	}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		s.settled(ids[i%len(ids)], 1)
	}
}
