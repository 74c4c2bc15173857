package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

const (
	caddyBinary   = "./caddy"
	demoCaddyfile = "docs/demo.Caddyfile"

	startLimit = time.Minute
	// Longer than the 30 s that the gateway lets running answers finish.
	stopLimit = 40 * time.Second
)

// server is a running ./caddy.
type server struct {
	address  string     // http://127.0.0.1:8080
	logPath  string     // what Caddy says
	exited   chan error // one value when the process has ended
	commands commands

	process *exec.Cmd
	log     *os.File
}

func startServer(ctx context.Context, o options) (*server, error) {
	listen, err := freeAddress(ctx, o.port)
	if err != nil {
		return nil, err
	}
	_, port, _ := net.SplitHostPort(listen)
	state, err := filepath.Abs(filepath.Join(o.dir, "caddy"))
	if err != nil {
		return nil, err
	}
	environment := append(os.Environ(),
		"FAREGATE_DEMO_DIR="+o.dir, "FAREGATE_DEMO_PORT="+port,
		"XDG_DATA_HOME="+state, "XDG_CONFIG_HOME="+state)

	s := &server{
		address:  "http://" + listen,
		logPath:  filepath.Join(o.dir, "caddy.log"),
		exited:   make(chan error, 1),
		commands: commands{environment: environment},
	}
	if s.log, err = os.OpenFile(s.logPath, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600); err != nil {
		return nil, err
	}
	s.process = exec.Command(caddyBinary, "run", "--config", demoCaddyfile, "--adapter", "caddyfile")
	s.process.Env, s.process.Stdout, s.process.Stderr = environment, s.log, s.log
	s.process.SysProcAttr = serverProcess()
	if err := s.process.Start(); err != nil {
		return nil, errors.Join(fmt.Errorf("starting %s: %w", caddyBinary, err), s.log.Close())
	}
	go func() { s.exited <- s.process.Wait() }()
	if err := s.awaitListening(ctx, listen); err != nil {
		return nil, errors.Join(err, s.stop())
	}
	return s, nil
}

// freeAddress finds the first free port on loopback, from the wanted one up.
func freeAddress(ctx context.Context, port int) (string, error) {
	for candidate := port; candidate < port+100; candidate++ {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(candidate))
		listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
		if err == nil {
			return address, listener.Close()
		}
		if !errors.Is(err, syscall.EADDRINUSE) {
			return "", err
		}
	}
	return "", fmt.Errorf("ports %d to %d are all taken", port, port+99)
}

func (s *server) awaitListening(ctx context.Context, listen string) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	try := time.NewTicker(50 * time.Millisecond)
	defer try.Stop()
	for {
		select {
		case err := <-s.exited:
			s.exited <- err
			return s.died(err)
		case <-ctx.Done():
			return fmt.Errorf("the server did not listen on %s: %w; %s says why", listen, ctx.Err(), s.logPath)
		case <-try.C:
			connection, err := new(net.Dialer).DialContext(ctx, "tcp", listen)
			if err == nil {
				return connection.Close()
			}
		}
	}
}

func (s *server) died(err error) error {
	if err == nil {
		err = errors.New("without an error")
	}
	said, _ := os.ReadFile(s.logPath)
	return fmt.Errorf("the server has ended: %w\n%s", err, said[max(0, len(said)-2000):])
}

// stop ends the server as an operator would and waits for it.
func (s *server) stop() error {
	defer s.log.Close()
	if err := s.process.Process.Signal(syscall.SIGTERM); errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	select {
	case err := <-s.exited:
		return err
	case <-time.After(stopLimit):
		return errors.Join(fmt.Errorf("the server did not stop within %s and was killed", stopLimit), s.process.Process.Kill())
	}
}
