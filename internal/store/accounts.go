package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/preferences"
)

const accountColumns = `a.id, COALESCE(a.email, ''), COALESCE(a.username, ''), a.price_group, a.status, a.suspended_reason, a.data_policy,
	a.password_hash, a.created_at`

// accountFields are the places of accountColumns, in order.
func accountFields(account *auth.Account, created *int64) []any {
	return []any{&account.ID, &account.Email, &account.Username, &account.Group, (*string)(&account.Status),
		&account.SuspendedReason, (*policyColumn)(&account.DataPolicy), (*string)(&account.PasswordHash), created}
}

// policyColumn reads a data policy; one that cannot be read must not count as none.
type policyColumn preferences.DataPolicy

// Scan implements sql.Scanner.
func (c *policyColumn) Scan(value any) error {
	var name sql.NullString
	err := name.Scan(value)
	if err == nil {
		*(*preferences.DataPolicy)(c), err = preferences.ParseDataPolicy(name.String)
	}
	return err
}

// CreateAccount writes a new account with an empty wallet. ErrTaken where the id, the
// e-mail address or the username is in use. The same account again changes nothing.
func (s *Store) CreateAccount(ctx context.Context, account *auth.Account) error {
	return s.write(ctx, "create an account", func(tx transaction) error {
		// Without a conflict there is no error text that a server could log with
		// the address in it.
		err := changed(tx.exec(ctx, `INSERT INTO accounts
			(id, email, username, price_group, status, suspended_reason, data_policy, password_hash, created_at)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT DO NOTHING`,
			account.ID, account.Email, account.Username, account.Group, string(account.Status),
			account.SuspendedReason, account.DataPolicy.String(), string(account.PasswordHash), account.CreatedAt.UnixMicro()))
		if errors.Is(err, ErrNotFound) {
			return whatIsTaken(ctx, tx, account)
		}
		if err != nil {
			return err
		}
		if _, err := tx.exec(ctx, `INSERT INTO wallets (account_id, balance, granted) VALUES ($1, 0, 0)`, account.ID); err != nil {
			return err
		}
		return announce(ctx, tx, KindAccount, account.ID)
	})
}

// whatIsTaken is nil where the same account was created before: the answer may have
// been lost, and ids are never made twice.
func whatIsTaken(ctx context.Context, tx transaction, account *auth.Account) error {
	var same int
	if err := tx.queryRow(ctx, `SELECT COUNT(*) FROM accounts WHERE id = $1 AND email = $2 AND username = $3 AND created_at = $4`,
		account.ID, account.Email, account.Username, account.CreatedAt.UnixMicro()).Scan(&same); err != nil || same == 1 {
		return err
	}
	for _, unique := range []struct{ name, query, value string }{
		{"e-mail address", `SELECT COUNT(*) FROM accounts WHERE email = $1`, account.Email},
		{"username", `SELECT COUNT(*) FROM accounts WHERE username = $1`, account.Username},
	} {
		var count int
		if err := tx.queryRow(ctx, unique.query, unique.value).Scan(&count); err != nil {
			return err
		}
		if count > 0 {
			return fmt.Errorf("the %s is %w", unique.name, ErrTaken)
		}
	}
	return fmt.Errorf("the account id is %w", ErrTaken)
}

// FindAccount returns the account with this id, e-mail address or username.
func (s *Store) FindAccount(ctx context.Context, name string) (*auth.Account, error) {
	name = strings.ToLower(strings.TrimSpace(name))
	if strings.ContainsRune(name, 0) || !utf8.ValidString(name) {
		return nil, fmt.Errorf("account: %w", ErrNotFound) // PostgreSQL would not even look
	}
	// The three forms cannot be mistaken for each other: see auth.NormalizeUsername.
	row := s.db.reads().queryRow(ctx, `SELECT `+accountColumns+` FROM accounts a
		WHERE a.id = $1 OR a.email = $1 OR a.username = $1`, name)
	account, created := new(auth.Account), int64(0)
	switch err := row.Scan(accountFields(account, &created)...); {
	case errors.Is(err, sql.ErrNoRows):
		return nil, fmt.Errorf("account: %w", ErrNotFound)
	case err != nil:
		return nil, fmt.Errorf("find an account: %w", s.db.explain(err))
	}
	account.CreatedAt = time.UnixMicro(created).UTC()
	return account, nil
}

