package caddymodule

import (
	"context"
	"errors"
	"io"
	"sync/atomic"
	"time"

	"github.com/faregate/faregate/internal/upstream"
)

// timeoutError says that a provider took too long.
type timeoutError struct{ text string }

func (e *timeoutError) Error() string { return e.text }

// Timeout tells, as net.Error's does, that it is a time-out.
func (e *timeoutError) Timeout() bool { return true }

var (
	errNoFirstByte error = &timeoutError{"the provider did not begin to answer in time"}
	errIdle        error = &timeoutError{"the provider sent nothing for too long"}
)

// timedOut tells whether an answer ended as its provider took too long.
func timedOut(err error) bool {
	var timeout *timeoutError
	return errors.As(err, &timeout)
}

// patience is how long a provider is waited for: first until it begins to answer, which
// reasoning models may take minutes for, and from then on for each piece. Only waiting
// counts, and not the time that a client takes to read. When it is over, the provider's
// request is cancelled.
type patience struct {
	source io.ReadCloser
	idle   time.Duration
	first  timer // waits for the beginning
	// begun tells that the answer has begun, and between waits for each piece from then on;
	// nil before the first. They are atomic, as a read may outlast the wait for it.
	begun   atomic.Bool
	between atomic.Pointer[timer]
	ctx     context.Context // of the provider's request, for its cause
	cancel  context.CancelCauseFunc
	after   func(time.Duration, func()) timer
}

// timer is a time.Timer.
type timer interface {
	Stop() bool
	Reset(time.Duration) bool
}

// afterFunc is time.AfterFunc.
func afterFunc(wait time.Duration, do func()) timer { return time.AfterFunc(wait, do) }

// newPatience begins to wait for the first byte.
func newPatience(ctx context.Context, cancel context.CancelCauseFunc, timeouts upstream.Timeouts, after func(time.Duration, func()) timer) *patience {
	return &patience{
		ctx: ctx, cancel: cancel, idle: timeouts.Idle, after: after,
		first: after(timeouts.FirstByte, func() { cancel(errNoFirstByte) }),
	}
}

// begin tells that the answer has begun.
func (p *patience) begin() {
	if !p.begun.Load() {
		p.begun.Store(true)
		p.first.Stop()
	}
}

// Read implements io.Reader.
func (p *patience) Read(b []byte) (int, error) {
	if !p.begun.Load() {
		n, err := p.source.Read(b)
		return n, p.why(err)
	}
	between := p.between.Load()
	if between != nil {
		(*between).Reset(p.idle)
	} else {
		first := p.after(p.idle, func() { p.cancel(errIdle) })
		between = &first
		p.between.Store(between)
	}
	n, err := p.source.Read(b)
	(*between).Stop()
	return n, p.why(err)
}

// why names a time-out as what it is, where that ended what the error is of.
func (p *patience) why(err error) error {
	if err == nil || errors.Is(err, io.EOF) {
		return err
	}
	if cause := context.Cause(p.ctx); timedOut(cause) {
		return cause
	}
	return err
}

// Close implements io.Closer.
func (p *patience) Close() error {
	p.stop()
	return p.source.Close()
}

// stop ends the waiting.
func (p *patience) stop() {
	p.first.Stop()
	if between := p.between.Load(); between != nil {
		(*between).Stop()
	}
}
