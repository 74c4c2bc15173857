package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/postgrestest"
)

func TestVoucherCommands(t *testing.T) {
	term, _ := newTerminal(t)
	ada := term.account("ada")
	term.account("bob")
	printed := term.must("voucher", "create", "--amount", "5", "--count", "2", "--expires", "24h", "--note", "fair", "--json")
	type voucher struct{ ID, Code, Amount, Status string }
	var made []voucher
	for line := range strings.Lines(printed) {
		var v voucher
		if err := json.Unmarshal([]byte(line), &v); err != nil {
			t.Fatal(err)
		}
		made = append(made, v)
	}
	if len(made) != 2 || made[0].Code == made[1].Code || made[0].Status != "open" || made[0].Amount != "5.00" {
		t.Fatalf("vouchers are %+v", made)
	}
	term.input = " " + strings.ToLower(strings.ReplaceAll(made[0].Code, "-", "")) + "\n"
	wantText(t, term.must("voucher", "redeem", "--account", "ada"), `account  ada
voucher  {v}
amount   5.00 USD
outcome  added
balance  5.00 USD
`, "{v}", made[0].ID)
	wantText(t, term.must("voucher", "redeem", "--account", "ada", made[0].Code, "--json"), `{"account_id":"{ada}","voucher_id":"{v}","amount":"5.00","added":false,"balance":"5.00"}
`, "{ada}", ada, "{v}", made[0].ID)
	term.fails([]string{"redeemed already"}, "voucher", "redeem", "--account", "bob", made[0].Code)
	for range 2 {
		wantText(t, term.must("voucher", "revoke", made[1].ID), `id      {v}
status  revoked
`, "{v}", made[1].ID)
	}
	term.fails([]string{"revoked"}, "voucher", "redeem", "--account", "bob", made[1].Code)
	term.fails([]string{"redeemed already"}, "voucher", "revoke", made[0].ID)

	printed = term.must("voucher", "create", "--amount", "0.50", "--expires", "1h")
	lines := strings.Split(strings.TrimSpace(printed), "\n")
	if len(lines) != 3 || !strings.Contains(lines[2], "only time") {
		t.Fatalf("voucher create prints\n%s", printed)
	}
	third := strings.Fields(lines[1])[0]
	term.now = term.now.Add(time.Hour)
	term.fails([]string{"expired"}, "voucher", "redeem", "--account", "bob", third)

	list := term.must("voucher", "list")
	wantText(t, strings.Join(strings.Fields(strings.Split(list, "\n")[1]), " "),
		made[0].ID+" 5.00 redeemed 2026-11-23 12:00:00Z 2026-11-24 12:00:00Z 2026-11-23 12:00:00Z "+ada+" fair")
	for _, word := range []string{"revoked", "expired"} {
		if !strings.Contains(list, word) {
			t.Errorf("voucher list lacks %s:\n%s", word, list)
		}
	}
	term.verified()

	// No code is kept anywhere.
	files, err := filepath.Glob(strings.TrimPrefix(term.address, "sqlite:") + "*")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, code := range []string{made[0].Code, made[1].Code, third} {
			if digits := strings.ReplaceAll(code[3:], "-", ""); strings.Contains(string(content), code) || strings.Contains(string(content), digits) {
				t.Errorf("%s holds a code", file)
			}
		}
	}
}

func TestVoucherMistakes(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	unknown := "FG-409N0-VR1JT-HHBG3-19J1H-E5KT2-JMFKG" // of the right form
	mistyped := strings.Replace(unknown, "E5KT2", "E5KT3", 1)
	for _, row := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"--amount"}, []string{"voucher", "create", "--amount", "five"}},
		{[]string{"--amount"}, []string{"voucher", "create", "--amount", "0"}},
		{[]string{"--count", "1000"}, []string{"voucher", "create", "--amount", "1", "--count", "0"}},
		{[]string{"--count", "1000"}, []string{"voucher", "create", "--amount", "1", "--count", "1001"}},
		{[]string{"--expires", "720h"}, []string{"voucher", "create", "--amount", "1", "--expires", "soon"}},
		{[]string{"no voucher has this code", "check every character"}, []string{"voucher", "redeem", "--account", "ada", unknown}},
		{[]string{"malformed", "check every character"}, []string{"voucher", "redeem", "--account", "ada", mistyped}},
		{[]string{"malformed"}, []string{"voucher", "redeem", "--account", "ada"}}, // nothing on standard input
		{[]string{`no account "eve"`}, []string{"voucher", "redeem", "--account", "eve", unknown}},
		{[]string{"by its id"}, []string{"voucher", "revoke", unknown}},
		{[]string{"no voucher"}, []string{"voucher", "revoke", "01a20a5c-524b-725a-8d0b-1616187e52bf"}},
	} {
		term.fails(row.words, row.arguments...)
		if _, stderr, _ := term.run(row.arguments...); strings.Contains(stderr, unknown) || strings.Contains(stderr, mistyped) {
			t.Errorf("%q: the code is quoted: %s", row.arguments, stderr)
		}
	}
	if printed := term.must("voucher", "list", "--json"); printed != "" {
		t.Errorf("a failed command left something behind: %s", printed)
	}
}

// A connection is lost somewhere while vouchers are made: all that are in the books were shown.
func TestVouchersWhoseAnswerIsLost(t *testing.T) {
	address := cluster.NewDatabase(t)
	proxy := cluster.NewProxy(t)
	books, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = books.Close() }()
	if err := books.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	term := &terminal{t: t, address: proxy.URL(postgrestest.Name(address), ""), random: newTerminalRandom(), now: testNow}
	shown, failures := 0, 0
	for lost := range 20 {
		answers := 0
		proxy.Plan(func() postgrestest.Fate {
			if answers++; answers == lost+1 {
				return postgrestest.CutOff
			}
			return postgrestest.Delivered
		})
		stdout, _, err := term.run("voucher", "create", "--amount", "5", "--count", "2", "--json")
		shown += strings.Count(stdout, `"code"`)
		if err != nil {
			failures++
		}
		proxy.Plan(nil)
		made := strings.Count(term.must("voucher", "list", "--json"), `"id"`)
		if made != shown {
			t.Fatalf("answer %d lost, %v: %d vouchers are in the books, %d were shown", lost+1, err, made, shown)
		}
	}
	if shown == 0 || failures == 20 {
		t.Errorf("%d vouchers were shown, %d commands failed", shown, failures)
	}
}
