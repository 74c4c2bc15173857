package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering/ledger"
)

// TestVerifyFindsOneNanoDollar harms each table in turn, behind the back of all
// constraints, and expects the difference to be told with its account and amounts.
func TestVerifyFindsOneNanoDollar(t *testing.T) {
	sound, customer, record := smallLedger(t)
	findsHarm(t, sound, []string{"{account}", customer.AccountID, "{key}", customer.KeyID, "{record}", record}, map[string]harmed{
		"balance up":                  {`UPDATE wallets SET balance = balance + 1`, "{account}: balance against the sum of transfers and records: stored 0.000000061, computed 0.00000006"},
		"balance down":                {`UPDATE wallets SET balance = balance - 1`, "{account}: balance against the sum of transfers and records: stored 0.000000059, computed 0.00000006"},
		"balance below zero":          {`UPDATE wallets SET balance = -1`, "{account}: balance below zero: stored -0.000000001"},
		"granted up":                  {`UPDATE wallets SET granted = granted + 1`, "{account}: granted against the sum of grants: stored 0.000000061, computed 0.00000006"},
		"granted above the balance":   {`UPDATE wallets SET granted = 61`, "{account}: granted below zero or above the balance"},
		"cost up":                     {`UPDATE usage_records SET cost = cost + 1 WHERE shortfall = 0 AND cost > 0`, "{account}: balance against the sum of transfers and records: stored 0.00000006, computed 0.000000059"},
		"cost down":                   {`UPDATE usage_records SET cost = cost - 1 WHERE shortfall = 0 AND cost > 0`, "{account}: balance against"},
		"shortfall up":                {`UPDATE usage_records SET shortfall = shortfall + 1, cost = cost + 1 WHERE shortfall > 0`, "{record}: shortfall of the record against its transfer: stored 0.000000006, computed 0.000000005"},
		"shortfall invented":          {`UPDATE usage_records SET shortfall = 1, cost = cost + 1 WHERE shortfall = 0 AND cost > 0`, "shortfall of the record against its transfer: stored 0.000000001, computed 0.00"},
		"record of another account":   {`UPDATE usage_records SET account_id = 'x' WHERE shortfall > 0`, "x: balance against the sum of transfers and records: stored 0.00, computed -0.00000003"},
		"record without account":      {`UPDATE usage_records SET account_id = 'x' WHERE shortfall > 0`, "{record}: record without its account"},
		"record without key":          {`UPDATE usage_records SET key_id = 'x' WHERE shortfall > 0`, "{record}: record without a key of its account"},
		"record waived with cost":     {`UPDATE usage_records SET basis = 'waived'`, "{record}: cost of a record that charges nothing: stored 0.000000035"},
		"record lost":                 {`DELETE FROM usage_records WHERE shortfall > 0`, "{account}: balance against the sum of transfers and records: stored 0.00000006, computed 0.00000009"},
		"record lost, its transfer":   {`DELETE FROM usage_records WHERE shortfall > 0`, "{record}: shortfall transfer without its record: stored 0.000000005"},
		"deposit up":                  {`UPDATE transfers SET amount = amount + 1 WHERE kind = 'deposit'`, "{account}: balance against the sum of transfers and records: stored 0.00000006, computed 0.000000061"},
		"deposit to another":          {`UPDATE transfers SET credit_account = 'x' WHERE kind = 'deposit'`, "transfer between unknown accounts"},
		"deposit from nowhere":        {`UPDATE transfers SET debit_account = 'house:revenue' WHERE kind = 'deposit'`, "transfer from or to where its kind does not go: stored 0.0000001"},
		"deposit of nothing":          {`INSERT INTO transfers VALUES ('deposit', 'r', 'house:cash', 'house:revenue', 0, '', '', 0)`, "r: amount of a transfer not above zero"},
		"deposit lost":                {`DELETE FROM transfers WHERE kind = 'deposit'`, "{account}: balance against"},
		"shortfall transfer down":     {`UPDATE transfers SET amount = amount - 1 WHERE kind = 'shortfall'`, "{record}: shortfall of the record against its transfer: stored 0.000000005, computed 0.000000004"},
		"shortfall transfer lost":     {`DELETE FROM transfers WHERE kind = 'shortfall'`, "{record}: shortfall of the record against its transfer: stored 0.000000005, computed 0.00"},
		"shortfall paid by account":   {`UPDATE transfers SET debit_account = (SELECT id FROM accounts) WHERE kind = 'shortfall'`, "{account}: balance against the sum of transfers and records: stored 0.00000006, computed 0.000000055"},
		"grant issued":                {`UPDATE grants SET issued = issued + 1`, "{account}: granted against the sum of grants: stored 0.00000006, computed 0.000000061"},
		"grant debited":               {`UPDATE grants SET debited = debited + 1`, "{account}: granted against the sum of grants: stored 0.00000006, computed 0.000000059"},
		"grant returned":              {`UPDATE grants SET returned = returned + 1`, "{account}: granted against the sum of grants"},
		"grant below zero":            {`UPDATE grants SET debited = issued + 1`, "{account}: grant below zero: stored -0.000000001"},
		"grant lost":                  {`DELETE FROM grants`, "{account}: granted against the sum of grants: stored 0.00000006, computed 0.00"},
		"grant without wallet":        {`UPDATE grants SET account_id = 'x'`, "x: grant without a wallet"},
		"epoch of the node":           {`UPDATE nodes SET epoch = epoch + 1`, "{account}: grant of a lease that is not in force: stored 0.00000006"},
		"node lost":                   {`DELETE FROM nodes`, "{account}: grant of a lease that is not in force"},
		"wallet lost":                 {`DELETE FROM wallets`, "{account}: account without a wallet"},
		"wallet of nobody":            {`INSERT INTO wallets (account_id, balance, granted) VALUES ('x', 0, 0)`, "x: wallet without an account"},
		"account lost":                {`DELETE FROM accounts`, "{account}: wallet without an account: stored 0.00000006"},
		"key of nobody":               {`UPDATE keys SET account_id = 'x'`, "key without an account"},
		"key lost":                    {`DELETE FROM keys`, "{record}: record without a key of its account"},
		"key spent up":                {`UPDATE key_wallets SET spent = spent + 1`, "{key}: what a key spent against the sum of its records: stored 0.000000011, computed 0.00000001"},
		"key's record in no period":   {`UPDATE usage_records SET key_period = NULL`, "{key}: what a key spent against the sum of its records: stored 0.00000001, computed 0.00"},
		"key's record in another":     {`UPDATE usage_records SET key_period = 5 WHERE key_period IS NOT NULL`, "{key}: what a key spent against the sum of its records: stored 0.00, computed 0.00000001"},
		"key granted up":              {`UPDATE key_wallets SET granted = granted + 1`, "{key}: granted of a key against the sum of grants: stored 0.000000016, computed 0.000000015"},
		"key granted below zero":      {`UPDATE key_wallets SET granted = -1`, "{key}: key's spending or grants below zero: stored 0.00000001, computed -0.000000001"},
		"key's wallet lost":           {`DELETE FROM key_wallets`, "{key}: grant without a key's wallet: stored 0.000000015"},
		"key's wallet of another":     {`UPDATE key_wallets SET account_id = 'x'`, "{key}: key's wallet without a key of its account"},
		"key's grant lost":            {`DELETE FROM grants WHERE key_id <> ''`, "{key}: granted of a key against the sum of grants: stored 0.000000015, computed 0.00"},
		"lease ended with its grants": {`UPDATE nodes SET ended_at = 1`, "{account}: grant of a lease that is not in force: stored 0.00000006"},
		"operator cost invented":      {`UPDATE transfers SET ref = 'x' WHERE kind = 'operator_cost'`, "x: operator cost without its record: stored 0.000000003"},
		"operator cost from an account": {`UPDATE transfers SET debit_account = (SELECT id FROM accounts) WHERE kind = 'operator_cost'`,
			"transfer from or to where its kind does not go: stored 0.000000003"},
		"day's cost up":               {`UPDATE daily_usage SET cost = cost + 1 WHERE key_period = 0`, "{account}: sum of a day against its records: stored 0.000000011, computed 0.00000001"},
		"day's operator cost lost":    {`UPDATE daily_usage SET operator_cost = 0 WHERE operator_cost > 0`, "{account}: sum of a day against its records"},
		"day lost":                    {`DELETE FROM daily_usage WHERE key_period = 0`, "{account}: sum of a day against its records: stored 0.00, computed 0.00000001"},
		"purged record, its day lost": {`UPDATE retention SET first_day = 99999; DELETE FROM daily_usage WHERE key_period = 0`, "{account}: balance against the sum of transfers and records: stored 0.00000006, computed 0.00000007"},
		"cost and balance below zero": {`UPDATE usage_records SET cost = -1`, "{record}: shortfall beyond the record's cost, or either below zero"},
	})
}

