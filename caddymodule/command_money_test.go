package caddymodule

import (
	"testing"
	"time"

	"github.com/faregate/faregate/metering/ledger"
)

func TestDepositAndBalance(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	deposit := []string{"deposit", "--account", "ada", "--amount", "5.00", "--ref", "invoice-17", "--note", "paid by bank"}
	wantText(t, term.must(append(deposit, "--json")...), `{"account_id":"{ada}","amount":"5.00","ref":"invoice-17","added":true,"balance":"5.00"}
`, "{ada}", ada)
	wantText(t, term.must(append(deposit, "--json")...), `{"account_id":"{ada}","amount":"5.00","ref":"invoice-17","added":false,"balance":"5.00"}
`, "{ada}", ada)
	wantText(t, term.must(deposit...), `account  ada
amount   5.00 USD
ref      invoice-17
outcome  nothing added, as this was booked before
balance  5.00 USD
`)
	wantText(t, term.must("deposit", "--account", ada, "--amount", "0.000000001", "--ref", "invoice-18"), `account  ada
amount   0.000000001 USD
ref      invoice-18
outcome  added
balance  5.000000001 USD
`)

	// A node serves the account out of what it was granted.
	lease, _, err := books.Join(t.Context(), "node", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: ada, Account: ledger.Wish{Most: 2_000_000_000}}); err != nil {
		t.Fatal(err)
	}
	wantText(t, term.must("balance", "ada", "--json"), `{"account_id":"{ada}","balance":"5.000000001","granted":"2.00","available":"3.000000001"}
`, "{ada}", ada)
	if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: ada, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
		t.Fatal(err)
	}
	wantText(t, term.must("balance", "ada@example.com"), `balance                  5.000000001 USD
lent to running servers  5.000000001 USD
not lent out             0.00 USD
`)
}

func TestMoneyMistakes(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	term.account("bob")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "r1")
	for _, row := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"--ref", "r1", "another amount, account or purpose"}, []string{"deposit", "--account", "ada", "--amount", "5.01", "--ref", "r1"}},
		{[]string{"--ref", "r1", "another amount, account or purpose"}, []string{"deposit", "--account", "bob", "--amount", "5", "--ref", "r1"}},
		{[]string{"--amount", "like 5"}, []string{"deposit", "--account", "ada", "--amount", "five", "--ref", "r2"}},
		{[]string{"--amount", "like 5"}, []string{"deposit", "--account", "ada", "--amount", "1,000", "--ref", "r2"}},
		{[]string{"--amount", "like 5"}, []string{"deposit", "--account", "ada", "--amount=-1", "--ref", "r2"}},
		{[]string{"--amount", "nothing to book"}, []string{"deposit", "--account", "ada", "--amount", "0.00", "--ref", "r2"}},
		{[]string{"--amount", "more than the 1000000.00", "in parts"}, []string{"deposit", "--account", "ada", "--amount", "1000000.01", "--ref", "r2"}},
		{[]string{"--amount", "more than the 1000000.00", "in parts"}, []string{"charge-back", "--account", "ada", "--amount", "1000000.01", "--ref", "r2", "--reason", "x"}},
		{[]string{"--amount", "more than the 1000000.00"}, []string{"voucher", "create", "--amount", "1000000.01"}},
		{[]string{"too large"}, []string{"deposit", "--account", "ada", "--amount", "92233720350", "--ref", "r2"}},
		{[]string{"--ref", "payment's id"}, []string{"deposit", "--account", "ada", "--amount", "1", "--ref", "a b"}},
		{[]string{"--ref is empty: give it a value\n"}, []string{"deposit", "--account", "ada", "--amount", "1", "--ref", ""}},
		{[]string{"--note is empty: give it a value, or leave it out\n"}, []string{"deposit", "--account", "ada", "--amount", "1", "--ref", "r2", "--note", ""}},
		{[]string{"--note", "one line"}, []string{"deposit", "--account", "ada", "--amount", "1", "--ref", "r2", "--note", "a\nb"}},
		{[]string{`no account "eve"`}, []string{"deposit", "--account", "eve", "--amount", "1", "--ref", "r2"}},
		{[]string{"amount", "ref", "required"}, []string{"deposit", "--account", "ada"}},
		{[]string{`no account "eve"`}, []string{"balance", "eve"}},
		{[]string{"5.00", "less than that"}, []string{"refund", "--account", "ada", "--amount", "5.01", "--ref", "r2"}},
		{[]string{"--amount", "like 5"}, []string{"refund", "--account", "ada", "--amount", "-1", "--ref", "r2"}},
		{[]string{"--ref", "letters"}, []string{"refund", "--account", "ada", "--amount", "1", "--ref", "a b"}},
		{[]string{`no account "eve"`}, []string{"refund", "--account", "eve", "--amount", "1", "--ref", "r2"}},
		{[]string{"reason", "required"}, []string{"adjust", "--account", "ada", "--amount", "1", "--ref", "r2"}},
		{[]string{"--reason", "one line"}, []string{"adjust", "--account", "ada", "--amount", "1", "--ref", "r2", "--reason", "a\nb"}},
		{[]string{"--amount", "nothing", "less to take"}, []string{"adjust", "--account", "ada", "--amount", "-0.00", "--ref", "r2", "--reason", "x"}},
		{[]string{"--amount \"--1\"", "like 5", "-5.00 to take"}, []string{"adjust", "--account", "ada", "--amount", "--1", "--ref", "r2", "--reason", "x"}},
		{[]string{"less than that"}, []string{"adjust", "--account", "ada", "--amount", "-6", "--ref", "r2", "--reason", "x"}},
		{[]string{"--actor", "one line"}, []string{"refund", "--account", "ada", "--amount", "1", "--ref", "r2", "--actor", "a\x1bb"}},
		{[]string{"owes nothing"}, []string{"deposit", "--account", "ada", "--amount", "1", "--ref", "r2", "--settle"}},
		{[]string{"reason", "required"}, []string{"charge-back", "--account", "ada", "--amount", "1", "--ref", "r2"}},
		{[]string{"--amount", "like 5"}, []string{"charge-back", "--account", "ada", "--amount", "-1", "--ref", "r2", "--reason", "x"}},
		{[]string{"--kind", "deposit, voucher"}, []string{"transfers", "--kind", "gift"}},
		{[]string{"--since"}, []string{"transfers", "--since", "soon"}},
	} {
		term.fails(row.words, row.arguments...)
	}
	wantText(t, term.must("balance", "ada"), `balance                  5.00 USD
lent to running servers  0.00 USD
not lent out             5.00 USD
`)
}
