// Command demo shows Faregate at work without any provider key: it starts the
// built ./caddy with docs/demo.Caddyfile, creates an account with credit and a
// key on the first run, makes one metered streaming call, shows what it cost,
// and serves until it is stopped. ./xcaddy.sh run builds and starts it.
//
// It does everything as a user would: the account through `caddy faregate …`
// commands, the call over HTTP. With --once it stops after the call; the exit
// code says whether tokens, price and balance agreed:
//
//	.build/demo --once --dir /tmp/try
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
	"runtime"
	"syscall"
)

type options struct {
	dir  string // state directory
	port int    // first port to try
	once bool   // stop after the call
}

func main() {
	// The server is bound to the life of the thread that starts it (process_linux.go).
	runtime.LockOSThread()

	o, err := parseOptions(os.Args[1:], os.Stderr)
	switch {
	case errors.Is(err, flag.ErrHelp):
		return
	case err != nil:
		os.Exit(2)
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	stopped := func() bool { return ctx.Err() != nil && !o.once }
	if err := run(ctx, o); err != nil && !stopped() {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

// parseOptions reads the command line; what is wrong with it has been said on screen.
func parseOptions(arguments []string, screen io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("demo", flag.ContinueOnError)
	flags.SetOutput(screen)
	flags.StringVar(&o.dir, "dir", ".demo", "directory for the demo's data")
	flags.IntVar(&o.port, "port", 8080, "port on 127.0.0.1; when taken, the next free one is used")
	flags.BoolVar(&o.once, "once", false, "make the call, check it and stop")
	flags.Usage = func() {
		fmt.Fprintln(screen, "usage: ./xcaddy.sh run [--dir DIRECTORY] [--port N] [--once]")
		flags.PrintDefaults()
	}
	if err := flags.Parse(arguments); err != nil {
		return o, err
	}
	// The flags behind such a word would not be read.
	if flags.NArg() > 0 {
		err := fmt.Errorf("the argument %q is too much", flags.Arg(0))
		fmt.Fprintln(screen, err)
		flags.Usage()
		return o, err
	}
	return o, nil
}

func run(ctx context.Context, o options) (err error) {
	if err := os.MkdirAll(o.dir, 0o700); err != nil {
		return err
	}
	unlock, err := lock(filepath.Join(o.dir, "lock"))
	if err != nil {
		return err
	}
	defer unlock()

	server, err := startServer(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, server.stop()) }()

	customer, err := prepareCustomer(ctx, server.commands, filepath.Join(o.dir, "key"))
	if err != nil {
		return err
	}
	models, err := listModels(ctx, server.address, customer.secret)
	if err != nil {
		return err
	}
	if err := showCall(ctx, os.Stdout, server, customer, models); err != nil {
		return err
	}
	if o.once {
		return nil
	}
	if err := showHowTo(os.Stdout, server, customer, models, o); err != nil {
		return err
	}
	select {
	case <-ctx.Done():
		fmt.Printf("\nStopping. The data stays in %s.\n", o.dir)
		return nil
	case err := <-server.exited:
		return server.died(err)
	}
}

// lock keeps a second demo off the same data for the life of the process.
func lock(path string) (unlock func(), err error) {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("a demo is running on %s already: stop that one, or say --dir and another directory", filepath.Dir(path))
		}
		return nil, fmt.Errorf("locking %s: %w", path, err)
	}
	return func() { _ = file.Close() }, nil
}
