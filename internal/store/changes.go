package store

import (
	"context"
	"fmt"
)

// Kind says what sort of thing changed.
type Kind string

// The kinds of change.
const (
	KindAccount Kind = "account" // status, group, …
	KindKey     Kind = "key"     // created, revoked, …
	KindWallet  Kind = "wallet"  // credit added, a key's limit set; the id is the account's
	KindRecall  Kind = "recall"  // nodes shall put back what they do not use; the id is the account's
)

// Change says that a thing was changed by somebody.
type Change struct {
	Sequence int64
	Kind     Kind
	ID       string
}

// Changes returns what changed after the sequence number given, oldest first and
// each thing once, with its latest number. Settlements are no changes.
func (s *Store) Changes(ctx context.Context, after int64) ([]Change, error) {
	rows, err := s.db.reads().query(ctx,
		`SELECT sequence, kind, id FROM changes WHERE sequence > $1 ORDER BY sequence`, after)
	if err != nil {
		return nil, fmt.Errorf("read changes: %w", s.db.explain(err))
	}
	defer rows.Close()
	var changes []Change
	for rows.Next() {
		var change Change
		if err := rows.Scan(&change.Sequence, &change.Kind, &change.ID); err != nil {
			return nil, fmt.Errorf("read changes: %w", err)
		}
		changes = append(changes, change)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("read changes: %w", s.db.explain(err))
	}
	return changes, nil
}

// LastChange returns the latest sequence number: a server whose memory is empty
// begins there.
func (s *Store) LastChange(ctx context.Context) (int64, error) {
	var last int64
	if err := s.db.reads().queryRow(ctx, `SELECT value FROM change_sequence WHERE id = 1`).Scan(&last); err != nil {
		return 0, fmt.Errorf("read the last change: %w", s.db.explain(err))
	}
	return last, nil
}

// announce notes a change in the transaction that makes it.
func announce(ctx context.Context, tx transaction, kind Kind, id string) error {
	var sequence int64
	if err := tx.queryRow(ctx,
		`UPDATE change_sequence SET value = value + 1 WHERE id = 1 RETURNING value`).Scan(&sequence); err != nil {
		return err
	}
	_, err := tx.exec(ctx, `INSERT INTO changes (kind, id, sequence) VALUES ($1, $2, $3)
		ON CONFLICT (kind, id) DO UPDATE SET sequence = excluded.sequence`, string(kind), id, sequence)
	return err
}
