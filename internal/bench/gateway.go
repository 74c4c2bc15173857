package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/faregate/faregate/internal/freeaddress"
)

const (
	startLimit = time.Minute
	stopLimit  = time.Minute
	// providerKeyVariable holds the key that the gateway shows the provider.
	providerKeyVariable = "FAREGATE_BENCH_PROVIDER_KEY"
)

// gateway is a running caddy: bare, or with Faregate.
type gateway struct {
	name    string
	address string
	admin   string
	log     string // its file
	started time.Duration
	process *exec.Cmd
	exited  chan error
}

// How Faregate writes its line for each request.
const (
	logBatched = "batched" // some at a time, as in Caddyfile.example
	logSingle  = "single"  // each by itself, as Caddy does by default
	logOff     = "off"
)

// site is what a gateway of either kind needs to know.
type site struct {
	binary, directory string
	core              int // -1: all
	provider          string
	authority         string // file of the provider's certificate authority; empty: no TLS
	store             string // of Faregate
	models            []string
	log               string // of logs, for Faregate
}

func (s *site) url() string {
	if s.authority != "" {
		return "https://" + s.provider
	}
	return "http://" + s.provider
}

// bare is Caddy as a plain proxy, with as many idle connections as Faregate keeps.
func (s *site) bare(ctx context.Context) (*gateway, error) {
	return s.start(ctx, "bare Caddy", "", func(address string) string {
		return fmt.Sprintf(`http://%s {
	bind 127.0.0.1
	reverse_proxy %s {
		header_up Host {upstream_hostport}
		transport http {
			keepalive_idle_conns 1024
			keepalive_idle_conns_per_host 1024
		}
	}
}
`, address, s.url())
	})
}

// faregate is the gateway with all that it does: keys, limits, holds, metering, a durable
// settlement for each request and its line in the log.
func (s *site) faregate(ctx context.Context) (*gateway, error) {
	var models strings.Builder
	for _, model := range s.models {
		_, rest, _ := strings.Cut(model, "-")
		dialect, _, _ := strings.Cut(rest, "-")
		fmt.Fprintf(&models, "\t\tmodel %s {\n\t\t\tto bench-%s\n\t\t\tprice input 0.15 output 0.60\n\t\t\tcontext_length 2000000\n\t\t}\n", model, dialect)
	}
	var providers strings.Builder
	for name, path := range map[string]string{"openai": "/v1", "anthropic": "", "google": ""} {
		var own []string
		for _, model := range s.models {
			if strings.HasPrefix(model, modelPrefix+name+"-") {
				own = append(own, model)
			}
		}
		if len(own) > 0 {
			fmt.Fprintf(&providers, "\t\tprovider bench-%s {\n\t\t\tdialect %s\n\t\t\tbase_url %s%s\n\t\t\tapi_key {env.%s}\n\t\t\tmodels %s\n\t\t}\n",
				name, name, s.url(), path, providerKeyVariable, strings.Join(own, " "))
		}
	}
	log, global := "", ""
	switch s.log {
	case logOff:
		log = "\t\taccess_log off\n"
	case logBatched:
		global = "\tlog {\n\t\toutput faregate_batch stderr\n\t}\n"
	}
	options := global + fmt.Sprintf("\tfaregate {\n\t\tstore %s\n%s%s%s\t\tgroup default {\n\t\t\trpm 1000000000\n\t\t\ttpm 1000000000\n\t\t\tconcurrency 100000\n\t\t}\n\t}\n",
		s.storeLine(), log, providers.String(), models.String())
	return s.start(ctx, "Faregate", options, func(address string) string {
		return fmt.Sprintf("http://%s {\n\tbind 127.0.0.1\n\tfaregate\n}\n", address)
	})
}

// storeLine is the address of the store as the configuration says it.
func (s *site) storeLine() string {
	if path, ok := strings.CutPrefix(s.store, "sqlite:"); ok {
		return "sqlite " + path
	}
	return "postgres " + s.store
}

// start starts a gateway, again where another program has taken its port meanwhile.
func (s *site) start(ctx context.Context, name, options string, serve func(address string) string) (*gateway, error) {
	for try := 1; ; try++ {
		g, err := s.startOnce(ctx, name, options, serve)
		if err == nil || try == 5 || !strings.Contains(err.Error(), "address already in use") {
			return g, err
		}
	}
}

