package faults

import (
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
)

// TestNamedGateway kills a gateway that has a name of its own and all the credit of an
// account: started again it takes that back, and nobody waits for the end of a lease.
func TestNamedGateway(t *testing.T) {
	t.Parallel()
	f := onPostgres(t, &cluster)
	f.options = "node first"
	g := f.startGateway()
	books := f.newBooks(f.newCustomer(metering.Dollar / 20)) // little enough to go whole to one gateway
	l := &load{began: time.Now()}
	client := newClient()
	defer client.CloseIdleConnections()
	for range 5 {
		if c := l.call(client, g, books.customer, chatJSON); !c.complete() || c.took > 5*time.Second {
			t.Errorf("after %s: %v", c.took, c)
		}
		g.kill()
		client.CloseIdleConnections()
		g.start()
		g.listens()
	}
	g.stop()
	t.Logf("%+v", books.compare(l.calls, l.began))
}
