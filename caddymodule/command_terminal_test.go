package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
)

// testNow is when the commands of the tests run.
var testNow = time.Date(2026, 11, 23, 12, 0, 0, 123_456_000, time.UTC)

// terminal runs commands as `caddy faregate …` would, in this process.
type terminal struct {
	t       testing.TB
	address string // given as --store, unless empty
	random  *rand.ChaCha8
	input   string
	now     time.Time
}

// newTerminal has a store that a server has made and works on.
func newTerminal(t testing.TB) (*terminal, *store.Store) {
	t.Helper()
	address := "sqlite:" + filepath.Join(t.TempDir(), "books.db")
	books, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	if err := books.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	unlock, err := books.Lock()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unlock(); err != nil {
			t.Error(err)
		}
		if err := books.Close(); err != nil {
			t.Error(err)
		}
	})
	return &terminal{t: t, address: address, random: newTerminalRandom(), now: testNow}, books
}

func newTerminalRandom() *rand.ChaCha8 { return rand.NewChaCha8([32]byte{1}) }

// run returns what a command wrote to standard output and to standard error.
func (term *terminal) run(arguments ...string) (stdout, stderr string, err error) {
	term.t.Helper()
	if term.address != "" {
		arguments = append(arguments, "--store", term.address)
	}
	root := &cobra.Command{Use: "caddy", SilenceUsage: true}
	faregate := &cobra.Command{Use: "faregate <command>"}
	(&commandLine{now: func() time.Time { return term.now }, random: term.random, user: func() string { return "operator" }}).attach(faregate)
	root.AddCommand(faregate)
	var out, errors bytes.Buffer
	root.SetArgs(append([]string{"faregate"}, arguments...))
	root.SetIn(strings.NewReader(term.input))
	root.SetOut(&out)
	root.SetErr(&errors)
	err = root.ExecuteContext(context.Background())
	return out.String(), errors.String(), err
}

// must runs a command that has to succeed without a word on standard error.
func (term *terminal) must(arguments ...string) string {
	term.t.Helper()
	stdout, stderr, err := term.run(arguments...)
	if err != nil || stderr != "" {
		term.t.Fatalf("%q: %v\nstandard error: %s", arguments, err, stderr)
	}
	return stdout
}

// json runs a command that has to answer with one line of JSON.
func (term *terminal) json(value any, arguments ...string) string {
	term.t.Helper()
	printed := term.must(append(arguments, "--json")...)
	if strings.Count(printed, "\n") != 1 || !strings.HasSuffix(printed, "\n") {
		term.t.Fatalf("%q prints not one line:\n%s", arguments, printed)
	}
	decoder := json.NewDecoder(strings.NewReader(printed))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(value); err != nil {
		term.t.Fatalf("%q prints %s: %v", arguments, printed, err)
	}
	return printed
}

// fails runs a command that has to fail, with nothing on standard output and all
// the words on standard error.
func (term *terminal) fails(words []string, arguments ...string) {
	term.t.Helper()
	stdout, stderr, err := term.run(arguments...)
	if err == nil || stdout != "" || !strings.HasPrefix(stderr, "Error: ") {
		term.t.Errorf("%q: %v\nstandard output: %s\nstandard error: %s", arguments, err, stdout, stderr)
		return
	}
	for _, word := range words {
		if !strings.Contains(stderr, word) {
			term.t.Errorf("%q: %q is missing in: %s", arguments, word, stderr)
		}
	}
}

// account makes an account and returns its id.
func (term *terminal) account(username string) string {
	term.t.Helper()
	var account struct{ ID string }
	printed := term.must("account", "create", "--email", username+"@example.com", "--username", username, "--json")
	if err := json.Unmarshal([]byte(printed), &account); err != nil {
		term.t.Fatal(err)
	}
	return account.ID
}

// key makes a key and returns its id and its secret.
func (term *terminal) key(account string, more ...string) (id, secret string) {
	term.t.Helper()
	var key struct{ ID, Secret string }
	printed := term.must(append([]string{"key", "create", "--account", account, "--name", "laptop", "--json"}, more...)...)
	if err := json.Unmarshal([]byte(printed), &key); err != nil {
		term.t.Fatal(err)
	}
	return key.ID, key.Secret
}

// wantText compares a whole output; names in braces stand for the values given.
func wantText(t *testing.T, got, want string, namesAndValues ...string) {
	t.Helper()
	want = strings.NewReplacer(namesAndValues...).Replace(want)
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
}
