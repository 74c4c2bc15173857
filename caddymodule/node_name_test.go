//go:build unix

package caddymodule

import (
	"net/http"
	"syscall"
	"testing"

	"github.com/faregate/faregate/metering/ledger"
)

// A gateway that keeps its name has its credit back as soon as it starts again, however
// it ended: nobody waits for the end of its lease.
func TestANodeTakesItsOwnCreditBack(t *testing.T) {
	t.Parallel()
	g := newGateway(t, gatewayOptions{store: cluster.NewDatabase(t), credit: "0.50", extra: "node gateway-1"})
	// What listens may not have joined yet: Caddy starts apps in any order.
	node := func(epoch int64) (n ledger.Node) {
		t.Helper()
		waitFor(t, "the node to join", func() bool {
			nodes, err := g.store.Nodes(testContext(t))
			if err != nil || len(nodes) > 1 {
				t.Fatalf("nodes %+v, %v", nodes, err)
			}
			if len(nodes) == 1 {
				n = nodes[0]
			}
			return n.Epoch == epoch
		})
		if n.Name != "gateway-1" || !n.Live {
			t.Errorf("the node is %+v", n)
		}
		return n
	}
	for epoch := range int64(3) {
		s := g.serve()
		if n := node(epoch + 1); n.Granted != 0 {
			t.Errorf("after start %d: %+v", epoch+1, n)
		}
		if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
			t.Fatalf("after start %d: %d %s", epoch+1, got.status, got.body)
		}
		// All of so little is in its hands, and lost to everybody else if it stays there.
		if n := node(epoch + 1); n.Granted != g.balance() {
			t.Errorf("the node has %s of %s", n.Granted, g.balance())
		}
		s.end(syscall.SIGKILL)
	}
	g.records(3)
	g.verify()
}