func (s *site) startOnce(ctx context.Context, name, options string, serve func(address string) string) (*gateway, error) {
	addresses, err := freeAddresses(2)
	if err != nil {
		return nil, err
	}
	g := &gateway{name: name, address: addresses[0], admin: addresses[1], exited: make(chan error, 1)}
	home, err := os.MkdirTemp(s.directory, strings.ReplaceAll(name, " ", "-"))
	if err != nil {
		return nil, err
	}
	g.log = filepath.Join(home, "log")
	config := fmt.Sprintf("{\n\tadmin %s\n\tpersist_config off\n\tauto_https off\n%s}\n%s", g.admin, options, serve(g.address))
	file := filepath.Join(home, "Caddyfile")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(g.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	g.process = exec.Command(s.binary, "run", "--config", file, "--adapter", "caddyfile")
	g.process.Env = append(os.Environ(), "XDG_DATA_HOME="+home, "XDG_CONFIG_HOME="+home, providerKeyVariable+"=bench-provider-key")
	if s.authority != "" {
		g.process.Env = append(g.process.Env, "SSL_CERT_FILE="+s.authority)
	}
	g.process.Stdout, g.process.Stderr = log, log
	began := time.Now()
	if err := startPinned(g.process, s.core); err != nil {
		return nil, fmt.Errorf("start %s: %w", name, err)
	}
	go func() { g.exited <- g.process.Wait() }()
	if err := g.awaitReady(ctx); err != nil {
		return nil, errors.Join(err, g.stop())
	}
	g.started = time.Since(began)
	return g, nil
}

func freeAddresses(count int) ([]string, error) {
	var addresses []string
	for range count {
		address, err := freeaddress.Find()
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, address)
	}
	return addresses, nil
}

// awaitReady waits until requests are taken: bare Caddy answers anything then.
func (g *gateway) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	path := "/readyz"
	if g.name != "Faregate" {
		path = "/"
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	try := time.NewTicker(2 * time.Millisecond)
	defer try.Stop()
	for {
		select {
		case err := <-g.exited:
			g.exited <- err
			said, _ := os.ReadFile(g.log)
			return fmt.Errorf("%s has ended: %w\n%s", g.name, err, said[max(0, len(said)-2000):])
		case <-ctx.Done():
			return fmt.Errorf("%s did not begin to serve: %w; %s says why", g.name, ctx.Err(), g.log)
		case <-try.C:
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.address+path, nil)
			if err != nil {
				return err
			}
			answer, err := client.Do(request)
			if err != nil {
				continue
			}
			answer.Body.Close()
			if g.name != "Faregate" || answer.StatusCode == http.StatusOK {
				return nil
			}
		}
	}
}

func (g *gateway) pid() int { return g.process.Process.Pid }

// stop ends the gateway in good order.
func (g *gateway) stop() error {
	if err := g.process.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case err := <-g.exited:
		return err
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("%s did not stop within %s and was killed", g.name, stopLimit), g.process.Process.Kill())
	}
}

// kill ends the gateway at once if nobody has stopped it.
func (g *gateway) kill() {
	if g.process.ProcessState == nil {
		_ = g.process.Process.Kill() // it may end by itself meanwhile
	}
}

// metrics reads series of the gateway's own metrics, without labels.
func (g *gateway) metrics(ctx context.Context, names ...string) (map[string]float64, error) {
	answer, err := g.get(ctx, "/metrics")
	if err != nil {
		return nil, err
	}
	defer answer.Close()
	values := make(map[string]float64)
	lines := bufio.NewScanner(answer)
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), " ")
		for _, wanted := range names {
			if name == wanted {
				if values[name], err = strconv.ParseFloat(value, 64); err != nil {
					return nil, err
				}
			}
		}
	}
	return values, lines.Err()
}

// profile writes one of Go's profiles of the gateway to a file.
func (g *gateway) profile(ctx context.Context, path, file string) error {
	answer, err := g.get(ctx, path)
	if err != nil {
		return err
	}
	defer answer.Close()
	out, err := os.Create(file)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, answer)
	return errors.Join(err, out.Close())
}

func (g *gateway) get(ctx context.Context, path string) (io.ReadCloser, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.admin+path, nil)
	if err != nil {
		return nil, err
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	if answer.StatusCode != http.StatusOK {
		answer.Body.Close()
		return nil, fmt.Errorf("%s of %s: %s", path, g.name, answer.Status)
	}
	return answer.Body, nil
}
