//go:build linux

package attacks

import (
	"flag"
	"io"
	"os"
	"testing"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the whole of Caddy, as users run it

	_ "github.com/faregate/faregate"
)

var long = flag.Bool("long", false, "attack with all force, and tell the goodput")

// gatewayProcess in the environment makes the test binary be a Caddy.
const gatewayProcess = "FAREGATE_ATTACKS_GATEWAY"

func TestMain(m *testing.M) {
	if os.Getenv(gatewayProcess) != "" {
		// The tests hold the other end: no gateway outlives them, however they end.
		go func() {
			_, _ = io.Copy(io.Discard, os.Stdin)
			os.Exit(1)
		}()
		caddycmd.Main()
		return
	}
	os.Exit(m.Run())
}

// force is how often something is done in the short form and in the long one.
func force(short, whole int) int {
	if *long {
		return whole
	}
	return short
}
