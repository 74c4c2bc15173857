package store

import (
	"context"
	"errors"
	"fmt"

	"github.com/jackc/pgx/v5/pgconn"
)

// advice is what can be done about an error, by its code:
// https://www.postgresql.org/docs/current/errcodes-appendix.html
var advice = map[string]string{
	"28P01": "the server refuses this user or password",
	"28000": "the server refuses this user, or this way of connecting",
	"3D000": "there is no such database: create it",
	"42501": "the user may not do this: make it the owner of the database",
	"42P01": "the database is not prepared: start the server once (caddy run), which makes its tables",
	"42703": "the database is of another version: start the server once (caddy run), which brings its tables up to date",
	"25006": "the server only reads: it is a stand-by; add target_session_attrs=read-write where the address has several hosts",
	"53100": "the server's disk is full",
	"53300": "the server takes no more connections: raise its max_connections, or lower pool_max_conns",
	"55P03": "another transaction keeps a row for too long",
	"57014": "the statement took too long",
	"57P01": "the server is shutting down",
	"57P03": "the server is starting",
}

// explain never adds the error's detail, hint or position, as those quote values.
func (*postgres) explain(err error) error {
	var failure *pgconn.PgError
	if errors.As(err, &failure) {
		if text, found := advice[failure.Code]; found {
			return fmt.Errorf("PostgreSQL: %s: %w", text, err)
		}
		return err
	}
	var unreachable *pgconn.ConnectError
	if errors.As(err, &unreachable) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("PostgreSQL cannot be reached: %w", err)
	}
	return err
}

func (*postgres) rejected(err error) bool {
	var failure *pgconn.PgError
	if !errors.As(err, &failure) {
		return false
	}
	switch failure.Code[:2] {
	case "22", "23": // data that no column takes, and constraints
		return true
	}
	return false
}
