package faults

import (
	"flag"
	"io"
	"os"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the whole of Caddy, as users run it

	_ "github.com/faregate/faregate"
	"github.com/faregate/faregate/internal/store/postgrestest"
)

var (
	kills    = flag.Int("kills", 10, "how often TestKill kills the gateway on each store")
	seedFlag = flag.Uint64("seed", 0, "draw the moments of the kills from this seed, 0 from a new one")
)

// gatewayProcess in the environment makes the test binary be a Caddy.
const gatewayProcess = "FAREGATE_FAULTS_GATEWAY"

// cluster is the PostgreSQL of all tests but those that stop one.
var cluster postgrestest.Cluster

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
	code := m.Run()
	cluster.Remove()
	os.Exit(code)
}

// seed returns the seed of this run and tells which it is.
func seed(t *testing.T) uint64 {
	t.Helper()
	value := *seedFlag
	if value == 0 {
		value = uint64(time.Now().UnixNano())
	}
	t.Logf("-seed %d", value)
	return value
}
