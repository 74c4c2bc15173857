// Command bench measures what Faregate costs beside bare Caddy: both run at the same
// time, in turn under the same load, and the kernel tells what CPU time each has used
// for a request. ./xcaddy.sh bench builds and starts it; docs/performance.md tells how
// to read what it prints.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"syscall"
	"time"

	"github.com/faregate/faregate/internal/store/postgrestest"
)

type options struct {
	binary    string
	directory string
	rounds    int
	seconds   float64
	only      string
	core      int
	tls       bool
	rates     bool
	saturated bool
	spare     bool
	log       string
	profiles  string
	accounts  int
	clients   int
	least     int64
	rate      float64
	store     string
	filled    int
	soak      time.Duration
	cluster   *postgrestest.Cluster
}

func main() {
	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if err := run(ctx, o, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func parseOptions(arguments []string, screen io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(screen)
	flags.StringVar(&o.binary, "caddy", "./caddy", "the binary that is measured, as bare Caddy too")
	flags.StringVar(&o.directory, "dir", "", "directory for what the gateways write; default: a temporary one")
	flags.IntVar(&o.rounds, "rounds", 3, "how often each is measured, in turn with bare Caddy")
	flags.Float64Var(&o.seconds, "seconds", 2, "how long one measurement takes")
	flags.StringVar(&o.only, "only", "", "workloads whose name this regular expression matches")
	flags.IntVar(&o.core, "core", 0, "the processor that the gateways run on, the load being on the next one; -1: all on all")
	flags.BoolVar(&o.tls, "tls", false, "HTTP/2 over TLS towards the provider")
	flags.BoolVar(&o.saturated, "saturated", true, "measure with clients that call as fast as they can")
	flags.BoolVar(&o.rates, "rates", true, "measure at fixed rates")
	flags.BoolVar(&o.spare, "spare-headers", false, "the provider sends two header fields in place of those that providers send")
	flags.StringVar(&o.log, "log", logBatched, "Faregate's lines for each request: batched, single or off")
	flags.StringVar(&o.profiles, "profiles", "", "directory for CPU and allocation profiles of both gateways under each workload")
	flags.IntVar(&o.clients, "clients", 0, "clients that call as fast as they can; 0: as many as suit the workload")
	flags.Float64Var(&o.rate, "rate", 0, "requests a second at the fixed rate; 0: what suits the workload")
	flags.IntVar(&o.accounts, "accounts", 16, "accounts that call, with one key each")
	flags.StringVar(&o.store, "store", "sqlite", "sqlite, or postgres: a server of its own on the load's processor")
	flags.IntVar(&o.filled, "filled", 0, "compare a store with this many accounts, of ten keys each, with a small one, in place of bare Caddy")
	flags.DurationVar(&o.soak, "soak", 0, "load the gateway at a fixed rate for this long and watch its memory, in place of all else")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	switch {
	case flags.NArg() > 0:
		err = fmt.Errorf("the argument %q is too much", flags.Arg(0))
	case o.store != "sqlite" && o.store != "postgres":
		err = fmt.Errorf("--store is sqlite or postgres, not %q", o.store)
	case o.log != logBatched && o.log != logSingle && o.log != logOff:
		err = fmt.Errorf("--log is batched, single or off, not %q", o.log)
	case o.filled > 0 && o.store != "sqlite":
		err = errors.New("--filled fills SQLite stores only")
	case o.rounds < 1 || o.seconds <= 0 || o.accounts < 1:
		err = errors.New("--rounds, --seconds and --accounts must be above zero")
	}
	if err != nil {
		fmt.Fprintln(screen, err)
	}
	return o, err
}

func run(ctx context.Context, o options, screen io.Writer) (err error) {
	only, err := regexp.Compile(o.only)
	if err != nil {
		return err
	}
	if o.directory == "" {
		if o.directory, err = os.MkdirTemp("", "faregate-bench"); err != nil {
			return err
		}
		defer func() { err = errors.Join(err, os.RemoveAll(o.directory)) }()
	}
	if !supported {
		return errUnsupported
	}
	fmt.Fprintln(screen, machine())
	if o.core >= 0 && runtime.NumCPU() > 1 {
		if err := pinSelf((o.core + 1) % runtime.NumCPU()); err != nil {
			return err
		}
	}
	if o.store == "postgres" {
		o.cluster = new(postgrestest.Cluster)
		if err := o.cluster.Serve(); err != nil {
			return err
		}
		defer o.cluster.Remove()
	}
	switch {
	case o.soak > 0:
		return soak(ctx, o, screen)
	case o.filled > 0:
		return compareFilled(ctx, o, newTable(screen))
	}
	return measureAll(ctx, o, only, newTable(screen))
}

// measureAll goes on with the next workload where one fails, and tells of it at the end.
func measureAll(ctx context.Context, o options, only *regexp.Regexp, table *table) (err error) {
	for _, w := range workloads() {
		if !only.MatchString(w.name) {
			continue
		}
		if o.clients > 0 {
			w.clients = o.clients
		}
		if o.rate > 0 && w.rate > 0 {
			w.rate = o.rate
		}
		if failed := compare(ctx, o, w, table); failed != nil {
			err = errors.Join(err, fmt.Errorf("%s: %w", w.name, failed))
		}
		if ctx.Err() != nil {
			return err
		}
	}
	return err
}

// stage is what a workload needs around it: a provider, and books with customers.
type stage struct {
	*site
	provider *provider
	secrets  []string
}

// prepare makes a stage in a directory of its own.
func prepare(ctx context.Context, o options, workloads ...*workload) (*stage, error) {
	directory, err := os.MkdirTemp(o.directory, "stage")
	if err != nil {
		return nil, err
	}
	s := &stage{site: &site{binary: o.binary, directory: directory, core: o.core, log: o.log}}
	if s.store, err = o.newStore(directory); err != nil {
		return nil, err
	}
	if s.secrets, err = openBooks(ctx, s.store, o.accounts); err != nil {
		return nil, err
	}
	header := providerHeader
	if o.spare {
		header = nil
	}
	var certificate *tls.Certificate
	if o.tls {
		s.authority = filepath.Join(directory, "authority.pem")
		if certificate, err = newCertificate(s.authority); err != nil {
			return nil, err
		}
	}
	if s.provider, err = startProvider(workloads, header, certificate); err != nil {
		return nil, err
	}
	s.site.provider, s.models = s.provider.address(), s.provider.models()
	return s, nil
}

// newStore is the address of an empty store.
func (o options) newStore(directory string) (string, error) {
	if o.store == "sqlite" {
		return "sqlite:" + filepath.Join(directory, "faregate.db"), nil
	}
	return o.cluster.AddDatabase("template0")
}

// compare measures one workload with both gateways, which begin anew for it.
func compare(ctx context.Context, o options, w *workload, table *table) (err error) {
	s, err := prepare(ctx, o, w)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.provider.close()) }()
	var gateways [2]*gateway
	for i, start := range []func(context.Context) (*gateway, error){s.bare, s.faregate} {
		if gateways[i], err = start(ctx); err != nil {
			return err
		}
		defer gateways[i].kill()
	}
	made := int64(0)
	for _, p := range o.plans(w) {
		var rounds [][2]*cell
		for range o.rounds {
			var cells [2]*cell
			for i, g := range gateways {
				c, l, err := measure(ctx, g, w, s.secrets, p)
				if err != nil {
					return err
				}
				if cells[i] = c; i == 1 {
					made += l.answered.Load()
				}
			}
			rounds = append(rounds, cells)
		}
		table.add(w, p, rounds)
		if o.profiles == "" {
			continue
		}
		for i, g := range gateways {
			answered, err := takeProfiles(ctx, g, w, s.secrets, p, o.profiles)
			if err != nil {
				return err
			}
			if i == 1 {
				made += answered
			}
		}
	}
	for _, g := range gateways {
		if err := g.stop(); err != nil {
			return err
		}
	}
	return checkBooks(ctx, s.store, made)
}

