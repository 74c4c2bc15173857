package store

import (
	"context"
	"fmt"
	"time"

	"github.com/faregate/faregate/auth"
)

// Rotation gives a key another secret.
type Rotation struct {
	KeyID string
	Hash  auth.Hash // of the new secret
	At    time.Time
	// Until is how long the secrets before it still work, at most: one that ends earlier,
	// as the key was rotated before, still does. Not after At: they end at once.
	Until time.Time
}

// RotateKey gives a key another secret, and returns the key as it is then. All else of
// it stays: its id, limits, expiry and what was spent. Servers are told. The same
// rotation again changes nothing. ErrNotFound, ErrRevoked, auth.ErrExpiredKey, and
// ErrTaken where the secret is or was in use.
func (s *Store) RotateKey(ctx context.Context, rotation Rotation) (*LimitedKey, error) {
	var after *LimitedKey
	err := s.write(ctx, "rotate a key", func(tx transaction) error {
		keys, err := limitedKeys(ctx, tx, `k.id = `, rotation.KeyID, tx.forUpdate)
		if err != nil {
			return err
		}
		if len(keys) == 0 {
			return fmt.Errorf("key: %w", ErrNotFound)
		}
		after = keys[0]
		switch {
		case after.Revoked():
			return ErrRevoked
		case after.Hash == rotation.Hash:
			return nil
		case after.Expired(rotation.At):
			return auth.ErrExpiredKey
		}
		if err := rotate(ctx, tx, after.Hash, rotation); err != nil {
			return err
		}
		if keys, err = limitedKeys(ctx, tx, `k.id = `, rotation.KeyID, asItIs); err != nil {
			return err
		}
		after = keys[0]
		return announce(ctx, tx, KindKey, rotation.KeyID)
	})
	if err != nil {
		return nil, err
	}
	return after, nil
}

func rotate(ctx context.Context, tx transaction, former auth.Hash, rotation Rotation) error {
	var used int
	if err := tx.queryRow(ctx, `SELECT (SELECT COUNT(*) FROM keys WHERE hash = $1) + (SELECT COUNT(*) FROM former_secrets WHERE hash = $1)`,
		rotation.Hash[:]).Scan(&used); err != nil {
		return err
	}
	if used > 0 {
		return fmt.Errorf("the secret is %w", ErrTaken)
	}
	at, until := rotation.At.UnixMicro(), rotation.Until.UnixMicro()
	for _, statement := range []struct {
		query  string
		values []any
	}{
		{`INSERT INTO former_secrets (hash, key_id, ends_at) VALUES ($1, $2, $3)`, []any{former[:], rotation.KeyID, until}},
		{`UPDATE former_secrets SET ends_at = $1 WHERE key_id = $2 AND ends_at > $1`, []any{until, rotation.KeyID}},
		{`DELETE FROM former_secrets WHERE key_id = $1 AND ends_at <= $2`, []any{rotation.KeyID, at}},
		{`UPDATE keys SET hash = $1, rotated_at = $2 WHERE id = $3`, []any{rotation.Hash[:], at, rotation.KeyID}},
	} {
		if _, err := tx.exec(ctx, statement.query, statement.values...); err != nil {
			return err
		}
	}
	return nil
}
