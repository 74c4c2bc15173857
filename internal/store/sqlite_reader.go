package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"io"
)

// readerViews stand before the tables that pending records belong to, on the connections
// that read: temporary, they are found before what has the same name in the file
// (https://www.sqlite.org/lang_naming.html), and need no right to write it.
var readerViews = []string{
	`CREATE TEMP VIEW usage_records AS SELECT ` + pendingColumns + ` FROM main.usage_records
		UNION ALL SELECT ` + pendingColumns + ` FROM main.usage_pending`,
	`CREATE TEMP VIEW daily_usage AS SELECT account_id, day, key_id, key_period, provider, model_served,
			requests, input_total, output_total, cost, shortfall, operator_cost FROM main.daily_usage
		UNION ALL ` + pendingDays,
	`CREATE TEMP VIEW wallets AS SELECT w.account_id, w.balance - COALESCE(p.spent, 0) AS balance,
			w.granted - COALESCE(p.spent, 0) AS granted, w.recall_by, w.recall_until
		FROM main.wallets w LEFT JOIN (` + pendingDebits + `) p ON p.account_id = w.account_id`,
	`CREATE TEMP VIEW key_wallets AS SELECT w.key_id, w.period_start, w.account_id, w.spent + COALESCE(p.spent, 0) AS spent,
			w.granted - COALESCE(p.spent, 0) AS granted, w.recall_by, w.recall_until
		FROM main.key_wallets w LEFT JOIN (` + pendingLimits + `) p ON p.key_id = w.key_id AND p.key_period = w.period_start`,
	`CREATE TEMP VIEW grants AS SELECT g.node, g.account_id, g.key_id, g.period_start, g.epoch, g.issued, g.returned,
			g.debited + COALESCE(p.spent, 0) AS debited, g.number
		FROM main.grants g LEFT JOIN (` + pendingGrants + `) p ON p.node = g.node AND p.account_id = g.account_id
			AND p.key_id = g.key_id AND p.period_start = g.period_start AND p.epoch = g.epoch`,
	// Last, as it keeps a connection from making views, too.
	`PRAGMA query_only(1)`,
}

// openReader opens the connections that read.
func openReader(dataSource string) (*sql.DB, error) {
	named, err := sql.Open("sqlite", dataSource)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(readerConnector{driver: named.Driver(), dataSource: dataSource}), named.Close() // it has opened nothing yet
}

// readerConnector makes connections that see pending records where they will be posted.
type readerConnector struct {
	driver     driver.Driver
	dataSource string
}

func (c readerConnector) Driver() driver.Driver { return c.driver }

func (c readerConnector) Connect(ctx context.Context) (driver.Conn, error) {
	opened, err := c.driver.Open(c.dataSource)
	if err != nil {
		return nil, err
	}
	connection, ok := opened.(driver.ExecerContext)
	if !ok {
		return nil, errors.Join(unfit(opened), opened.Close())
	}
	views, err := viewsFor(ctx, opened)
	if err != nil {
		return nil, errors.Join(err, opened.Close())
	}
	for _, statement := range views {
		if _, err := connection.ExecContext(ctx, statement, nil); err != nil {
			return nil, errors.Join(err, opened.Close())
		}
	}
	return opened, nil
}

// viewsFor are those that a file needs: one of before there were pending records, as a backup
// may be, is read as it is.
func viewsFor(ctx context.Context, opened driver.Conn) ([]string, error) {
	connection, ok := opened.(driver.QueryerContext)
	if !ok {
		return nil, unfit(opened)
	}
	found, err := connection.QueryContext(ctx, `SELECT 1 FROM main.sqlite_master WHERE name = 'usage_pending'`, nil)
	if err != nil {
		return nil, err
	}
	switch err := found.Next(make([]driver.Value, 1)); {
	case errors.Is(err, io.EOF):
		return readerViews[len(readerViews)-1:], found.Close()
	case err != nil:
		return nil, errors.Join(err, found.Close())
	}
	return readerViews, found.Close()
}

// Interface guards
var _ driver.Connector = readerConnector{}
