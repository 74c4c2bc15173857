package store_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// load holds and settles on one account from several goroutines, and remembers what
// the ledger said of each settlement.
type load struct {
	t        *testing.T
	store    *store.Store
	ledger   *ledger.Ledger
	customer storetest.Customer
	stop     chan struct{}
	group    sync.WaitGroup

	mu      sync.Mutex
	settled []string         // told to be durable
	failed  map[string]error // told otherwise
	refused int              // holds that the store could not give
}

const loadPrice = 7

func startLoad(t *testing.T, s *store.Store, customer storetest.Customer, goroutines int) *load {
	l := &load{
		t: t, store: s, customer: customer, stop: make(chan struct{}), failed: make(map[string]error),
		ledger: storetest.OpenLedger(t, s, ledger.Options{Node: s.NodeName()}),
	}
	for range goroutines {
		l.group.Go(l.run)
	}
	return l
}

func (l *load) run() {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		hold, err := l.ledger.Hold(l.t.Context(), l.customer.AccountID, 10)
		if errors.Is(err, ledger.ErrUnavailable) {
			l.mu.Lock()
			l.refused++
			l.mu.Unlock()
			<-time.After(time.Millisecond) // as a client that comes back
			continue
		}
		if err != nil {
			l.t.Errorf("hold: %v", err)
			return
		}
		record := l.customer.Record(loadPrice)
		err = hold.Settle(l.t.Context(), record)
		l.mu.Lock()
		if err == nil {
			l.settled = append(l.settled, record.ID)
		} else {
			l.failed[record.ID] = err
		}
		l.mu.Unlock()
	}
}

// await waits until this many settlements more are told to be durable.
func (l *load) await(more int) {
	l.t.Helper()
	l.mu.Lock()
	goal := len(l.settled) + more
	l.mu.Unlock()
	storetest.Eventually(l.t, "settlements go on", func() bool {
		l.mu.Lock()
		defer l.mu.Unlock()
		return len(l.settled) >= goal || l.t.Failed()
	})
}

// check ends the load and proves that nothing is lost and nothing doubled.
func (l *load) check(credit metering.Nanos) {
	l.t.Helper()
	close(l.stop)
	l.group.Wait()
	ctx := l.t.Context()
	for _, id := range l.settled {
		if record, err := l.store.Record(ctx, id); err != nil || record.Cost != loadPrice {
			l.t.Fatalf("the settlement %s was told to be durable: %+v, %v", id, record, err)
		}
	}
	for id, err := range l.failed {
		l.t.Errorf("settlement %s: %v", id, err)
	}
	report := storetest.MustVerify(l.t, l.store)
	spent := loadPrice * metering.Nanos(len(l.settled))
	if report.Balance != credit-spent || report.Records != int64(len(l.settled)) {
		l.t.Errorf("%d settlements leave %s of %s, with %d records", len(l.settled), report.Balance, credit, report.Records)
	}
	if available, err := l.ledger.Available(ctx, l.customer.AccountID); err != nil || available != report.Balance {
		l.t.Errorf("%s is available, %v; want %s: memory and store disagree", available, err, report.Balance)
	}
	l.t.Logf("%d settled, %d holds refused, %+v", len(l.settled), l.refused, l.ledger.Figures())
}

func TestServerCrashesUnderLoad(t *testing.T) {
	t.Parallel()
	var own postgrestest.Cluster
	t.Cleanup(own.Remove)
	s := openAddress(t, own.NewDatabase(t))
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := startLoad(t, s, storetest.NewCustomer(t, s, metering.Dollar), 8)
	for _, stop := range []func(testing.TB){own.Crash, own.Stop, own.Crash} {
		l.await(30)
		stop(t)
		// While it is away, who asks is told within a second.
		storetest.Eventually(t, "holds are refused", func() bool {
			began := time.Now()
			hold, err := l.ledger.Hold(t.Context(), l.customer.AccountID, 1)
			if took := time.Since(began); took > 2*time.Second {
				t.Errorf("a hold took %v", took)
			}
			if err == nil {
				hold.Release()
			}
			return errors.Is(err, ledger.ErrUnavailable)
		})
		own.Restart(t)
	}
	l.await(30)
	l.check(metering.Dollar)
}

func TestBackendsTerminatedUnderLoad(t *testing.T) {
	t.Parallel()
	s, address := openPostgres(t)
	l := startLoad(t, s, storetest.NewCustomer(t, s, metering.Dollar), 8)
	l.await(10)
	admin, err := pgx.Connect(t.Context(), cluster.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = admin.Close(context.WithoutCancel(t.Context())) }()
	terminated := 0
	for range 60 {
		// COMMIT first, as that is where it hurts; else whoever is there.
		tag, err := admin.Exec(t.Context(), `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
			WHERE application_name = 'faregate' AND datname = $1 ORDER BY query = 'COMMIT' DESC LIMIT 1`, postgrestest.Name(address))
		if err != nil {
			t.Fatal(err)
		}
		terminated += int(tag.RowsAffected())
		l.await(3)
	}
	if terminated < 30 {
		t.Errorf("only %d connections were terminated", terminated)
	}
	l.check(metering.Dollar)
}