// harmed says what is done to a sound ledger, and what must be reported then.
type harmed struct{ harm, want string }

// findsHarm does each harm to a copy of the file; names in braces stand for ids.
func findsHarm(t *testing.T, sound []byte, names []string, rows map[string]harmed) {
	t.Helper()
	replacer := strings.NewReplacer(names...)
	for name, row := range rows {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "faregate.db")
			if err := os.WriteFile(path, sound, 0o600); err != nil {
				t.Fatal(err)
			}
			s := openOnly(t, path)
			harm(t, path, replacer.Replace(row.harm))
			report, err := s.Verify(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			want := replacer.Replace(row.want)
			for _, difference := range report.Differences {
				if strings.Contains(difference.String(), want) {
					return
				}
			}
			t.Errorf("reported %v, want %q", report.Differences, want)
		})
	}
}

// smallLedger makes one of everything: 100 deposited, 10 (of the key's limit of 25) and
// 30 (of 35) spent, 60 granted, and 3 at the operator's cost.
// It returns the file.
func smallLedger(t *testing.T) (file []byte, customer storetest.Customer, recordWithShortfall string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sound.db")
	s := openFile(t, path)
	customer = storetest.NewCustomer(t, s, 100)
	if err := s.SetKeyLimit(t.Context(), customer.KeyID, &store.KeyLimit{Amount: 25, Period: ledger.PeriodTotal}); err != nil {
		t.Fatal(err)
	}
	lease, _, err := s.Join(t.Context(), "a", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	everything := ledger.Wish{Most: ledger.Everything}
	if _, err := s.Draw(t.Context(), lease, ledger.Draw{
		Number: 1, AccountID: customer.AccountID, KeyID: customer.KeyID, Account: everything, Key: everything,
	}); err != nil {
		t.Fatal(err)
	}
	short := customer.Record(35)
	short.Shortfall = 5
	if err := s.Settle(t.Context(), lease, []*ledger.Settlement{
		{Record: *customer.Record(10), Debit: 10, Limited: true},
		{Record: *short, Debit: 30},
		{Record: *customer.Record(0), OperatorCost: 3},
	}); err != nil {
		t.Fatal(err)
	}
	return closed(t, s, path), customer, short.ID
}

// closed verifies and closes a store, and returns its file.
func closed(t *testing.T, s *store.Store, path string) []byte {
	t.Helper()
	storetest.MustVerify(t, s)
	if err := s.Close(); err != nil { // this empties the write-ahead log into the file
		t.Fatal(err)
	}
	file, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func harm(t *testing.T, path, statement string) {
	t.Helper()
	db, err := sql.Open("sqlite", path+"?_pragma=foreign_keys(0)&_pragma=ignore_check_constraints(1)&_pragma=busy_timeout(5000)")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	result, err := db.ExecContext(t.Context(), statement)
	if err != nil {
		t.Fatal(err)
	}
	if rows, err := result.RowsAffected(); err != nil || rows == 0 {
		t.Fatalf("the harm changed %d rows, %v", rows, err)
	}
}
