package postgrestest

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// Proxy stands between a store and its server, and is the network that fails.
type Proxy struct {
	directory string
	server    string
	listener  net.Listener
	running   sync.WaitGroup

	mu          sync.Mutex
	connections map[net.Conn]struct{}
	closed      bool
	frozen      chan struct{} // closed when the network flows again; nil while it does
	fate        func() Fate
}

// Fate is what becomes of one answer of the server.
type Fate int

// The fates.
const (
	Delivered Fate = iota
	CutOff         // the connection ends, and the answer with it; what it is about has happened
	Frozen         // it waits for Thaw, and all that comes after it, on every connection
)

// NewProxy starts a proxy that ends with the test.
func (c *Cluster) NewProxy(t testing.TB) *Proxy {
	t.Helper()
	c.Start(t)
	directory, err := os.MkdirTemp("", "pg")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{directory: directory, server: c.Socket(), connections: make(map[net.Conn]struct{})}
	if p.listener, err = net.Listen("unix", filepath.Join(directory, ".s.PGSQL.5432")); err != nil {
		t.Fatal(err)
	}
	p.running.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// URL is the address of a database by way of the proxy, with more parameters (a=b&c=d).
func (p *Proxy) URL(database, parameters string) string {
	return fmt.Sprintf("postgres://faregate@/%s?host=%s&%s", database, p.directory, parameters)
}

// Plan decides the fate of every answer from now on; nil delivers all.
func (p *Proxy) Plan(fate func() Fate) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fate = fate
}

// Freeze lets nothing pass in either direction; connections stay open.
func (p *Proxy) Freeze() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen == nil {
		p.frozen = make(chan struct{})
	}
}

// Thaw ends a freeze.
func (p *Proxy) Thaw() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.frozen != nil {
		close(p.frozen)
		p.frozen = nil
	}
}

// Cut ends all connections.
func (p *Proxy) Cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for connection := range p.connections {
		_ = connection.Close()
	}
}

func (p *Proxy) close() {
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	_ = p.listener.Close()
	p.Thaw()
	p.Cut()
	p.running.Wait()
	_ = os.RemoveAll(p.directory)
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		server, err := net.Dial("unix", p.server)
		if err != nil {
			_ = client.Close()
			continue
		}
		if !p.keep(client, server) {
			return
		}
		p.running.Go(func() { p.copy(server, client, func() Fate { return Delivered }) })
		p.running.Go(func() { p.copy(client, server, p.decide) })
	}
}

func (p *Proxy) keep(pair ...net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, connection := range pair {
		if p.closed {
			_ = connection.Close()
		} else {
			p.connections[connection] = struct{}{}
		}
	}
	return !p.closed
}

func (p *Proxy) decide() Fate {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fate == nil {
		return Delivered
	}
	return p.fate()
}

func (p *Proxy) copy(to, from net.Conn, decide func() Fate) {
	defer func() {
		_, _ = to.Close(), from.Close()
		p.mu.Lock()
		defer p.mu.Unlock()
		delete(p.connections, to)
		delete(p.connections, from)
	}()
	buffer := make([]byte, 64<<10)
	for {
		count, err := from.Read(buffer)
		if err != nil {
			return
		}
		switch decide() {
		case CutOff:
			return
		case Frozen:
			p.Freeze()
		}
		p.mu.Lock()
		frozen := p.frozen
		p.mu.Unlock()
		if frozen != nil {
			<-frozen
		}
		if _, err := to.Write(buffer[:count]); err != nil {
			return
		}
	}
}

// IsFrozen tells whether something waits for Thaw.
func (p *Proxy) IsFrozen() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.frozen != nil
}