func TestConnectionLostDuringCommit(t *testing.T) {
	t.Parallel()
	_, address := openPostgres(t)
	proxy := cluster.NewProxy(t)
	s := openAddress(t, proxy.URL(postgrestest.Name(address), ""))
	l := startLoad(t, s, storetest.NewCustomer(t, s, metering.Dollar), 8)
	l.await(10)
	random := rand.New(rand.NewPCG(3, 4))
	for range 25 {
		// One of the next answers is lost: of a commit, as often as not.
		countdown, cut := random.IntN(4), make(chan struct{})
		proxy.Plan(func() postgrestest.Fate {
			if countdown--; countdown == -1 {
				close(cut)
				return postgrestest.CutOff
			}
			return postgrestest.Delivered
		})
		<-cut
		l.await(2)
	}
	proxy.Plan(nil)
	l.check(metering.Dollar)
	if figures := l.ledger.Figures(); figures.Failures == 0 {
		t.Error("no commit had an unknown outcome: the test proves nothing")
	}
}

func TestNetworkHangs(t *testing.T) {
	t.Parallel()
	_, address := openPostgres(t)
	proxy := cluster.NewProxy(t)
	s := openAddress(t, proxy.URL(postgrestest.Name(address), ""))
	customer, stranger := storetest.NewCustomer(t, s, metering.Dollar), storetest.NewCustomer(t, s, 0)
	l := startLoad(t, s, customer, 4)
	for range 2 {
		l.await(20)
		proxy.Freeze()
		began := time.Now()
		if _, err := l.ledger.Hold(t.Context(), stranger.AccountID, 1); !errors.Is(err, ledger.ErrUnavailable) {
			t.Errorf("hold: %v, want ErrUnavailable", err)
		}
		if took := time.Since(began); took > 3*time.Second {
			t.Errorf("a hold took %v", took)
		}
		proxy.Thaw()
	}
	l.await(20)
	l.check(metering.Dollar)
}

// TestPausedNodeKeepsNoRows stops a node in the midst of a transaction that has locked
// a wallet: others must get at it.
func TestPausedNodeKeepsNoRows(t *testing.T) {
	t.Parallel()
	other, address := openPostgres(t)
	customer := storetest.NewCustomer(t, other, 100)
	proxy := cluster.NewProxy(t)
	paused := openAddress(t, proxy.URL(postgrestest.Name(address), "idle_in_transaction_session_timeout=500ms"))
	lease, _, err := paused.Join(t.Context(), "paused", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	draw := ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: 10}}
	// Once to warm up: later draws have these answers again.
	answers := 0
	proxy.Plan(func() postgrestest.Fate { answers++; return postgrestest.Delivered })
	for range 2 {
		answers = 0
		if _, err := paused.Draw(t.Context(), lease, draw); err != nil {
			t.Fatal(err)
		}
		draw.Number++
	}
	proxy.Plan(func() postgrestest.Fate {
		if answers--; answers == 1 { // all but the commit is done
			return postgrestest.Frozen
		}
		return postgrestest.Delivered
	})
	ended := make(chan error)
	go func() {
		_, err := paused.Draw(t.Context(), lease, draw)
		ended <- err
	}()
	healthy, _, err := other.Join(t.Context(), "healthy", time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	storetest.Eventually(t, "the draw is frozen", func() bool { return proxy.IsFrozen() })
	if _, err := other.Draw(t.Context(), healthy, ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Least: 70}}); err != nil {
		t.Errorf("the other node draws: %v", err)
	}
	proxy.Plan(nil)
	proxy.Thaw()
	if err := <-ended; err == nil {
		t.Error("the paused draw succeeded, with its transaction taken away")
	}
	storetest.MustVerify(t, other)
}

func TestStatementTimeOut(t *testing.T) {
	t.Parallel()
	first, address := openPostgres(t)
	s := openAddress(t, address+"&statement_timeout=200ms")
	customer := storetest.NewCustomer(t, first, metering.Dollar)
	l := startLoad(t, s, customer, 4)
	l.await(10)
	blocker, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(t.Context(), `BEGIN; SELECT 1 FROM wallets FOR UPDATE`); err != nil {
		t.Fatal(err)
	}
	_, err = s.Deposit(t.Context(), store.Deposit{AccountID: customer.AccountID, Amount: 5, Ref: "late", At: storetest.Moment})
	if err == nil || !strings.Contains(err.Error(), "took too long") {
		t.Errorf("deposit: %v", err)
	}
	storetest.Eventually(t, "a settlement times out", func() bool { return l.ledger.Figures().Failures > 0 })
	if err := blocker.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	l.await(10)
	l.check(metering.Dollar)
}

func TestErrorsKeepThePassword(t *testing.T) {
	t.Parallel()
	cluster.Start(t)
	for name, address := range map[string]string{
		"no server":         "postgres://ada:canary-pass@127.0.0.1:1/books?connect_timeout=1",
		"no such database":  strings.Replace(cluster.URL("nowhere"), "faregate@", "faregate:canary-pass@", 1),
		"not an address":    "postgres://ada:canary-pass#%zz@host:port/books",
		"not a number":      "postgres://ada:canary-pass@host/books?pool_max_conns=many",
		"password in query": "postgres://host/books?password=canary-pass&connect_timeout=never",
	} {
		s, err := store.Open(address)
		if err == nil {
			err = s.Migrate(t.Context())
			_, findErr := s.FindAccount(t.Context(), "ada")
			err = errors.Join(err, findErr, s.Close())
		}
		if err == nil || strings.Contains(err.Error(), "canary-pass") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
