package caddymodule

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// A reload cleans the old configuration up at once, while its requests still run
// (caddy.go, unsyncedStop; app.go, Stop). They must still find their store open.
func TestRequestsThatRunThroughAReloadAreSettled(t *testing.T) {
	for _, test := range []string{"same store", "other store"} {
		t.Run(test, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			credit := g.balance()
			gate := simulator.NewGate()
			running := append(wireStreams, wireDocuments...)
			var calls []*calling
			for _, w := range running {
				at := simulator.NewGate()
				g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{
					{At: w.contentAt(), Gate: at}, {At: w.contentAt(), Gate: gate},
				}}})
				call := g.startCall(w.path, w.body, w.header(g.secret))
				call.at(at)
				at.Open()
				calls = append(calls, call)
			}
			if test == "other store" {
				g.config = strings.Replace(g.config, "faregate.db", "other.db", 1)
			} else {
				g.config = strings.Replace(g.config, "grace_period 2s", "grace_period 3s", 1)
			}
			g.load()
			g.load() // a second time, while the first one's requests still run
			later := g.callAfterReload(chatStream)
			if test == "other store" {
				if code := later.errorCode(); code != "invalid_api_key" {
					t.Errorf("the key of the store that was left still works: %d %v %s", later.status, later.err, later.body)
				}
			} else if later.status != 200 || later.err != nil {
				t.Errorf("after the reload: %d %v", later.status, later.err)
			}
			gate.Open()
			for i, call := range calls {
				if got := call.finish(); got.status != 200 || got.err != nil || running[i].streams() && !strings.Contains(string(got.body), running[i].terminal) {
					t.Errorf("%s: %d %v %s", running[i].name, got.status, got.err, got.body)
				}
			}
			n := len(calls)
			if test == "same store" {
				n++
			}
			records := g.records(n)
			for _, record := range records {
				if record.Status != metering.StatusOK || record.Basis != metering.BasisMeasured || record.Cost <= 0 {
					t.Errorf("record %+v", record)
				}
			}
			g.settledUp(credit, records)
			if test == "other store" {
				// With its last request the old store is closed, and its credit given back.
				waitFor(t, "the old store to be left", func() bool {
					balance, err := g.store.Balance(testContext(t), g.account)
					return err == nil && balance.Granted == 0
				})
				if _, open := runtimes.References("sqlite:" + filepath.Join(g.directory, "faregate.db")); open {
					t.Error("the old store is still in use")
				}
			}
		})
	}
}
