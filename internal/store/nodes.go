package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/faregate/faregate/metering/ledger"
)

// Join implements ledger.Store.
func (s *Store) Join(ctx context.Context, node string, term time.Duration) (lease ledger.Lease, live int, err error) {
	lease.Node = node
	err = s.write(ctx, "give a lease", func(tx transaction) error {
		now, err := tx.now(ctx)
		if err != nil {
			return err
		}
		if err := tx.queryRow(ctx, `INSERT INTO nodes (node, epoch, claimed_at, renewed_at, expires_at) VALUES ($1, 1, $2, $2, $3)
			ON CONFLICT (node) DO UPDATE SET epoch = nodes.epoch + 1, claimed_at = excluded.claimed_at,
				renewed_at = excluded.renewed_at, expires_at = excluded.expires_at, ended_at = NULL
			RETURNING epoch`, node, now, now+term.Microseconds()).Scan(&lease.Epoch); err != nil {
			return err
		}
		if err := returnGrants(ctx, tx, node); err != nil {
			return err
		}
		live, err = countLive(ctx, tx, now)
		return err
	})
	return lease, live, err
}

func countLive(ctx context.Context, tx transaction, now int64) (live int, err error) {
	err = tx.queryRow(ctx, `SELECT COUNT(*) FROM nodes WHERE ended_at IS NULL AND expires_at > $1`, now).Scan(&live)
	return live, err
}

// Heartbeat implements ledger.Store.
func (s *Store) Heartbeat(ctx context.Context, lease ledger.Lease, term time.Duration) (live int, err error) {
	err = s.writeLeases(ctx, "renew a lease", func(tx transaction) error {
		now, err := tx.now(ctx)
		if err != nil {
			return err
		}
		err = changed(tx.exec(ctx, `UPDATE nodes SET renewed_at = $1, expires_at = $2
			WHERE node = $3 AND epoch = $4 AND ended_at IS NULL`, now, now+term.Microseconds(), lease.Node, lease.Epoch))
		if errors.Is(err, ErrNotFound) {
			return fenced(lease)
		}
		if err != nil {
			return err
		}
		live, err = countLive(ctx, tx, now)
		return err
	})
	return live, err
}

// End implements ledger.Store.
func (s *Store) End(ctx context.Context, lease ledger.Lease) error {
	return s.write(ctx, "end a lease", func(tx transaction) error {
		if err := sameEpoch(lease, tx.queryRow(ctx, tx.forUpdate(selectEpoch), lease.Node)); err != nil {
			return err
		}
		return endLease(ctx, tx, lease.Node)
	})
}

// Reclaim implements ledger.Store.
func (s *Store) Reclaim(ctx context.Context) (ended int, err error) {
	var nodes []string
	err = s.writeLeases(ctx, "find expired leases", func(tx transaction) error {
		now, err := tx.now(ctx)
		if err != nil {
			return err
		}
		nodes, err = texts(ctx, tx, `SELECT node FROM nodes WHERE ended_at IS NULL AND expires_at < $1 ORDER BY node`, now)
		return err
	})
	if err != nil {
		return 0, err
	}
	for _, node := range nodes {
		taken := false
		if err := s.write(ctx, "end an expired lease", func(tx transaction) error {
			// The lease may have been renewed since it was found.
			taken = false
			var expires int64
			err := tx.queryRow(ctx, tx.forUpdate(`SELECT expires_at FROM nodes WHERE node = $1 AND ended_at IS NULL`), node).Scan(&expires)
			if errors.Is(err, sql.ErrNoRows) {
				return nil
			}
			if err != nil {
				return err
			}
			now, err := tx.now(ctx)
			if err != nil || expires >= now {
				return err
			}
			taken = true
			return endLease(ctx, tx, node)
		}); err != nil {
			return ended, err
		}
		if taken {
			ended++
		}
	}
	return ended, nil
}

// endLease needs the node's row locked.
func endLease(ctx context.Context, tx transaction, node string) error {
	now, err := tx.now(ctx)
	if err != nil {
		return err
	}
	if err := changed(tx.exec(ctx, `UPDATE nodes SET ended_at = $1 WHERE node = $2`, now, node)); err != nil {
		return err
	}
	return returnGrants(ctx, tx, node)
}

