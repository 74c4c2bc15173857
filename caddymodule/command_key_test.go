package caddymodule

import (
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/auth/preferences"
)

func TestKeyCommands(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	var first keyFields
	printed := term.json(&first, "key", "create", "--account", "ada@example.com", "--name", "my laptop")
	wantText(t, printed, `{"id":"{key}","secret":"{secret}","account_id":"{ada}","name":"my laptop","status":"active","models":[],"exact_caps":false,"created_at":"2026-11-23T12:00:00.123456Z"}
`, "{ada}", ada, "{key}", first.ID, "{secret}", first.Secret)
	// The server takes the secret that was printed.
	verifier := auth.NewVerifier(books, auth.VerifierOptions{Now: func() time.Time { return term.now }})
	principal, err := verifier.Verify(t.Context(), first.Secret)
	if err != nil || principal.AccountID != ada || principal.KeyID != first.ID {
		t.Fatalf("the printed secret stands for %+v, %v", principal, err)
	}

	term.now = term.now.Add(time.Second)
	printed = term.must("key", "create", "--account", "ada", "--name", "ci", "--expires", "30d", "--models", "gpt-*,claude-opus-4-6", "--models", "gpt-*")
	secret := printed[strings.Index(printed, "sk-fg-"):][:55]
	second, err := verifier.Verify(t.Context(), secret)
	if err != nil || !second.AllowsModel("gpt-5") || !second.AllowsModel("claude-opus-4-6") || second.AllowsModel("claude-opus-4-7") {
		t.Fatalf("the second key stands for %+v, %v", second, err)
	}
	wantText(t, printed, `id       {key}
name     ci
account  ada
models   gpt-*,claude-opus-4-6
expires  2026-12-23 12:00:01Z
secret   {secret}
         This is the only time that the secret is shown: keep it now.
`, "{key}", second.KeyID, "{secret}", secret)

	wantText(t, term.must("key", "revoke", strings.ToUpper(first.ID), "--json"), `{"id":"{key}","status":"revoked"}
`, "{key}", first.ID)
	wantText(t, term.must("key", "revoke", first.ID), "id      {key}\nstatus  revoked\n", "{key}", first.ID)
	verifier.Forget(first.ID)
	if _, err := verifier.Verify(t.Context(), first.Secret); !errors.Is(err, auth.ErrUnknownKey) {
		t.Errorf("the revoked key: %v", err)
	}

	term.now = term.now.Add(30 * 24 * time.Hour)
	wantText(t, term.must("key", "list", "--account", ada), `ID                                    NAME       STATUS   MODELS                 LIMIT USD  SPENT USD  PER  CAPS  RPM  TPM  AT ONCE  FROM  DATA POLICY  PROVIDERS  ON DISCONNECT  CREATED               ROTATED  FORMER UNTIL  EXPIRES               REVOKED
{1}  my laptop  revoked  all                                                                                                                     2026-11-23 12:00:00Z                                               2026-11-23 12:00:01Z
{2}  ci         expired  gpt-*,claude-opus-4-6                                                                                                   2026-11-23 12:00:01Z                         2026-12-23 12:00:01Z  
`, "{1}", first.ID, "{2}", second.KeyID)
	wantText(t, term.must("key", "list", "--account", "ada", "--json"), `{"id":"{1}","account_id":"{ada}","name":"my laptop","status":"revoked","models":[],"exact_caps":false,"created_at":"2026-11-23T12:00:00.123456Z","revoked_at":"2026-11-23T12:00:01.123456Z"}
{"id":"{2}","account_id":"{ada}","name":"ci","status":"expired","models":["gpt-*","claude-opus-4-6"],"exact_caps":false,"created_at":"2026-11-23T12:00:01.123456Z","expires_at":"2026-12-23T12:00:01.123456Z"}
`, "{ada}", ada, "{1}", first.ID, "{2}", second.KeyID)
}

type keyFields struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret"`
	AccountID string   `json:"account_id"`
	Name      string   `json:"name"`
	Status    string   `json:"status"`
	Models    []string `json:"models"`
	ExactCaps bool     `json:"exact_caps"`
	CreatedAt string   `json:"created_at"`
}

