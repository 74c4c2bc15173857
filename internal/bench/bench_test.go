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
