//go:build linux

package attacks

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/freeaddress"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

const (
	providerKey = "provider-key-of-the-operator"
	// patience bounds every wait; machines that run tests are busy.
	patience = 60 * time.Second
)

// gateway is a caddy in a process of its own, with a site for HTTP and one for HTTPS.
type gateway struct {
	t               *testing.T
	directory       string
	plain, secure   string // addresses
	provider        *simulator.Server
	account, secret string // the customer's
	limited         string // the attacker's key
	store           *store.Store
	command         *exec.Cmd
	ended           chan error
	calls, answered int // of the customer
	memory          int64
}

const configuration = `{
	admin off
	persist_config off
	auto_https disable_redirects
	log {
		output file %[1]s/caddy.log
	}
	faregate {
		store sqlite %[1]s/faregate.db
		max_requests 20000
		group limited {
			concurrency 20
		}
		provider openai {file.%[1]s/provider-key} {
			base_url %[2]s/v1
		}
	}
}
http://%[3]s {
	bind 127.0.0.1
	faregate
}
https://%[4]s {
	bind 127.0.0.1
	tls %[1]s/certificate.pem %[1]s/key.pem
	faregate
}
`

func startGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{t: t, directory: t.TempDir()}
	var err error
	g.plain, g.secure = freeAddresses(t)
	g.provider, err = simulator.Start("127.0.0.1:0", simulator.Options{Key: providerKey, Record: true}, nil)
	must(t, err)
	t.Cleanup(func() { _ = g.provider.Close(g.deadline()) })
	g.write("provider-key", []byte(providerKey))
	g.writeCertificate()
	g.write("Caddyfile", fmt.Appendf(nil, configuration, g.directory, g.provider.URL, g.plain, g.secure))
	g.openStore()
	g.command = exec.Command(os.Args[0], "run", "--config", filepath.Join(g.directory, "Caddyfile"), "--adapter", "caddyfile")
	g.command.Env = append(os.Environ(), gatewayProcess+"=1", "XDG_DATA_HOME="+g.directory, "XDG_CONFIG_HOME="+g.directory)
	output, err := os.Create(filepath.Join(g.directory, "output"))
	must(t, err)
	defer output.Close()
	g.command.Stdout, g.command.Stderr = output, output
	leash, err := g.command.StdinPipe()
	must(t, err)
	must(t, g.command.Start())
	g.ended = make(chan error, 1)
	go func() { g.ended <- g.command.Wait() }()
	t.Cleanup(func() { g.stop(leash) })
	for deadline := time.Now().Add(patience); ; time.Sleep(5 * time.Millisecond) {
		if answer, err := http.Get("http://" + g.plain + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				break
			}
		}
		select {
		case err := <-g.ended:
			g.ended <- err
			deadline = time.Time{}
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the gateway does not listen: %s%s", g.read("output"), g.read("caddy.log"))
		}
	}
	g.behave(20) // so that what every gateway needs is there
	g.memory = g.resident()
	return g
}

// stop ends the gateway in good order, and looks at its log and its books.
func (g *gateway) stop(leash io.Closer) {
	defer leash.Close()
	_ = g.command.Process.Signal(syscall.SIGTERM) // one that has ended says so below
	select {
	case err := <-g.ended:
		if err != nil {
			g.t.Errorf("the gateway ended with %v: %s", err, g.read("output"))
		}
	case <-time.After(patience):
		_ = g.command.Process.Kill()
		g.t.Error("the gateway does not end")
	}
	for _, bad := range []string{"panic", "internal error", "DATA RACE", providerKey, g.secret, "SMUGGLED"} {
		if strings.Contains(g.read("caddy.log")+g.read("output"), bad) {
			g.t.Errorf("the gateway logged %q", bad)
		}
	}
	report, err := g.store.Verify(g.deadline())
	if err != nil || len(report.Differences) > 0 {
		g.t.Errorf("the books: %v %v", err, report)
	}
	_ = g.store.Close()
}

