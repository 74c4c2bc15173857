package caddymodule

import (
	"bytes"
	"context"
	"io"
	"net/http/httptrace"
	goruntime "runtime"
	"sync/atomic"
)

// shortBody is how long a body may be to go out in one write with its header, for which
// net/http has 4 KiB of a connection.
const shortBody = 3 << 10

// sending is a payload on its way to one provider.
//
// net/http writes a request's header out by itself before it looks at the body, unless
// it knows that to be in memory (transfer.go, newTransferWriter). It knows that of the
// standard readers only, and closes those without anybody being told: that it has read
// a short body is learned from a trace.
type sending struct {
	payload *payload
	long    *bodyReader // nil for a short body
	short   bytes.Reader

	// again is the last reader that net/http asked for to send the payload once more, nil
	// if it was sent once only. Of a long body it tells how much was taken; of a short one
	// it is not known which of the readers was written.
	again atomic.Pointer[bodyReader]

	// Of a short body: whether it was written to the connection, and as far as we know
	// whole.
	written, whole atomic.Bool
}

// send begins to send a payload. It must be ended.
func (p *payload) send() *sending {
	s := &sending{payload: p}
	if p.length > shortBody {
		s.long = p.reader()
		return s
	}
	p.owners.Add(1)
	s.short.Reset(p.pieces[0])
	return s
}

// traced is the context of the request that sends it.
func (s *sending) traced(ctx context.Context) context.Context {
	if s.long != nil {
		return ctx
	}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteRequest: s.wrote})
}

// body is the request's.
func (s *sending) body() io.ReadCloser {
	if s.long != nil {
		return s.long
	}
	return io.NopCloser(&s.short)
}

// bodyAgain lets net/http send again what a closed idle connection never read.
func (s *sending) bodyAgain() (io.ReadCloser, error) {
	reader := s.payload.reader()
	s.again.Store(reader)
	return reader, nil
}

func (s *sending) wrote(info httptrace.WroteRequestInfo) {
	s.whole.Store(info.Err == nil)
	s.written.Store(true)
}

// end tells whether all of the body was taken by a connection, the last one that it was
// sent over. Nobody may begin to read it any more; who still does ends by himself.
func (s *sending) end() bool {
	again := s.again.Load()
	switch {
	case s.long != nil && again != nil:
		return again.sent()
	case s.long != nil:
		return s.long.sent()
	case s.written.Load() && again == nil:
		s.payload.release()
	default:
		// The provider answered before it had read all, or the connection was lost: the
		// memory is free when nobody can reach the reader any more.
		goruntime.AddCleanup(s, (*payload).release, s.payload)
	}
	return s.whole.Load()
}

// drop gives up what net/http was never given.
func (s *sending) drop() {
	if s.long != nil {
		_ = s.long.Close() // a reader in memory
		return
	}
	s.payload.release()
}
