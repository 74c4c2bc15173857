// Command bench measures what Faregate costs beside bare Caddy: both run at the same
// time, in turn under the same load, and the kernel tells what CPU time each has used
// for a request. ./xcaddy.sh bench builds and starts it; docs/performance.md tells how
// to read what it prints.
package main

import (
	"context"
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
	profiles  string
	accounts  int
	clients   int
	rate      float64
	store     string
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
	flags.StringVar(&o.profiles, "profiles", "", "directory for CPU and allocation profiles of both gateways under each workload")
	flags.IntVar(&o.clients, "clients", 0, "clients that call as fast as they can; 0: as many as suit the workload")
	flags.Float64Var(&o.rate, "rate", 0, "requests a second at the fixed rate; 0: what suits the workload")
	flags.IntVar(&o.accounts, "accounts", 16, "accounts that call, with one key each")
	flags.StringVar(&o.store, "store", "sqlite", "sqlite, or the address of an empty PostgreSQL database")
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		err := fmt.Errorf("the argument %q is too much", flags.Arg(0))
		fmt.Fprintln(screen, err)
		return o, err
	}
	return o, nil
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
	return measureAll(ctx, o, only, newTable(screen))
}

func measureAll(ctx context.Context, o options, only *regexp.Regexp, table *table) error {
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
		if err := compare(ctx, o, w, table); err != nil {
			return fmt.Errorf("%s: %w", w.name, err)
		}
	}
	return nil
}

// compare measures one workload with both gateways, which begin anew for it.
func compare(ctx context.Context, o options, w *workload, table *table) (err error) {
	directory, err := os.MkdirTemp(o.directory, "workload")
	if err != nil {
		return err
	}
	address := o.store
	if o.store == "sqlite" {
		address = "sqlite:" + filepath.Join(directory, "faregate.db")
	}
	secrets, err := openBooks(ctx, address, o.accounts)
	if err != nil {
		return err
	}
	header := providerHeader
	if o.spare {
		header = nil
	}
	p, err := startProvider([]*workload{w}, header, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.close()) }()
	s := &site{
		binary: o.binary, directory: directory, core: o.core, provider: p.address(), store: address, models: p.models(),
	}
	gateways := make([]*gateway, 2)
	for i, start := range []func(context.Context) (*gateway, error){s.bare, s.faregate} {
		g, err := start(ctx)
		if err != nil {
			return err
		}
		defer func() {
			if g.process.ProcessState == nil {
				err = errors.Join(err, g.stop())
			}
		}()
		gateways[i] = g
	}
	made := int64(0)
	round := func(p plan) (cells [2]*cell, err error) {
		for i, g := range gateways {
			c, l, err := measure(ctx, g, w, secrets, p)
			if err != nil {
				return cells, err
			}
			if i == 1 {
				made += l.answered.Load()
			}
			cells[i] = c
		}
		return cells, nil
	}
	span := time.Duration(o.seconds * float64(time.Second))
	var plans []plan
	if o.saturated {
		plans = append(plans, plan{warm: span / 4, measure: span})
	}
	if o.rates && w.rate > 0 {
		plans = append(plans, plan{warm: span / 4, measure: span, rate: w.rate}, plan{warm: span / 4, measure: span, rate: min(100, w.rate)})
	}
	for _, p := range plans {
		var rounds [][2]*cell
		for range o.rounds {
			cells, err := round(p)
			if err != nil {
				return err
			}
			rounds = append(rounds, cells)
		}
		table.add(w, p, rounds)
		if o.profiles != "" {
			for i, g := range gateways {
				answered, err := takeProfiles(ctx, g, w, secrets, p, o.profiles)
				if err != nil {
					return err
				}
				if i == 1 {
					made += answered
				}
			}
		}
	}
	for _, g := range gateways {
		if err := g.stop(); err != nil {
			return err
		}
	}
	return checkBooks(ctx, address, made)
}

// takeProfiles loads a gateway once more, and has it profiled meanwhile: that costs CPU
// time, so it is no measurement.
func takeProfiles(ctx context.Context, g *gateway, w *workload, secrets []string, p plan, directory string) (answered int64, err error) {
	if err := os.MkdirAll(directory, 0o700); err != nil {
		return 0, err
	}
	p.measure = 6 * time.Second
	failed := make(chan error, 1)
	name := filepath.Join(directory, regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(g.name+" "+w.name), "-"))
	if p.rate > 0 {
		name += fmt.Sprintf("-rate-%.0f", p.rate)
	}
	go func() {
		failed <- errors.Join(g.profile(ctx, "/debug/pprof/profile?seconds=5", name+".cpu"),
			g.profile(ctx, "/debug/pprof/allocs", name+".allocs"))
	}()
	_, l, err := measure(ctx, g, w, secrets, p)
	return l.answered.Load(), errors.Join(err, <-failed)
}
