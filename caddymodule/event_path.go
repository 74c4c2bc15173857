package caddymodule

import (
	"context"
	"net/http"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// renewals is how often a deadline is set anew in the time that it bounds.
const renewals = 32

// flushingWriter is a response writer that can flush.
type flushingWriter interface {
	http.ResponseWriter
	FlushError() error
}

// eventPath is a short way to a client's connection for the many small pieces of a stream.
// Caddy bounds how long a client may take no byte, by a deadline that its writer sets
// before every write and every flush (idletimeout.go, IdleTimeoutWriter); for an event of
// some words that is a good part of what its delivery costs. Here the deadline is set anew
// only when a part of the time has gone by: a write that comes shortly before has by that
// part less.
type eventPath struct {
	idle       *caddyhttp.IdleTimeoutWriter
	connection flushingWriter // what idle writes to
	now        func() time.Time
	renewal    time.Duration
	renewed    time.Time
	most       int  // that is written under one deadline
	bounded    bool // a flush, by the deadline of the write before it
}

// newEventPath returns nil where a piece must go the whole way: where another handler has
// put itself between the connection and us, as for Caddy's access log or its compression,
// and where the deadline is of another kind. One of HTTP/2 ends a stream that is idle
// between two writes, and must be lifted each time; one with a least rate counts the bytes.
func newEventPath(ctx context.Context, w http.ResponseWriter, now func() time.Time) *eventPath {
	_, idle := caddyhttp.IdleTimeoutsFromContext(ctx)
	if idle == nil || w != http.ResponseWriter(idle) || idle.ClearBetweenWrites || idle.Deadline.MinRate > 0 {
		return nil
	}
	connection, ok := innermost(idle.ResponseWriter).(flushingWriter)
	if !ok {
		return nil
	}
	path := &eventPath{idle: idle, connection: connection, now: now, renewal: idle.Deadline.Timeout / renewals, most: caddyhttp.DefaultMaxWriteChunk}
	if idle.MaxChunk > 0 {
		path.most = idle.MaxChunk
	}
	return path
}

// innermost is what all wrappers are around.
func innermost(w http.ResponseWriter) http.ResponseWriter {
	for {
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			return w
		}
		w = wrapper.Unwrap()
	}
}

// Write writes a piece under a deadline that is far enough away.
func (p *eventPath) Write(piece []byte) (int, error) {
	p.bounded = true
	if now := p.now(); now.Sub(p.renewed) >= p.renewal || len(piece) > p.most {
		p.renewed = now
		return p.idle.Write(piece)
	}
	return p.connection.Write(piece)
}

// FlushError sends what was written.
func (p *eventPath) FlushError() error {
	if !p.bounded {
		return p.idle.FlushError()
	}
	p.bounded = false
	return p.connection.FlushError()
}
