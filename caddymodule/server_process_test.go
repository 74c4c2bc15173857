//go:build unix

package caddymodule

import (
	"bytes"
	"io"
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
		// The tests hold the other end: no server outlives them, however they end.
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

// endless is a standard input for a server: it ends with the test, or with its process.
func endless(t *testing.T) *os.File {
	t.Helper()
	input, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = held.Close()
		_ = input.Close()
	})
	return input
}

// server is a gateway in a process of its own, which can be killed.
type server struct {
	g       *gateway
	command *exec.Cmd
	output  bytes.Buffer
	err     error         // how it ended
	ended   chan struct{} // closed then
}

// serve starts the gateway as `caddy run` and waits until it listens.
func (g *gateway) serve() *server {
	g.t.Helper()
	file := filepath.Join(g.directory, "Caddyfile")
	if err := os.WriteFile(file, []byte(g.config), 0o600); err != nil {
		g.t.Fatal(err)
	}
	s := &server{g: g, command: exec.Command(os.Args[0], "run", "--config", file, "--adapter", "caddyfile"), ended: make(chan struct{})}
	s.command.Env = append(os.Environ(), serverProcess+"=1", "XDG_DATA_HOME="+g.directory, "XDG_CONFIG_HOME="+g.directory)
	s.command.Stdout, s.command.Stderr = &s.output, &s.output
	s.command.Stdin = endless(g.t)
	if err := s.command.Start(); err != nil {
		g.t.Fatal(err)
	}
	go func() {
		s.err = s.command.Wait()
		close(s.ended)
	}()
	g.t.Cleanup(func() {
		_ = s.command.Process.Kill()
		<-s.ended // it writes into the directory until then
	})
	address := strings.TrimPrefix(g.url, "http://")
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		connection, err := net.DialTimeout("tcp", address, time.Second)
		if err == nil {
			connection.Close()
			return s
		}
		select {
		case <-s.ended:
			g.t.Fatalf("the server has ended: %v\n%s", s.err, &s.output)
		default:
		}
		if time.Now().After(deadline) {
			_ = s.command.Process.Kill()
			<-s.ended
			g.t.Fatalf("the server does not listen, killed: %v\n%s", s.err, &s.output)
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
	case <-s.ended:
		if signal != syscall.SIGKILL && s.err != nil {
			s.g.t.Errorf("the server ended with %v\n%s", s.err, &s.output)
		}
	case <-time.After(20 * time.Second):
		s.g.t.Fatalf("the server does not end after %v", signal)
	}
}
