package postgrestest

import (
	"os"
	"syscall"
	"testing"
	"time"
)

// Crash ends the server at once, without a word to anybody, as a power cut would; what
// it has in memory is lost. All its processes are gone when Crash returns.
func (c *Cluster) Crash(t testing.TB) { c.stop(t, syscall.SIGQUIT) }

// Stop ends the server in order, but waits for nobody's transaction.
func (c *Cluster) Stop(t testing.TB) { c.stop(t, syscall.SIGINT) }

func (c *Cluster) stop(t testing.TB, signal os.Signal) {
	t.Helper()
	c.mu.Lock()
	server, ended := c.server, c.ended
	c.mu.Unlock()
	if err := server.Process.Signal(signal); err != nil {
		t.Fatalf("stop PostgreSQL: %v", err)
	}
	select {
	case <-ended:
	case <-time.After(patience):
		t.Fatalf("PostgreSQL does not stop: %s", c.Log())
	}
}

// Restart starts a server that was stopped.
func (c *Cluster) Restart(t testing.TB) {
	t.Helper()
	c.mu.Lock()
	program := c.server.Path
	c.mu.Unlock()
	if err := c.start(program); err != nil {
		t.Fatal(err)
	}
}

// Remove ends the server and takes its files away. Without a start it does nothing.
func (c *Cluster) Remove() {
	c.mu.Lock()
	server, ended := c.server, c.ended
	c.mu.Unlock()
	if server != nil {
		_ = server.Process.Signal(syscall.SIGQUIT) // it may have ended before
		select {
		case <-ended:
		case <-time.After(patience):
			_ = server.Process.Kill()
			<-ended
		}
	}
	if c.directory != "" {
		_ = os.RemoveAll(c.directory)
	}
}
