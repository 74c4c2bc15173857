package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/usage"
)

const (
	// readAheadPatience bounds the wait for the first content of a stream that has sent
	// something else. Until it is over another provider can still take over unseen; then
	// the client gets what there is, as pings, so that nobody on its way gives up on a
	// silent connection. A stream that has sent nothing is waited for as long as
	// its provider is: what is passed on cannot be any less.
	readAheadPatience = 30 * time.Second
	// documentPatience bounds the wait for the rest of a document that has begun, before
	// its header goes out: some providers send white space while they generate.
	documentPatience = 2 * time.Second
	// readAheadBytes bounds what is kept meanwhile.
	readAheadBytes = 64 << 10
)

// begin reads as far as it takes to know that the answer is one, and no error.
func (b *responseBody) begin() *failure {
	switch {
	case b.framing == usage.SSE:
		return b.readAhead(readAheadPatience, func() bool { return b.meter.Content() || b.meter.Final() })
	case b.framing == usage.Raw:
		return b.readAhead(readAheadPatience, func() bool { return len(b.pending) > 0 || b.meter.Final() })
	case b.streams:
		// Gemini's stream as one array: a document that is read while it is written. Another
		// document is an error in place of the stream, mostly.
		return b.readAhead(readAheadPatience, func() bool { return bytes.HasPrefix(bytes.TrimSpace(b.pending), []byte("[")) || b.meter.Final() })
	}
	return b.beginDocument()
}

// beginDocument reads a document to its end and settles it, if it is short and comes
// quickly: then an answer that cannot be settled, or is none, is still an error in the
// dialect's shape. Of others it reads the beginning.
func (b *responseBody) beginDocument() *failure {
	failed := b.readAhead(documentPatience, func() bool { return false })
	switch {
	case failed != nil || b.ended == nil || b.exchange.clientLeft():
		return failed
	case b.meter.Err() != nil:
		return inAnswer(dialect.ProviderInvalidAnswer, http.StatusBadGateway)
	case b.meter.Failed():
		if failed := b.failedEarly(); failed != nil {
			return failed
		}
	}
	beginning := b.pending
	b.conclude()
	if len(beginning) == 0 {
		return nil
	}
	if len(b.kept) == 0 {
		b.kept = appendPooled(b.kept, beginning)
	}
	b.kept = appendPooled(b.kept, b.pending)
	b.pending = b.kept
	return nil
}

// readAhead reads an answer until there is enough of it, so that one which fails before
// that can still be taken elsewhere. It keeps what it has read in pending: that is copied
// once there is a second piece, and mostly there is none.
func (b *responseBody) readAhead(patience time.Duration, enough func() bool) *failure {
	b.early = takeBuffer(readSize)
	began := time.Now()
	var expired <-chan time.Time // once somebody waits with an eye on it
	waited := false
	for read := 0; ; {
		if read == 0 {
			// There is nothing yet that could be passed on instead of waiting.
			n, err := b.source.Read(b.early[:readSize])
			read = b.take(sourceResult{b.early[:n], err})
			if b.framing == usage.JSON {
				began = time.Now() // its client sees nothing before it is there anyway
			}
			waited = time.Since(began) >= patience
		} else {
			if expired == nil {
				timer := time.NewTimer(time.Until(began.Add(patience)))
				defer timer.Stop()
				expired = timer.C
			}
			n, ok := b.advanceUntil(expired)
			if !ok {
				b.pending = b.kept
				return nil
			}
			read += n
		}
		if len(b.kept) > 0 {
			b.kept = appendPooled(b.kept, b.pending)
			b.pending = b.kept
		}
		switch {
		case b.meter.Failed() && !b.meter.Content():
			return b.failedEarly()
		case b.broke():
			return unanswered(b.ended)
		case b.ended != nil, waited, enough(), read >= readAheadBytes:
			return nil
		}
		if len(b.kept) == 0 { // the next piece takes its place
			b.kept = appendPooled(b.kept, b.pending)
		}
	}
}

// advanceUntil is advance, unless that takes too long: then the read goes on, for the next
// to take its result.
func (b *responseBody) advanceUntil(expired <-chan time.Time) (read int, ok bool) {
	b.inFlight = make(chan sourceResult, 1)
	go func(inFlight chan<- sourceResult, buffer []byte) {
		n, err := b.source.Read(buffer)
		inFlight <- sourceResult{buffer[:n], err}
	}(b.inFlight, b.early[:readSize])
	select {
	case result := <-b.inFlight:
		return b.take(result), true
	case <-expired:
		return 0, false
	}
}

// broke tells whether the answer has ended before its time, and nobody would have been
// given any of it: of a stream its first content goes out at once.
func (b *responseBody) broke() bool {
	switch {
	case b.ended == nil:
		return false
	case b.framing == usage.SSE:
		return !b.meter.Final() && !b.meter.Content()
	}
	return !errors.Is(b.ended, io.EOF) && (!b.streams || !b.meter.Content())
}

// failedEarly judges an answer under status 200 that is an error, before any of it has gone
// out. What the caller did wrong goes on as the provider said it.
func (b *responseBody) failedEarly() *failure {
	if class := b.errorClass(b.pending, b.meter.Withheld()); !class.CallersOwn() {
		return inAnswer(class, class.Status())
	}
	return nil
}

// errorClass judges an error in an answer, of which these pieces would go on. Where they
// quote the key that the provider was shown, it is the key that is wrong, whatever else is said.
func (b *responseBody) errorClass(pieces ...[]byte) dialect.ProviderErrorClass {
	secret := []byte(b.call.Credential.Secret())
	for _, piece := range pieces {
		if len(secret) > 0 && bytes.Contains(piece, secret) {
			return dialect.ProviderRefusedCredential
		}
	}
	return dialect.ClassifyStreamError(b.meter.Report().ErrorKind)
}