// ListAccounts returns all accounts, oldest first.
func (s *Store) ListAccounts(ctx context.Context) ([]*auth.Account, error) {
	rows, err := s.db.reads().query(ctx, `SELECT `+accountColumns+` FROM accounts a ORDER BY a.created_at, a.id`)
	if err != nil {
		return nil, fmt.Errorf("list accounts: %w", s.db.explain(err))
	}
	defer rows.Close()
	var accounts []*auth.Account
	for rows.Next() {
		account, created := new(auth.Account), int64(0)
		if err := rows.Scan(accountFields(account, &created)...); err != nil {
			return nil, fmt.Errorf("list accounts: %w", err)
		}
		account.CreatedAt = time.UnixMicro(created).UTC()
		accounts = append(accounts, account)
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("list accounts: %w", s.db.explain(err))
	}
	return accounts, nil
}

// SetAccountStatus suspends an account, saying why, or makes it active again:
// ErrNotFound, ErrErased.
func (s *Store) SetAccountStatus(ctx context.Context, accountID string, status auth.Status, reason string) error {
	if status == auth.StatusActive {
		reason = ""
	}
	return s.write(ctx, "set an account's status", func(tx transaction) error {
		if err := notErased(ctx, tx, accountID); err != nil {
			return err
		}
		if err := changed(tx.exec(ctx, `UPDATE accounts SET status = $1, suspended_reason = $2 WHERE id = $3`,
			string(status), reason, accountID)); err != nil {
			return err
		}
		return announce(ctx, tx, KindAccount, accountID)
	})
}

// notErased locks an account's row: ErrNotFound, ErrErased.
func notErased(ctx context.Context, tx transaction, accountID string) error {
	var status auth.Status
	err := tx.queryRow(ctx, tx.forUpdate(`SELECT status FROM accounts WHERE id = $1`), accountID).Scan((*string)(&status))
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return fmt.Errorf("account: %w", ErrNotFound)
	case err == nil && status == auth.StatusErased:
		return ErrErased
	}
	return err
}

// AccountEdit says what shall change of an account; nil leaves a field as it is.
type AccountEdit struct {
	Email    *string // as auth.NormalizeEmail writes it
	Username *string // as auth.NormalizeUsername writes it
	Group    *string // as auth.ValidateGroup allows it
	// DataPolicy is what providers must have promised.
	DataPolicy *preferences.DataPolicy
}

// EditAccount changes an account: ErrTaken where another has the e-mail address or the
// username, ErrNotFound, ErrErased.
func (s *Store) EditAccount(ctx context.Context, accountID string, edit AccountEdit) error {
	var text [4]sql.NullString
	for i, field := range []*string{edit.Email, edit.Username, edit.Group} {
		if field != nil {
			text[i] = sql.NullString{String: *field, Valid: true}
		}
	}
	if edit.DataPolicy != nil {
		text[3] = sql.NullString{String: edit.DataPolicy.String(), Valid: true}
	}
	err := s.write(ctx, "edit an account", func(tx transaction) error {
		if err := notErased(ctx, tx, accountID); err != nil {
			return err
		}
		// Asked before, a conflict is no error that a server could log with the address
		// in it. Only who takes the same name at the same moment meets the constraint.
		for _, unique := range []struct {
			name, query string
			value       sql.NullString
		}{
			{"e-mail address", `SELECT COUNT(*) FROM accounts WHERE email = $1 AND id <> $2`, text[0]},
			{"username", `SELECT COUNT(*) FROM accounts WHERE username = $1 AND id <> $2`, text[1]},
		} {
			var others int
			if err := tx.queryRow(ctx, unique.query, unique.value, accountID).Scan(&others); err != nil {
				return err
			}
			if others > 0 {
				return fmt.Errorf("the %s is %w", unique.name, ErrTaken)
			}
		}
		if err := changed(tx.exec(ctx, `UPDATE accounts SET email = COALESCE($1, email), username = COALESCE($2, username),
			price_group = COALESCE($3, price_group), data_policy = COALESCE($4, data_policy) WHERE id = $5`, text[0], text[1], text[2], text[3], accountID)); err != nil {
			return err
		}
		return announce(ctx, tx, KindAccount, accountID)
	})
	if err != nil && s.db.rejected(err) {
		return fmt.Errorf("edit an account: the e-mail address or the username is %w", ErrTaken)
	}
	return err
}
