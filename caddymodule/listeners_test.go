package caddymodule

import (
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// beside provisions a configuration's app while the present one runs, as a reload does.
// leave cleans it up, as Caddy does with one that fails.
func (g *gateway) beside(config string) (beside *App, leave func()) {
	g.t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(config), nil)
	if err != nil {
		g.t.Fatal(err)
	}
	var read struct {
		Apps struct {
			Faregate json.RawMessage `json:"faregate"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(adapted, &read); err != nil {
		g.t.Fatal(err)
	}
	// Not by LoadModuleByID, which would put it in the place of the present one.
	beside = new(App)
	if err := caddy.StrictUnmarshalJSON(read.Apps.Faregate, beside); err != nil {
		g.t.Fatal(err)
	}
	ctx, cancel := caddy.NewContext(caddy.ActiveContext())
	leave = sync.OnceFunc(func() {
		cancel()
		if err := beside.Cleanup(); err != nil {
			g.t.Error(err)
		}
	})
	g.t.Cleanup(leave)
	if err := beside.Provision(ctx); err != nil {
		g.t.Fatal(err)
	}
	return beside, leave
}

// poolBound is what the runtime knows of provider pool: its keys, and the bound of the
// first one.
func (g *gateway) poolBound() (keys int, inFlight int64) {
	g.t.Helper()
	for _, key := range g.theRuntime().health.View().Keys {
		if key.Provider == "pool" {
			if keys++; keys == 1 {
				inFlight = key.Limit
			}
		}
	}
	return keys, inFlight
}

// withoutLastKey takes the last key of provider pool out of a configuration.
func withoutLastKey(t *testing.T, config string) string {
	t.Helper()
	pool := strings.Index(config, "provider pool {")
	last := pool + strings.LastIndex(config[pool:], "api_key ")
	return config[:last] + config[last+strings.Index(config[last:], "\n"):]
}

// Caddy starts what a configuration has in random order, and goes on with the one before
// if anything fails.
func TestAReloadThatFailsLeavesTheBoundsAndTheLog(t *testing.T) {
	_, configuration := pooledProvider(t, "in_flight 1", "key-one", "key-two")
	g := newGateway(t, gatewayOptions{extra: configuration})
	admin := g.onAdmin()
	g.run()
	var listening net.ListenConfig
	taken, err := listening.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	failedLog := filepath.Join(g.directory, "failed.log")
	failing := strings.ReplaceAll(withoutLastKey(t, g.config), "in_flight 1", "in_flight 5")
	failing = strings.Replace(failing, g.logFile, failedLog, 1) + "http://" + taken.Addr().String() + " {\nrespond 204\n}\n"
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(failing), nil)
	if err != nil {
		t.Fatal(err)
	}
	for try, begun := 0, false; !begun; try++ {
		if try == 60 {
			t.Fatal("Caddy never starts the gateway before the listeners")
		}
		if err := caddy.Load(adapted, true); err == nil {
			t.Fatal("a configuration with an address that is taken has been loaded")
		}
		text, err := os.ReadFile(failedLog)
		if err != nil {
			t.Fatal(err)
		}
		begun = strings.Contains(string(text), "the gateway is ready")
		if g.theRuntime().logger.Load() != g.theApp().logger {
			t.Error("the runtime logs where the configuration that failed did")
		}
	}
	_, _, body := askAdmin(t, http.MethodGet, admin+"/faregate/upstreams")
	var shown []upstreamJSON
	if err := json.Unmarshal(body, &shown); err != nil {
		t.Fatal(err)
	}
	if len(shown) != 4 || len(shown[3].Keys) != 2 || shown[3].Keys[0].InFlightLimit != 1 || shown[3].Keys[1].InFlightLimit != 1 {
		t.Errorf("the bounds of the configuration that failed are in force: %s", body)
	}
}

// What a configuration's price file says counts for its requests, also while the one
// after it is the latest. The keys' bounds are the latest one's.
func TestPricesOfTheConfigurationBeforeLeaveTheBounds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "prices.json")
	writeAnew(t, path, priceFile("100"))
	_, configuration := pooledProvider(t, "in_flight 1", "key-one", "key-two")
	g := startGateway(t, gatewayOptions{extra: configuration + "\nprices " + path})
	first := g.theApp()
	first.catalogues.stopFollowing() // the test does it, at the moment of its choice
	second, leave := g.beside(strings.ReplaceAll(withoutLastKey(t, g.config), "in_flight 1", "in_flight 5"))
	if err := second.begin(); err != nil {
		t.Fatal(err)
	}
	if keys, inFlight := g.poolBound(); keys != 1 || inFlight != 5 {
		t.Fatalf("the new configuration's bound: %d keys, the first with %d", keys, inFlight)
	}
	before := first.catalogue()
	writeAnew(t, path, priceFile("200"))
	first.refreshPrices()
	if first.catalogue() == before {
		t.Error("the price file is not taken up")
	}
	if keys, inFlight := g.poolBound(); keys != 1 || inFlight != 5 {
		t.Errorf("the one before has its bounds in force again: %d keys, the first with %d", keys, inFlight)
	}
	if got := g.call(chatJSON.path, pooled); got.status != http.StatusOK {
		t.Errorf("a request of the one before: %d %s", got.status, got.body)
	}
	leave()
	if keys, inFlight := g.poolBound(); keys != 2 || inFlight != 1 {
		t.Errorf("after the new one has failed: %d keys, the first with %d", keys, inFlight)
	}
}

// A request can reach a configuration that has failed already.
func TestAConfigurationDoesNotBeginAfterItsEnd(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	second, leave := g.beside(g.config)
	leave()
	if err := second.begin(); !errors.Is(err, errShuttingDown) {
		t.Errorf("it begins: %v", err)
	}
	if rt := g.theRuntime(); rt.notices.app.Load() != g.theApp() || rt.logger.Load() != g.theApp().logger {
		t.Error("the runtime follows a configuration that has ended")
	}
}
