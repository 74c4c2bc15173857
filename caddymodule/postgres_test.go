package caddymodule

import (
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/metering"
)

// cluster is a PostgreSQL server of the tests' own; TestMain removes it.
var cluster postgrestest.Cluster

func TestEachDialectIsMeteredExactlyWithPostgreSQL(t *testing.T) {
	meterEachDialect(t, startGateway(t, gatewayOptions{store: cluster.NewDatabase(t)}))
}

// Many at once, a deposit and a revocation by another handle on the database.
func TestAGatewayOnPostgreSQLServesManyAtOnce(t *testing.T) {
	g := startGateway(t, gatewayOptions{store: cluster.NewDatabase(t), credit: "0"})
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusPaymentRequired {
		t.Fatalf("without credit: %d %s", got.status, got.body)
	}
	g.deposit("20", "second")
	waitFor(t, "the deposit to be noticed", func() bool {
		return g.call(chatJSON.path, chatJSON.body).status == http.StatusOK
	})
	before, known := g.balance(), len(g.records(0))
	const calls = 40
	var running sync.WaitGroup
	for range calls {
		running.Go(func() {
			if got := g.call(chatStream.path, `{"model":"gpt-4.1-mini","stream":true,"max_tokens":200,"messages":[{"role":"user","content":"hello"}]}`); got.status != http.StatusOK || got.err != nil {
				t.Errorf("%d %v %s", got.status, got.err, got.body)
			}
		})
	}
	running.Wait()
	var charged metering.Nanos
	for _, record := range g.records(known + calls)[known:] {
		charged += record.Cost
	}
	if after := g.balance(); before-after != charged || charged == 0 {
		t.Errorf("balance fell by %s, records say %s", before-after, charged)
	}
	if err := g.store.RevokeKey(testContext(t), g.keyID, time.Now()); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the revocation to be noticed", func() bool {
		return g.call(chatJSON.path, chatJSON.body).status == http.StatusUnauthorized
	})
	g.verify()
}
