// Package simulator plays an AI provider over real sockets: for tests, for the
// demonstration and for benchmarks. Nothing of it runs unless it is configured
// by name.
//
// A request that no script step matches is answered natively, in the dialect
// of its path: OpenAI chat completions and responses, Anthropic messages and their
// count_tokens, or Gemini generateContent, streamGenerateContent and countTokens. The text is always the same and
// says where it comes from; the usage numbers follow from the request, so that
// the same request always costs the same.
//
// A script says otherwise: it replays recorded bytes in any chunking, waits at
// gates that the test opens, lies, errs, and cuts connections.
//
//	gate := simulator.NewGate()
//	provider := simulator.New(simulator.Options{Record: true, Script: simulator.Script{
//		{Response: simulator.ErrorResponse(simulator.OpenAI, 429)},
//		{Response: simulator.Response{
//			Pauses: []simulator.Pause{{At: 200, Gate: gate}}, // the native answer, held at byte 200
//		}},
//	}})
//	server := httptest.NewServer(provider)
//	…                       // two calls: the first gets 429, the second 200 bytes
//	<-gate.Reached()        // byte 199 is out
//	gate.Open()             // the rest follows
//	provider.Requests()     // what the provider saw: headers, bodies, early leavers
//
// It reads requests with its own eyes and not with internal/dialect: a double
// that shares code with what it tests would repeat its mistakes.
package simulator

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"
	"time"
)

// maxRequestBody is more than any provider of the three dialects accepts inline
// (Anthropic 32 MB, OpenAI 50 MB, Gemini 100 MB).
const maxRequestBody = 128 << 20

// Options of a Simulator. The zero value serves native answers to anybody, at
// full speed, and remembers nothing.
type Options struct {
	// Key that native answers demand in the dialect's own header; "" accepts
	// requests without any.
	Key string

	// Delay before each further event of a native stream. The demonstration
	// uses DemoDelay.
	Delay time.Duration

	// Sleep waits for d or until the context is done, and returns the
	// context's error in the latter case. Nil sleeps by the clock.
	Sleep func(ctx context.Context, d time.Duration) error

	// Now dates the answers; nil is time.Now.
	Now func() time.Time

	// Record keeps every request, body included, in memory for Requests.
	// For tests only: it never forgets.
	Record bool

	// Script of the first requests; Add appends to it.
	Script Script
}

// DemoDelay makes a stream look like one to a human reader: some 65 words a
// second.
const DemoDelay = 15 * time.Millisecond

// Simulator is a provider as an http.Handler. It is safe for concurrent use.
type Simulator struct {
	key    string
	delay  time.Duration
	sleep  func(context.Context, time.Duration) error
	now    func() time.Time
	script queue
	seen   register
	serial atomic.Int64

	// closing ends all waiting of running requests.
	closing context.Context
	close   context.CancelFunc
}

// New returns a provider that behaves as the options say.
func New(options Options) *Simulator {
	s := &Simulator{key: options.Key, delay: options.Delay, sleep: options.Sleep, now: options.Now}
	if s.sleep == nil {
		s.sleep = sleepByClock
	}
	if s.now == nil {
		s.now = time.Now
	}
	s.closing, s.close = context.WithCancel(context.Background())
	s.seen.record = options.Record
	s.Add(options.Script...)
	return s
}

// Close cuts off every answer that waits for something, now or later. The
// sockets belong to the server and stay open.
func (s *Simulator) Close() { s.close() }

// ServeHTTP answers one request: as the first matching step of the script
// says, else natively.
func (s *Simulator) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	defer context.AfterFunc(s.closing, cancel)()

	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxRequestBody))
	call := newCall(r, body)
	entry := s.seen.arrived(r, body, err)
	out := &delivery{simulator: s, ctx: ctx, writer: w, request: r}
	// Deferred, because a fault ends the handler by panic(http.ErrAbortHandler).
	defer func() { s.seen.finish(entry, out.sent, out.left) }()
	if err != nil {
		return
	}

	response := s.script.take(call)
	out.send(s.render(call, &response), &response)
}

func sleepByClock(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// identifier makes ids that are unique within this provider and the same in
// every run: chatcmpl-simulator-000001.
func (s *Simulator) identifier(prefix string) string {
	return fmt.Sprintf("%ssimulator-%06d", prefix, s.serial.Add(1))
}
