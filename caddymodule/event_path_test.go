package caddymodule

import (
	"context"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
)

// deadlineRecorder is a connection that notes its deadlines.
type deadlineRecorder struct {
	*httptest.ResponseRecorder
	deadlines, flushes int
}

func (r *deadlineRecorder) SetWriteDeadline(time.Time) error {
	r.deadlines++
	return nil
}

func (r *deadlineRecorder) FlushError() error {
	r.flushes++
	return nil
}

// countingWriter stands between us and Caddy's writer, as that of the access log does.
type countingWriter struct {
	*caddyhttp.ResponseWriterWrapper
	bytes int
}

func (c *countingWriter) Write(p []byte) (int, error) {
	c.bytes += len(p)
	return c.ResponseWriterWrapper.Write(p)
}

// Events go to the connection by the short way only where nobody else must see them, and
// never without a deadline that is far enough away.
func TestEventPath(t *testing.T) {
	const events = 100
	piece := []byte("data: {}\n\n")
	for name, row := range map[string]struct {
		timeout   time.Duration
		pause     time.Duration
		change    func(*caddyhttp.IdleTimeoutWriter)
		between   bool
		deadlines int
	}{
		"events in a moment":       {timeout: time.Minute, pause: time.Millisecond, deadlines: 1},
		"events of some seconds":   {timeout: 32 * time.Second, pause: 100 * time.Millisecond, deadlines: 10},
		"events after long pauses": {timeout: 32 * time.Second, pause: time.Second, deadlines: events},
		"another handler between":  {timeout: time.Minute, pause: time.Millisecond, between: true, deadlines: 2 * events},
		"HTTP/2": {
			timeout: time.Minute, pause: time.Millisecond, deadlines: 4 * events,
			change: func(w *caddyhttp.IdleTimeoutWriter) { w.ClearBetweenWrites = true },
		},
		"a least rate": {
			timeout: time.Minute, pause: time.Millisecond, deadlines: 2 * events,
			change: func(w *caddyhttp.IdleTimeoutWriter) { w.Deadline.MinRate = 1 },
		},
		"pieces larger than one deadline is for": {
			timeout: time.Minute, pause: time.Millisecond, deadlines: 2 * events,
			change: func(w *caddyhttp.IdleTimeoutWriter) { w.MaxChunk = len(piece) / 2 },
		},
	} {
		connection := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
		idle := &caddyhttp.IdleTimeoutWriter{
			ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: connection},
			Ctrl:                  http.NewResponseController(connection), //nolint:bodyclose // no response
			Deadline:              caddyhttp.IdleDeadline{Timeout: row.timeout},
			Logger:                zap.NewNop(),
		}
		if row.change != nil {
			row.change(idle)
		}
		between := &countingWriter{ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: idle}}
		var writer http.ResponseWriter = idle
		if row.between {
			writer = between
		}
		now := time.Now()
		client := newDelivery(writer, func() time.Time { return now })
		client.expectEvents(caddyhttp.ContextWithIdleTimeouts(context.Background(), nil, idle))
		for range events {
			_, _ = client.Write(piece)
			_ = client.FlushError()
			now = now.Add(row.pause)
		}
		if connection.deadlines != row.deadlines || connection.flushes != events || connection.Body.Len() != events*len(piece) {
			t.Errorf("%s: %d deadlines, %d flushes, %d bytes", name, connection.deadlines, connection.flushes, connection.Body.Len())
		}
		if row.between && between.bytes != events*len(piece) {
			t.Errorf("%s: %d bytes came by", name, between.bytes)
		}
	}
}

// A flush by itself, as of a header, has a deadline of its own.
func TestEventPathFlushesUnderADeadline(t *testing.T) {
	connection := &deadlineRecorder{ResponseRecorder: httptest.NewRecorder()}
	idle := &caddyhttp.IdleTimeoutWriter{
		ResponseWriterWrapper: &caddyhttp.ResponseWriterWrapper{ResponseWriter: connection},
		Ctrl:                  http.NewResponseController(connection), //nolint:bodyclose // no response
		Deadline:              caddyhttp.IdleDeadline{Timeout: time.Minute},
		Logger:                zap.NewNop(),
	}
	client := newDelivery(idle, time.Now)
	client.expectEvents(caddyhttp.ContextWithIdleTimeouts(context.Background(), nil, idle))
	_ = client.FlushError()
	if connection.deadlines != 1 || connection.flushes != 1 {
		t.Errorf("%d deadlines, %d flushes", connection.deadlines, connection.flushes)
	}
	connection.deadlines = 0
	_, _ = client.Write([]byte(":\n\n"))
	_ = client.FlushError()
	_ = client.FlushError()
	if connection.deadlines != 2 {
		t.Errorf("%d deadlines of a write, its flush and another", connection.deadlines)
	}
}
