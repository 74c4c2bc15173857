package caddymodule

import (
	"bufio"
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// countedListener counts the writes of its connections.
type countedListener struct {
	net.Listener
	writes atomic.Int64
}

type countedClient struct {
	net.Conn
	listener *countedListener
}

func (l *countedListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	return &countedClient{conn, l}, nil
}

func (c *countedClient) Write(p []byte) (int, error) {
	c.listener.writes.Add(1)
	return c.Conn.Write(p)
}

// The last bytes of a stream go out in one write with the end of the answer, trailers and all.
func TestLastWrite(t *testing.T) {
	for _, row := range []struct {
		ends   bool
		writes int64
	}{{false, 3}, {true, 2}} {
		listener := &countedListener{}
		server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			idle := &caddyhttp.IdleTimeoutWriter{
				ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: w}, Ctrl: http.NewResponseController(w),
				Deadline: caddyhttp.IdleDeadline{Timeout: time.Minute},
			}
			d := newDelivery(idle, time.Now)
			d.expectEvents(caddyhttp.ContextWithIdleTimeouts(context.Background(), nil, idle))
			d.Header().Set("Trailer", "Faregate-Cost")
			_, _ = d.Write([]byte("data: one\n\n"))
			_ = d.FlushError()
			if row.ends {
				d.end()
			}
			_, _ = d.Write([]byte("data: [DONE]\n\n"))
			_ = d.FlushError()
			_ = d.FlushError()
			d.Header().Set("Faregate-Cost", "1")
		}))
		listener.Listener = server.Listener
		server.Listener = listener
		server.Start()
		response, err := http.Get(server.URL)
		if err != nil {
			t.Fatal(err)
		}
		var lines []string
		scanner := bufio.NewScanner(response.Body)
		for scanner.Scan() {
			lines = append(lines, scanner.Text())
		}
		response.Body.Close()
		server.Close()
		if len(lines) != 4 || lines[2] != "data: [DONE]" || response.Trailer.Get("Faregate-Cost") != "1" || listener.writes.Load() != row.writes {
			t.Errorf("ends %v: %q, trailer %v, %d writes", row.ends, lines, response.Trailer, listener.writes.Load())
		}
	}
}
