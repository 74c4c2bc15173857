package store_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// serving is a store with a customer who has 1,000, all of it lent to the node a, and a key
// that may spend 100 in all.
type serving struct {
	*store.Store
	path     string
	customer storetest.Customer
	lease    ledger.Lease
}

func newServing(t *testing.T) *serving {
	t.Helper()
	s := &serving{path: filepath.Join(t.TempDir(), "faregate.db")}
	s.Store = openFile(t, s.path)
	s.customer = storetest.NewCustomer(t, s, 1000)
	if err := s.SetKeyLimit(t.Context(), s.customer.KeyID, &store.KeyLimit{Amount: 100, Period: ledger.PeriodTotal}); err != nil {
		t.Fatal(err)
	}
	var err error
	if s.lease, _, err = s.Join(t.Context(), "a", time.Hour); err != nil {
		t.Fatal(err)
	}
	everything := ledger.Wish{Most: ledger.Everything}
	if _, err := s.Draw(t.Context(), s.lease, ledger.Draw{
		Number: 1, AccountID: s.customer.AccountID, KeyID: s.customer.KeyID, Account: everything, Key: everything,
	}); err != nil {
		t.Fatal(err)
	}
	return s
}

// settlement takes an amount, by the limited key.
func (s *serving) settlement(cost metering.Nanos) *ledger.Settlement {
	return &ledger.Settlement{Record: *s.customer.Record(cost), Debit: cost, Limited: true}
}

func (s *serving) settle(t *testing.T, settlements ...*ledger.Settlement) {
	t.Helper()
	if err := s.Settle(t.Context(), s.lease, settlements); err != nil {
		t.Fatal(err)
	}
}

// limitAgain is a write that changes nothing.
func (s *serving) limitAgain(t *testing.T) error {
	return s.SetKeyLimit(t.Context(), s.customer.KeyID, &store.KeyLimit{Amount: 100, Period: ledger.PeriodTotal})
}

func (s *serving) mustBePending(t *testing.T, want int) {
	t.Helper()
	if pending, err := s.Pending(t.Context()); err != nil || pending != want {
		t.Errorf("%d records are pending, %v; want %d", pending, err, want)
	}
}

// mustShow checks all that tells of what the customer has spent.
func mustShow(t *testing.T, books *store.Store, customer storetest.Customer, spent metering.Nanos, records ...*ledger.Settlement) {
	t.Helper()
	balance, err := books.Balance(t.Context(), customer.AccountID)
	if err != nil || balance.Balance != 1000-spent || balance.Granted != 1000-spent {
		t.Errorf("balance %+v, %v; want %d spent of 1000, the rest granted", balance, err, spent)
	}
	for _, settled := range records {
		record, err := books.Record(t.Context(), settled.Record.ID)
		if err != nil || record.Cost != settled.Record.Cost {
			t.Errorf("record %v, %v", record, err)
		}
	}
	listed := 0
	for record, err := range books.Records(t.Context(), store.Filter{KeyID: customer.KeyID}) {
		if err != nil {
			t.Fatal(err)
		}
		if listed++; record.AccountID != customer.AccountID {
			t.Errorf("a record of %s", record.AccountID)
		}
	}
	days, err := books.DailyUsage(t.Context(), customer.AccountID, time.Unix(0, 0), time.Now().AddDate(1, 0, 0))
	if err != nil || len(days) != 1 || days[0].Requests != int64(len(records)) || days[0].Cost != spent || listed != len(records) {
		t.Errorf("daily usage %+v, %v, and %d records; want %d records of %d", days, err, listed, len(records), spent)
	}
	limited, _, err := books.LimitedKey(t.Context(), customer.KeyID)
	if err != nil || limited.Spent != spent {
		t.Errorf("the key has spent %+v, %v; want %d", limited, err, spent)
	}
	nodes, err := books.Nodes(t.Context())
	if err != nil || len(nodes) != 1 || nodes[0].Granted != 1000-spent {
		t.Errorf("nodes %+v, %v; want %d granted", nodes, err, 1000-spent)
	}
	storetest.MustVerify(t, books)
}

