package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/auth/preferences"
)

const keyColumns = `k.id, k.account_id, k.name, k.hash, k.models, k.created_at, k.expires_at, k.revoked_at, k.exact_caps,
	k.requests_per_minute, k.tokens_per_minute, k.concurrency, k.addresses, k.rotated_at, k.data_policy, k.providers, k.on_disconnect`

// keyRow is a key as it stands in its table.
type keyRow struct {
	key              auth.Key
	hash             []byte
	models           string
	created          int64
	expires, revoked sql.NullInt64
	rotated          sql.NullInt64
	exactCaps        int64
	addresses        string
	dataPolicy       string
	providers        string
}

func (r *keyRow) fields() []any {
	rates := &r.key.Rates
	return []any{&r.key.ID, &r.key.AccountID, &r.key.Name, &r.hash, &r.models, &r.created, &r.expires, &r.revoked, &r.exactCaps,
		&rates.RequestsPerMinute, &rates.TokensPerMinute, &rates.Concurrency, &r.addresses, &r.rotated, &r.dataPolicy, &r.providers, &r.key.OnDisconnect}
}

func (r *keyRow) read() (*auth.Key, error) {
	hash, err := auth.ParseHash(r.hash)
	if err != nil {
		return nil, fmt.Errorf("key %s: %w", r.key.ID, err)
	}
	r.key.Hash = hash
	if r.models != "" {
		r.key.Models = strings.Split(r.models, ",")
	}
	r.key.CreatedAt = time.UnixMicro(r.created).UTC()
	r.key.ExpiresAt, r.key.RevokedAt = optionalTime(r.expires), optionalTime(r.revoked)
	r.key.RotatedAt = optionalTime(r.rotated)
	r.key.ExactCaps = r.exactCaps != 0
	// A list that cannot be read must not open the key to every address.
	if r.key.Addresses, err = limits.ParseAddressList(r.addresses); err != nil {
		return nil, fmt.Errorf("key %s: %w", r.key.ID, err)
	}
	// Neither must what is required be relaxed.
	if r.key.Providers, err = preferences.Parse(r.providers); err != nil {
		return nil, fmt.Errorf("key %s: %w", r.key.ID, err)
	}
	if r.key.Providers.DataPolicy, err = preferences.ParseDataPolicy(r.dataPolicy); err != nil {
		return nil, fmt.Errorf("key %s: %w", r.key.ID, err)
	}
	if err := r.key.OnDisconnect.Validate(); err != nil {
		return nil, fmt.Errorf("key %s: %w", r.key.ID, err)
	}
	return &r.key, nil
}

// preferenceColumns are a key's data policy and the rest of its preferences:
// preferences.ErrUnreadable.
func preferenceColumns(of preferences.Providers) (dataPolicy, providers string, err error) {
	err = of.Validate()
	dataPolicy, of.DataPolicy = of.DataPolicy.String(), preferences.DataPolicyUnknown
	return dataPolicy, of.String(), err
}

func optionalTime(micros sql.NullInt64) time.Time {
	if !micros.Valid {
		return time.Time{}
	}
	return time.UnixMicro(micros.Int64).UTC()
}

func optionalMicros(at time.Time) sql.NullInt64 {
	return sql.NullInt64{Int64: at.UnixMicro(), Valid: !at.IsZero()}
}

// CreateKey writes a new key: ErrNotFound where there is no such account, ErrErased, and
// ErrTaken where the id or the hash is in use. The same key again changes nothing.
func (s *Store) CreateKey(ctx context.Context, key *auth.Key) error {
	return s.CreateLimitedKey(ctx, &LimitedKey{Key: *key})
}

// CreateLimitedKey is CreateKey of a key with a spend limit, which is in force as soon
// as the key is: ErrAmount also.
func (s *Store) CreateLimitedKey(ctx context.Context, key *LimitedKey) error {
	amount, period, err := key.Limit.columns()
	if err == nil {
		err = checkModels(key.Models)
	}
	if err == nil {
		err = checkRates(key.Rates)
	}
	if err == nil {
		err = key.OnDisconnect.Validate()
	}
	var dataPolicy, providers string
	if err == nil {
		dataPolicy, providers, err = preferenceColumns(key.Providers)
	}
	if err != nil {
		return fmt.Errorf("create a key: %w", err)
	}
	return s.write(ctx, "create a key", func(tx transaction) error {
		if err := notErased(ctx, tx, key.AccountID); err != nil {
			return err
		}
		err := changed(tx.exec(ctx, `INSERT INTO keys
			(id, account_id, name, hash, models, created_at, expires_at, revoked_at, exact_caps, spend_limit, limit_period,
			requests_per_minute, tokens_per_minute, concurrency, addresses, data_policy, providers, on_disconnect)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18) ON CONFLICT DO NOTHING`,
			key.ID, key.AccountID, key.Name, key.Hash[:], strings.Join(key.Models, ","), key.CreatedAt.UnixMicro(),
			optionalMicros(key.ExpiresAt), optionalMicros(key.RevokedAt), integer(key.ExactCaps), amount, period,
			key.Rates.RequestsPerMinute, key.Rates.TokensPerMinute, key.Rates.Concurrency, key.Addresses.String(), dataPolicy, providers,
			string(key.OnDisconnect)))
		if errors.Is(err, ErrNotFound) {
			return sameKey(ctx, tx, &key.Key)
		}
		if err != nil {
			return err
		}
		return announce(ctx, tx, KindKey, key.ID)
	})
}

