package caddymodule

import (
	"context"
	"crypto/rand"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard" // the whole of Caddy, as users run it
	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/freeaddress"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// gateway is a whole Caddy with Faregate in this process, in front of a scripted
// provider, with one account and one key.
type gateway struct {
	t         *testing.T
	url       string
	address   string // of the store
	directory string
	logFile   string
	provider  *simulator.Server
	store     *store.Store
	account   string
	keyID     string
	secret    string
	config    string
}

// providerKey is what the gateway must show the provider.
const providerKey = "provider-key-of-the-operator"

// gatewayOptions change what startGateway makes.
type gatewayOptions struct {
	credit  string             // dollars; default 10
	models  []string           // patterns of the key
	site    string             // the site block's content; default: faregate
	global  string             // more global options
	extra   string             // more of the faregate option
	store   string             // address of the store; default: an SQLite file
	options *simulator.Options // of the provider
	logs    bool               // Caddy's access log is written in any case
}

func startGateway(t *testing.T, o gatewayOptions) *gateway {
	t.Helper()
	g := newGateway(t, o)
	g.run()
	return g
}

// run starts the gateway in this process, until the test ends.
func (g *gateway) run() {
	g.t.Helper()
	g.t.Setenv("XDG_DATA_HOME", g.directory)
	g.t.Setenv("XDG_CONFIG_HOME", g.directory)
	g.load()
	g.t.Cleanup(func() {
		if err := caddy.Stop(); err != nil {
			g.t.Errorf("stopping Caddy: %v", err)
		}
	})
}

// newGateway makes all that a gateway needs, its configuration too, but loads
// nothing: that may be done in another process.
func newGateway(t *testing.T, o gatewayOptions) *gateway {
	t.Helper()
	g := &gateway{t: t, directory: t.TempDir()}
	if g.address = o.store; o.store == "" {
		g.address = "sqlite:" + filepath.Join(g.directory, "faregate.db")
	}
	if o.options == nil {
		o.options = &simulator.Options{}
	}
	o.options.Key, o.options.Record = providerKey, true
	var err error
	if g.provider, err = simulator.Start("127.0.0.1:0", *o.options, nil); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = g.provider.Close(testContext(t)) })
	g.openStore(o)
	g.url = "http://" + freeAddress(t)
	keyFile := filepath.Join(g.directory, "provider-key")
	if err := os.WriteFile(keyFile, []byte(providerKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if o.site == "" {
		o.site = "faregate"
	}
	g.logFile = filepath.Join(g.directory, "caddy.log")
	g.config = fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period 2s
	log default {
		output file %[1]s
		level DEBUG
	}
	%[7]s
	faregate {
		store %[2]s
		provider openai {
			base_url %[3]s/v1
			api_key {file.%[4]s}
		}
		provider anthropic {
			base_url %[3]s
			api_key {file.%[4]s}
		}
		provider google {
			base_url %[3]s
			api_key {file.%[4]s}
		}
		%[8]s
	}
}
%[5]s {
	%[9]s
	%[6]s
}
`, g.logFile, g.storeLine(), g.provider.URL, keyFile, g.url, o.site, o.global, o.extra, o.accessLog())
	return g
}

// withoutAccessLog runs the tests as where the site has no log: the events of a stream take
// another way to the client then, as no handler of Caddy's stands between.
var withoutAccessLog = flag.Bool("without-access-log", false, "leave Caddy's access log out of the tests' configuration")

func (o gatewayOptions) accessLog() string {
	if *withoutAccessLog && !o.logs {
		return ""
	}
	return "log"
}

// storeLine says in the configuration where the store is.
func (g *gateway) storeLine() string {
	if path, ok := strings.CutPrefix(g.address, "sqlite:"); ok {
		return "sqlite " + path
	}
	return g.address
}

func testContext(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// load loads the configuration, as a start or a reload does.
func (g *gateway) load() {
	g.t.Helper()
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(g.config), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		g.t.Fatalf("adapting: %v", err)
	}
	if err := caddy.Load(adapted, true); err != nil {
		g.t.Fatalf("loading: %v", err)
	}
}

// openStore makes the account and its key, as the commands do: in another handle
// on the same file.
func (g *gateway) openStore(o gatewayOptions) {
	g.t.Helper()
	must := func(err error) {
		g.t.Helper()
		if err != nil {
			g.t.Fatal(err)
		}
	}
	ctx := testContext(g.t)
	opened, err := store.Open(g.address)
	must(err)
	g.t.Cleanup(func() { _ = opened.Close() })
	must(opened.Migrate(ctx))
	g.store, g.account = opened, uuid.Must(uuid.NewV7()).String()
	must(opened.CreateAccount(ctx, &auth.Account{
		ID: g.account, Email: "rider@example.com", Username: "rider", Status: auth.StatusActive, CreatedAt: time.Now(),
	}))
	if o.credit == "" {
		o.credit = "10"
	}
	if credit, err := metering.ParseUSD(o.credit); err != nil {
		g.t.Fatal(err)
	} else if credit > 0 {
		g.deposit(o.credit, "first")
	}
	g.keyID, g.secret = g.createKey(o.models, time.Time{})
}

func (g *gateway) deposit(dollars, ref string) {
	g.t.Helper()
	amount, err := metering.ParseUSD(dollars)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := g.store.Deposit(testContext(g.t), store.Deposit{
		AccountID: g.account, Amount: amount, Ref: ref, Actor: "test", At: time.Now(),
	}); err != nil {
		g.t.Fatal(err)
	}
}

func (g *gateway) createKey(models []string, expires time.Time) (id, secret string) {
	g.t.Helper()
	made, err := auth.NewSecret(rand.Reader)
	if err != nil {
		g.t.Fatal(err)
	}
	hash, err := auth.HashSecret(made.Reveal())
	if err != nil {
		g.t.Fatal(err)
	}
	id = uuid.Must(uuid.NewV7()).String()
	if err := g.store.CreateKey(testContext(g.t), &auth.Key{
		ID: id, AccountID: g.account, Name: "test", Hash: hash, Models: models, CreatedAt: time.Now(), ExpiresAt: expires,
	}); err != nil {
		g.t.Fatal(err)
	}
	return id, made.Reveal()
}

// reply is a whole answer as a client saw it.
type reply struct {
	status int
	header http.Header
	body   []byte
	err    error // of reading the body
}

// call sends a request with the gateway's key and reads the whole answer.
func (g *gateway) call(path, body string) reply {
	g.t.Helper()
	return g.callWith(path, body, http.Header{"Authorization": {"Bearer " + g.secret}})
}

func (g *gateway) callWith(path, body string, header http.Header) reply {
	g.t.Helper()
	method := http.MethodPost
	if body == "" {
		method = http.MethodGet
	}
	return g.send(method, path, body, header)
}

func (g *gateway) send(method, path, body string, header http.Header) reply {
	g.t.Helper()
	request, err := http.NewRequestWithContext(testContext(g.t), method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	if header != nil {
		request.Header = header.Clone()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return reply{err: err}
	}
	defer func() { _ = response.Body.Close() }()
	read, err := io.ReadAll(response.Body)
	return reply{status: response.StatusCode, header: response.Header, body: read, err: err}
}

// records returns the usage records, oldest first, once there are n.
func (g *gateway) records(n int) []*metering.Record {
	g.t.Helper()
	ctx := testContext(g.t)
	for {
		var records []*metering.Record
		for record, err := range g.store.Records(ctx, store.Filter{AccountID: g.account}) {
			if err != nil {
				g.t.Fatalf("reading records (%d of %d): %v", len(records), n, err)
			}
			records = append(records, record)
		}
		if len(records) >= n {
			return records
		}
		select {
		case <-ctx.Done():
			g.t.Fatalf("%d records, want %d", len(records), n)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// balance is what the account has, in the store.
func (g *gateway) balance() metering.Nanos {
	g.t.Helper()
	balance, err := g.store.Balance(testContext(g.t), g.account)
	if err != nil {
		g.t.Fatal(err)
	}
	return balance.Balance
}

// verify re-adds the ledger.
func (g *gateway) verify() {
	g.t.Helper()
	report, err := g.store.Verify(testContext(g.t))
	if err != nil {
		g.t.Fatal(err)
	}
	for _, difference := range report.Differences {
		g.t.Errorf("ledger: %v", difference)
	}
}

// freeAddress is where nobody listens.
func freeAddress(t *testing.T) string {
	t.Helper()
	address, err := freeaddress.Find()
	if err != nil {
		t.Fatal(err)
	}
	return address
}