func TestSettledRecordsAreSeenBeforeTheyArePosted(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	first, second, third := s.settlement(10), s.settlement(20), s.settlement(0)
	s.settle(t, first)
	s.settle(t, second, third)
	s.mustBePending(t, 3)
	mustShow(t, s.Store, s.customer, 30, first, second, third)

	reader, err := store.OpenReadOnly("sqlite:" + s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	mustShow(t, reader, s.customer, 30, first, second, third)
	s.mustBePending(t, 3)

	if _, err := s.Heartbeat(t.Context(), s.lease, time.Hour); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Reclaim(t.Context()); err != nil {
		t.Fatal(err)
	}
	s.mustBePending(t, 3) // gateways do both all the time
	fourth := s.settlement(40)
	s.settle(t, fourth)
	mustShow(t, reader, s.customer, 70, first, second, third, fourth)

	if err := s.limitAgain(t); err != nil {
		t.Fatal(err)
	}
	s.mustBePending(t, 0)
	mustShow(t, s.Store, s.customer, 70, first, second, third, fourth)
	mustShow(t, reader, s.customer, 70, first, second, third, fourth)
}

func TestPendingRecordsOutliveTheProcess(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	first, second := s.settlement(10), s.settlement(20)
	s.settle(t, first, second)
	s.mustBePending(t, 2)
	// The files as a process that is killed leaves them.
	left := filepath.Join(t.TempDir(), "faregate.db")
	for _, suffix := range []string{"", "-wal"} {
		content, err := os.ReadFile(s.path + suffix)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(left+suffix, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	found := openFile(t, left)
	mustShow(t, found, s.customer, 30, first, second)
	// What the node had is put back without what was spent of it.
	if _, _, err := found.Join(t.Context(), "a", time.Hour); err != nil {
		t.Fatal(err)
	}
	if balance, err := found.Balance(t.Context(), s.customer.AccountID); err != nil || balance.Balance != 970 || balance.Granted != 0 {
		t.Errorf("balance %+v, %v; want 970, nothing of it granted", balance, err)
	}
	storetest.MustVerify(t, found)
}

func TestOthersWriteBesidePendingRecords(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	first := s.settlement(10)
	s.settle(t, first)
	other := openOnly(t, s.path) // as a command in another process
	if _, err := other.Deposit(t.Context(), store.Deposit{AccountID: s.customer.AccountID, Amount: 5, Ref: "beside"}); err != nil {
		t.Fatal(err)
	}
	s.mustBePending(t, 0)
	// What the other has posted is known to be there.
	again := *first
	second := s.settlement(20)
	s.settle(t, &again, second)
	if !again.Present || again.Standing != 10 || second.Present {
		t.Errorf("%+v is not known as settled before, or %+v is", again, second)
	}
	// And what the node was granted meanwhile may be spent.
	if _, err := s.Draw(t.Context(), s.lease, ledger.Draw{Number: 2, AccountID: s.customer.AccountID, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
		t.Fatal(err)
	}
	third := &ledger.Settlement{Record: *s.customer.Record(975), Debit: 975}
	s.settle(t, third)
	s.mustBePending(t, 1)
	if balance, err := s.Balance(t.Context(), s.customer.AccountID); err != nil || balance.Balance != 0 || balance.Granted != 0 {
		t.Errorf("balance %+v, %v; want nothing left", balance, err)
	}
	storetest.MustVerify(t, s)
}

// A record that waits to be posted is refused for the same reasons as any other.
func TestPendingRecordsAreBacked(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	stranger := storetest.NewCustomer(t, s, 1000) // of whose credit nothing was lent
	known := s.settlement(40)
	s.settle(t, known)
	record := func(edit func(*ledger.Settlement)) *ledger.Settlement {
		settlement := s.settlement(10)
		edit(settlement)
		return settlement
	}
	for name, settlement := range map[string]*ledger.Settlement{
		"beyond the key's grant":     s.settlement(61),
		"beyond the account's grant": {Record: *s.customer.Record(961), Debit: 961},
		"of an account that lent nothing": record(func(settlement *ledger.Settlement) {
			settlement.Record.AccountID, settlement.Record.KeyID, settlement.Limited = stranger.AccountID, stranger.KeyID, false
		}),
		"in a period that was not lent": record(func(settlement *ledger.Settlement) { settlement.PeriodStart = 7 }),
		"of an unknown key":             record(func(settlement *ledger.Settlement) { settlement.Record.KeyID = "none" }),
		"of an unknown account":         record(func(settlement *ledger.Settlement) { settlement.Record.AccountID = "none" }),
	} {
		if err := s.Settle(t.Context(), s.lease, []*ledger.Settlement{settlement}); !errors.Is(err, ledger.ErrRejected) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := s.Record(t.Context(), settlement.Record.ID); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("%s: a record is there (%v)", name, err)
		}
	}
	for _, lease := range []ledger.Lease{{Node: "a", Epoch: s.lease.Epoch + 1}, {Node: "b", Epoch: 1}} {
		if err := s.Settle(t.Context(), lease, []*ledger.Settlement{s.settlement(1)}); !errors.Is(err, ledger.ErrFenced) {
			t.Errorf("under %+v: %v", lease, err)
		}
	}
	// To the last nano-dollar, in more than one go.
	last := []*ledger.Settlement{known, s.settlement(20), s.settlement(40)}
	s.settle(t, last[1])
	s.settle(t, last[2])
	s.mustBePending(t, 2)
	balance, err := s.Balance(t.Context(), s.customer.AccountID)
	if err != nil || balance.Balance != 900 {
		t.Errorf("balance %+v, %v", balance, err)
	}
	if err := s.Settle(t.Context(), s.lease, []*ledger.Settlement{s.settlement(1)}); !errors.Is(err, ledger.ErrRejected) {
		t.Errorf("one more than the key's limit: %v", err)
	}
	storetest.MustVerify(t, s)
}

func TestASettlementTwiceWhilePending(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	first := s.settlement(10)
	s.settle(t, first)
	again, dearer, another := *first, *first, s.settlement(5)
	dearer.Record.Cost, dearer.Debit = 11, 11
	for _, repeated := range []*ledger.Settlement{&again, &dearer} {
		s.settle(t, repeated, another)
		if !repeated.Present || repeated.Standing != 10 {
			t.Errorf("%+v is not known as settled before", repeated)
		}
	}
	twice := s.settlement(3)
	within := *twice
	s.settle(t, twice, &within) // in one batch
	mustShow(t, s.Store, s.customer, 18, first, another, twice)
}

// Without anything else that writes, settling itself posts: the time that it takes, and
// what readers add up, stay bounded.
func TestFewRecordsArePending(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	const batch, mostPending = 400, 500
	var settled []*ledger.Settlement
	for range 8 {
		var settlements []*ledger.Settlement
		for i := range batch {
			settlements = append(settlements, s.settlement(metering.Nanos(i%50/49)))
		}
		s.settle(t, settlements...)
		settled = append(settled, settlements...)
		if pending, err := s.Pending(t.Context()); err != nil || pending >= mostPending+batch || pending == 0 {
			t.Fatalf("%d records are pending, %v", pending, err)
		}
	}
	repeated := *settled[0]
	s.settle(t, &repeated)
	if !repeated.Present {
		t.Error("a record that was posted meanwhile is not known as settled before")
	}
	if report := storetest.MustVerify(t, s); report.Records != int64(len(settled)) {
		t.Errorf("%d records, want %d", report.Records, len(settled))
	}
}

// Refused requests are recorded under no lease, which changes nothing for those of a lease.
func TestRecordsUnderNoLeaseStayPendingToo(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	const rounds = 20
	for range rounds {
		s.settle(t, s.settlement(1))
		if err := s.Settle(t.Context(), ledger.Lease{}, []*ledger.Settlement{{Record: *s.customer.Record(0)}}); err != nil {
			t.Fatal(err)
		}
	}
	s.mustBePending(t, 2*rounds)
	if err := s.limitAgain(t); err != nil {
		t.Fatal(err)
	}
	if report := storetest.MustVerify(t, s); report.Records != 2*rounds || report.Balance != 1000-rounds {
		t.Errorf("%d records and %s", report.Records, report.Balance)
	}
}

// What is kept of keys and of what records have in common stays bounded, too.
func TestKindsOfPendingRecordsAreFew(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	const batch, mostKnown = 500, 10_000
	file, err := sql.Open("sqlite", s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	var settled int64
	for range mostKnown/batch + 6 {
		var settlements []*ledger.Settlement
		for range batch {
			settlement := s.settlement(0)
			settlement.Record.Attempts = int(settled) // whatever it is that differs
			settled++
			settlements = append(settlements, settlement)
		}
		s.settle(t, settlements...)
	}
	var kinds int
	if err := file.QueryRow(`SELECT COUNT(*) FROM pending_kinds`).Scan(&kinds); err != nil || kinds > mostKnown {
		t.Errorf("%d kinds, %v", kinds, err)
	}
	if report := storetest.MustVerify(t, s); report.Records != settled {
		t.Errorf("%d records, want %d", report.Records, settled)
	}
}

// Nothing pending is lost or half posted where the books do not fit it: it stays, and
// whoever tries is told.
func TestPendingRecordsThatDoNotFit(t *testing.T) {
	t.Parallel()
	for name, statement := range map[string]string{
		"no grant":        `DELETE FROM grants WHERE key_id = ''`,
		"less than that":  `UPDATE wallets SET granted = 0`,
		"no key's wallet": `DELETE FROM key_wallets`,
	} {
		t.Run(name, func(t *testing.T) {
			s := newServing(t)
			s.settle(t, s.settlement(10))
			harm(t, s.path, statement)
			if err := s.Settle(t.Context(), s.lease, []*ledger.Settlement{s.settlement(5)}); err == nil || errors.Is(err, ledger.ErrRejected) {
				t.Errorf("a settlement beside them: %v", err)
			}
			if err := s.limitAgain(t); err == nil {
				t.Error("a write that cannot post was made")
			}
			if _, err := s.Heartbeat(t.Context(), s.lease, time.Hour); err != nil {
				t.Errorf("the lease cannot be kept: %v", err)
			}
			s.mustBePending(t, 1)
			report, err := s.Verify(t.Context())
			if err != nil || len(report.Differences) == 0 {
				t.Errorf("verify says %v, %v", report, err)
			}
		})
	}
}

func TestAClosedFileHasNothingPending(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	first := s.settlement(10)
	s.settle(t, first)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	reader, err := store.OpenReadOnly("sqlite:" + s.path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	if pending, err := reader.Pending(t.Context()); err != nil || pending != 0 {
		t.Errorf("%d records are pending in a closed file, %v", pending, err)
	}
	mustShow(t, reader, s.customer, 10, first)
}

// Posting looks up what it changes, and readers find posted records by their index: only
// what is pending is read whole.
func TestPlansOfPending(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	plans, err := s.PostingPlans(t.Context())
	if err != nil || len(plans) != 7 {
		t.Fatal(plans, err)
	}
	for index, filter := range map[string]store.Filter{
		"usage_records_by_account": {AccountID: s.customer.AccountID},
		"usage_records_by_key":     {KeyID: s.customer.KeyID},
		"usage_records_by_time":    {Since: storetest.Moment},
	} {
		plan, err := s.ReaderPlan(t.Context(), filter, s.customer.Record(0))
		if err != nil || !strings.Contains(plan, index) {
			t.Errorf("%s is not used (%v) in:\n%s", index, err, plan)
		}
		plans = append(plans, plan)
	}
	for _, plan := range plans {
		for _, table := range []string{"wallets", "key_wallets", "grants", "daily_usage", "usage_records"} {
			for _, scan := range []string{"SCAN " + table, "SCAN main." + table} {
				if strings.Contains(plan, scan) {
					t.Errorf("%s in:\n%s", scan, plan)
				}
			}
		}
	}
}
