package caddymodule

import (
	"context"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// serve lets a ledger work on the books as a running server does.
func (term *terminal) serve(books *store.Store) *ledger.Ledger {
	term.t.Helper()
	l := storetest.OpenLedger(term.t, books, ledger.Options{})
	ctx, stop := context.WithCancel(term.t.Context())
	var following sync.WaitGroup
	following.Go(func() { storetest.Follow(ctx, books, l, 20*time.Millisecond) })
	term.t.Cleanup(func() { stop(); following.Wait() })
	return l
}

// verified fails unless the books balance.
func (term *terminal) verified() {
	term.t.Helper()
	if printed := term.must("verify"); !strings.Contains(printed, "no difference") {
		term.t.Errorf("verify prints %s", printed)
	}
}

func TestRefundAndAdjust(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	term.must("deposit", "--account", "ada", "--amount", "10", "--ref", "p1")
	// A server has all of it, and a request holds 4.
	hold, err := term.serve(books).Hold(t.Context(), ada, 4*metering.Dollar)
	if err != nil {
		t.Fatal(err)
	}
	wantText(t, term.must("balance", "ada"), `balance                  10.00 USD
lent to running servers  10.00 USD
not lent out             0.00 USD
`)
	refund := []string{"refund", "--account", "ada", "--amount", "2.50", "--ref", "n1", "--note", "as agreed"}
	wantText(t, term.must(refund...), `account  ada
amount   2.50 USD
ref      n1
outcome  refunded
balance  7.50 USD
`)
	wantText(t, term.must(append(refund, "--json")...), `{"account_id":"{ada}","amount":"2.50","ref":"n1","added":false,"balance":"7.50"}
`, "{ada}", ada)
	term.fails([]string{"7.50 USD of the account", "running requests", "--patience"},
		"refund", "--account", "ada", "--amount", "3.51", "--ref", "n2", "--patience", "1ms")
	hold.Release()
	wantText(t, term.must("adjust", "--account", "ada", "--amount", "-7.50", "--ref", "n1", "--reason", "billed twice"), `account  ada
amount   -7.50 USD
ref      n1
outcome  adjusted
balance  0.00 USD
`)
	wantText(t, term.must("adjust", "--account", "ada", "--amount", "1", "--ref", "n2", "--reason", "welcome", "--promotion", "--actor", "bob", "--json"),
		`{"account_id":"{ada}","amount":"1.00","ref":"n2","added":true,"balance":"1.00"}
`, "{ada}", ada)
	term.fails([]string{"--ref", "n2", "of its own"}, "adjust", "--account", "ada", "--amount", "2", "--ref", "n2", "--reason", "welcome", "--promotion")
	wantText(t, term.must("transfers", "--account", "ada"), `AT                    KIND        REF  FROM                                  TO                                    AMOUNT USD  ACTOR     NOTE
2026-11-23 12:00:00Z  adjustment  n1   {ada}  house:revenue                         7.50        operator  billed twice
2026-11-23 12:00:00Z  adjustment  n2   house:promotion                       {ada}  1.00        bob       welcome
2026-11-23 12:00:00Z  deposit     p1   house:cash                            {ada}  10.00       operator  
2026-11-23 12:00:00Z  refund      n1   {ada}  house:cash                            2.50        operator  as agreed
`, "{ada}", ada)
	wantText(t, term.must("transfers", "--kind", "refund", "--since", "2026-11-23", "--json"), `{"at":"2026-11-23T12:00:00.123456Z","kind":"refund","ref":"n1","debit_account":"{ada}","credit_account":"house:cash","amount":"2.50","actor":"operator","note":"as agreed"}
`, "{ada}", ada)
	if printed := term.must("transfers", "--until", "2026-11-23", "--json"); printed != "" {
		t.Errorf("transfers before all: %s", printed)
	}
	term.verified()
}

func TestActorIsTheSystemsUser(t *testing.T) {
	if name := systemUser(); name == "" {
		t.Error("nobody runs this")
	}
	c := &commandLine{user: func() string { return "root" }}
	for given, want := range map[string]string{"": "root", "ada": "ada"} {
		if got, err := c.actor(given); err != nil || got != want {
			t.Errorf("actor(%q) = %q, %v; want %q", given, got, err, want)
		}
	}
}

// A server that was killed keeps no refund waiting for longer than its lease lasts.
func TestRefundAfterAKill(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "p1")
	lease, _, err := books.Join(t.Context(), "main", 200*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: ada, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
		t.Fatal(err)
	}
	if printed := term.must("refund", "--account", "ada", "--amount", "5", "--ref", "n1", "--patience", "1m"); !strings.Contains(printed, "refunded") {
		t.Errorf("refund prints %s", printed)
	}
	term.verified()
}

func TestChargeBack(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "p1")
	hold, err := term.serve(books).Hold(t.Context(), ada, metering.Dollar)
	if err != nil {
		t.Fatal(err)
	}
	defer hold.Release()
	back := []string{"charge-back", "--account", "ada", "--amount", "7", "--ref", "b1", "--reason", "stolen card", "--patience", "3s"}
	wantText(t, term.must(back...), `account                 ada
amount                  7.00 USD
ref                     b1
outcome                 charged back
taken from the balance  4.00 USD
owed                    3.00 USD
balance                 1.00 USD
status                  suspended
`)
	wantText(t, term.must(append(back, "--json")...), `{"account_id":"{ada}","amount":"7.00","ref":"b1","added":false,"taken":"4.00","owed":"3.00","balance":"1.00","status":"suspended"}
`, "{ada}", ada)
	wantText(t, term.must("account", "show", "ada"), `id                        {ada}
e-mail                    ada@example.com
username                  ada
status                    suspended
reason                    charge-back b1
created                   2026-11-23 12:00:00Z
owed after a charge-back  3.00 USD
`, "{ada}", ada)
	wantText(t, term.must("balance", "ada", "--json"), `{"account_id":"{ada}","balance":"1.00","granted":"1.00","available":"0.00","receivable":"3.00"}
`, "{ada}", ada)
	wantText(t, term.must("deposit", "--account", "ada", "--amount", "1", "--ref", "p2", "--settle", "--json"), `{"account_id":"{ada}","amount":"1.00","ref":"p2","added":true,"balance":"1.00","receivable":"2.00"}
`, "{ada}", ada)
	if printed := term.must("deposit", "--account", "ada", "--amount", "2", "--ref", "p3", "--settle"); strings.Contains(printed, "owed") || !strings.Contains(printed, "settled") {
		t.Errorf("all is paid: %s", printed)
	}
	if printed := term.must("balance", "ada"); strings.Contains(printed, "owed") {
		t.Errorf("all is paid: %s", printed)
	}
	term.verified()
}
