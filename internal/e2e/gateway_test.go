package e2e

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/freeaddress"
	"github.com/faregate/faregate/internal/simulator"
)

const (
	// providerKey is what the gateway must show the provider.
	providerKey = "provider-key-of-the-operator"
	// patience bounds every wait for another process; it is long because
	// machines that run tests are busy.
	patience = 30 * time.Second
	// noticed is how soon the server must know what the command line has done.
	noticed = time.Second
	// maxBody is the longest request body, in bytes.
	maxBody = 64 << 10
)

// gateway is ./caddy as a process, with its own directory, in front of a provider
// that the test scripts.
type gateway struct {
	t        *testing.T
	caddy    string
	url      string
	dir      string
	provider *simulator.Server

	process *exec.Cmd
	exited  chan error
}

// caddyfile is the operator's: all well-known providers at the simulator, a
// provider that nobody knows, and one per dialect that is down.
const caddyfile = `{
	admin unix/%[1]s/admin.sock
	grace_period 5s
	log {
		output file %[1]s/caddy.log
		level DEBUG
	}
	faregate {
		store sqlite %[1]s/faregate.db
		lockout off
		provider openai {env.E2E_PROVIDER_KEY} {
			base_url %[2]s/v1
		}
		provider anthropic {file.%[1]s/provider-key} {
			base_url %[2]s
		}
		provider google {file.%[1]s/provider-key} {
			base_url %[2]s
		}
		provider xai {file.%[1]s/provider-key} {
			base_url %[2]s/v1
		}
		provider house {
			dialect openai
			base_url %[2]s/v1
			api_key {file.%[1]s/provider-key}
		}
		model house/large {
			to house/large-2
			price input 0.5 output 1.5 cache_read 0.05 {
				unit web_search 0.01
			}
		}
		provider dead-openai {
			dialect openai
			base_url http://127.0.0.1:1/v1
			api_key {env.E2E_PROVIDER_KEY}
		}
		provider dead-anthropic {
			dialect anthropic
			base_url http://127.0.0.1:1
			api_key {env.E2E_PROVIDER_KEY}
		}
		provider dead-google {
			dialect google
			base_url http://127.0.0.1:1
			api_key {env.E2E_PROVIDER_KEY}
		}
		model dead-openai {
			to dead-openai/m
			price input 1 output 1
		}
		model dead-anthropic {
			to dead-anthropic/m
			price input 1 output 1
		}
		model dead-google {
			to dead-google/m
			price input 1 output 1
		}
	}
}

%[3]s {
	faregate {
		max_body %[4]d
	}
}
`

// startGateway starts the provider and ./caddy, and stops both when the test ends:
// as an operator would, so that the stop is proven too.
func startGateway(t *testing.T) *gateway {
	t.Helper()
	return startGatewayFor(t, maxBody)
}

// startGatewayFor takes bodies of up to this many bytes.
func startGatewayFor(t *testing.T, longest int) *gateway {
	t.Helper()
	// Not t.TempDir: the path of a Unix socket has room for some 100 bytes.
	dir, err := os.MkdirTemp("", "faregate-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	g := &gateway{t: t, caddy: requireCaddy(t), dir: dir}
	g.provider, err = simulator.Start("127.0.0.1:0", simulator.Options{
		Key: providerKey, Record: true,
		Now: func() time.Time { return time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC) },
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.provider.Close(deadline(t)); err != nil {
			t.Error(err)
		}
	})
	address := freeAddress(t)
	g.url = "http://" + address
	g.write("provider-key", providerKey+"\n")
	g.write("Caddyfile", fmt.Sprintf(caddyfile, dir, g.provider.URL, g.url, longest))
	g.start(address)
	return g
}

func (g *gateway) write(name, text string) {
	g.t.Helper()
	if err := os.WriteFile(filepath.Join(g.dir, name), []byte(text), 0o600); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) environment() []string {
	return append(os.Environ(), "E2E_PROVIDER_KEY="+providerKey,
		"XDG_DATA_HOME="+g.dir, "XDG_CONFIG_HOME="+g.dir, "HOME="+g.dir)
}

