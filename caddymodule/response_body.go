package caddymodule

import (
	"context"
	"errors"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

const (
	// endPatience is how long a stream that has come to its terminal point may take
	// to report its usage and to end.
	endPatience = 10 * time.Second
	// readSize is how much is read at once.
	readSize = 16 << 10
)

// responseBody is a provider's answer on its way to the client. It feeds the
// usage meter, and withholds the terminal bytes until the settlement is durable:
// reverse_proxy asks for more only after what it has been given was written to
// the client's connection.
type responseBody struct {
	// What each piece of a stream needs comes first: between two of them come those of
	// many other streams, and it is read from memory again.
	source     io.ReadCloser
	waiting    *patience // the source, too
	exchange   *Exchange // nil once the handler has ended
	meter      *usage.Meter
	framing    usage.Framing
	streams    bool // the caller asked for an answer in pieces
	begun      bool // it is the answer that is passed on
	answered   bool // the provider's health knows of it
	passed     bool // the client was given something
	finished   bool // nothing more to hand over than pending
	cut        bool // the answer is incomplete and does not say so itself, or nobody takes it
	closed     bool
	pending    []byte            // to be handed over
	inFlight   chan sourceResult // a read that began in readAhead
	filled     int               // how far Read has used its caller's buffer
	ended      error             // how the source ended; nil while it goes on
	firstToken time.Time
	endTimer   *time.Timer

	early []byte // what readAhead reads into, as far as it was used, pooled
	kept  []byte // what it has read and may go on, pooled
	last  []byte // what the end of the source adds to, pooled

	cancel     context.CancelFunc
	leaving    *departure
	settlement *settlement
	input      countInput     // once the handler has ended
	call       *upstream.Call // to the provider; it ends with the body, however that ends
	limits     dialect.ProviderLimits
	status     int
	length     int64 // as the provider promised, -1 if it did not
	// unsettled is why the settlement failed.
	unsettled error
	// cost is what the settlement came to, for the caller; empty before it.
	cost string
	// trailer follows the answer; nil where it cannot have one.
	trailer http.Header
}

type sourceResult struct {
	bytes []byte
	err   error
}

// Read hands over the next bytes. It never returns an error but io.EOF:
// reverse_proxy would log the request and panic (reverseproxy.go,
// finalizeResponse); broken tells the handler what to do instead.
func (b *responseBody) Read(p []byte) (int, error) {
	for {
		if len(b.pending) > 0 {
			n := copy(p, b.pending)
			b.pending = b.pending[n:]
			b.filled = max(b.filled, n)
			b.passed = true
			if b.finished && len(b.pending) == 0 && !b.cut && errors.Is(b.ended, io.EOF) {
				b.exchange.delivery.end() // Close has no end of the provider's to wait for
			}
			return n, nil
		}
		b.giveEarly()
		left := b.exchange.clientLeft()
		if b.finished || left {
			b.cut = b.cut || !b.finished
			// All that was read into it is written: it goes back to reverse_proxy's pool.
			clear(p[:min(b.filled, len(p))])
			return 0, io.EOF
		}
		if b.ended != nil || b.complete() {
			b.conclude()
			continue
		}
		b.advance(p)
	}
}

// giveEarly gives back what readAhead needed, once it is handed over: a stream may be idle
// for long. pending, which looks into it, is empty.
func (b *responseBody) giveEarly() {
	if b.early == nil || b.inFlight != nil { // which is being read into it
		return
	}
	giveBuffer(b.early)
	giveBuffer(b.kept)
	b.early, b.kept = nil, nil
}

// advance reads once from the provider and makes pending what may go on.
func (b *responseBody) advance(p []byte) (read int) {
	if b.inFlight != nil {
		return b.take(<-b.inFlight)
	}
	n, err := b.source.Read(p)
	b.filled = max(b.filled, n)
	b.feed(p[:n], err)
	return n
}

// take takes the result of a read that began in readAhead.
func (b *responseBody) take(result sourceResult) (read int) {
	b.inFlight = nil
	read = len(result.bytes)
	b.early = b.early[:max(len(b.early), read)] // to be wiped as far
	b.feed(result.bytes, result.err)
	return read
}

// feed gives bytes to the meter. What may go on is appended to pending, which may
// alias p.
func (b *responseBody) feed(p []byte, err error) {
	b.pending, b.ended = nil, err
	if len(p) > 0 {
		b.pending = b.meter.Feed(p)
		b.observe()
		if b.framing != usage.SSE || b.meter.Content() || b.meter.Final() {
			b.waiting.begin()
		}
	}
	if errors.Is(err, io.EOF) {
		// Finish may reuse the memory that pending lies in.
		b.last = appendPooled(b.last[:0], b.pending)
		b.last = appendPooled(b.last, b.meter.Finish())
		b.pending = b.last
		b.observe()
	}
}

func (b *responseBody) observe() {
	if b.firstToken.IsZero() && b.meter.Content() {
		b.firstToken = b.settlement.now()
	}
	b.tellAnswered()
	switch {
	case b.endTimer != nil && len(b.pending) > 0:
		// Some servers give every chunk a finish reason: it goes on.
		b.endTimer.Reset(endPatience)
	case b.endTimer == nil && b.meter.Final() && b.ended == nil && !b.complete():
		b.endTimer = time.AfterFunc(endPatience, b.cancel)
	}
}

// complete tells whether the answer has come to its last byte.
func (b *responseBody) complete() bool {
	return b.framing == usage.SSE && b.meter.Complete()
}

// conclude settles, and hands over the terminal bytes.
func (b *responseBody) conclude() {
	b.finished = true
	report := b.meter.Report()
	ending := metering.EndedComplete
	// A document can be complete where the message is not: a provider that promised
	// more bytes makes the client wait for them in vain.
	whole := report.Complete && (errors.Is(b.ended, io.EOF) || b.length < 0)
	if b.framing == usage.SSE {
		whole = report.Complete || report.Final
	}
	// Words about the operator's account, or about the provider itself, are not the caller's.
	class := dialect.ProviderCallerError
	if report.Failed {
		class = b.errorClass(b.meter.Withheld())
	}
	switch {
	case !whole && b.exchange.clientLeft():
		ending = metering.EndedByClient
	case !class.CallersOwn() && !b.passed:
		ending = metering.EndedUnsent
	case (!whole || report.Err != nil) && b.passed:
		ending = metering.EndedByProvider
	case !whole || report.Err != nil:
		ending = metering.EndedUnsent // nobody pays for what nobody was given
	}
	err := b.settlement.settle(answer{
		ending: ending, httpStatus: b.status, report: report, firstToken: b.firstToken, input: b.exchange.request.EstimateInput, meter: b.meter,
	})
	if err == nil {
		b.costs(b.settlement.record.Cost)
	}
	switch {
	case err != nil:
		b.unsettled = err
		b.breakOff(unsettledProblem(err))
	case ending != metering.EndedComplete && timedOut(b.ended):
		b.breakOff(dialect.NewError(dialect.CodeProviderTimedOut))
	case ending != metering.EndedComplete:
		b.breakOff(dialect.NewError(dialect.CodeProviderBroke))
	case !class.CallersOwn():
		problem := dialect.NewError(class.Code())
		if b.settlement.record.Cost > 0 {
			problem = problem.WithMessage("The provider of this model broke off its answer. What had come of it is charged. Send the request again in a moment, or call another model.")
		}
		b.breakOff(problem)
	default:
		b.pending = b.meter.Withheld()
	}
}

// breakOff ends an answer that cannot be completed: with the dialect's error event
// where the framing has one, so that SDKs raise, else by cutting the connection.
func (b *responseBody) breakOff(problem *dialect.Error) {
	if b.framing == usage.SSE {
		problem.RequestID = b.exchange.id
		// Blank lines end an event that was cut in its middle, and else mean nothing.
		b.pending = append([]byte("\n\n"), dialect.StreamError(b.exchange.operation, problem)...)
		return
	}
	b.cut = true
}

// broken tells whether the answer ended before its time and the connection must
// be cut for the client to notice.
func (b *responseBody) broken() bool {
	return b.cut
}

// discard gives up on the answer before any of it was passed on.
func (b *responseBody) discard() {
	b.closed = true
	b.stopTimers()
	b.cancel()
	b.awaitRead()
	_ = b.source.Close()
	b.wipe()
}

// wipe overwrites what is left of the answer in memory, and gives the buffers back.
// Report says the same as before.
func (b *responseBody) wipe() {
	if b.meter != nil {
		b.meter.Forget()
	}
	for _, buffer := range [...][]byte{b.early, b.kept, b.last} {
		giveBuffer(buffer)
	}
	b.pending, b.early, b.kept, b.last = nil, nil, nil, nil
}

// Close ends the answer. If it was not settled, the client has left: it is read on
// for its usage, or ended, as is right for its kind.
func (b *responseBody) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	claimed := b.settlement.isClaimed()
	request := b.exchange.request
	if !claimed && b.leaving.happen() {
		b.exchange = nil
		// The request is gone when a drain ends.
		counted := request.EstimateInput(b.settlement.estimator(b.meter.Report().Model))
		b.input = func(tokens.Estimator) int64 { return counted }
		go b.drain() // one of the runtime's drains: they bound it, and end it at a stop
		return nil
	}
	defer b.call.Done(upstream.Outcome{}) // should anything panic; else it has ended
	if claimed {
		b.letGo()
		return nil
	}
	b.exchange, b.input = nil, request.EstimateInput
	b.cancel()
	b.awaitRead()
	b.settleLeft()
	b.input = nil
	b.letGo()
	return nil
}

