// Package storetest says in tests what a store must do, whatever is behind it: every
// implementation runs the same two suites.
//
//	func TestConformance(t *testing.T) { storetest.Run(t, open) }
//	func TestLedger(t *testing.T)      { storetest.RunLedger(t, open) }
package storetest

import (
	"context"
	"crypto/rand"
	"iter"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/usage"
)

// Store is all that the gateway and its commands need of a store.
type Store interface {
	ledger.Store
	auth.Directory

	CreateAccount(context.Context, *auth.Account) error
	FindAccount(context.Context, string) (*auth.Account, error)
	ListAccounts(context.Context) ([]*auth.Account, error)
	SetAccountStatus(context.Context, string, auth.Status, string) error
	CreateKey(context.Context, *auth.Key) error
	ListKeys(context.Context, string) ([]*auth.Key, error)
	RevokeKey(context.Context, string, time.Time) error
	RotateKey(context.Context, store.Rotation) (*store.LimitedKey, error)
	SetKeyLimit(context.Context, string, *store.KeyLimit) error
	KeyLimit(context.Context, string) (*store.KeyLimit, error)
	EditAccount(context.Context, string, store.AccountEdit) error
	EraseAccount(context.Context, store.Erasure) (metering.Nanos, error)
	Deposit(context.Context, store.Deposit) (bool, error)
	Refund(context.Context, store.Refund) (bool, error)
	Adjust(context.Context, store.Adjustment) (bool, error)
	ChargeBack(context.Context, store.ChargeBack) (store.ChargedBack, error)
	Transfers(context.Context, store.TransferFilter) iter.Seq2[*store.Transfer, error]
	CreateVouchers(context.Context, []*store.Voucher) error
	ListVouchers(context.Context) ([]*store.Voucher, error)
	RevokeVoucher(context.Context, string, time.Time) error
	RedeemVoucher(context.Context, store.Redemption) (*store.Voucher, bool, error)
	Balance(context.Context, string) (store.Balance, error)
	Records(context.Context, store.Filter) iter.Seq2[*metering.Record, error]
	Record(context.Context, string) (*metering.Record, error)
	Changes(context.Context, int64) ([]store.Change, error)
	LastChange(context.Context) (int64, error)
	Verify(context.Context) (*store.Report, error)
}

// Opener makes a new, empty, migrated store that ends with the test.
type Opener func(testing.TB) Store

// Run checks the store by itself.
func Run(t *testing.T, open Opener) {
	for name, test := range map[string]func(*testing.T, Store){
		"accounts":                accounts,
		"taken names":             takenNames,
		"keys":                    keys,
		"rotations":               rotations,
		"rotations at once":       rotationsAtOnce,
		"deposits":                deposits,
		"concurrent deposits":     concurrentDeposits,
		"refunds":                 refunds,
		"concurrent refunds":      concurrentRefunds,
		"refunds recall":          refundsRecall,
		"adjustments":             adjustments,
		"charge-backs":            chargeBacks,
		"what is owed":            owed,
		"transfers by filter":     transfersByFilter,
		"vouchers":                vouchers,
		"concurrent redemptions":  concurrentRedemptions,
		"edits":                   edits,
		"erasures":                erasures,
		"erasures recall":         erasuresRecall,
		"all transfers at once":   allTransfersAtOnce,
		"grants":                  grants,
		"claims and fences":       claimsAndFences,
		"settlements":             settlements,
		"rejected settlements":    rejectedSettlements,
		"whole records":           wholeRecords,
		"records by filter":       recordsByFilter,
		"changes":                 changes,
		"grants never exceed sum": competingGrants,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			test(t, s)
			MustVerify(t, s)
		})
	}
}

// NewBench makes a bench of a whole store; advance moves its clock.
func NewBench(t testing.TB, s Store, advance func(time.Duration)) Bench {
	return Bench{
		Store:       s,
		NewCustomer: func(credit metering.Nanos) Customer { return NewCustomer(t, s, credit) },
		Limit: func(keyID string, amount metering.Nanos, period ledger.Period) {
			t.Helper()
			limit := &store.KeyLimit{Amount: amount, Period: period}
			if amount < 0 {
				limit = nil
			}
			must(t, s.SetKeyLimit(t.Context(), keyID, limit))
		},
		Balance: func(accountID string) (metering.Nanos, metering.Nanos) {
			t.Helper()
			balance, err := s.Balance(t.Context(), accountID)
			must(t, err)
			return balance.Balance, balance.Granted
		},
		Advance: advance,
		Verify:  func() { t.Helper(); MustVerify(t, s) },
	}
}