// checkModels also keeps out the comma, which separates patterns in the column.
func checkModels(patterns []string) error {
	for _, pattern := range patterns {
		if err := auth.ValidateModelPattern(pattern); err != nil {
			return err
		}
	}
	return nil
}

// checkRates keeps out what would stand for no limit by accident: ErrAmount.
func checkRates(rates limits.Rates) error {
	if rates.RequestsPerMinute < 0 || rates.TokensPerMinute < 0 || rates.Concurrency < 0 {
		return fmt.Errorf("limit a key's rates: %w", ErrAmount)
	}
	return nil
}

// sameKey is nil where the same key was created before: the answer may have been lost.
func sameKey(ctx context.Context, tx transaction, key *auth.Key) error {
	var same int
	err := tx.queryRow(ctx, `SELECT COUNT(*) FROM keys WHERE id = $1 AND account_id = $2 AND hash = $3`,
		key.ID, key.AccountID, key.Hash[:]).Scan(&same)
	if err == nil && same == 0 {
		err = fmt.Errorf("the key is %w", ErrTaken)
	}
	return err
}

const findKey = `SELECT ` + keyColumns + `, f.hash, f.ends_at, ` + accountColumns + `
	FROM keys k JOIN accounts a ON a.id = k.account_id LEFT JOIN former_secrets f ON f.hash = $1
	WHERE k.id = COALESCE((SELECT id FROM keys WHERE hash = $1), (SELECT key_id FROM former_secrets WHERE hash = $1))`

// FindKey implements auth.Directory.
func (s *Store) FindKey(ctx context.Context, hash auth.Hash) (*auth.Key, *auth.Account, error) {
	row, account, created := new(keyRow), new(auth.Account), int64(0)
	var former []byte
	var ends sql.NullInt64
	err := s.db.reads().queryRow(ctx, findKey, hash[:]).
		Scan(append(append(row.fields(), &former, &ends), accountFields(account, &created)...)...)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, nil, auth.ErrUnknownKey
	case err != nil:
		return nil, nil, fmt.Errorf("find a key: %w", s.db.explain(err))
	}
	account.CreatedAt = time.UnixMicro(created).UTC()
	if former != nil {
		row.hash = former
	}
	key, err := row.read()
	if err != nil {
		return nil, nil, err
	}
	key.SecretEndsAt = optionalTime(ends)
	return key, account, nil
}

// ListKeys returns the keys of the account with this id, oldest first, revoked ones included.
func (s *Store) ListKeys(ctx context.Context, accountID string) ([]*auth.Key, error) {
	rows, err := s.db.reads().query(ctx, `SELECT `+keyColumns+` FROM keys k
		WHERE k.account_id = $1 ORDER BY k.created_at, k.id`, accountID)
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", s.db.explain(err))
	}
	defer rows.Close()
	var keys []*auth.Key
	for rows.Next() {
		row := new(keyRow)
		if err := rows.Scan(row.fields()...); err != nil {
			return nil, fmt.Errorf("list keys: %w", err)
		}
		key, err := row.read()
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list keys: %w", s.db.explain(err))
	}
	return keys, nil
}

// RevokeKey makes a key useless from now on, with all its secrets. Revoking it again changes nothing.
func (s *Store) RevokeKey(ctx context.Context, keyID string, at time.Time) error {
	return s.write(ctx, "revoke a key", func(tx transaction) error {
		if err := changed(tx.exec(ctx, `UPDATE keys SET revoked_at = COALESCE(revoked_at, $1) WHERE id = $2`,
			at.UnixMicro(), keyID)); err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `DELETE FROM former_secrets WHERE key_id = $1`, keyID); err != nil {
			return err
		}
		return announce(ctx, tx, KindKey, keyID)
	})
}
