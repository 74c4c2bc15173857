package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// KeyLimit is what a key may spend in each period.
type KeyLimit struct {
	Amount metering.Nanos // zero: nothing
	Period ledger.Period
}

// SetKeyLimit sets a key's spend limit from now on, or with nil takes it away. What
// was spent in the present period counts. Nodes put back what they hold beyond a lower
// limit as it becomes idle; requests under way still settle. ErrNotFound, ErrAmount.
func (s *Store) SetKeyLimit(ctx context.Context, keyID string, limit *KeyLimit) error {
	var amount sql.NullInt64
	var period sql.NullString
	if limit != nil {
		if limit.Amount < 0 || !limit.Period.Valid() {
			return fmt.Errorf("limit a key to %s per %q: %w", limit.Amount, limit.Period, ErrAmount)
		}
		amount, period = sql.NullInt64{Int64: int64(limit.Amount), Valid: true}, sql.NullString{String: string(limit.Period), Valid: true}
	}
	return s.write(ctx, "limit a key", func(tx transaction) error {
		account, err := texts(ctx, tx, tx.forUpdate(`SELECT account_id FROM keys WHERE id = $1`), keyID)
		if err != nil {
			return err
		}
		if len(account) == 0 {
			return ErrNotFound
		}
		if _, err := tx.exec(ctx, `UPDATE keys SET spend_limit = $1, limit_period = $2 WHERE id = $3`, amount, period, keyID); err != nil {
			return err
		}
		for _, kind := range []Kind{KindWallet, KindRecall} {
			if err := announce(ctx, tx, kind, account[0]); err != nil {
				return err
			}
		}
		return announce(ctx, tx, KindKey, keyID)
	})
}

// KeyLimit returns a key's spend limit, nil if it has none: ErrNotFound.
func (s *Store) KeyLimit(ctx context.Context, keyID string) (*KeyLimit, error) {
	var amount sql.NullInt64
	var period sql.NullString
	switch err := s.db.reads().queryRow(ctx, `SELECT spend_limit, limit_period FROM keys WHERE id = $1`, keyID).Scan(&amount, &period); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("key: %w", ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("read a key's limit: %w", s.db.explain(err))
	case !amount.Valid:
		return nil, nil
	}
	return &KeyLimit{Amount: metering.Nanos(amount.Int64), Period: ledger.Period(period.String)}, nil
}
