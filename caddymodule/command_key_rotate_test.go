package caddymodule

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
)

func TestKeyRotation(t *testing.T) {
	term, books := newTerminal(t)
	ada := term.account("ada")
	id, first := term.key("ada", "--models", "gpt-*", "--spend-limit", "10.00", "--rpm", "60", "--expires", "30d")
	verifier := auth.NewVerifier(books, auth.VerifierOptions{Now: func() time.Time { return term.now }})
	works := func(secret string, want error) {
		t.Helper()
		principal, err := verifier.Verify(t.Context(), secret)
		if !errors.Is(err, want) || want == nil && (principal.KeyID != id || principal.AccountID != ada || principal.AllowsModel("claude") || principal.Rates.RequestsPerMinute != 60) {
			t.Errorf("the secret stands for %+v, %v; want %v", principal, err, want)
		}
	}
	works(first, nil)

	term.now = term.now.Add(time.Hour)
	var rotated struct{ ID, Secret string }
	printed := term.must("key", "rotate", strings.ToUpper(id), "--grace", "2h", "--json")
	rotated.Secret = printed[strings.Index(printed, "sk-fg-"):][:55]
	wantText(t, printed, `{"id":"{id}","secret":"{secret}","account_id":"{ada}","name":"laptop","status":"active","models":["gpt-*"],"spend_limit":"10.00","spent":"0.00","per":"total","exact_caps":false,"rpm":60,`+
		`"created_at":"2026-11-23T12:00:00.123456Z","rotated_at":"2026-11-23T13:00:00.123456Z","former_until":"2026-11-23T15:00:00.123456Z","expires_at":"2026-12-23T12:00:00.123456Z"}
`, "{id}", id, "{ada}", ada, "{secret}", rotated.Secret)
	verifier.Forget(id) // as a server does that is told
	works(first, nil)
	works(rotated.Secret, nil)
	if list := term.must("key", "list", "--account", "ada"); !strings.Contains(list, "2026-11-23 13:00:00Z  2026-11-23 15:00:00Z  2026-12-23 12:00:00Z") || strings.Contains(list, "sk-fg-") {
		t.Errorf("the list:\n%s", list)
	}

	// The end of the grace is noticed although the secret is known from before.
	term.now = term.now.Add(2*time.Hour - time.Microsecond)
	works(first, nil)
	term.now = term.now.Add(time.Microsecond)
	works(first, auth.ErrUnknownKey)
	works(rotated.Secret, nil)
	if list := term.must("key", "list", "--account", "ada", "--json"); strings.Contains(list, "former_until") || !strings.Contains(list, "rotated_at") {
		t.Errorf("the list after the grace:\n%s", list)
	}

	printed = term.must("key", "rotate", id)
	last := printed[strings.Index(printed, "sk-fg-"):][:55]
	wantText(t, printed, `id              {id}
name            laptop
former secrets  are refused within a second
expires         2026-12-23 12:00:00Z
secret          {secret}
                This is the only time that the secret is shown: keep it now.
`, "{id}", id, "{secret}", last)
	verifier.Forget(id)
	works(rotated.Secret, auth.ErrUnknownKey)
	works(last, nil)

	if printed := term.must("key", "rotate", id, "--grace", "1d"); !strings.Contains(printed, "former secrets  work until 2026-11-24 15:00:00Z\n") {
		t.Errorf("rotated with a grace:\n%s", printed)
	}
	verifier.Forget(id)
	works(last, nil)
	term.must("key", "revoke", id)
	verifier.Forget(id)
	works(last, auth.ErrUnknownKey)
	if list := term.must("key", "list", "--account", "ada", "--json"); strings.Contains(list, "former_until") {
		t.Errorf("the list after the revocation:\n%s", list)
	}
}

func TestKeyRotationMistakes(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	id, secret := term.key("ada", "--expires", "1h")
	for _, row := range []struct {
		words     []string
		arguments []string
	}{
		{[]string{"KEY is missing"}, []string{"key", "rotate"}},
		{[]string{"by its id", "leaked"}, []string{"key", "rotate", secret}},
		{[]string{`no key "0199e0a0-7c1c-7000-8000-000000000000"`, "key list"}, []string{"key", "rotate", "0199e0a0-7c1c-7000-8000-000000000000"}},
		{[]string{"--grace", `"soon"`, "24h"}, []string{"key", "rotate", id, "--grace", "soon"}},
		{[]string{"--grace", `"-1h"`}, []string{"key", "rotate", id, "--grace=-1h"}},
		{[]string{"--grace is empty"}, []string{"key", "rotate", id, "--grace", ""}},
	} {
		term.fails(row.words, row.arguments...)
	}
	term.now = term.now.Add(time.Hour)
	term.fails([]string{"expired", "key edit " + id + " --expires"}, "key", "rotate", id)
	term.must("key", "edit", id, "--expires", "1h")
	term.must("key", "rotate", id)
	term.must("key", "revoke", id)
	term.fails([]string{"revoked", "create a new one"}, "key", "rotate", id)
}

// A running gateway with PostgreSQL goes by a rotation, and keeps one spend limit for
// both secrets.
func TestARotationIsNoticed(t *testing.T) {
	g := startGateway(t, gatewayOptions{store: cluster.NewDatabase(t)})
	term := &terminal{t: t, address: g.address, random: newTerminalRandom(), now: time.Now()}
	status := func(secret string) int {
		return g.callWith(chatJSON.path, chatJSON.body, bearer(secret)).status
	}
	if got := status(g.secret); got != http.StatusOK {
		t.Fatalf("before: %d", got)
	}
	rotate := func(grace string) string {
		printed := term.must("key", "rotate", g.keyID, "--grace", grace)
		return printed[strings.Index(printed, "sk-fg-"):][:55]
	}
	second := rotate("1h")
	if old, got := status(g.secret), status(second); old != http.StatusOK || got != http.StatusOK {
		t.Fatalf("in the time of grace: %d with the former secret, %d with the new one", old, got)
	}
	third := rotate("0")
	waitFor(t, "the end of the former secrets to be noticed", func() bool {
		return status(second) == http.StatusUnauthorized
	})
	if old, got := status(g.secret), status(third); old != http.StatusUnauthorized || got != http.StatusOK {
		t.Errorf("after it: %d with the first secret, %d with the last one", old, got)
	}
	for _, record := range g.records(4) {
		if record.KeyID != g.keyID {
			t.Errorf("a record of another key: %+v", record)
		}
	}
	g.verify()
}
