package store

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

const (
	// settlingConnections are for settlements alone, so that none ever waits for a
	// connection that somebody's long report has. One is busy, one stands by for
	// when the first is lost; a node settles in one group commit after the other.
	settlingConnections = 2
	// workingConnections serve everything else of a node. A server takes 100 by its
	// own default, so that ten nodes fit; pool_max_conns in the address says otherwise.
	workingConnections = 7
)

// postgres is a store on a PostgreSQL server, or on a distributed database that
// speaks its protocol. Any number of nodes share it.
//
// It relies on statements that lock the rows that they change, under READ COMMITTED:
// stricter levels would refuse what waits here, where several nodes settle for one
// account. A database that only has stricter ones refuses, and the refused
// transaction is made again.
type postgres struct {
	config   *pgxpool.Config
	node     string
	working  *pgxpool.Pool
	settling *pgxpool.Pool
	shift    atomic.Int64 // tests move the clock by it, in microseconds
}

func openPostgres(address string) (*postgres, error) {
	if !strings.HasPrefix(address, "postgres://") && !strings.HasPrefix(address, "postgresql://") {
		return nil, ErrURL
	}
	config, err := pgxpool.ParseConfig(address)
	if err != nil {
		// pgx cannot tell every password in a text that it cannot read, so none of
		// its text is passed on.
		return nil, fmt.Errorf("%w; this one begins with postgres:// and cannot be read "+
			"(it is not shown, as it may hold a password, whose special characters must be percent-encoded)", ErrURL)
	}
	_, query, _ := strings.Cut(address, "?")
	said, err := url.ParseQuery(query)
	if err != nil {
		return nil, ErrURL
	}
	setDefaults(config, said)
	p := &postgres{config: config, node: nodeName()}
	// Neither pool connects before its first use.
	if p.working, err = pgxpool.NewWithConfig(context.Background(), config.Copy()); err != nil {
		return nil, fmt.Errorf("open the store: %w", err)
	}
	settling := config.Copy()
	settling.MaxConns, settling.MinConns = settlingConnections, 0
	if p.settling, err = pgxpool.NewWithConfig(context.Background(), settling); err != nil {
		p.working.Close()
		return nil, fmt.Errorf("open the store: %w", err)
	}
	return p, nil
}

// setDefaults sets what the address does not say.
func setDefaults(config *pgxpool.Config, said url.Values) {
	if !said.Has("pool_max_conns") {
		config.MaxConns = workingConnections
	}
	if !said.Has("pool_max_conn_lifetime") {
		// After a fail-over or a new node of a distributed database, connections
		// move there within that time, and not all at once.
		config.MaxConnLifetime, config.MaxConnLifetimeJitter = 30*time.Minute, 5*time.Minute
	}
	if !said.Has("pool_max_conn_idle_time") {
		config.MaxConnIdleTime = 5 * time.Minute
	}
	if config.PingTimeout == 0 {
		// A connection that was idle is tried before it is used. One into a
		// vanished network must not cost the patience of a whole request.
		config.PingTimeout = 500 * time.Millisecond
	}
	connection := config.ConnConfig
	if connection.ConnectTimeout == 0 {
		connection.ConnectTimeout = 3 * time.Second
	}
	connection.DialFunc = (&net.Dialer{
		Timeout: connection.ConnectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{
			Enable: true, Idle: 10 * time.Second, Interval: 5 * time.Second, Count: 3,
		},
	}).DialContext
	for name, value := range map[string]string{
		"application_name": "faregate",
		// Nothing on the way of a request takes a tenth of this.
		"statement_timeout": "30s",
		"lock_timeout":      "5s",
		// A node that was paused, or whose network went away, in the midst of a
		// transaction must not keep its rows from the other nodes.
		"idle_in_transaction_session_timeout": "5s",
	} {
		if _, found := connection.RuntimeParams[name]; !found {
			connection.RuntimeParams[name] = value
		}
	}
	if !said.Has("sslmode") && os.Getenv("PGSSLMODE") == "" {
		requireEncryption(connection)
	}
}

// requireEncryption takes away pgx's way of going on in clear text where a server
// elsewhere has no TLS: an eavesdropper could ask for that too.
func requireEncryption(connection *pgx.ConnConfig) {
	fallbacks := connection.Fallbacks[:0]
	for _, fallback := range connection.Fallbacks {
		if fallback.TLSConfig != nil || isHere(fallback.Host) {
			fallbacks = append(fallbacks, fallback)
		}
	}
	connection.Fallbacks = fallbacks
}

func isHere(host string) bool {
	ip := net.ParseIP(host)
	return strings.HasPrefix(host, "/") || host == "localhost" || ip != nil && ip.IsLoopback()
}

// nodeName makes the name that this store's user goes by among the nodes. It is
// another one after every start: who starts cannot know whether a namesake still
// runs, and would take the credit in its hands away. What an earlier life had comes
// back when its lease has ended.
func nodeName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "node"
	}
	id := make([]byte, 6)
	_, _ = rand.Read(id) // never fails
	return host + "-" + hex.EncodeToString(id)
}

// nodeName is the same for all: nothing but the lock tells servers of a file apart.
func (f *sqliteFile) nodeName() string { return "main" }

func (p *postgres) nodeName() string { return p.node }

// lock does nothing: nodes share the store by their leases.
func (p *postgres) lock() (unlock func() error, err error) {
	return func() error { return nil }, nil
}

// keepRoom does nothing: the disk is the database server's.
func (p *postgres) keepRoom() error { return nil }
func (p *postgres) hasRoom() bool   { return true }

func (p *postgres) close() error {
	p.settling.Close()
	p.working.Close()
	return nil
}
