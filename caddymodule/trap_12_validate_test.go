package caddymodule

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// To validate a configuration Caddy provisions it (caddy.go, Validate): at that point
// nothing may be open that a server which runs at the same time needs, nor anything
// be made that stays. TestValidateHasNoSideEffects looks at what is left behind.
func TestProvisioningOpensNothing(t *testing.T) {
	waitFor(t, "earlier tests' goroutines to end", func() bool { return ownGoroutines() == 0 })
	directory := cleanMachine(t)
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(`{
		faregate {
			provider simulator {
				simulator
			}
		}
	}
	http://127.0.0.1:8080 {
		faregate
	}`), nil)
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	ctx, err := caddy.ProvisionContext(&config)
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := ctx.App("faregate")
	if err != nil {
		t.Fatal(err)
	}
	app := loaded.(*App)
	if app.runtime.store != nil || app.runtime.ledger != nil || app.runtime.unlock != nil {
		t.Error("the store is open")
	}
	for _, simulator := range app.simulators {
		if simulator.server != nil {
			t.Error("the simulator listens")
		}
	}
	if n := ownGoroutines(); n != 0 {
		t.Errorf("%d goroutines were begun", n)
	}
	if entries, err := os.ReadDir(directory); err != nil || len(entries) != 0 {
		t.Errorf("there are files: %v %v", entries, err)
	}
	if err := app.Cleanup(); err != nil {
		t.Error(err)
	}
}
