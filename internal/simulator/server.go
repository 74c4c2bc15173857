package simulator

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"sync"
	"time"
)

// ErrNotLoopback is returned for an address that other machines could reach.
var ErrNotLoopback = errors.New("the simulator listens on loopback addresses only")

// Server is a simulator on a port of this machine.
type Server struct {
	*Simulator

	// URL is the base address, such as http://127.0.0.1:40123, without a
	// slash at its end.
	URL string

	server   *http.Server
	listener *port
	done     chan error
	closing  sync.Once
}

// port may be closed twice: by Refuse and by net/http, which would report the
// second time as an error.
type port struct {
	net.Listener
	closing sync.Once
	err     error
}

func (p *port) Close() error {
	p.closing.Do(func() { p.err = p.Listener.Close() })
	return p.err
}

// Start serves at a loopback address: 127.0.0.1:8090, [::1]:0, localhost:0. Port
// 0 takes a free one. With a TLS configuration it serves HTTPS and HTTP/2. The
// caller must Close.
func Start(address string, options Options, security *tls.Config) (*Server, error) {
	tcp, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("simulator address: %w", err)
	}
	if !tcp.IP.IsLoopback() {
		return nil, fmt.Errorf("address %s: %w", address, ErrNotLoopback)
	}
	open, err := net.ListenTCP("tcp", tcp)
	if err != nil {
		return nil, fmt.Errorf("simulator: %w", err)
	}
	listener := &port{Listener: open}
	s := &Server{Simulator: New(options), URL: "http://" + listener.Addr().String(), listener: listener, done: make(chan error, 1)}
	s.server = &http.Server{
		Handler: s.Simulator, ConnContext: ConnContext, TLSConfig: security,
		ReadHeaderTimeout: 30 * time.Second,
		// net/http's complaints name the client's address.
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() {
		if security == nil {
			s.done <- s.server.Serve(listener)
			return
		}
		s.done <- s.server.ServeTLS(listener, "", "")
	}()
	if security != nil {
		s.URL = "https://" + listener.Addr().String()
	}
	return s, nil
}

// Refuse closes the port: new connections are refused, open ones go on.
func (s *Server) Refuse() { s.listener.Close() }

// Close ends all stalls, waits for running answers until the context is done,
// then closes what is left. When it returns nil, no goroutine of the server is
// left. Further calls do nothing.
func (s *Server) Close(ctx context.Context) (err error) {
	s.closing.Do(func() {
		s.Simulator.Close()
		s.Refuse()
		if err = s.server.Shutdown(ctx); err != nil {
			err = errors.Join(err, s.server.Close())
		}
		if served := <-s.done; !errors.Is(served, http.ErrServerClosed) && !errors.Is(served, net.ErrClosed) {
			err = errors.Join(err, served)
		}
	})
	return err
}
