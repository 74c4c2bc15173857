package caddymodule

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func TestVerifyCommand(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	key, _ := term.key("ada")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "r1")
	settle(t, books, 2_000_000, newRecord(1, ada, key, testNow))
	wantText(t, term.must("verify"), `accounts       1
usage records  1
transfers      1
all balances   4.998765433 USD
outcome        no difference
`)
	wantText(t, term.must("verify", "--json"),
		`{"ok":true,"accounts":1,"records":1,"transfers":1,"balance":"4.998765433","differences":[]}
`)

	// A record that charges one nano-dollar, and says that it charges nothing.
	lease, _, err := books.Join(t.Context(), "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: ada, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
		t.Fatal(err)
	}
	wrong := newRecord(2, ada, key, testNow)
	wrong.Basis, wrong.Cost = metering.BasisWaived, 1
	if err := books.Settle(t.Context(), lease, []*ledger.Settlement{{Record: *wrong, Debit: 1}}); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, err := term.run("verify", "--json")
	var report verificationJSON
	if jsonErr := json.Unmarshal([]byte(stdout), &report); jsonErr != nil {
		t.Fatalf("%q: %v", stdout, jsonErr)
	}
	if !errors.Is(err, errDifferences) || !strings.Contains(stderr, "1 difference:") || report.OK || len(report.Differences) != 1 ||
		report.Differences[0].Subject != wrong.ID || report.Differences[0].Stored != 1 || report.Differences[0].Computed != 0 {
		t.Errorf("one nano-dollar too much: %v\n%s%s", err, stdout, stderr)
	}
	if stdout, _, err := term.run("verify"); err == nil || !strings.Contains(stdout, wrong.ID) {
		t.Errorf("one nano-dollar too much: %v\n%s", err, stdout)
	}
}
