package caddymodule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/store/storetest"
)

func writeConfig(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCommandsFindTheStoreByTheConfiguration(t *testing.T) {
	term, _ := newTerminal(t)
	ada := term.account("ada")
	address := term.address
	term.address = ""
	quoted, err := json.Marshal(address)
	if err != nil {
		t.Fatal(err)
	}
	config := `{"apps":{"http":{},"faregate":{"store":` + string(quoted) + `}}}`
	t.Setenv("FAREGATE_TEST_STORE", strings.TrimPrefix(address, "sqlite:"))
	for name, arguments := range map[string][]string{
		"JSON":         {"--config", writeConfig(t, "caddy.json", config)},
		"other name":   {"-c", writeConfig(t, "server.conf", config)},
		"placeholders": {"--config", writeConfig(t, "caddy.json", `{"apps":{"faregate":{"store":"sqlite:{env.FAREGATE_TEST_STORE}"}}}`)},
		"--store":      {"--store", address},
	} {
		if printed := term.must(append([]string{"account", "show", "ada"}, arguments...)...); !strings.Contains(printed, ada) {
			t.Errorf("%s: %s", name, printed)
		}
	}
	term.input = config
	if printed := term.must("account", "show", "ada", "--config", "-"); !strings.Contains(printed, ada) {
		t.Errorf("standard input: %s", printed)
	}
	// The default is the Caddyfile of the working directory, the store's default is
	// in the data directory.
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	t.Chdir(t.TempDir())
	term.fails([]string{"no Caddyfile here", "--config", "--store"}, "account", "list")
	term.fails([]string{"no store at " + filepath.Join(data, "caddy", "faregate", "faregate.db"), "start the server once"},
		"account", "list", "--config", writeConfig(t, "caddy.json", `{"apps":{"faregate":{}}}`))
}

// An older program books nothing in tables that it does not know, and reads no balance
// from them.
func TestCommandsRefuseAStoreOfANewerVersion(t *testing.T) {
	term, _ := newTerminal(t)
	term.account("ada")
	storetest.MakeNewer(t, strings.TrimPrefix(term.address, "sqlite:"))
	words := []string{"version 9999", "made by a newer version: use that one"}
	term.fails(words, "deposit", "--account", "ada", "--amount", "5", "--ref", "first")
	term.fails(words, "balance", "ada")
	term.fails(words, "verify")
}

func TestStoreMistakes(t *testing.T) {
	term, _ := newTerminal(t)
	term.address = ""
	missing := filepath.Join(t.TempDir(), "books.db")
	empty := writeConfig(t, "empty.db", "")
	text := writeConfig(t, "text.db", strings.Repeat("this is no database\n", 100))
	for _, row := range []struct{ words, arguments []string }{
		{[]string{"no store at " + missing, "start the server once", "--store"}, []string{"--store", "sqlite:" + missing}},
		{[]string{"not a SQLite database"}, []string{"--store", "sqlite:" + text}},
		{[]string{filepath.Dir(missing), "it is a directory"}, []string{"--store", "sqlite:" + filepath.Dir(missing)}},
		{[]string{empty, "start the server once", "makes its tables"}, []string{"--store", "sqlite:" + empty}},
		{[]string{"--store", "sqlite:/path/to/file.db"}, []string{"--store", "/srv/books.db"}},
		{[]string{"postgres://user@host/database"}, []string{"--store", "postgres:books"}},
		{[]string{"FAREGATE_TEST_UNSET"}, []string{"--store", "sqlite:{env.FAREGATE_TEST_UNSET}"}},
		{[]string{"--config and --store", "one of them"}, []string{"--store", "sqlite", "--config", "Caddyfile"}},
		{[]string{"no " + missing + " here", "--config"}, []string{"--config", missing}},
		{[]string{"does not configure Faregate", "faregate {"}, []string{"--config", writeConfig(t, "caddy.json", `{"apps":{"http":{}}}`)}},
		{[]string{"not a Caddy configuration", "--adapter"}, []string{"--config", writeConfig(t, "caddy.conf", "example.com\n")}},
		{[]string{"--adapter", `"toml"`, "no such adapter"}, []string{"--config", writeConfig(t, "caddy.toml", "a = 1\n"), "--adapter", "toml"}},
		{[]string{"Caddyfile:2", "unrecognized"}, []string{"--config", writeConfig(t, "Caddyfile", "example.com {\n\tno_such_thing\n}\n")}},
		{[]string{"app", "store"}, []string{"--config", writeConfig(t, "caddy.json", `{"apps":{"faregate":{"store":7}}}`)}},
		{[]string{"postgres://user@host/database"}, []string{"--config", writeConfig(t, "caddy.json", `{"apps":{"faregate":{"store":"postgres:db"}}}`)}},
	} {
		term.fails(row.words, append([]string{"account", "list"}, row.arguments...)...)
	}
	if _, err := os.Stat(missing); err == nil {
		t.Error("a command made a store")
	}
}
