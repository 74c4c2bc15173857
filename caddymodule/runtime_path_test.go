package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/faregate/faregate/metering"
)

// A reload names the same file by another path: what runs goes on, and is charged.
func TestAReloadThatNamesTheStoreOtherwise(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	gate := g.halted(600)
	call := g.startCall(chatStream.path, chatStream.body, chatStream.header(g.secret))
	call.at(gate)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(g.directory, link); err != nil {
		t.Fatal(err)
	}
	g.config = strings.ReplaceAll(g.config, g.storeLine(), "sqlite "+filepath.Join(link, "faregate.db"))
	g.load()
	gate.Open()
	if got := call.finish(); got.status != http.StatusOK || !strings.Contains(string(got.body), "[DONE]") {
		t.Errorf("%d %s", got.status, got.body)
	}
	if record := g.records(1)[0]; record.Basis != metering.BasisMeasured || record.Cost == 0 {
		t.Errorf("%s, %s", record.Basis, record.Cost)
	}
}
