//go:build unix

package caddymodule

import (
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// Two servers would serve the same credit twice. The second one is told what to do, and
// the first goes on; commands are no servers.
func TestASecondServerOnAFileIsRefused(t *testing.T) {
	g := newGateway(t, gatewayOptions{})
	first := g.serve()
	// What listens may not have the file yet: Caddy starts apps in any order.
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Fatalf("the first server: %d %s", got.status, got.body)
	}
	second := newGateway(t, gatewayOptions{})
	file := filepath.Join(second.directory, "Caddyfile")
	config := strings.ReplaceAll(second.config, second.storeLine(), g.storeLine())
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(testContext(t), os.Args[0], "run", "--config", file, "--adapter", "caddyfile")
	command.Env = append(os.Environ(), serverProcess+"=1", "XDG_DATA_HOME="+second.directory, "XDG_CONFIG_HOME="+second.directory)
	command.Stdin = endless(t)
	output, err := command.CombinedOutput()
	// What goes where is Caddy's own matter: an error of the start is in its log.
	log, _ := os.ReadFile(second.logFile)
	output = append(output, log...)
	for _, words := range []string{strings.TrimPrefix(g.address, "sqlite:"), "another server is running", "stop that one", "PostgreSQL"} {
		if err == nil || !strings.Contains(string(output), words) {
			t.Errorf("the second server: %v, without %q:\n%s", err, words, output)
		}
	}
	command = exec.CommandContext(testContext(t), os.Args[0], "faregate", "key", "create", "--account", "rider", "--name", "x", "--store", g.address)
	command.Env = append(os.Environ(), serverProcess+"=1")
	command.Stdin = endless(t)
	if output, err := command.CombinedOutput(); err != nil || !strings.Contains(string(output), "sk-fg-") {
		t.Errorf("a command: %v\n%s", err, output)
	}
	if got := g.call(chatJSON.path, chatJSON.body); got.status != http.StatusOK {
		t.Errorf("the first server: %d %s", got.status, got.body)
	}
	first.end(syscall.SIGTERM)
	g.verify()
}
