package caddymodule

import (
	"strings"
	"testing"

	"github.com/faregate/faregate/auth"
)

func TestAccountCommands(t *testing.T) {
	term, books := newTerminal(t)
	term.input = "correct horse battery staple\n"
	var created struct {
		ID string `json:"id"`
		accountFields
	}
	printed := term.json(&created, "account", "create", "--email", "Ada@Example.com", "--username", "Ada", "--group", "pro", "--password-stdin")
	wantText(t, printed, `{"id":"{ada}","email":"ada@example.com","username":"ada","group":"pro","status":"active","created_at":"2026-11-23T12:00:00.123456Z"}
`, "{ada}", created.ID)
	if strings.Contains(printed, "argon2") {
		t.Error("the password's hash is printed")
	}
	kept, err := books.FindAccount(t.Context(), created.ID)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := auth.CheckPassword(kept.PasswordHash, "correct horse battery staple"); err != nil {
		t.Errorf("the password that was read is not the one that was kept: %v", err)
	}

	term.now = term.now.Add(1)
	printed = term.must("account", "create", "--email", "bob@example.com", "--username", "bob")
	bob := term.idOf("bob")
	wantText(t, printed, `id        {bob}
e-mail    bob@example.com
username  bob
status    active
created   2026-11-23 12:00:00Z
`, "{bob}", bob)

	wantText(t, term.must("account", "suspend", "bob", "--reason", "unpaid invoice 17"), `id        {bob}
e-mail    bob@example.com
username  bob
status    suspended
reason    unpaid invoice 17
created   2026-11-23 12:00:00Z
`, "{bob}", bob)
	wantText(t, term.must("account", "list"), `ID                                    E-MAIL           USERNAME  GROUP  STATUS     DATA POLICY  CREATED
{ada}  ada@example.com  ada       pro    active                  2026-11-23 12:00:00Z
{bob}  bob@example.com  bob              suspended               2026-11-23 12:00:00Z
`, "{ada}", created.ID, "{bob}", bob)
	wantText(t, term.must("account", "list", "--json"), `{"id":"{ada}","email":"ada@example.com","username":"ada","group":"pro","status":"active","created_at":"2026-11-23T12:00:00.123456Z"}
{"id":"{bob}","email":"bob@example.com","username":"bob","group":"","status":"suspended","suspended_reason":"unpaid invoice 17","created_at":"2026-11-23T12:00:00.123456Z"}
`, "{ada}", created.ID, "{bob}", bob)

	for _, name := range []string{bob, strings.ToUpper(bob), "bob@example.com", "BOB@example.com", "bob"} {
		if printed := term.must("account", "show", name); !strings.Contains(printed, bob) || !strings.Contains(printed, "suspended") {
			t.Errorf("show %s prints %s", name, printed)
		}
	}
	if printed := term.must("account", "resume", "bob"); strings.Contains(printed, "suspended") || strings.Contains(printed, "unpaid") {
		t.Errorf("after resume: %s", printed)
	}
	if printed := term.must("account", "show", "bob", "--json"); strings.Contains(printed, "suspended") {
		t.Errorf("after resume: %s", printed)
	}
}

// accountFields are the answer's other fields, which DisallowUnknownFields asks for.
type accountFields struct {
	Email           string `json:"email"`
	Username        string `json:"username"`
	Group           string `json:"group"`
	Status          string `json:"status"`
	SuspendedReason string `json:"suspended_reason"`
	CreatedAt       string `json:"created_at"`
}

func (term *terminal) idOf(name string) string {
	term.t.Helper()
	var account struct {
		ID string `json:"id"`
		accountFields
	}
	term.json(&account, "account", "show", name)
	return account.ID
}

func TestAccountMistakes(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	for _, row := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"--email", "name@example.com"}, []string{"account", "create", "--email", "ada", "--username", "x2"}},
		{[]string{"--username", "a-z"}, []string{"account", "create", "--email", "a@example.com", "--username", "a b"}},
		{[]string{"--group", "a-z"}, []string{"account", "create", "--email", "a@example.com", "--username", "a2", "--group", "A B"}},
		{[]string{"email", "username", "required"}, []string{"account", "create"}},
		{[]string{"e-mail address", "already taken"}, []string{"account", "create", "--email", "ADA@example.com", "--username", "other"}},
		{[]string{"username", "already taken"}, []string{"account", "create", "--email", "other@example.com", "--username", "ADA"}},
		{[]string{"--password-stdin", "at least 12"}, []string{"account", "create", "--email", "b@example.com", "--username", "b2", "--password-stdin"}},
		{[]string{`no account "nobody"`, "account list"}, []string{"account", "show", "nobody"}},
		{[]string{`no account "nobody"`}, []string{"account", "suspend", "nobody", "--reason", "x"}},
		{[]string{"reason", "required"}, []string{"account", "suspend", "ada"}},
		{[]string{"--reason", "say why"}, []string{"account", "suspend", "ada", "--reason", " "}},
		{[]string{"--reason", "one line"}, []string{"account", "suspend", "ada", "--reason", "a\x1bb"}},
		{[]string{"arg"}, []string{"account", "show"}},
		{[]string{"say which command", "create, edit"}, []string{"account"}},
		{[]string{`no command "remove"`, "suspend"}, []string{"account", "remove", "ada"}},
		{[]string{`no command "acount"`, "account"}, []string{"acount", "list"}},
		{[]string{"unknown flag"}, []string{"account", "list", "--all"}},
	} {
		term.fails(row.words, row.arguments...)
		term.fails(row.words, append(row.arguments, "--json")...)
	}
	if printed := term.must("account", "list"); strings.Count(printed, "\n") != 2 {
		t.Errorf("a failed command left something behind:\n%s", printed)
	}
}