// returnGrants gives all that the node has back to the wallets. It needs the node's row locked.
func returnGrants(ctx context.Context, tx transaction, node string) error {
	// All transactions lock in one order, so that no two wait for each other: a node's
	// row, wallets, keys' wallets, the grants of each, the change sequence. An UPDATE
	// has no order of its own.
	if _, err := texts(ctx, tx, tx.forUpdate(`SELECT account_id FROM wallets
		WHERE account_id IN (SELECT account_id FROM grants WHERE node = $1) ORDER BY account_id`), node); err != nil {
		return err
	}
	if _, err := texts(ctx, tx, tx.forUpdate(`SELECT key_id FROM key_wallets
		WHERE (key_id, period_start) IN (SELECT key_id, period_start FROM grants WHERE node = $1) ORDER BY key_id, period_start`), node); err != nil {
		return err
	}
	for _, statement := range []string{
		`UPDATE wallets SET granted = granted - (SELECT g.issued - g.returned - g.debited FROM grants g
				WHERE g.node = $1 AND g.account_id = wallets.account_id AND g.key_id = '')
			WHERE account_id IN (SELECT account_id FROM grants WHERE node = $1 AND key_id = '')`,
		`UPDATE key_wallets SET granted = granted - (SELECT g.issued - g.returned - g.debited FROM grants g
				WHERE g.node = $1 AND g.account_id = key_wallets.account_id AND g.key_id = key_wallets.key_id AND g.period_start = key_wallets.period_start)
			WHERE (key_id, period_start) IN (SELECT key_id, period_start FROM grants WHERE node = $1)`,
		`DELETE FROM grants WHERE node = $1`,
	} {
		if _, err := tx.exec(ctx, statement, node); err != nil {
			return err
		}
	}
	return nil
}

// texts returns the one column of a query.
func texts(ctx context.Context, tx queries, query string, values ...any) ([]string, error) {
	found, err := tx.query(ctx, query, values...)
	if err != nil {
		return nil, err
	}
	defer found.Close()
	var list []string
	for found.Next() {
		var text string
		if err := found.Scan(&text); err != nil {
			return nil, err
		}
		list = append(list, text)
	}
	return list, found.Err()
}

const selectEpoch = `SELECT epoch FROM nodes WHERE node = $1 AND ended_at IS NULL`

// holdsLease is ledger.ErrFenced unless the lease is in force, which it then is until
// the transaction ends.
func holdsLease(ctx context.Context, tx transaction, lease ledger.Lease) error {
	return sameEpoch(lease, tx.queryRow(ctx, tx.forShare(selectEpoch), lease.Node))
}

func sameEpoch(lease ledger.Lease, row row) error {
	var epoch int64
	err := row.Scan(&epoch)
	if errors.Is(err, sql.ErrNoRows) || err == nil && epoch != lease.Epoch {
		return fenced(lease)
	}
	return err
}

func fenced(lease ledger.Lease) error {
	return fmt.Errorf("node %s, epoch %d: %w", lease.Node, lease.Epoch, ledger.ErrFenced)
}

// nodesKept is how long Nodes tells of a lease that has ended.
const nodesKept = 24 * time.Hour

// Nodes implements ledger.Store.
func (s *Store) Nodes(ctx context.Context) ([]ledger.Node, error) {
	var nodes []ledger.Node
	err := s.db.view(ctx, func(tx transaction) error {
		nodes = nil
		now, err := tx.now(ctx)
		if err != nil {
			return err
		}
		found, err := tx.query(ctx, `SELECT n.node, n.epoch, n.ended_at IS NULL, n.claimed_at, n.renewed_at, n.expires_at,
				CAST(COALESCE(SUM(g.issued - g.returned - g.debited), 0) AS BIGINT), COUNT(g.node)
			FROM nodes n LEFT JOIN grants g ON g.node = n.node AND g.key_id = '' AND g.issued > g.returned + g.debited
			WHERE n.ended_at IS NULL OR n.ended_at > $1
			GROUP BY n.node, n.epoch, n.ended_at, n.claimed_at, n.renewed_at, n.expires_at ORDER BY n.node`,
			now-nodesKept.Microseconds())
		if err != nil {
			return err
		}
		defer found.Close()
		for found.Next() {
			var node ledger.Node
			var claimed, renewed, expires int64
			if err := found.Scan(&node.Name, &node.Epoch, &node.Live, &claimed, &renewed, &expires, (*int64)(&node.Granted), &node.Accounts); err != nil {
				return err
			}
			node.ClaimedAt, node.RenewedAt, node.ExpiresAt = time.UnixMicro(claimed).UTC(), time.UnixMicro(renewed).UTC(), time.UnixMicro(expires).UTC()
			nodes = append(nodes, node)
		}
		return found.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("list nodes: %w", s.db.explain(err))
	}
	return nodes, nil
}
