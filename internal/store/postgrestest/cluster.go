// Package postgrestest gives tests a PostgreSQL server of their own: a real one, on a
// socket in a temporary directory, that keeps what it says it keeps (fsync is on) and
// ends with the tests whatever happens to them.
//
//	var cluster postgrestest.Cluster
//
//	func TestMain(m *testing.M) {
//		code := m.Run()
//		cluster.Remove()
//		os.Exit(code)
//	}
//	func TestX(t *testing.T) { s, err := store.Open(cluster.NewDatabase(t)) … }
package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
)

// patience bounds every wait for the server.
const patience = 30 * time.Second

// Cluster is a server; its zero value starts at its first use.
type Cluster struct {
	starting  sync.Once
	startErr  error
	directory string
	owner     owner
	databases atomic.Int64

	mu     sync.Mutex
	server *exec.Cmd
	ended  chan struct{}
}

// programs finds the server's programs, which Debian keeps out of the path.
func programs() (string, error) {
	if path, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(path), nil
	}
	for _, pattern := range []string{"/usr/lib/postgresql/*/bin/initdb", "/usr/pgsql-*/bin/initdb", "/usr/local/pgsql/bin/initdb", "/opt/homebrew/opt/postgresql*/bin/initdb"} {
		found, _ := filepath.Glob(pattern) // the patterns are well formed
		slices.Sort(found)
		if len(found) > 0 {
			return filepath.Dir(found[len(found)-1]), nil
		}
	}
	return "", errors.New("no PostgreSQL server is installed, and these tests use a real one: install the package postgresql " +
		"(apt-get install --no-install-recommends postgresql)")
}

// Start makes the cluster and starts its server, once.
func (c *Cluster) Start(t testing.TB) {
	t.Helper()
	if err := c.Serve(); err != nil {
		t.Fatalf("PostgreSQL for tests: %v", err)
	}
}

// Serve is Start for whoever is no test.
func (c *Cluster) Serve() error {
	c.starting.Do(func() { c.startErr = c.create() })
	return c.startErr
}

func (c *Cluster) create() (err error) {
	bin, err := programs()
	if err != nil {
		return err
	}
	if c.owner, err = findOwner(); err != nil {
		return err
	}
	// Not the test's directory: a socket's path has at most about 100 bytes.
	if c.directory, err = os.MkdirTemp("", "pg"); err != nil {
		return err
	}
	if err := c.owner.take(c.directory); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	initialize := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "--pgdata", c.data(), "--username", "faregate",
		"--auth", "trust", "--encoding", "UTF8", "--locale", "C", "--no-sync", "--no-instructions")
	c.owner.run(initialize)
	initialize.Dir = c.directory
	if output, err := initialize.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w: %s", err, output)
	}
	return c.start(filepath.Join(bin, "postgres"))
}

func (c *Cluster) data() string { return filepath.Join(c.directory, "data") }

// start runs the server as a child, which the system ends with this process. It
// returns when the server takes connections.
func (c *Cluster) start(program string) error {
	log, err := os.OpenFile(c.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	server := exec.Command(program, "-D", c.data(), "-k", c.directory, "-c", "listen_addresses=",
		"-c", "max_connections=150", "-c", "shared_buffers=32MB", "-c", "fsync=on", "-c", "deadlock_timeout=200ms")
	c.owner.run(server)
	endWithParent(server)
	server.Dir, server.Stdout, server.Stderr = c.directory, log, log
	started, ended := make(chan error), make(chan struct{})
	go func() {
		// The system ends the child with the thread that started it, so that thread
		// has to stay (prctl(2), PR_SET_PDEATHSIG).
		runtime.LockOSThread()
		err := server.Start()
		started <- err
		if err == nil {
			_ = server.Wait() // how it ended is in its log
		}
		close(ended)
	}()
	if err := <-started; err != nil {
		return fmt.Errorf("start PostgreSQL: %w", err)
	}
	c.mu.Lock()
	c.server, c.ended = server, ended
	c.mu.Unlock()
	return c.await(ended)
}

func (c *Cluster) await(ended <-chan struct{}) error {
	for deadline := time.Now().Add(patience); ; {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		connection, err := pgx.Connect(ctx, c.URL("postgres"))
		if err == nil {
			err = connection.Close(ctx)
		}
		cancel()
		if err == nil {
			return nil
		}
		select {
		case <-ended:
			return fmt.Errorf("PostgreSQL ended at its start: %s", c.Log())
		case <-time.After(10 * time.Millisecond):
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("PostgreSQL takes no connections: %w: %s", err, c.Log())
		}
	}
}

func (c *Cluster) logFile() string { return filepath.Join(c.directory, "log") }

// Log is what the server has logged so far.
func (c *Cluster) Log() string {
	log, err := os.ReadFile(c.logFile())
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// Socket is the path of the server's socket.
func (c *Cluster) Socket() string { return filepath.Join(c.directory, ".s.PGSQL.5432") }

// URL is the address of a database of the cluster.
func (c *Cluster) URL(database string) string {
	return fmt.Sprintf("postgres://faregate@/%s?host=%s", database, c.directory)
}

// NewDatabase makes an empty database and returns its address.
func (c *Cluster) NewDatabase(t testing.TB) string { return c.CopyDatabase(t, "template0") }

// CopyDatabase makes a database that begins as a copy of another, which nobody may
// be connected to, and returns its address.
func (c *Cluster) CopyDatabase(t testing.TB, of string) string {
	t.Helper()
	c.Start(t)
	address, err := c.AddDatabase(of)
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// AddDatabase is CopyDatabase for whoever is no test.
func (c *Cluster) AddDatabase(of string) (address string, err error) {
	name := "test" + strconv.FormatInt(c.databases.Add(1), 10)
	_, err = c.execute("postgres", fmt.Sprintf("CREATE DATABASE %s TEMPLATE %s", name, pgx.Identifier{of}.Sanitize()))
	return c.URL(name), err
}

// Name is the database's name in an address of this cluster.
func Name(address string) string {
	_, rest, _ := strings.Cut(address, "@/")
	name, _, _ := strings.Cut(rest, "?")
	return name
}

// Execute runs a statement in a database, past the store.
func (c *Cluster) Execute(t testing.TB, database, statement string, values ...any) (changed int64) {
	t.Helper()
	changed, err := c.execute(database, statement, values...)
	if err != nil {
		t.Fatal(err)
	}
	return changed
}

func (c *Cluster) execute(database, statement string, values ...any) (changed int64, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	connection, err := pgx.Connect(ctx, c.URL(database))
	if err != nil {
		return 0, fmt.Errorf("connect to %s: %w", database, err)
	}
	defer func() { _ = connection.Close(ctx) }()
	tag, err := connection.Exec(ctx, statement, values...)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", statement, err)
	}
	return tag.RowsAffected(), nil
}

// owner is the user that the server runs as: it refuses to run as root.
type owner struct {
	root     bool
	uid, gid uint32
}

func findOwner() (owner, error) {
	if os.Geteuid() != 0 {
		return owner{}, nil
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		return owner{}, fmt.Errorf("PostgreSQL does not run as root, and its own user is not there: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return owner{}, err
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return owner{}, err
	}
	return owner{root: true, uid: uint32(uid), gid: uint32(gid)}, nil
}

func (o owner) take(directory string) error {
	if !o.root {
		return nil
	}
	return os.Chown(directory, int(o.uid), int(o.gid))
}
