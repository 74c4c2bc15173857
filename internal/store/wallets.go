package store

import (
	"context"
	"database/sql"
	"errors"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// lockedWallet is a wallet that nobody else changes until the transaction ends, nor
// the grants of it.
type lockedWallet struct {
	ledger.Wallet
	left        metering.Nanos // what nobody has; of a key: without its limit, so below zero
	granted     metering.Nanos
	recallBy    string
	recallUntil int64
}

// balance is what an account has in all. It means nothing for a key.
func (w *lockedWallet) balance() metering.Nanos { return w.left + w.granted }

// recalledByOther tells whether another than this claimant has a recall in force.
func (w *lockedWallet) recalledByOther(claimant string, now int64) bool {
	return w.recallBy != "" && w.recallBy != claimant && w.recallUntil > now
}

// lockWallet is ledger.ErrNoAccount where there is no such wallet.
func lockWallet(ctx context.Context, tx transaction, wallet ledger.Wallet) (*lockedWallet, error) {
	query, values := `SELECT balance - granted, granted, recall_by, recall_until FROM wallets WHERE account_id = $1`, []any{wallet.AccountID}
	if wallet.KeyID != "" {
		query, values = `SELECT -spent - granted, granted, recall_by, recall_until FROM key_wallets
			WHERE key_id = $1 AND period_start = $2 AND account_id = $3`, []any{wallet.KeyID, wallet.PeriodStart, wallet.AccountID}
	}
	locked := &lockedWallet{Wallet: wallet}
	err := tx.queryRow(ctx, tx.forUpdate(query), values...).
		Scan((*int64)(&locked.left), (*int64)(&locked.granted), &locked.recallBy, &locked.recallUntil)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, ledger.ErrNoAccount
	}
	return locked, err
}

// place is what a node has of a wallet, and the number of the call that came last.
type place struct {
	ledger.Position
	number int64
}

func (p place) has() metering.Nanos { return p.Issued - p.Returned - p.Debited }

// readPlace is all zero where the node had nothing of the wallet under the lease.
func readPlace(ctx context.Context, tx transaction, lease ledger.Lease, wallet ledger.Wallet) (place, error) {
	var p place
	err := tx.queryRow(ctx, `SELECT issued, returned, debited, number FROM grants
		WHERE node = $1 AND account_id = $2 AND key_id = $3 AND period_start = $4 AND epoch = $5`,
		lease.Node, wallet.AccountID, wallet.KeyID, wallet.PeriodStart, lease.Epoch).
		Scan((*int64)(&p.Issued), (*int64)(&p.Returned), (*int64)(&p.Debited), &p.number)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return p, err
}

// grant moves `amount`, which may be zero, from the wallet to the node.
func grant(ctx context.Context, tx transaction, lease ledger.Lease, number int64, wallet ledger.Wallet, amount metering.Nanos) error {
	// The conditions make these statements safe by themselves, whatever was read before.
	query, values := `UPDATE wallets SET granted = granted + $1 WHERE account_id = $2 AND balance - granted >= $1`,
		[]any{int64(amount), wallet.AccountID}
	if wallet.KeyID != "" {
		query, values = `UPDATE key_wallets SET granted = granted + $1 WHERE key_id = $2 AND period_start = $3
			AND (SELECT k.spend_limit FROM keys k WHERE k.id = key_wallets.key_id) - spent - granted >= $1`,
			[]any{int64(amount), wallet.KeyID, wallet.PeriodStart}
	}
	if amount > 0 {
		if err := changed(tx.exec(ctx, query, values...)); err != nil {
			return err
		}
	}
	_, err := tx.exec(ctx, `INSERT INTO grants (node, account_id, key_id, period_start, epoch, issued, returned, debited, number)
		VALUES ($1, $2, $3, $4, $5, $6, 0, 0, $7)
		ON CONFLICT (node, account_id, key_id, period_start) DO UPDATE SET issued = grants.issued + excluded.issued, number = excluded.number`,
		lease.Node, wallet.AccountID, wallet.KeyID, wallet.PeriodStart, lease.Epoch, int64(amount), number)
	return err
}

// ungrant moves `amount`, which may be zero, from the node back to the wallet.
func ungrant(ctx context.Context, tx transaction, lease ledger.Lease, number int64, wallet ledger.Wallet, amount metering.Nanos) error {
	query, values := `UPDATE wallets SET granted = granted - $1 WHERE account_id = $2`, []any{int64(amount), wallet.AccountID}
	if wallet.KeyID != "" {
		query, values = `UPDATE key_wallets SET granted = granted - $1 WHERE key_id = $2 AND period_start = $3`,
			[]any{int64(amount), wallet.KeyID, wallet.PeriodStart}
	}
	if amount > 0 {
		if err := changed(tx.exec(ctx, query, values...)); err != nil {
			return err
		}
	}
	return changed(tx.exec(ctx, `UPDATE grants SET returned = returned + $1, number = $2
		WHERE node = $3 AND account_id = $4 AND key_id = $5 AND period_start = $6 AND epoch = $7`,
		int64(amount), number, lease.Node, wallet.AccountID, wallet.KeyID, wallet.PeriodStart, lease.Epoch))
}

// setRecall asks other nodes to put back what they do not use of the wallet.
func setRecall(ctx context.Context, tx transaction, wallet ledger.Wallet, by string, until int64) error {
	if wallet.KeyID != "" {
		return changed(tx.exec(ctx, `UPDATE key_wallets SET recall_by = $1, recall_until = $2 WHERE key_id = $3 AND period_start = $4`,
			by, until, wallet.KeyID, wallet.PeriodStart))
	}
	return changed(tx.exec(ctx, `UPDATE wallets SET recall_by = $1, recall_until = $2 WHERE account_id = $3`, by, until, wallet.AccountID))
}
