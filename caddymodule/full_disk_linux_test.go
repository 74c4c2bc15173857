package caddymodule

import (
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store/storetest"
)

// A disk that fills up while answers are under way: these are settled and end as ever,
// new ones are told to come again, and nobody has to do more than make room.
func TestAFullDisk(t *testing.T) {
	directory := storetest.SmallDisk(t, 160)
	g := startGateway(t, gatewayOptions{store: "sqlite:" + filepath.Join(directory, "faregate.db")})
	credit := g.balance()
	var gates []*simulator.Gate
	var running []*calling
	for _, w := range wireStreams {
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Pauses: []simulator.Pause{{At: w.contentAt(), Gate: gate}}}})
		call := g.startCall(w.path, w.body, w.header(g.secret))
		call.at(gate)
		gates, running = append(gates, gate), append(running, call)
	}
	empty := storetest.FillDisk(t, directory)
	for i, w := range wireStreams {
		gates[i].Open()
		if got := running[i].finish(); got.err != nil || got.status != http.StatusOK || !strings.Contains(string(got.body), w.terminal) {
			t.Errorf("%s: an answer under way on a full disk: %d %v %s", w.name, got.status, got.err, got.body)
		}
	}
	for _, d := range dialectCalls {
		body := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "").Replace(d.body)
		got := g.callWith(strings.Replace(d.path, "%MODEL%", d.model, 1), body, d.header(g.secret))
		if _, message := dialectError(t, d.name, got); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") == "" || message == "" {
			t.Errorf("%s: a new request on a full disk: %d %v %s", d.name, got.status, got.header, got.body)
		}
	}
	if line := g.logLine(noRoomText); line["level"] != "error" {
		t.Errorf("logged as %v", line)
	}
	records := g.records(len(wireStreams))
	for _, record := range records {
		credit -= record.Cost
		if record.Cost == 0 {
			t.Errorf("request %s was not charged: %+v", record.ID, record)
		}
	}
	if balance := g.balance(); len(records) != len(wireStreams) || balance != credit {
		t.Errorf("%d records, the balance is %s; want %d and %s", len(records), balance, len(wireStreams), credit)
	}

	empty()
	waitFor(t, "the gateway to serve again", func() bool { return g.call(chatJSON.path, chatJSON.body).status == http.StatusOK })
	g.logLine("there is room on the store's disk again; new requests are served")
	g.verify()
}