func TestKeyMistakes(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	id, secret := term.key("ada")
	for _, row := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{`no account "bob"`}, []string{"key", "create", "--account", "bob", "--name", "x"}},
		{[]string{`no account "bob"`}, []string{"key", "list", "--account", "bob"}},
		{[]string{"account", "required"}, []string{"key", "create", "--name", "x"}},
		{[]string{"--data-policy", "zdr, no_training, retains or none"}, []string{"key", "create", "--account", "ada", "--name", "x", "--data-policy", "best"}},
		{[]string{"--data-policy is empty"}, []string{"key", "edit", id, "--data-policy", ""}},
		{[]string{"--providers", "no equals sign", "write them like"}, []string{"key", "create", "--account", "ada", "--name", "x", "--providers", "openai"}},
		{[]string{"--providers", "--data-policy"}, []string{"key", "edit", id, "--providers", "data_policy=zdr"}},
		{[]string{"--providers is empty"}, []string{"key", "edit", id, "--providers", " "}},
		{[]string{"--name", "--name is empty"}, []string{"key", "create", "--account", "ada", "--name", ""}},
		{[]string{"--expires", "720h"}, []string{"key", "create", "--account", "ada", "--name", "x", "--expires", "tomorrow"}},
		{[]string{"--expires", "720h"}, []string{"key", "create", "--account", "ada", "--name", "x", "--expires", "-1h"}},
		{[]string{"--expires", "720h"}, []string{"key", "create", "--account", "ada", "--name", "x", "--expires", "0"}},
		{[]string{"--models", `"gpt*5"`}, []string{"key", "create", "--account", "ada", "--name", "x", "--models", "a,gpt*5"}},
		{[]string{`no key "0199e0a0-7c1c-7000-8000-000000000000"`, "key list"}, []string{"key", "revoke", "0199e0a0-7c1c-7000-8000-000000000000"}},
		{[]string{"by its id", "leaked"}, []string{"key", "revoke", secret}},
		{[]string{"--spend-limit", `"ten"`}, []string{"key", "create", "--account", "ada", "--name", "x", "--spend-limit", "ten"}},
		{[]string{"--spend-limit", `"-1"`}, []string{"key", "create", "--account", "ada", "--name", "x", "--spend-limit=-1"}},
		{[]string{"--per", "--spend-limit"}, []string{"key", "create", "--account", "ada", "--name", "x", "--per", "day"}},
		{[]string{"--per", `"year"`, "month"}, []string{"key", "create", "--account", "ada", "--name", "x", "--spend-limit", "1", "--per", "year"}},
		{[]string{`no key "0199e0a0-7c1c-7000-8000-000000000000"`, "key list"}, []string{"key", "edit", "0199e0a0-7c1c-7000-8000-000000000000", "--name", "x"}},
		{[]string{"by its id", "leaked"}, []string{"key", "edit", secret, "--name", "x"}},
		{[]string{"nothing to change", "--spend-limit"}, []string{"key", "edit", id}},
		{[]string{"--name is empty"}, []string{"key", "edit", id, "--name", ""}},
		{[]string{"--expires", "30d"}, []string{"key", "edit", id, "--expires", "tomorrow"}},
		{[]string{"--models", `"gpt*5"`}, []string{"key", "edit", id, "--models", "gpt*5"}},
		{[]string{"--per", "no spend limit yet", "--spend-limit"}, []string{"key", "edit", id, "--per", "day"}},
		{[]string{"--per", "leave it out"}, []string{"key", "edit", id, "--spend-limit", "none", "--per", "day"}},
		{[]string{"--spend-limit", `"some"`}, []string{"key", "edit", id, "--spend-limit", "some"}},
		{[]string{"--rpm", `"0"`, "none"}, []string{"key", "create", "--account", "ada", "--name", "x", "--rpm", "0"}},
		{[]string{"--tpm", `"many"`, "tokens per minute"}, []string{"key", "edit", id, "--tpm", "many"}},
		{[]string{"--concurrency", `"-1"`}, []string{"key", "edit", id, "--concurrency=-1"}},
		{[]string{"--cidr", "203.0.113.0/24 for the network"}, []string{"key", "edit", id, "--cidr", "203.0.113.7/24"}},
		{[]string{"--cidr is empty", "any"}, []string{"key", "edit", id, "--cidr", " "}},
		{[]string{`no command "renew"`}, []string{"key", "renew", "x"}},
	} {
		term.fails(row.words, row.arguments...)
	}
	// What key edit takes for nothing, key create takes, too.
	if printed := term.must("key", "create", "--account", "ada", "--name", "x", "--expires", "never", "--spend-limit", "none", "--json"); strings.Contains(printed, "expires_at") || strings.Contains(printed, "spend_limit") {
		t.Errorf("a key without end and limit:\n%s", printed)
	}
	if _, stderr, _ := term.run("key", "revoke", secret); strings.Contains(stderr, secret[6:]) {
		t.Error("the error repeats the secret")
	}
	if printed := term.must("key", "list", "--account", "ada"); strings.Count(printed, "\n") != 3 || strings.Contains(printed, "sk-fg-") {
		t.Errorf("the list:\n%s", printed)
	}
}

