package faults

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/metering"
)

// TestPausedGateway stops a gateway in the midst of its answers (SIGSTOP), for longer than
// its lease lasts. Another one takes its credit and spends it. When the first goes on, its
// answers are not charged, end with an error, and are the operator's cost; and it
// serves again by itself.
func TestPausedGateway(t *testing.T) {
	t.Parallel()
	f := onPostgres(t, &cluster)
	paused, other := f.startGateway(), f.startGateway()
	books := f.newBooks(f.newCustomer(metering.Dollar / 20)) // little enough to go whole to one gateway
	l := &load{began: time.Now()}
	client := newClient()
	defer client.CloseIdleConnections()
	if c := l.call(client, paused, books.customer, chatJSON); !c.complete() {
		t.Fatal(c)
	}
	// These come to a gate in the midst of their content.
	gate := simulator.NewGate()
	var running []*call
	var mu sync.Mutex // of running
	for range 3 {
		f.hold(l, paused, books.customer, gate, func(c *call) {
			mu.Lock()
			defer mu.Unlock()
			running = append(running, c)
		})
	}
	must(t, paused.command.Process.Signal(syscall.SIGSTOP))
	stopped := time.Now()
	// The other gets the credit, and spends it to the end.
	within(t, "the other gateway serves", func() bool { return l.call(client, other, books.customer, chatJSON).complete() })
	took := time.Since(stopped)
	spend := func() (c *call) {
		for {
			if c = l.call(client, other, books.customer, chatJSON); !c.complete() {
				return c
			}
		}
	}
	if c := spend(); c.status != http.StatusPaymentRequired {
		t.Errorf("when all is spent: %v", c)
	}
	gate.Open()
	must(t, paused.command.Process.Signal(syscall.SIGCONT))
	l.running.Wait()
	for _, c := range running {
		if c.complete() || !strings.Contains(string(c.body), `"error"`) {
			t.Errorf("an answer of the paused gateway: %v", c)
		}
	}
	must(t, books.deposit(metering.Dollar, "more"))
	within(t, "the paused gateway serves again", func() bool { return l.call(client, paused, books.customer, chatJSON).complete() })
	paused.stop()
	other.stop()
	t.Logf("%+v; the other gateway served after %s", books.compare(l.calls, l.began), took.Round(100*time.Millisecond))
	for _, c := range running {
		if found := cluster.Execute(t, postgrestest.Name(f.address),
			`SELECT 1 FROM usage_records r JOIN transfers t ON t.ref = r.id AND t.kind = 'operator_cost'
			WHERE r.id = $1 AND r.status = 'interrupted' AND r.cost = 0 AND t.amount = $2`, c.id, int64(c.price())); found != 1 {
			t.Errorf("%v is not booked as the operator's cost of %s", c, c.price())
		}
	}
}

// TestOneServerPerFile starts a second gateway on the file of the first: it says why not,
// and the first goes on. Commands work beside it.
func TestOneServerPerFile(t *testing.T) {
	t.Parallel()
	f := onSQLite(t)
	first := f.startGateway()
	c := f.newCustomer(metering.Dollar)
	second := f.newGateway("2s")
	second.start()
	if err := second.wait(); err == nil {
		t.Error("a second server on one file ended in good order")
	}
	if log := second.log(); !strings.Contains(log, "another server is running on this store") || !strings.Contains(log, strings.TrimPrefix(f.address, "sqlite:")) {
		t.Errorf("the second server said %s", tail([]byte(log), 1000))
	}
	if said, err := f.faregate("balance", c.account); err != nil || !strings.Contains(said, "1") {
		t.Errorf("a command beside the server: %v %s", err, said)
	}
	l := &load{began: time.Now()}
	if made := l.call(newClient(), first, c, chatJSON); !made.complete() {
		t.Errorf("the first server: %v", made)
	}
	first.stop()
	if got := fmt.Sprintf("%+v", f.newBooks(c).compare(l.calls, l.began)); got != "{calls:1 complete:1 charged:1 unseen:0 free:0}" {
		t.Error(got)
	}
}
