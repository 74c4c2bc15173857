package main

import (
	"bytes"
	"os"
	"regexp"
	"strings"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the whole of Caddy, as users run it

	_ "github.com/faregate/faregate"
)

// gatewayProcess in the environment makes the test binary be a Caddy.
const gatewayProcess = "FAREGATE_BENCH_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(gatewayProcess) != "" {
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

// TestEachKindOfLoad runs the benchmark for a moment each: every answer must be whole,
// every request recorded, and the books right. How long it takes is nobody's matter here.
func TestEachKindOfLoad(t *testing.T) {
	if !supported {
		t.Skip(errUnsupported)
	}
	t.Setenv(gatewayProcess, "1")
	o := options{
		binary: os.Args[0], directory: t.TempDir(), rounds: 1, seconds: 0.2, core: -1,
		store: "sqlite", saturated: true, rates: true, accounts: 2, clients: 4, rate: 50,
	}
	for _, name := range []string{"small JSON", "2 MB prompt with an image", "100-event stream, anthropic", "100-event stream, google", "disconnect storm"} {
		t.Run(name, func(t *testing.T) {
			var screen bytes.Buffer
			if err := measureAll(t.Context(), o, regexp.MustCompile("^"+name+"$"), newTable(&screen)); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(screen.String(), "CPU, µs a request") {
				t.Errorf("the table is\n%s", screen.String())
			}
		})
	}
}

// TestAllocationsOfARequest guards what a request costs beside bare Caddy, in what the
// gateway's process allocates for it: counts do not depend on what else the machine does.
// Who adds to the path of every request raises a limit here, and knows it.
func TestAllocationsOfARequest(t *testing.T) {
	if !supported {
		t.Skip(errUnsupported)
	}
	t.Setenv(gatewayProcess, "1")
	o := options{
		binary: os.Args[0], directory: t.TempDir(), rounds: 1, seconds: 0.5, core: -1,
		store: "sqlite", saturated: true, accounts: 2, clients: 4,
		least: 800, // so that what is made once, and the batches' part, do not count
	}
	for _, c := range []struct {
		workload           string
		objects, kibibytes float64 // more than bare Caddy's
	}{
		{"small JSON", 100, 14},
		{"100-event stream", 140, 26},
		{"100-event stream, anthropic", 130, 22},
	} {
		t.Run(c.workload, func(t *testing.T) {
			table := newTable(t.Output())
			if err := measureAll(t.Context(), o, regexp.MustCompile("^"+c.workload+"$"), table); err != nil {
				t.Fatal(err)
			}
			bare, own := table.last[0][0], table.last[0][1]
			if objects := own.allocations - bare.allocations; objects > c.objects {
				t.Errorf("%.0f objects more than bare Caddy's %.0f, at most %.0f are allowed", objects, bare.allocations, c.objects)
			}
			if kibibytes := (own.allocated - bare.allocated) / (1 << 10); kibibytes > c.kibibytes && !raceDetector {
				t.Errorf("%.1f KiB more than bare Caddy's %.1f, at most %.0f are allowed", kibibytes, bare.allocated/(1<<10), c.kibibytes)
			}
		})
	}
}
