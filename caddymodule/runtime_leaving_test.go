package caddymodule

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering"
)

// A request still runs on a store that no configuration has any more when the process ends: it
// is recorded there as interrupted, and costs nothing.
func TestAStopAfterAReloadToAnotherStore(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	gate := g.halted(600)
	defer gate.Open()
	call := g.startCall(chatStream.path, chatStream.body, chatStream.header(g.secret))
	call.at(gate)
	first, config := g.storeLine(), g.config
	g.config = strings.ReplaceAll(config, first, "sqlite "+filepath.Join(g.directory, "other.db"))
	g.load()
	stopLeaving(testContext(t))
	if record := g.records(1)[0]; record.Basis != metering.BasisInterrupted || record.Cost != 0 {
		t.Errorf("%s, %s", record.Basis, record.Cost)
	}
}
