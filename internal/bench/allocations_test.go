//go:build !race

package main

import (
	"os"
	"regexp"
	"testing"
)

// TestAllocationsOfARequest guards what a request costs beside bare Caddy, in what the
// gateway's process allocates for it: counts do not depend on what else the machine does.
// Who adds to the path of every request raises a limit here, and knows it.
//
// It is not built with the race detector, with which pools lose on purpose what is put
// into them (sync/pool.go); ./xcaddy.sh test runs it without.
func TestAllocationsOfARequest(t *testing.T) {
	if !supported {
		t.Skip(errUnsupported)
	}
	t.Setenv(gatewayProcess, "1")
	o := options{
		binary: os.Args[0], directory: t.TempDir(), rounds: 1, seconds: 0.5, core: -1,
		store: "sqlite", saturated: true, log: logBatched, accounts: 2, clients: 4,
		least: 800, // so that what is made once, and the batches' part, do not count
	}
	for _, c := range []struct {
		workload           string
		objects, kibibytes float64 // more than bare Caddy's
	}{
		{"small JSON", 15, 6},
		{"100-event stream", 55, 13},
		{"100-event stream, anthropic", 40, 9},
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
			if kibibytes := (own.allocated - bare.allocated) / (1 << 10); kibibytes > c.kibibytes {
				t.Errorf("%.1f KiB more than bare Caddy's %.1f, at most %.0f are allowed", kibibytes, bare.allocated/(1<<10), c.kibibytes)
			}
		})
	}
}
