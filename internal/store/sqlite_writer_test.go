package store

import (
	"context"
	"database/sql/driver"
	"errors"
	"path/filepath"
	"testing"
)

// interrupted runs a statement and says what the driver says where its context ended at
// that moment.
type interrupted struct{ preparedStatement }

func (s interrupted) ExecContext(ctx context.Context, values []driver.NamedValue) (driver.Result, error) {
	if _, err := s.preparedStatement.ExecContext(ctx, values); err != nil {
		return nil, err
	}
	return nil, context.DeadlineExceeded
}

// The connection that writes must not stay in a transaction that nobody ends.
func TestABeginThatIsInterruptedIsUndone(t *testing.T) {
	t.Parallel()
	s, err := Open("sqlite:" + filepath.Join(t.TempDir(), "faregate.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	pooled, err := s.db.(*sqliteFile).writer.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pooled.Close() }()
	err = pooled.Raw(func(opened any) error {
		const begin = `BEGIN IMMEDIATE`
		c := opened.(*writerConnection)
		statement, err := c.statement(t.Context(), begin)
		if err != nil {
			return err
		}
		c.prepared[begin] = interrupted{statement}
		err = c.transact(t.Context(), func(context.Context) error { return errors.New("not to be called") })
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("interrupted: %v", err)
		}
		c.prepared[begin] = statement
		return c.transact(t.Context(), func(ctx context.Context) error {
			_, err := c.exec(ctx, clearPending)
			return err
		})
	})
	if err != nil {
		t.Error(err)
	}
}