// MustVerify fails the test on any difference in the ledger.
func MustVerify(t testing.TB, s Store) *store.Report {
	t.Helper()
	report, err := s.Verify(t.Context())
	if err != nil {
		t.Fatalf("verify: %v", err)
	}
	for _, difference := range report.Differences {
		t.Errorf("verify: %s", difference)
	}
	return report
}

// Moment is the time of all that the fixtures make; a time that stores can keep: whole microseconds.
var Moment = time.Date(2026, 11, 23, 10, 0, 0, 123456000, time.UTC)

// NewID returns a new id, later in order than all before it.
func NewID() string { return uuid.Must(uuid.NewV7()).String() }

// Customer is an account with a key.
type Customer struct{ AccountID, KeyID string }

// NewCustomer creates an account with a key and, where credit is not zero, a deposit.
func NewCustomer(t testing.TB, s Store, credit metering.Nanos) Customer {
	t.Helper()
	id := NewID()
	must(t, s.CreateAccount(t.Context(), &auth.Account{
		ID: id, Email: id + "@example.com", Username: id[24:], Status: auth.StatusActive, CreatedAt: Moment,
	}))
	c := Customer{AccountID: id, KeyID: NewKey(t, s, id)}
	if credit > 0 {
		MustDeposit(t, s, id, credit)
	}
	return c
}

// NewKey creates a key of the account and returns its id.
func NewKey(t testing.TB, s Store, accountID string) string {
	t.Helper()
	key := &auth.Key{ID: NewID(), AccountID: accountID, Name: "test", Hash: newHash(), CreatedAt: Moment}
	must(t, s.CreateKey(t.Context(), key))
	return key.ID
}

func newHash() (hash auth.Hash) {
	_, _ = rand.Read(hash[:]) // never fails
	return hash
}

// MustDeposit adds credit to an account.
func MustDeposit(t testing.TB, s Store, accountID string, amount metering.Nanos) {
	t.Helper()
	if _, err := s.Deposit(t.Context(), store.Deposit{AccountID: accountID, Amount: amount, Ref: NewID(), Actor: "test", At: Moment}); err != nil {
		t.Fatalf("deposit: %v", err)
	}
}

// Record returns a record of a request by the customer that cost this much.
func (c Customer) Record(cost metering.Nanos) *metering.Record {
	return &metering.Record{
		ID: NewID(), AccountID: c.AccountID, KeyID: c.KeyID, StartedAt: Moment,
		Operation: "chat", Dialect: "openai", Provider: "openai", ModelRequested: "gpt", ModelServed: "gpt",
		Attempts: 1, Status: metering.StatusOK, HTTPStatus: 200, Basis: metering.BasisMeasured,
		Usage: usage.Usage{InputTotal: 10, Input: 10, OutputTotal: 5, Output: 5}, Cost: cost, PriceVersion: "test",
	}
}

// Eventually waits until something has happened, and fails the test after 30 s.
func Eventually(t testing.TB, what string, happened func() bool) {
	t.Helper()
	deadline := time.NewTimer(30 * time.Second)
	defer deadline.Stop()
	for !happened() {
		select {
		case <-deadline.C:
			t.Fatalf("in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustBalance(t testing.TB, s Store, accountID string, balance, granted metering.Nanos) {
	t.Helper()
	got, err := s.Balance(t.Context(), accountID)
	must(t, err)
	if want := (store.Balance{Balance: balance, Granted: granted}); got != want {
		t.Errorf("the account has %+v, want %+v", got, want)
	}
}

func recordsOf(t testing.TB, s Store, filter store.Filter) []*metering.Record {
	t.Helper()
	var records []*metering.Record
	for record, err := range s.Records(t.Context(), filter) {
		must(t, err)
		records = append(records, record)
	}
	return records
}