// plans are the ways in which a workload is measured.
func (o options) plans(w *workload) []plan {
	span := time.Duration(o.seconds * float64(time.Second))
	var plans []plan
	if o.saturated {
		plans = append(plans, plan{warm: span / 4, measure: span, least: o.least})
	}
	if o.rates && w.rate > 0 {
		plans = append(plans, plan{warm: span / 4, measure: span, rate: min(calm, w.rate)})
		if w.rate > calm { // last, as it may be more than this machine can do
			plans = append(plans, plan{warm: span / 4, measure: span, rate: w.rate})
		}
	}
	return plans
}

// calm is the rate at which times are what a caller would see: nobody waits for others.
const calm = 100

// takeProfiles loads a gateway once more, for as long as a measurement but for no less than
// some seconds, and has it profiled meanwhile: that costs CPU time, so it is no measurement.
func takeProfiles(ctx context.Context, g *gateway, w *workload, secrets []string, p plan, directory string) (answered int64, err error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return 0, err
	}
	p.measure = max(p.measure, 6*time.Second)
	seconds := int(p.measure.Seconds()) - 1
	failed := make(chan error, 1)
	name := filepath.Join(directory, regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(g.name+" "+w.name), "-"))
	if p.rate > 0 {
		name += fmt.Sprintf("-rate-%.0f", p.rate)
	}
	go func() {
		failed <- errors.Join(g.profile(ctx, fmt.Sprintf("/debug/pprof/profile?seconds=%d", seconds), name+".cpu"),
			g.profile(ctx, "/debug/pprof/allocs", name+".allocs"))
	}()
	_, l, err := measure(ctx, g, w, secrets, p)
	return l.answered.Load(), errors.Join(err, <-failed)
}
