package faults

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/faregate/faregate/internal/freeaddress"
)

// gateway is a caddy in a process of its own.
type gateway struct {
	fleet *fleet
	url   string
	files string // the beginning of the names of its files

	command *exec.Cmd
	leash   io.Closer // the process ends when it is closed
	ended   chan error
}

// newGateway makes a gateway's configuration; start starts it.
func (f *fleet) newGateway(grace string) *gateway {
	f.t.Helper()
	address, err := freeaddress.Find()
	must(f.t, err)
	f.gateways++
	g := &gateway{fleet: f, url: "http://" + address, files: filepath.Join(f.directory, fmt.Sprint("gateway-", f.gateways))}
	must(f.t, os.WriteFile(g.files+".Caddyfile", []byte(f.configuration(g.url, grace)), 0o600))
	f.t.Cleanup(func() {
		if g.command != nil {
			g.kill()
		}
		if f.t.Failed() {
			f.t.Logf("the log of the gateway ends with\n%s", tail([]byte(g.log()), 1000))
		}
	})
	return g
}

// startGateway starts a gateway.
func (f *fleet) startGateway() *gateway {
	f.t.Helper()
	g := f.newGateway("2s")
	g.start()
	g.listens()
	return g
}

// program runs the test binary as caddy.
func (f *fleet) program(arguments ...string) *exec.Cmd {
	command := exec.Command(os.Args[0], arguments...)
	command.Env = append(os.Environ(), gatewayProcess+"=1", "XDG_DATA_HOME="+f.directory, "XDG_CONFIG_HOME="+f.directory)
	return command
}

func (g *gateway) start() {
	t := g.fleet.t
	t.Helper()
	g.command = g.fleet.program("run", "--config", g.files+".Caddyfile", "--adapter", "caddyfile")
	log, err := os.OpenFile(g.files+".log", os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	defer log.Close()
	g.command.Stdout, g.command.Stderr = log, log
	g.leash, err = g.command.StdinPipe()
	must(t, err)
	must(t, g.command.Start())
	command, ended := g.command, make(chan error, 1)
	g.ended = ended
	go func() { ended <- command.Wait() }()
}

// listens waits until the gateway takes requests: it may listen before its store is open,
// and ends where that fails.
func (g *gateway) listens() {
	t := g.fleet.t
	t.Helper()
	client := &http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true}}
	for deadline := time.Now().Add(patience); ; time.Sleep(2 * time.Millisecond) {
		if answer, err := client.Get(g.url + "/readyz"); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
		}
		select {
		case err := <-g.ended:
			g.command = nil
			t.Fatalf("the gateway has ended: %v\n%s", err, g.log())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("the gateway does not listen\n%s", g.log())
		}
	}
}

// kill ends the process as kill -9 does.
func (g *gateway) kill() {
	g.fleet.t.Helper()
	_ = g.command.Process.Kill() // one that has ended says so below
	_ = g.wait()                 // it was killed
}

// wait waits for the end of the process.
func (g *gateway) wait() error {
	t := g.fleet.t
	t.Helper()
	defer func() { g.command = nil }()
	defer g.leash.Close()
	select {
	case err := <-g.ended:
		return err
	case <-time.After(patience):
		t.Fatal("the gateway does not end")
		return nil
	}
}

// stop ends the process in good order, and looks at what it has logged.
func (g *gateway) stop() {
	t := g.fleet.t
	t.Helper()
	must(t, g.command.Process.Signal(syscall.SIGTERM))
	if err := g.wait(); err != nil {
		t.Errorf("the gateway ended with %v", err)
	}
	g.checkLog()
}

func (g *gateway) log() string {
	log, err := os.ReadFile(g.files + ".log")
	if err != nil {
		return err.Error()
	}
	return string(log)
}

// checkLog fails on what must never be logged, whatever happens around the gateway.
func (g *gateway) checkLog() {
	g.fleet.t.Helper()
	log := g.log()
	for _, bad := range []string{"panic", "DATA RACE", "internal error", providerKey} {
		if strings.Contains(log, bad) {
			g.fleet.t.Errorf("the gateway logged %q", bad)
		}
	}
}

// faregate runs a command, as the operator does.
func (f *fleet) faregate(arguments ...string) (string, error) {
	command := f.program(append([]string{"faregate"}, append(arguments, "--store", f.address)...)...)
	leash, err := command.StdinPipe()
	must(f.t, err)
	defer leash.Close()
	var said bytes.Buffer
	command.Stdout, command.Stderr = &said, &said
	err = command.Run()
	return said.String(), err
}