func (g *gateway) write(name string, text []byte) {
	g.t.Helper()
	must(g.t, os.WriteFile(filepath.Join(g.directory, name), text, 0o600))
}

func (g *gateway) read(name string) string {
	text, err := os.ReadFile(filepath.Join(g.directory, name))
	if err != nil {
		return err.Error()
	}
	return string(text)
}

// writeCertificate takes the one that net/http/httptest has for this machine.
func (g *gateway) writeCertificate() {
	g.t.Helper()
	server := httptest.NewTLSServer(http.NotFoundHandler())
	defer server.Close()
	certificate := server.TLS.Certificates[0]
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	must(g.t, err)
	g.write("certificate.pem", pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}))
	g.write("key.pem", pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key}))
}

// insecure trusts any certificate: both ends are ours.
func insecure(protocols ...string) *tls.Config {
	return &tls.Config{InsecureSkipVerify: true, NextProtos: protocols} //nolint:gosec // a test's own server
}

// openStore makes the customer, and an account that attacks and is held to limits.
func (g *gateway) openStore() {
	g.t.Helper()
	opened, err := store.Open("sqlite:" + filepath.Join(g.directory, "faregate.db"))
	must(g.t, err)
	must(g.t, opened.Migrate(g.deadline()))
	g.store = opened
	g.account, g.secret = g.openAccount("customer", "")
	_, g.limited = g.openAccount("attacker", "limited")
}

func (g *gateway) openAccount(name, group string) (account, secret string) {
	g.t.Helper()
	ctx := g.deadline()
	account, secret = uuid.Must(uuid.NewV7()).String(), newSecret(g.t)
	must(g.t, g.store.CreateAccount(ctx, &auth.Account{ID: account, Email: name + "@example.com", Username: name, Group: group, Status: auth.StatusActive, CreatedAt: time.Now()}))
	_, err := g.store.Deposit(ctx, store.Deposit{AccountID: account, Amount: 1000 * metering.Dollar, Ref: name, Actor: "test", At: time.Now()})
	must(g.t, err)
	hash, err := auth.HashSecret(secret)
	must(g.t, err)
	must(g.t, g.store.CreateKey(ctx, &auth.Key{ID: uuid.Must(uuid.NewV7()).String(), AccountID: account, Name: name, Hash: hash, CreatedAt: time.Now()}))
	return account, secret
}

// newSecret is a key that is nobody's yet.
func newSecret(t *testing.T) string {
	t.Helper()
	made, err := auth.NewSecret(rand.Reader)
	must(t, err)
	return made.Reveal()
}

// records counts the usage records.
func (g *gateway) records() (n int) {
	g.t.Helper()
	for _, err := range g.store.Records(g.deadline(), store.Filter{AccountID: g.account}) {
		must(g.t, err)
		n++
	}
	return n
}

// resident is the gateway's memory, in bytes.
func (g *gateway) resident() int64 {
	g.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", g.command.Process.Pid))
	must(g.t, err)
	var kilobytes int64
	for line := range strings.Lines(string(text)) {
		if _, err := fmt.Sscanf(line, "VmRSS: %d kB", &kilobytes); err == nil {
			return kilobytes << 10
		}
	}
	g.t.Fatal("no VmRSS")
	return 0
}

// bounded fails if the gateway has grown by more than so many bytes.
func (g *gateway) bounded(most int64) {
	g.t.Helper()
	grown := g.resident() - g.memory
	if grown > most*watched {
		g.t.Errorf("the gateway has grown by %d MiB, more than %d", grown>>20, most*watched>>20)
	}
	g.t.Logf("memory: %d MiB, %+d MiB", g.resident()>>20, grown>>20)
}

func (g *gateway) deadline() context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(g.t.Context()), patience)
	g.t.Cleanup(cancel)
	return ctx
}

func freeAddresses(t *testing.T) (first, second string) {
	t.Helper()
	first, err := freeaddress.Find()
	must(t, err)
	second, err = freeaddress.Find()
	must(t, err)
	return first, second
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
