package caddymodule

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func TestAccountEdit(t *testing.T) {
	term, _ := newTerminal(t)
	ada := term.account("ada")
	term.account("bob")
	wantText(t, term.must("account", "edit", "ada", "--email", "Countess@Example.com", "--group", "pro", "--json"),
		`{"id":"{ada}","email":"countess@example.com","username":"ada","group":"pro","status":"active","created_at":"2026-11-23T12:00:00.123456Z"}
`, "{ada}", ada)
	wantText(t, term.must("account", "edit", ada, "--username", "countess", "--default-group"), `id        {ada}
e-mail    countess@example.com
username  countess
status    active
created   2026-11-23 12:00:00Z
`, "{ada}", ada)
	for _, row := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"what to change"}, []string{"account", "edit", "bob"}},
		{[]string{"username", "already taken"}, []string{"account", "edit", "bob", "--username", "Countess"}},
		{[]string{"e-mail address", "already taken"}, []string{"account", "edit", "bob", "--email", "countess@example.com"}},
		{[]string{"--email", "name@example.com"}, []string{"account", "edit", "bob", "--email", "bob"}},
		{[]string{"--username"}, []string{"account", "edit", "bob", "--username", "b b"}},
		{[]string{"--data-policy", "zdr, no_training, retains or none"}, []string{"account", "edit", "bob", "--data-policy", "strict"}},
		{[]string{"--group"}, []string{"account", "edit", "bob", "--group", "A B"}},
		{[]string{"--group and --default-group", "one of them"}, []string{"account", "edit", "bob", "--group", "a", "--default-group"}},
		{[]string{"--email is empty"}, []string{"account", "edit", "bob", "--email", ""}},
		{[]string{`no account "eve"`}, []string{"account", "edit", "eve", "--username", "eva"}},
	} {
		term.fails(row.words, row.arguments...)
	}
}

func TestAccountErase(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	_, secret := term.key("ada")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "p1")
	hold, err := term.serve(books).Hold(t.Context(), ada, metering.Dollar)
	if err != nil {
		t.Fatal(err)
	}
	term.fails([]string{"5.00", "refund it first", "--forfeit"}, "account", "erase", "ada")
	term.fails([]string{"names and keys are erased", "account erase " + ada}, "account", "erase", "ada", "--forfeit", "--patience", "1ms")
	term.fails([]string{`no account "ada"`}, "account", "show", "ada")
	hold.Release()
	wantText(t, term.must("account", "erase", ada, "--forfeit"), `id         {ada}
status     erased
forfeited  5.00 USD
`, "{ada}", ada)
	wantText(t, term.must("account", "erase", ada, "--json"), `{"id":"{ada}","status":"erased","forfeited":"0.00"}
`, "{ada}", ada)
	wantText(t, term.must("account", "show", ada), `id       {ada}
status   erased
created  2026-11-23 12:00:00Z
`, "{ada}", ada)
	if printed := term.must("key", "list", "--account", ada); strings.Contains(printed, "laptop") || !strings.Contains(printed, "revoked") || strings.Contains(printed, secret) {
		t.Errorf("keys after the erasure:\n%s", printed)
	}
	for _, row := range [][]string{
		{"account", "resume", ada}, {"account", "edit", ada, "--username", "ada"},
		{"deposit", "--account", ada, "--amount", "1", "--ref", "p2"}, {"key", "create", "--account", ada, "--name", "new"},
	} {
		term.fails([]string{"erased"}, row...)
	}
	term.account("ada") // the name is free again
	term.verified()
}

func TestAccountExport(t *testing.T) {
	term, books := newTerminal(t)
	term.input = "correct horse battery staple\n"
	term.must("account", "create", "--email", "ada@example.com", "--username", "ada", "--password-stdin")
	ada := term.idOf("ada")
	keyID, secret := term.key("ada", "--models", "gpt-*")
	term.must("deposit", "--account", "ada", "--amount", "5", "--ref", "p1")
	other := storetest.NewCustomer(t, books, 7)
	limit := &store.KeyLimit{Amount: metering.Dollar, Period: ledger.PeriodMonth}
	if err := books.SetKeyLimit(t.Context(), keyID, limit); err != nil {
		t.Fatal(err)
	}
	customer := storetest.Customer{AccountID: ada, KeyID: keyID}
	lease, _, err := books.Join(t.Context(), "main", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := books.Settle(t.Context(), lease, []*ledger.Settlement{{Record: *customer.Record(0)}, {Record: *customer.Record(0)}, {Record: *other.Record(0)}}); err != nil {
		t.Fatal(err)
	}
	term.now = term.now.AddDate(0, 3, 0)
	printed := term.must("account", "export", "ada")
	var exported struct {
		Account struct {
			ID, Email   string
			PasswordSet bool `json:"password_set"`
		}
		Balance struct{ Balance string }
		Keys    []struct {
			ID, Name   string
			Models     []string
			SpendLimit string `json:"spend_limit"`
			Per        string
		}
		Transfers []struct{ Kind, Ref string }
		Daily     []struct {
			Day      string
			Requests int
		} `json:"daily_usage"`
		Records []struct {
			AccountID string `json:"account_id"`
		} `json:"usage_records"`
	}
	if err := json.Unmarshal([]byte(printed), &exported); err != nil {
		t.Fatalf("%v in %s", err, printed)
	}
	if exported.Account.ID != ada || exported.Account.Email != "ada@example.com" || !exported.Account.PasswordSet || exported.Balance.Balance != "5.00" ||
		len(exported.Keys) != 1 || exported.Keys[0].Name != "laptop" || exported.Keys[0].SpendLimit != "1.00" || exported.Keys[0].Per != "month" ||
		len(exported.Transfers) != 1 || exported.Transfers[0].Ref != "p1" ||
		len(exported.Daily) != 1 || exported.Daily[0].Requests != 2 || exported.Daily[0].Day != "2026-11-23" ||
		len(exported.Records) != 2 || exported.Records[0].AccountID != ada {
		t.Errorf("exported %+v of\n%s", exported, printed)
	}
	for _, hidden := range []string{secret, "argon2", other.AccountID, "hash"} {
		if strings.Contains(printed, hidden) {
			t.Errorf("the export holds %q", hidden)
		}
	}
	// An account that has nothing is a whole value too.
	if err := json.Unmarshal([]byte(term.must("account", "export", other.AccountID, "--json")), &exported); err != nil {
		t.Error(err)
	}
}
