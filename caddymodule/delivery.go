package caddymodule

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// delivery is the client's response writer as the chain sees it. It notes what
// was delivered, and hides a failed connection from reverse_proxy: that would log
// a warning with the request's headers and the client's address and panic
// (reverseproxy.go, finalizeResponse). The response body learns of the failure
// from it instead and ends the request by the rules of settlement.
type delivery struct {
	caddyhttp.ResponseWriterWrapper
	controller *http.ResponseController // of the wrapped one; one for all flushes
	now        func() time.Time
	// events is the way of a stream's pieces; nil: they take that of all others.
	events *eventPath
	// begin is called before the answer's header goes out, to complete it; may be nil.
	begin       func(http.Header)
	status      int
	written     int64
	firstByteAt time.Time
	// failed is atomic, as reverse_proxy also flushes from a timer (streaming.go).
	failed atomic.Bool
	// ending tells that nothing follows what is written now, and nothing is waited for until
	// the handler has ended: then net/http sends it, together with the end of the answer.
	ending atomic.Bool
}

func newDelivery(w http.ResponseWriter, now func() time.Time) *delivery {
	return &delivery{
		ResponseWriterWrapper: caddyhttp.ResponseWriterWrapper{ResponseWriter: w},
		controller:            http.NewResponseController(w), //nolint:bodyclose // no response
		now:                   now,
	}
}

// expectEvents prepares for a stream.
func (d *delivery) expectEvents(ctx context.Context) {
	d.events = newEventPath(ctx, d.ResponseWriter, d.now)
}

// end tells that what is written next is the last of the answer. Where somebody has put a
// writer of their own between, it is flushed like the rest.
func (d *delivery) end() {
	if d.events != nil {
		d.ending.Store(true)
	}
}

func (d *delivery) WriteHeader(status int) {
	// 1xx answers are no final status: more headers follow (RFC 9110, 15.2).
	if d.status == 0 && status >= 200 {
		d.answer(status)
	}
	d.ResponseWriterWrapper.WriteHeader(status)
}

func (d *delivery) answer(status int) {
	d.status = status
	if d.begin != nil {
		d.begin(d.Header())
	}
}

// Write never fails: what could not be delivered is noted in failed.
func (d *delivery) Write(p []byte) (int, error) {
	if d.failed.Load() {
		return len(p), nil
	}
	if d.status == 0 {
		d.answer(http.StatusOK)
	}
	if d.firstByteAt.IsZero() && len(p) > 0 {
		d.firstByteAt = d.now()
	}
	n, err := d.deliver(p)
	d.written += int64(n)
	if err != nil {
		d.failed.Store(true)
	}
	return len(p), nil
}

func (d *delivery) deliver(p []byte) (int, error) {
	if d.events != nil {
		return d.events.Write(p)
	}
	return d.ResponseWriter.Write(p)
}

// ReadFrom goes through Write, as the embedded one would pass it by.
func (d *delivery) ReadFrom(source io.Reader) (int64, error) {
	return io.Copy(writerOnly{d}, source)
}

// FlushError flushes the connection; a failure is noted like one of Write.
func (d *delivery) FlushError() error {
	if d.failed.Load() || d.ending.Load() {
		return nil
	}
	if err := d.flush(); err != nil && !errors.Is(err, errors.ErrUnsupported) {
		d.failed.Store(true)
	}
	return nil
}

func (d *delivery) flush() error {
	if d.events != nil {
		return d.events.FlushError()
	}
	return d.controller.Flush()
}

// Hijack is refused: a hijacked connection is beyond metering.
func (d *delivery) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return nil, nil, http.ErrNotSupported
}

type writerOnly struct{ io.Writer }

// Interface guards
var (
	_ http.ResponseWriter = (*delivery)(nil)
	_ io.ReaderFrom       = (*delivery)(nil)
	_ http.Hijacker       = (*delivery)(nil)
)
