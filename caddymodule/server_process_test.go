//go:build unix

package caddymodule

import (
	"bytes"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
)

// serverProcess in the environment makes the test's own program be a Caddy.
const serverProcess = "FAREGATE_TEST_SERVER"

func TestMain(m *testing.M) {
	if os.Getenv(serverProcess) != "" {
		caddycmd.Main()
		return
	}
	code := m.Run()
	cluster.Remove()
	os.Exit(code)
}

// server is a gateway in a process of its own, which can be killed.
type server struct {
	g       *gateway
	command *exec.Cmd
	output  bytes.Buffer
	ended   chan error
}

// serve starts the gateway as `caddy run` and waits until it listens.
func (g *gateway) serve() *server {
	g.t.Helper()
	file := filepath.Join(g.directory, "Caddyfile")
	if err := os.WriteFile(file, []byte(g.config), 0o600); err != nil {
		g.t.Fatal(err)
	}
	s := &server{g: g, command: exec.Command(os.Args[0], "run", "--config", file, "--adapter", "caddyfile"), ended: make(chan error, 1)}
	s.command.Env = append(os.Environ(), serverProcess+"=1", "XDG_DATA_HOME="+g.directory, "XDG_CONFIG_HOME="+g.directory)
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	if err := s.command.Start(); err != nil {
		g.t.Fatal(err)
	}
	go func() { s.ended <- s.command.Wait() }()
	g.t.Cleanup(func() { _ = s.command.Process.Kill() })
	address := strings.TrimPrefix(g.url, "http://")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			connection.Close()
			return s
		}
		select {
		case err := <-s.ended:
			g.t.Fatalf("the server has ended: %v\n%s", err, &s.output)
		default:
		}
		if time.Now().After(deadline) {
			_ = s.command.Process.Kill()
			g.t.Fatalf("the server does not listen, killed: %v\n%s", <-s.ended, &s.output)
		}
	}
}

// end sends a signal and waits for the end of the process.
func (s *server) end(signal syscall.Signal) {
	s.g.t.Helper()
	if err := s.command.Process.Signal(signal); err != nil {
		s.g.t.Fatal(err)
	}
	select {
	case err := <-s.ended:
		if signal != syscall.SIGKILL && err != nil {
			s.g.t.Errorf("the server ended with %v\n%s", err, &s.output)
		}
	case <-time.After(20 * time.Second):
		s.g.t.Fatalf("the server does not end after %v", signal)
	}
}
