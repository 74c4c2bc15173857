package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// Draw implements ledger.Store.
func (s *Store) Draw(ctx context.Context, lease ledger.Lease, draw ledger.Draw) (ledger.Drawn, error) {
	var drawn ledger.Drawn
	err := s.write(ctx, "grant credit", func(tx transaction) error {
		drawn = ledger.Drawn{}
		if err := holdsLease(ctx, tx, lease); err != nil {
			return err
		}
		d := drawing{tx: tx, lease: lease, number: draw.Number}
		account, err := lockWallet(ctx, tx, ledger.Wallet{AccountID: draw.AccountID})
		if err != nil {
			return err
		}
		// After the locks that may take long, so that a recall is in force for its whole time.
		if d.now, err = tx.now(ctx); err != nil {
			return err
		}
		var key *lockedWallet
		if draw.KeyID != "" {
			if key, drawn.Key, err = d.lockKey(ctx, draw); err != nil {
				return err
			}
		}
		if drawn.Account, err = d.take(ctx, account, draw.Account); err != nil {
			return err
		}
		if key != nil {
			if drawn.Key.Standing, err = d.take(ctx, key, draw.Key); err != nil {
				return err
			}
		}
		if d.recalls {
			return announce(ctx, tx, KindRecall, draw.AccountID)
		}
		return nil
	})
	return drawn, err
}

// drawing is one draw under way.
type drawing struct {
	tx      transaction
	lease   ledger.Lease
	number  int64
	now     int64
	recalls bool // credit of other nodes
}

// lockKey locks the wallet of the key's present period, a new one if need be; nil
// where the key has no limit.
func (d *drawing) lockKey(ctx context.Context, draw ledger.Draw) (*lockedWallet, *ledger.KeyStanding, error) {
	limit, err := keyLimit(ctx, d.tx, draw.KeyID, draw.AccountID)
	if err != nil || limit == nil {
		return nil, nil, err
	}
	now := time.UnixMicro(d.now)
	start, end := limit.Period.Bounds(now)
	standing := &ledger.KeyStanding{PeriodStart: start.UnixMicro()}
	if !end.IsZero() {
		standing.Remaining = end.Sub(now)
	}
	wallet := ledger.Wallet{AccountID: draw.AccountID, KeyID: draw.KeyID, PeriodStart: standing.PeriodStart}
	if _, err := d.tx.exec(ctx, `INSERT INTO key_wallets (key_id, period_start, account_id, spent, granted)
		VALUES ($1, $2, $3, 0, 0) ON CONFLICT DO NOTHING`, wallet.KeyID, wallet.PeriodStart, wallet.AccountID); err != nil {
		return nil, nil, err
	}
	locked, err := lockWallet(ctx, d.tx, wallet)
	if err != nil {
		return nil, nil, err
	}
	locked.left += limit.Amount
	return locked, standing, nil
}

// keyLimit is nil where the key has none, and ledger.ErrNoAccount where the account
// has no such key. The limit stays as it is until the transaction ends.
func keyLimit(ctx context.Context, tx transaction, keyID, accountID string) (*KeyLimit, error) {
	var amount sql.NullInt64
	var period sql.NullString
	err := tx.queryRow(ctx, tx.forShare(`SELECT spend_limit, limit_period FROM keys WHERE id = $1 AND account_id = $2`), keyID, accountID).Scan(&amount, &period)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return nil, ledger.ErrNoAccount
	case err != nil || !amount.Valid:
		return nil, err
	}
	return &KeyLimit{Amount: metering.Nanos(amount.Int64), Period: ledger.Period(period.String)}, nil
}

// take grants what the wish says of a locked wallet and sees to recalls.
func (d *drawing) take(ctx context.Context, w *lockedWallet, wish ledger.Wish) (ledger.Standing, error) {
	had, err := readPlace(ctx, d.tx, d.lease, w.Wallet)
	if err != nil {
		return ledger.Standing{}, err
	}
	standing := w.standing(d.lease, had, d.now)
	if had.number > d.number {
		return standing, nil
	}
	amount := wish.Amount(w.left)
	switch {
	case standing.Recalled:
		amount = 0
	case amount < wish.Least && standing.Elsewhere > 0:
		d.recalls = true
		err = setRecall(ctx, d.tx, w.Wallet, d.lease.Node, d.now+ledger.RecallFor.Microseconds())
	case amount >= wish.Least && w.recallBy != "":
		// In this node's name, or over by its time.
		err = setRecall(ctx, d.tx, w.Wallet, "", 0)
	}
	if err != nil {
		return ledger.Standing{}, err
	}
	standing.Issued += amount
	standing.Left -= amount
	return standing, grant(ctx, d.tx, d.lease, d.number, w.Wallet, amount)
}

// standing is how the wallet stands with the node.
func (w *lockedWallet) standing(lease ledger.Lease, had place, now int64) ledger.Standing {
	return ledger.Standing{
		Position:  had.Position,
		Elsewhere: w.granted - had.has(),
		Left:      w.left,
		Recalled:  w.recallUntil > now && w.recallBy != lease.Node,
	}
}

// PutBack implements ledger.Store.
func (s *Store) PutBack(ctx context.Context, lease ledger.Lease, number int64, wallet ledger.Wallet, returned metering.Nanos) (ledger.Standing, error) {
	var standing ledger.Standing
	err := s.write(ctx, "put credit back", func(tx transaction) error {
		standing = ledger.Standing{}
		if err := holdsLease(ctx, tx, lease); err != nil {
			return err
		}
		// Whoever has the wallet's row has its grants as well.
		locked, err := lockWallet(ctx, tx, wallet)
		if errors.Is(err, ledger.ErrNoAccount) {
			return nil // nothing was ever granted of it
		}
		if err != nil {
			return err
		}
		if wallet.KeyID != "" {
			limit, err := keyLimit(ctx, tx, wallet.KeyID, wallet.AccountID)
			if err != nil {
				return err
			}
			if limit != nil {
				locked.left += limit.Amount
			}
		}
		now, err := tx.now(ctx)
		if err != nil {
			return err
		}
		had, err := readPlace(ctx, tx, lease, wallet)
		if err != nil {
			return err
		}
		standing = locked.standing(lease, had, now)
		if had == (place{}) || had.number > number {
			return nil
		}
		amount := max(returned-had.Returned, 0)
		if amount > had.has() {
			return fmt.Errorf("%s of the %s that node %s has: %w", amount, had.has(), lease.Node, ErrAmount)
		}
		standing.Returned += amount
		standing.Left += amount
		return ungrant(ctx, tx, lease, number, wallet, amount)
	})
	return standing, err
}