func (g *gateway) start(address string) {
	g.t.Helper()
	var said bytes.Buffer // read only after the process has ended
	g.process = exec.Command(g.caddy, "run", "--config", "Caddyfile", "--adapter", "caddyfile")
	g.process.Dir, g.process.Env, g.process.Stdout, g.process.Stderr = g.dir, g.environment(), &said, &said
	endWithTests(g.process)
	started := make(chan error)
	g.exited = make(chan error, 1)
	go func() {
		runtime.LockOSThread() // the system ends it with the thread that started it, too
		err := g.process.Start()
		started <- err
		if err == nil {
			g.exited <- g.process.Wait()
		}
	}()
	if err := <-started; err != nil {
		g.t.Fatal(err)
	}
	g.t.Cleanup(func() { g.stop(&said) })
	within(g.t, patience, "the gateway listens", func() bool {
		select {
		case err := <-g.exited:
			g.exited <- err
			g.t.Fatalf("the gateway has ended: %v\n%s", err, said.String())
		default:
		}
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err != nil {
			return false
		}
		return connection.Close() == nil
	})
	// Caddy may listen before the store has its tables.
	within(g.t, patience, "the store is open", func() bool {
		log, err := os.ReadFile(filepath.Join(g.dir, "caddy.log"))
		return err == nil && bytes.Contains(log, []byte("the gateway is ready"))
	})
}

func (g *gateway) stop(said *bytes.Buffer) {
	_ = g.process.Process.Signal(syscall.SIGTERM) // one that has ended says so by its status
	select {
	case err := <-g.exited:
		if err != nil {
			g.t.Errorf("the gateway ended with %v\n%s", err, said.String())
		}
	case <-time.After(patience):
		_ = g.process.Process.Kill()
		g.t.Errorf("the gateway did not stop: %v", <-g.exited)
	}
	g.checkLog()
}

// checkLog fails on whatever the gateway itself calls an error, and on what must
// not be in a log at any level.
func (g *gateway) checkLog() {
	log, err := os.ReadFile(filepath.Join(g.dir, "caddy.log"))
	if err != nil {
		g.t.Error(err)
	}
	for line := range strings.Lines(string(log)) {
		if strings.Contains(line, `"level":"error"`) || strings.Contains(line, "panic") {
			g.t.Errorf("the gateway logged %s", line)
		}
		for _, private := range []string{providerKey, "sk-fg-", hello, simulator.StandardText[:30], "simulated error"} {
			if strings.Contains(line, private) {
				g.t.Errorf("the gateway logged %q in %s", private, line)
			}
		}
	}
}

// send sends a request without an SDK and reads the answer; header has
// names and values in turn.
func (g *gateway) send(method, path, body string, header ...string) (status int, answered http.Header, read []byte, err error) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(deadline(g.t), method, g.url+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, nil, err
	}
	for i := 0; i+1 < len(header); i += 2 {
		request.Header.Set(header[i], header[i+1])
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, nil, nil, err
	}
	defer response.Body.Close()
	var all bytes.Buffer
	_, err = all.ReadFrom(response.Body)
	return response.StatusCode, response.Header, all.Bytes(), err
}

func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeaddress.Find()
	if err != nil {
		t.Fatal(err)
	}
	return address
}

// deadline is a context that ends after patience; cleanups may use it too.
func deadline(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeoutCause(context.WithoutCancel(t.Context()), patience, errors.New("out of patience"))
	t.Cleanup(cancel)
	return ctx
}

// within polls until the condition holds, and fails after the limit.
func within(t *testing.T, limit time.Duration, what string, holds func() bool) {
	t.Helper()
	poll := time.NewTicker(10 * time.Millisecond)
	defer poll.Stop()
	timeout := time.After(limit)
	for !holds() {
		select {
		case <-timeout:
			t.Fatalf("%s: not within %s", what, limit)
		case <-poll.C:
		}
	}
}