func TestKeyLimits(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	id, secret := term.key("ada", "--spend-limit", "10.00", "--per", "month", "--exact-caps")
	hash, err := auth.HashSecret(secret)
	if err != nil {
		t.Fatal(err)
	}
	principal := func() *auth.Principal {
		t.Helper()
		p, err := auth.NewVerifier(books, auth.VerifierOptions{Now: func() time.Time { return term.now }}).Verify(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		return p
	}
	if !principal().ExactCaps {
		t.Error("--exact-caps has no effect")
	}
	list := func(want string) {
		t.Helper()
		wantText(t, term.must("key", "list", "--account", "ada", "--json"),
			`{"id":"{id}","account_id":"{ada}",`+want+"\n", "{id}", id, "{ada}", ada)
	}
	list(`"name":"laptop","status":"active","models":[],"spend_limit":"10.00","spent":"0.00","per":"month","exact_caps":true,"created_at":"2026-11-23T12:00:00.123456Z"}`)
	wantText(t, term.must("key", "list", "--account", "ada"), `ID                                    NAME    STATUS  MODELS  LIMIT USD  SPENT USD  PER    CAPS   RPM  TPM  AT ONCE  FROM  DATA POLICY  PROVIDERS  ON DISCONNECT  CREATED               ROTATED  FORMER UNTIL  EXPIRES  REVOKED
{id}  laptop  active  all     10.00      0.00       month  exact                                                                  2026-11-23 12:00:00Z                                  
`, "{id}", id)

	// What is not given stays.
	wantText(t, term.must("key", "edit", strings.ToUpper(id), "--per", "day"), `id               {id}
name             laptop
status           active
models           all
spend limit USD  10.00
spent USD        0.00
per              day
output caps      exact
`, "{id}", id)
	term.must("key", "edit", id, "--spend-limit", "2.50", "--exact-caps=false", "--name", " ci ", "--models", "gpt-*", "--expires", "1h")
	list(`"name":"ci","status":"active","models":["gpt-*"],"spend_limit":"2.50","spent":"0.00","per":"day","exact_caps":false,"created_at":"2026-11-23T12:00:00.123456Z","expires_at":"2026-11-23T13:00:00.123456Z"}`)
	if p := principal(); p.ExactCaps || p.AllowsModel("claude") {
		t.Errorf("the key stands for %+v", p)
	}
	wantText(t, term.must("key", "edit", id, "--spend-limit", "none", "--models", "*", "--expires", "never", "--json"),
		`{"id":"{id}","account_id":"{ada}","name":"ci","status":"active","models":[],"exact_caps":false,"created_at":"2026-11-23T12:00:00.123456Z"}`+"\n", "{id}", id, "{ada}", ada)
	if limit, err := books.KeyLimit(t.Context(), id); err != nil || limit != nil {
		t.Errorf("the limit is %v, %v", limit, err)
	}
	if key, _, err := books.FindKey(t.Context(), hash); err != nil || key.Name != "ci" || !key.ExpiresAt.IsZero() {
		t.Errorf("the key is %+v, %v", key, err)
	}
	term.must("key", "edit", id, "--spend-limit", "0", "--per", "total")
	list(`"name":"ci","status":"active","models":[],"spend_limit":"0.00","spent":"0.00","per":"total","exact_caps":false,"created_at":"2026-11-23T12:00:00.123456Z"}`)
	term.must("key", "revoke", id)
	term.fails([]string{"revoked", "create a new one"}, "key", "edit", id, "--name", "x")
}

func TestKeyRates(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	id, secret := term.key("ada", "--rpm", "60", "--tpm", "100000", "--concurrency", "4", "--cidr", "203.0.113.0/24,2001:db8::/32")
	list := func(want string) {
		t.Helper()
		wantText(t, term.must("key", "list", "--account", "ada", "--json"),
			`{"id":"{id}","account_id":"{ada}","name":"laptop","status":"active","models":[],"exact_caps":false,`+want+`"created_at":"2026-11-23T12:00:00.123456Z"}`+"\n", "{id}", id, "{ada}", ada)
	}
	list(`"rpm":60,"tpm":100000,"concurrency":4,"cidr":["203.0.113.0/24","2001:db8::/32"],`)
	wantText(t, term.must("key", "list", "--account", "ada"), `ID                                    NAME    STATUS  MODELS  LIMIT USD  SPENT USD  PER  CAPS  RPM  TPM     AT ONCE  FROM                          DATA POLICY  PROVIDERS  ON DISCONNECT  CREATED               ROTATED  FORMER UNTIL  EXPIRES  REVOKED
{id}  laptop  active  all                                      60   100000  4        203.0.113.0/24,2001:db8::/32                                         2026-11-23 12:00:00Z                                  
`, "{id}", id)
	principal, err := auth.NewVerifier(books, auth.VerifierOptions{Now: func() time.Time { return term.now }}).Verify(t.Context(), secret)
	if err != nil || principal.Rates != (limits.Rates{RequestsPerMinute: 60, TokensPerMinute: 100_000, Concurrency: 4}) ||
		principal.Addresses.Allows(netip.MustParseAddr("198.51.100.1")) || !principal.Addresses.Allows(netip.MustParseAddr("2001:db8::7")) {
		t.Errorf("the key stands for %+v, %v", principal, err)
	}
	// What is not given stays.
	wantText(t, term.must("key", "edit", id, "--rpm", "none", "--cidr", "198.51.100.7"), `id                 {id}
name               laptop
status             active
models             all
tokens per minute  100000
requests at once   4
usable from        198.51.100.7/32
`, "{id}", id)
	list(`"tpm":100000,"concurrency":4,"cidr":["198.51.100.7/32"],`)
	term.must("key", "edit", id, "--tpm", "none", "--concurrency", "none", "--cidr", "any")
	list("")
}

func TestKeyPreferences(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	id, secret := term.key("ada", "--data-policy", "no_training", "--providers", "order = anthropic|openrouter,ignore=xai")
	list := func(want string) {
		t.Helper()
		wantText(t, term.must("key", "list", "--account", "ada", "--json"),
			`{"id":"{id}","account_id":"{ada}","name":"laptop","status":"active","models":[],"exact_caps":false,`+want+`"created_at":"2026-11-23T12:00:00.123456Z"}`+"\n", "{id}", id, "{ada}", ada)
	}
	list(`"data_policy":"no_training","providers":"order=anthropic|openrouter, ignore=xai",`)
	verify := func() preferences.Providers {
		t.Helper()
		principal, err := auth.NewVerifier(books, auth.VerifierOptions{Now: func() time.Time { return term.now }}).Verify(t.Context(), secret)
		if err != nil {
			t.Fatal(err)
		}
		return principal.Providers
	}
	if got := verify().String(); got != "order=anthropic|openrouter, ignore=xai, data_policy=no_training" {
		t.Errorf("the key prefers %q", got)
	}
	// The stricter of account and key counts.
	wantText(t, term.must("account", "edit", "ada", "--data-policy", "zdr"), `id           {ada}
e-mail       ada@example.com
username     ada
status       active
data policy  zdr
created      2026-11-23 12:00:00Z
`, "{ada}", ada)
	if got := verify().DataPolicy; got != preferences.DataPolicyZDR {
		t.Errorf("the policy is %s", got)
	}
	term.must("account", "edit", "ada", "--data-policy", "retains")
	if got := verify().DataPolicy; got != preferences.DataPolicyNoTraining {
		t.Errorf("the policy is %s", got)
	}
	// What is not given stays.
	wantText(t, term.must("key", "edit", id, "--providers", "only=openai"), `id           {id}
name         laptop
status       active
models       all
data policy  no_training
providers    only=openai
`, "{id}", id)
	term.must("key", "edit", id, "--data-policy", "none")
	list(`"providers":"only=openai",`)
	term.must("key", "edit", id, "--providers", "none")
	list("")
	if got := verify(); got.String() != "data_policy=retains" {
		t.Errorf("the key prefers %q", got)
	}
}

func TestKeyOnDisconnect(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	id, secret := term.key("ada", "--on-disconnect", "drain")
	shows := func(want string, printed string) {
		t.Helper()
		wantText(t, printed, `{"id":"{id}","account_id":"{ada}","name":"laptop","status":"active","models":[],"exact_caps":false,`+want+`"created_at":"2026-11-23T12:00:00.123456Z"}`+"\n", "{id}", id, "{ada}", ada)
	}
	shows(`"on_disconnect":"drain",`, term.must("key", "list", "--account", "ada", "--json"))
	principal, err := auth.NewVerifier(books, auth.VerifierOptions{Now: func() time.Time { return term.now }}).Verify(t.Context(), secret)
	if err != nil || principal.OnDisconnect != auth.OnDisconnectDrain {
		t.Errorf("the key stands for %+v, %v", principal, err)
	}
	shows(`"on_disconnect":"cancel",`, term.must("key", "edit", id, "--on-disconnect", "cancel", "--json"))
	shows("", term.must("key", "edit", id, "--on-disconnect", "default", "--json"))
	term.fails([]string{"--on-disconnect", "cancel, drain or default"}, "key", "edit", id, "--on-disconnect", "linger")
	term.fails([]string{"--on-disconnect", "cancel, drain or default"}, "key", "create", "--account", "ada", "--name", "x", "--on-disconnect", "linger")
}
