package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// LimitedKey is a key with what it may spend.
type LimitedKey struct {
	auth.Key
	Limit *KeyLimit // nil: as much as the account has
	// Spent is what the limit's present period has seen; zero without a limit.
	Spent metering.Nanos
	// FormerUntil is until when secrets that were replaced work, the last of them; zero
	// where there are none.
	FormerUntil time.Time
}

// EditKey changes the name, the models, the expiry, the exact caps, the rates, the
// addresses, the preferred providers, what a disconnect does and the limit of a key, and returns it as it is
// then. The function is shown the key and changes it; it may be called again, and its
// error ends the call without a change. Servers are told.
// ErrNotFound, ErrAmount.
func (s *Store) EditKey(ctx context.Context, keyID string, edit func(*LimitedKey) error) (*LimitedKey, error) {
	var after *LimitedKey
	err := s.write(ctx, "change a key", func(tx transaction) error {
		keys, err := limitedKeys(ctx, tx, `k.id = `, keyID, tx.forUpdate)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("key: %w", ErrNotFound)
		}
		after = keys[0]
		amountBefore, periodBefore, err := after.Limit.columns()
		if err != nil {
			return err
		}
		if err := edit(after); err != nil {
			return err
		}
		if err := errors.Join(checkModels(after.Models), checkRates(after.Rates), after.OnDisconnect.Validate()); err != nil {
			return err
		}
		amount, period, err := after.Limit.columns()
		if err != nil {
			return err
		}
		dataPolicy, providers, err := preferenceColumns(after.Providers)
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `UPDATE keys SET name = $1, models = $2, expires_at = $3, exact_caps = $4,
				spend_limit = $5, limit_period = $6, requests_per_minute = $7, tokens_per_minute = $8, concurrency = $9,
				addresses = $10, data_policy = $11, providers = $12, on_disconnect = $13 WHERE id = $14`,
			after.Name, strings.Join(after.Models, ","), optionalMicros(after.ExpiresAt), integer(after.ExactCaps), amount, period,
			after.Rates.RequestsPerMinute, after.Rates.TokensPerMinute, after.Rates.Concurrency, after.Addresses.String(),
			dataPolicy, providers, string(after.OnDisconnect), keyID); err != nil {
			return err
		}
		if amount != amountBefore || period != periodBefore {
			for _, kind := range []Kind{KindWallet, KindRecall} {
				if err := announce(ctx, tx, kind, after.AccountID); err != nil {
					return err
				}
			}
			// Another period has spent something else.
			if keys, err = limitedKeys(ctx, tx, `k.id = `, keyID, asItIs); err != nil {
				return err
			}
			after = keys[0]
		}
		return announce(ctx, tx, KindKey, keyID)
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

// ListLimitedKeys is ListKeys with what the keys may spend, and have spent.
func (s *Store) ListLimitedKeys(ctx context.Context, accountID string) ([]*LimitedKey, error) {
	var keys []*LimitedKey
	err := s.db.view(ctx, func(tx transaction) (err error) {
		keys, err = limitedKeys(ctx, tx, `k.account_id = `, accountID, asItIs)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("list keys: %w", s.db.explain(err))
	}
	return keys, nil
}

// LimitedKey returns the key with this id, and its account: ErrNotFound.
func (s *Store) LimitedKey(ctx context.Context, keyID string) (*LimitedKey, *auth.Account, error) {
	var keys []*LimitedKey
	err := s.db.view(ctx, func(tx transaction) (err error) {
		keys, err = limitedKeys(ctx, tx, `k.id = `, keyID, asItIs)
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("find a key: %w", s.db.explain(err))
	}
	if len(keys) == 0 {
		return nil, nil, fmt.Errorf("key: %w", ErrNotFound)
	}
	account, err := s.FindAccount(ctx, keys[0].AccountID)
	return keys[0], account, err
}

func asItIs(query string) string { return query }

// limitedKeys reads the keys that the condition finds, with `locked` (forUpdate) around
// the query.
func limitedKeys(ctx context.Context, tx transaction, condition, value string, locked func(string) string) ([]*LimitedKey, error) {
	found, err := tx.query(ctx, locked(`SELECT `+keyColumns+`, k.spend_limit, k.limit_period,
		(SELECT MAX(f.ends_at) FROM former_secrets f WHERE f.key_id = k.id) FROM keys k
		WHERE `+condition+`$1 ORDER BY k.created_at, k.id`), value)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var keys []*LimitedKey
	for found.Next() {
		row := new(keyRow)
		var amount sql.NullInt64
		var period sql.NullString
		var former sql.NullInt64
		if err := found.Scan(append(row.fields(), &amount, &period, &former)...); err != nil {
			return nil, err
		}
		key, err := row.read()
		if err != nil {
			return nil, err
		}
		limited := &LimitedKey{Key: *key, FormerUntil: optionalTime(former)}
		if amount.Valid {
			limited.Limit = &KeyLimit{Amount: metering.Nanos(amount.Int64), Period: ledger.Period(period.String)}
		}
		keys = append(keys, limited)
	}
	if err := found.Err(); err != nil {
		return nil, err
	}
	found.Close()
	return keys, addSpent(ctx, tx, keys)
}

// addSpent reads what the keys with a limit have spent in its present period.
func addSpent(ctx context.Context, tx transaction, keys []*LimitedKey) error {
	micros, err := tx.now(ctx)
	if err != nil {
		return err
	}
	now := time.UnixMicro(micros)
	for _, key := range keys {
		if key.Limit == nil {
			continue
		}
		start, _ := key.Limit.Period.Bounds(now)
		// No row: nothing was spent. A sum is never without a row.
		if err := tx.queryRow(ctx, `SELECT CAST(COALESCE(SUM(spent), 0) AS BIGINT) FROM key_wallets WHERE key_id = $1 AND period_start = $2`,
			key.ID, start.UnixMicro()).Scan((*int64)(&key.Spent)); err != nil {
			return err
		}
	}
	return nil
}
