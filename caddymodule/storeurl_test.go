package caddymodule

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestResolveStoreURL(t *testing.T) {
	data := t.TempDir()
	t.Setenv("XDG_DATA_HOME", data)
	t.Setenv("FAREGATE_TEST_PATH", "/from/environment.db")
	t.Setenv("FAREGATE_TEST_DATABASE", "postgres://user:pa55word@db/books")
	file := filepath.Join(data, "address")
	if err := os.WriteFile(file, []byte("sqlite:/from/file.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	working, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	standard := "sqlite:" + filepath.Join(data, "caddy", "faregate", "faregate.db")
	for configured, want := range map[string]string{
		"": standard, "sqlite": standard, " SQLite ": standard,
		"sqlite:/srv/books.db": "sqlite:/srv/books.db", "sqlite /srv/books.db": "sqlite:/srv/books.db",
		"sqlite:///srv//books.db": "sqlite:/srv/books.db", "sqlite:/srv/my books.db": "sqlite:/srv/my books.db",
		"sqlite:books.db":                       "sqlite:" + filepath.Join(working, "books.db"),
		"sqlite:./x/../books.db":                "sqlite:" + filepath.Join(working, "books.db"),
		"sqlite:{env.FAREGATE_TEST_PATH}":       "sqlite:/from/environment.db",
		"{file." + file + "}":                   "sqlite:/from/file.db",
		"sqlite {env.FAREGATE_TEST_PATH}.v2":    "sqlite:/from/environment.db.v2",
		"postgres://db/books":                   "postgres://db/books",
		"postgres {env.FAREGATE_TEST_DATABASE}": "postgres://user:pa55word@db/books",
		"postgres:{env.FAREGATE_TEST_DATABASE}": "postgres://user:pa55word@db/books",
		"{env.FAREGATE_TEST_DATABASE}":          "postgres://user:pa55word@db/books",
	} {
		if got, err := resolveStoreURL(configured); err != nil || got != want {
			t.Errorf("%q: got %q, %v; want %q", configured, got, err, want)
		}
	}
}

func TestResolveStoreURLMistakes(t *testing.T) {
	t.Setenv("FAREGATE_TEST_EMPTY", "")
	t.Setenv("FAREGATE_TEST_OTHER", "mysql://user:pa55word@db/books")
	for configured, want := range map[string]error{
		"mysql://x": errStoreAddress, "/srv/books.db": errStoreAddress, "sqlite:": errStoreAddress, "sqlite::memory:": errStoreAddress,
		"sqlite://books.db": errStoreAddress, "sqlite:/srv/books.db?mode=ro": errStoreAddress,
		"postgres:books": errPostgresURL, "postgres host=db password=pa55word": errPostgresURL,
		"{env.FAREGATE_TEST_OTHER}":        errStoreAddress,
		"sqlite:{env.FAREGATE_TEST_EMPTY}": nil, "sqlite:{env.FAREGATE_TEST_UNSET}": nil,
		"sqlite:{file./no/such/file}": nil, "{what.ever}": nil,
	} {
		got, err := resolveStoreURL(configured)
		if err == nil || want != nil && !errors.Is(err, want) {
			t.Errorf("%q: got %q, %v; want %v", configured, got, err, want)
		} else if strings.Contains(err.Error(), "pa55word") {
			t.Errorf("%q: the error shows a password: %v", configured, err)
		}
	}
}

func TestAPasswordInTheStoresAddressIsRefused(t *testing.T) {
	for configured, refused := range map[string]bool{
		"postgres:postgres://user:pa55word@db/books": true,
		"postgresql://user:pa55word@db/books":        true,
		"postgres://db/books?password=pa55word":      true,
		"postgres://user@db/books":                   false,
		"postgres:{env.DATABASE_URL}":                false,
		"postgres://user:{env.PASSWORD}@db/books":    false,
		"sqlite:/srv/books.db":                       false,
		"":                                           false,
	} {
		if err := checkStoreSecret(configured); (err != nil) != refused {
			t.Errorf("%q: %v", configured, err)
		}
	}
}
