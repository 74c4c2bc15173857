package caddymodule

import (
	"net"
	"runtime/debug"
	runtimemetrics "runtime/metrics"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

// There is one collector in the process: it does as the present configuration says, and
// as before when the last one has gone.
func TestHeapHeadroomIsTheConfigurations(t *testing.T) {
	t.Setenv("GOGC", "")
	previous := debug.SetGCPercent(100)
	t.Cleanup(func() { debug.SetGCPercent(previous) })

	line := "heap_headroom 64GiB" // far more than what lives in the tests' own heap
	g := startGateway(t, gatewayOptions{extra: line})
	if now := collectorPercent(); now <= 100 {
		t.Errorf("%d percent with %s", now, line)
	}
	g.config = strings.Replace(g.config, line, "heap_headroom 0", 1)
	g.load()
	if now := collectorPercent(); now != 100 {
		t.Errorf("%d percent without a headroom", now)
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = taken.Close() }()
	broken := strings.Replace(g.config, "heap_headroom 0", line, 1) + "http://" + taken.Addr().String() + " {\nrespond 204\n}\n"
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(broken), nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(adapted, true); err == nil {
		t.Fatal("a configuration with an address that is taken has been loaded")
	}
	if now := collectorPercent(); now != 100 {
		t.Errorf("%d percent after a configuration that did not start", now)
	}

	g.config = strings.Replace(g.config, "heap_headroom 0", line, 1)
	g.load()
	if now := collectorPercent(); now <= 100 {
		t.Errorf("%d percent with %s, later", now, line)
	}
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if now := collectorPercent(); now != 100 {
		t.Errorf("%d percent after the stop", now)
	}
}

func TestHeapHeadroomByDefault(t *testing.T) {
	sized := func(bytes int64) *App { return &App{HeapHeadroom: &bytes} }
	for _, test := range []struct {
		app  *App
		want int64
	}{{new(App), 48 << 20}, {sized(0), 0}, {sized(64 << 20), 64 << 20}} {
		if got := test.app.heapHeadroom(); got != test.want {
			t.Errorf("a headroom of %d, want %d", got, test.want)
		}
	}
}

// collectorPercent is by how much Go lets the heap grow.
func collectorPercent() uint64 {
	setting := []runtimemetrics.Sample{{Name: "/gc/gogc:percent"}}
	runtimemetrics.Read(setting)
	return setting[0].Value.Uint64()
}
