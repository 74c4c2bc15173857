package caddymodule

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/store"
)

// The mistakes in where the books are kept.
var (
	errStoreAddress = errors.New("not a place for the books: write sqlite, sqlite:/path/to/file.db, or postgres:{env.DATABASE_URL}")
	errPostgresURL  = errors.New("a PostgreSQL database is named by its address, like postgres://user@host/database")
	errStoreInClear = errors.New("the database's password must not be written in clear, as it would land in Caddy's autosave and in GET /config/: " +
		"write postgres {env.DATABASE_URL} or postgres {file./path}, and put the address there")
)

// resolveStoreURL says where the books are, as the store package takes it
// (sqlite:/absolute/path), from what the configuration or a flag says:
//
//	""  "sqlite"                     the default file in Caddy's data directory
//	"sqlite:PATH"  "sqlite PATH"     that file; a relative path counts from the working directory
//	"postgres://…"  "postgres:URL"   that PostgreSQL database
//
// Placeholders are resolved; one that is unset or empty is an error. No error
// shows what a placeholder stands for, as that may be a password.
func resolveStoreURL(configured string) (string, error) {
	address, err := caddy.NewReplacer().ReplaceOrErr(strings.TrimSpace(configured), true, true)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	kind, path := strings.ToLower(address), ""
	if cut := strings.IndexAny(address, ": "); cut >= 0 {
		kind, path = strings.ToLower(address[:cut]), strings.TrimSpace(address[cut+1:])
		if path == "" {
			return "", fmt.Errorf("store: %w", errStoreAddress)
		}
	}
	switch kind {
	case "postgres", "postgresql":
		if strings.HasPrefix(path, "//") {
			return address, nil
		}
		if strings.HasPrefix(path, "postgres://") || strings.HasPrefix(path, "postgresql://") {
			return path, nil
		}
		return "", fmt.Errorf("store: %w", errPostgresURL)
	case "", "sqlite":
	default:
		return "", fmt.Errorf("store: %w", errStoreAddress)
	}
	if path == "" {
		path = filepath.Join(caddy.AppDataDir(), "faregate", "faregate.db")
	}
	// sqlite:///path is a common way to write a URL; in sqlite://path the path would
	// be a host.
	if strings.HasPrefix(path, "//") && !strings.HasPrefix(path, "///") || path == ":memory:" || strings.ContainsAny(path, "?\x00") {
		return "", fmt.Errorf("store: %w", errStoreAddress)
	}
	// One file has one address whoever names it: the server keeps one runtime per address.
	path, err = store.RealPath(path)
	if err != nil {
		return "", fmt.Errorf("store: %w", err)
	}
	return "sqlite:" + path, nil
}

// checkStoreSecret refuses a configured address that holds a password itself.
func checkStoreSecret(configured string) error {
	if _, rest, found := strings.Cut(configured, "://"); found {
		authority, _, _ := strings.Cut(rest, "/")
		if user, _, found := strings.Cut(authority, "@"); found && strings.Contains(user, ":") && !strings.Contains(user, "{") || strings.Contains(rest, "password=") {
			return errStoreInClear
		}
	}
	return nil
}
