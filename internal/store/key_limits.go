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

// columns are NULL for no limit: ErrAmount.
func (l *KeyLimit) columns() (amount sql.NullInt64, period sql.NullString, err error) {
	if l == nil {
		return amount, period, nil
	}
	if l.Amount < 0 || !l.Period.Valid() {
		return amount, period, fmt.Errorf("limit a key to %s per %q: %w", l.Amount, l.Period, ErrAmount)
	}
	return sql.NullInt64{Int64: int64(l.Amount), Valid: true}, sql.NullString{String: string(l.Period), Valid: true}, nil
}

// SetKeyLimit sets a key's spend limit from now on, or with nil takes it away. What
// was spent in the present period while the key had a limit counts. Nodes put back what
// they hold beyond a lower limit as it becomes idle; requests under way still settle.
// ErrNotFound, ErrAmount.
func (s *Store) SetKeyLimit(ctx context.Context, keyID string, limit *KeyLimit) error {
	_, err := s.EditKey(ctx, keyID, func(key *LimitedKey) error {
		key.Limit = limit
		return nil
	})
	return err
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