// drain reads on for the usage after the client has left.
func (b *responseBody) drain() {
	defer b.call.Done(upstream.Outcome{}) // after a panic; else it has ended
	defer func() {
		if recover() == nil {
			return
		}
		// The value of the panic may quote the answer; the stack cannot. Nothing above
		// would catch it, and one request must not end all others.
		b.settlement.logger.Error("internal error", zap.String("request_id", b.settlement.record.ID), zap.ByteString("stack", debug.Stack()))
		_ = b.settlement.settle(answer{ending: metering.EndedByClient, httpStatus: b.status, input: b.input})
		if b.meter != nil { // else it has let go
			b.meter.Forget()
		}
		b.stopTimers()
		b.cancel()
		_ = b.source.Close()
	}()
	buffer := takeBuffer(readSize)[:readSize]
	defer giveBuffer(buffer)
	for drained := int64(0); b.ended == nil && !b.complete() && drained < b.leaving.rules.bytes; {
		drained += int64(b.advance(buffer))
	}
	b.settleLeft()
	b.letGo()
}

// settleLeft settles for a client that has left. The one who settled before has
// the last word.
func (b *responseBody) settleLeft() {
	report := b.meter.Report()
	_ = b.settlement.settle(answer{
		ending: metering.EndedByClient, httpStatus: b.status, report: report, firstToken: b.firstToken, input: b.input, meter: b.meter,
	})
}

// letGo returns the connection to its pool if the answer has ended, or closes it.
func (b *responseBody) letGo() {
	b.awaitRead()
	defer func() {
		b.wipe()
		b.meter.Release()
		b.meter = nil
	}()
	if b.ended == nil && b.complete() {
		// The end of the body mostly arrives with the last event; a connection that
		// has seen it can be used again.
		timer := time.AfterFunc(time.Second, b.cancel)
		var rest [512]byte
		n, err := b.source.Read(rest[:])
		clear(rest[:])
		if n == 0 && errors.Is(err, io.EOF) {
			b.ended = io.EOF
		}
		timer.Stop()
	}
	b.stopTimers()
	_ = b.source.Close()
	b.cancel()
	b.call.Done(b.outcome())
}

func (b *responseBody) awaitRead() {
	if b.inFlight != nil {
		b.take(<-b.inFlight)
	}
}

func (b *responseBody) stopTimers() {
	b.leaving.stop()
	if b.endTimer != nil {
		b.endTimer.Stop()
	}
}

// Interface guards
var (
	_ io.ReadCloser = (*responseBody)(nil)
)
