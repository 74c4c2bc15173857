package store_test

import (
	"database/sql"
	"os"
	"path/filepath"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // the driver pgx
	"github.com/pressly/goose/v3"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
)

// A store that the first version made is brought up to date, and its keys go on.
func TestAStoreOfTheFirstVersion(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "faregate.db")
	t.Run("sqlite", func(t *testing.T) { upgrade(t, goose.DialectSQLite3, "sqlite", file, "sqlite:"+file, "sqlite") })
	t.Run("postgres", func(t *testing.T) {
		address := cluster.NewDatabase(t)
		upgrade(t, goose.DialectPostgres, "pgx", address, address, "postgres")
	})
}

// A backup of before there were pending records is read as it is.
func TestABackupOfAnEarlierVersionIsRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faregate.db")
	db, err := sql.Open("sqlite", path)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(goose.DialectSQLite3, db, os.DirFS("migrations/sqlite"),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(t.Context(), 3); err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := store.OpenReadOnly("sqlite:" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	storetest.MustVerify(t, s)
	if _, err := s.Nodes(t.Context()); err != nil {
		t.Error(err)
	}
	if err := s.Backup(t.Context(), path+".copy"); err != nil {
		t.Error(err)
	}
}

func upgrade(t *testing.T, dialect goose.Dialect, driver, source, address, migrations string) {
	ctx := t.Context()
	db, err := sql.Open(driver, source)
	if err != nil {
		t.Fatal(err)
	}
	provider, err := goose.NewProvider(dialect, db, os.DirFS(filepath.Join("migrations", migrations)),
		goose.WithDisableGlobalRegistry(true), goose.WithLogger(goose.NopLogger()))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := provider.UpTo(ctx, 1); err != nil {
		t.Fatal(err)
	}
	hash := auth.Hash{1, 2, 3}
	account, key := storetest.NewID(), storetest.NewID()
	for _, statement := range []struct {
		query  string
		values []any
	}{
		{`INSERT INTO accounts (id, email, username, price_group, status, suspended_reason, password_hash, created_at)
			VALUES ($1, 'ada@example.com', 'ada', 'partners', 'active', '', '', 1)`, []any{account}},
		{`INSERT INTO wallets (account_id, balance, granted) VALUES ($1, 5, 0)`, []any{account}},
		{`INSERT INTO transfers (kind, ref, debit_account, credit_account, amount, actor, note, at)
			VALUES ('deposit', 'first', 'house:cash', $1, 5, 'test', '', 1)`, []any{account}},
		{`INSERT INTO keys (id, account_id, name, hash, models, created_at, exact_caps, requests_per_minute, tokens_per_minute, concurrency, addresses)
			VALUES ($1, $2, 'laptop', $3, 'gpt-5', 1, 0, 60, 0, 0, '')`, []any{key, account, hash[:]}},
	} {
		if _, err := db.ExecContext(ctx, statement.query, statement.values...); err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}

	s, err := store.Open(address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	for range 2 { // a second time there is nothing to do
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		if err := s.RefuseNewer(ctx); err != nil {
			t.Errorf("up to date: %v", err)
		}
	}
	found, holder, err := s.FindKey(ctx, hash)
	if err != nil || found.ID != key || holder.ID != account || holder.Group != "partners" || found.Rates.RequestsPerMinute != 60 ||
		!found.RotatedAt.IsZero() || len(found.Models) != 1 {
		t.Fatalf("the key is %+v of %+v, %v", found, holder, err)
	}
	now := time.UnixMicro(time.Now().UnixMicro()).UTC()
	rotated, err := s.RotateKey(ctx, store.Rotation{KeyID: key, Hash: auth.Hash{4, 5, 6}, At: now, Until: now.Add(time.Hour)})
	if err != nil || !rotated.RotatedAt.Equal(now) {
		t.Errorf("rotated to %+v, %v", rotated, err)
	}
	if found, _, err = s.FindKey(ctx, hash); err != nil || found.ID != key || !found.SecretEndsAt.Equal(now.Add(time.Hour)) {
		t.Errorf("by its first secret: %+v, %v", found, err)
	}
	storetest.MustVerify(t, s)
}
