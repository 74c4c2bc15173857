package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
)

// openWriter opens the one connection that writes.
func openWriter(dataSource string) (*sql.DB, error) {
	named, err := sql.Open("sqlite", dataSource)
	if err != nil {
		return nil, err
	}
	writer := sql.OpenDB(writerConnector{driver: named.Driver(), dataSource: dataSource})
	writer.SetMaxOpenConns(1)
	return writer, named.Close() // it has opened nothing yet
}

// writerConnector makes connections that keep statements of their own.
type writerConnector struct {
	driver     driver.Driver
	dataSource string
}

func (c writerConnector) Driver() driver.Driver { return c.driver }

func (c writerConnector) Connect(context.Context) (driver.Conn, error) {
	opened, err := c.driver.Open(c.dataSource)
	if err != nil {
		return nil, err
	}
	connection, ok := opened.(sqliteConnection)
	if !ok {
		return nil, errors.Join(unfit(opened), opened.Close())
	}
	return &writerConnection{sqliteConnection: connection, prepared: make(map[string]preparedStatement)}, nil
}

func unfit(opened any) error {
	return fmt.Errorf("the SQLite driver's %T lacks what database/sql asks for", opened)
}

// sqliteConnection is what the driver's connections can do.
type sqliteConnection interface {
	driver.Conn
	driver.ConnBeginTx
	driver.ConnPrepareContext
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type preparedStatement interface {
	driver.Stmt
	driver.StmtExecContext
	driver.StmtQueryContext
}

// writerConnection runs the statements that every request pays for without what
// database/sql does around each, and prepares them once. They end with it.
type writerConnection struct {
	sqliteConnection
	prepared map[string]preparedStatement
	values   []driver.NamedValue
	together []any // of insertPending
	pending  pending
}

// Close ends the prepared statements first: SQLite keeps a connection open for those.
func (c *writerConnection) Close() error {
	var errs []error
	for _, statement := range c.prepared {
		errs = append(errs, statement.Close())
	}
	clear(c.prepared)
	return errors.Join(append(errs, c.sqliteConnection.Close())...)
}

func (c *writerConnection) statement(ctx context.Context, query string) (preparedStatement, error) {
	if statement, ok := c.prepared[query]; ok {
		return statement, nil
	}
	opened, err := c.PrepareContext(ctx, query)
	if err != nil {
		return nil, err
	}
	statement, ok := opened.(preparedStatement)
	if !ok {
		return nil, errors.Join(unfit(opened), opened.Close())
	}
	c.prepared[query] = statement
	return statement, nil
}

// named numbers values: int64, string, []byte and nil. They are good until the next call.
func (c *writerConnection) named(values []any) []driver.NamedValue {
	c.values = c.values[:0]
	for i, value := range values {
		c.values = append(c.values, driver.NamedValue{Ordinal: i + 1, Value: value})
	}
	return c.values
}

// exec runs a statement and returns how many rows it has changed.
func (c *writerConnection) exec(ctx context.Context, query string, values ...any) (changed int64, err error) {
	statement, err := c.statement(ctx, query)
	if err != nil {
		return 0, err
	}
	result, err := statement.ExecContext(ctx, c.named(values))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// queryRow reads the one row that a query finds.
func (c *writerConnection) queryRow(ctx context.Context, query string, values ...any) row {
	statement, err := c.statement(ctx, query)
	if err != nil {
		return readRow{err: err}
	}
	found, err := statement.QueryContext(ctx, c.named(values))
	if err != nil {
		return readRow{err: err}
	}
	read := readRow{values: make([]driver.Value, len(found.Columns()))}
	if read.err = found.Next(read.values); errors.Is(read.err, io.EOF) {
		read.err = sql.ErrNoRows
	}
	read.err = errors.Join(read.err, found.Close())
	return read
}

// readRow is a row of whole numbers and texts.
type readRow struct {
	values []driver.Value
	err    error
}

// Scan implements row for places of the types *int64 and *string.
func (r readRow) Scan(places ...any) error {
	if r.err != nil {
		return r.err
	}
	for i, place := range places {
		ok := i < len(r.values)
		if ok {
			switch place := place.(type) {
			case *int64:
				*place, ok = r.values[i].(int64)
			case *string:
				*place, ok = r.values[i].(string)
			default:
				ok = false
			}
		}
		if !ok {
			return fmt.Errorf("column %d of %d cannot be read as %T", i, len(r.values), place)
		}
	}
	return nil
}

// transact runs do in a transaction. ctx bounds the wait for other processes that write.
func (c *writerConnection) transact(ctx context.Context, do func(context.Context) error) error {
	if _, err := c.exec(ctx, `BEGIN IMMEDIATE`); err != nil {
		// Where ctx ended meanwhile, the driver says so also if it has begun.
		_, _ = c.exec(context.WithoutCancel(ctx), `ROLLBACK`)
		return err
	}
	// The driver watches a context that can end with a goroutine per statement, and
	// these are short.
	ctx = context.WithoutCancel(ctx)
	err := do(ctx)
	if err == nil {
		_, err = c.exec(ctx, `COMMIT`)
	}
	if err != nil {
		// Where there is no transaction any more, as after some errors, this is one more
		// error that says so.
		_, _ = c.exec(ctx, `ROLLBACK`)
	}
	return err
}

// Interface guards
var (
	_ driver.Connector = writerConnector{}
	_ sqliteConnection = (*writerConnection)(nil)
)
