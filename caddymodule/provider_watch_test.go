package caddymodule

import (
	"bytes"
	"context"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// leavingClient has a connection for each call, which leaving closes.
var leavingClient = &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}

// providerWatch tells how much of a provider's answer the gateway has read and dealt
// with: it has come back to read more. One call at a time, of stated length.
type providerWatch struct {
	mutex   sync.Mutex
	head    []byte // of the answer, until it has ended
	body    int
	reading bool
	changed chan struct{}
}

// watchProvider puts itself between the running gateway and its providers.
func watchProvider(t *testing.T) *providerWatch {
	t.Helper()
	loaded, err := caddy.ActiveContext().App("faregate")
	if err != nil {
		t.Fatal(err)
	}
	w := &providerWatch{changed: make(chan struct{})}
	for _, transport := range loaded.(*App).transports {
		dial := transport.DialContext
		transport.DisableKeepAlives = true
		transport.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			connection, err := dial(ctx, network, address)
			return &watchedConnection{connection, w}, err
		}
	}
	return w
}

func (w *providerWatch) begin() {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	w.head, w.body, w.reading = nil, 0, false
}

func (w *providerWatch) change(to func()) {
	w.mutex.Lock()
	defer w.mutex.Unlock()
	to()
	close(w.changed)
	w.changed = make(chan struct{})
}

// until waits until that many bytes of the body were dealt with.
func (w *providerWatch) until(t *testing.T, bytes int) {
	t.Helper()
	timeout := time.After(20 * time.Second)
	for {
		w.mutex.Lock()
		done, body, changed := w.reading && w.body >= bytes && w.headRead(), w.body, w.changed
		w.mutex.Unlock()
		if done {
			return
		}
		select {
		case <-changed:
		case <-timeout:
			t.Fatalf("the gateway has read %d of %d bytes", body, bytes)
		}
	}
}

var headEnd = []byte("\r\n\r\n")

func (w *providerWatch) headRead() bool { return bytes.HasSuffix(w.head, headEnd) }

// got counts what was read of the body.
func (w *providerWatch) got(p []byte) {
	if !w.headRead() {
		w.head = append(w.head, p...)
		end := bytes.Index(w.head, headEnd)
		if end < 0 {
			return
		}
		w.body = len(w.head) - end - len(headEnd)
		w.head = w.head[:end+len(headEnd)]
		return
	}
	w.body += len(p)
}

type watchedConnection struct {
	net.Conn
	watch *providerWatch
}

func (c *watchedConnection) Read(p []byte) (int, error) {
	c.watch.change(func() { c.watch.reading = true })
	n, err := c.Conn.Read(p)
	c.watch.change(func() {
		c.watch.reading = false
		c.watch.got(p[:n])
	})
	return n, err
}

// waitShortly is waitFor for what takes a millisecond.
func waitShortly(t *testing.T, what string, condition func() bool) {
	t.Helper()
	for ctx := testContext(t); !condition(); {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain: %s", what)
		case <-time.After(time.Millisecond):
		}
	}
}
