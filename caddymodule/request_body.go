package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

var (
	// errBodyTooLarge says that a request body is longer than allowed.
	errBodyTooLarge = errors.New("request body is too large")
	// errBodyTooSlow says that a request body did not come in time.
	errBodyTooSlow = errors.New("request body came too slowly")
)

const (
	// bodyPatience is how long a body may take in any case, and bodyRate what must have
	// come for each second after that, in bytes: what comes a byte at a time must not
	// keep its place for ever. Caddy's read_body_idle bounds the wait for the next byte.
	bodyPatience = time.Minute
	bodyRate     = 16 << 10
	// firstBodySize bounds what is set aside on a client's mere word about its
	// Content-Length.
	firstBodySize = 256 << 10
	// trustedGrowth is how many times what has come is set aside on that word later.
	trustedGrowth = 16
)

// requestBody is a request's body in memory. It is read once and may be sent
// several times. Its buffer goes back to its pool, wiped, when the handler has
// ended and every reader is closed: net/http may still read a body after an early
// answer has come (transport.go, writeLoop).
type requestBody struct {
	bytes  []byte
	share  bodyShare
	mutex  sync.Mutex // of share, once the body is read
	owners atomic.Int32
}

// bodyLimits bound the reading of a body.
type bodyLimits struct {
	most  int64     // of the body, in bytes
	share bodyShare // of the memory
	now   func() time.Time
	// deadline sets when reads end; the zero time is never.
	deadline func(time.Time)
}

// readRequestBody reads a body up to its end. length is the declared one, or -1. It
// reads to io.EOF, as net/http watches for the client's leaving only from there on
// (server.go, registerOnHitEOF).
func readRequestBody(source io.Reader, length int64, limits bodyLimits) (*requestBody, error) {
	if length > limits.most {
		return nil, errBodyTooLarge
	}
	reading := bodyReading{limits: limits, began: limits.now(), whole: limits.most + 1, growth: 2}
	size := int64(bodySizes[0])
	if length >= 0 {
		reading.whole = length + 1 // one more, to see the end without growing
		reading.growth = trustedGrowth
		size = min(reading.whole, firstBodySize)
	}
	err := reading.grow(int(size))
	for err == nil {
		err = reading.read(source)
	}
	limits.deadline(time.Time{})
	if !errors.Is(err, io.EOF) {
		reading.drop()
		var tooLarge *http.MaxBytesError
		switch {
		case errors.As(err, &tooLarge):
			return nil, errBodyTooLarge
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, errBodyTooSlow
		}
		return nil, err
	}
	body := &requestBody{bytes: reading.buffer, share: reading.limits.share}
	body.owners.Store(1)
	return body, nil
}

// bodyReading is a body that is being read.
type bodyReading struct {
	limits   bodyLimits
	buffer   []byte
	whole    int64 // how large a buffer need be at most
	growth   int64 // how many times larger the next buffer may be
	began    time.Time
	deadline time.Time
}

// read reads once; io.EOF tells that the body is whole.
func (r *bodyReading) read(source io.Reader) error {
	if len(r.buffer) == cap(r.buffer) {
		size := int64(cap(r.buffer))
		if err := r.grow(int(min(r.growth*size, max(r.whole, size+1)))); err != nil {
			return err
		}
	}
	if err := r.bound(); err != nil {
		return err
	}
	n, err := source.Read(r.buffer[len(r.buffer):cap(r.buffer)])
	r.buffer = r.buffer[:len(r.buffer)+n]
	if int64(len(r.buffer)) > r.limits.most {
		return errBodyTooLarge
	}
	return err
}

// bound says until when the next bytes must have come.
func (r *bodyReading) bound() error {
	deadline := r.began.Add(bodyPatience + time.Duration(len(r.buffer)/bodyRate)*time.Second)
	if !r.deadline.IsZero() && r.limits.now().After(deadline) {
		return errBodyTooSlow // also where a deadline has no effect
	}
	if deadline != r.deadline {
		r.deadline = deadline
		r.limits.deadline(deadline)
	}
	return nil
}

// grow goes on in a larger buffer.
func (r *bodyReading) grow(size int) error {
	size = bufferSize(size)
	if err := r.limits.share.take(size); err != nil {
		return err
	}
	larger := append(takeBuffer(size), r.buffer...)
	if r.buffer != nil {
		r.limits.share.give(cap(r.buffer))
		giveBuffer(r.buffer)
	}
	r.buffer = larger
	return nil
}

func (r *bodyReading) drop() {
	if r.buffer != nil {
		giveBuffer(r.buffer)
		r.buffer = nil
	}
	r.limits.share.giveAll()
}

// payload is what one attempt sends: parts of the body, and what is put between them for
// the provider. A short one is a single piece, for which it may have been copied; a copy
// is wiped when its last reader is closed.
type payload struct {
	body   *requestBody
	pieces [][]byte
	length int64
	copied bool
	owners atomic.Int32
}

// inPieces makes a payload of parts of the body and what is between them. It must be
// released, and lives until its readers are closed.
func (b *requestBody) inPieces(pieces [][]byte) (*payload, error) {
	p := &payload{body: b, pieces: pieces}
	for _, piece := range pieces {
		p.length += int64(len(piece))
	}
	if len(pieces) > 1 && p.length <= shortBody {
		if err := b.take(int(p.length)); err != nil {
			return nil, err
		}
		p.pieces, p.copied = [][]byte{bytes.Join(pieces, nil)}, true
	}
	b.owners.Add(1)
	p.owners.Store(1)
	return p, nil
}

func (b *requestBody) take(bytes int) error {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	return b.share.take(bytes)
}

func (b *requestBody) give(bytes int) {
	b.mutex.Lock()
	defer b.mutex.Unlock()
	b.share.give(bytes)
}

// reader returns a reader of the payload, which stays in memory until it is closed.
func (p *payload) reader() *bodyReader {
	p.owners.Add(1)
	return &bodyReader{payload: p, rest: p.pieces, left: p.length}
}

// release gives up one ownership; the last one wipes.
func (p *payload) release() {
	if p.owners.Add(-1) != 0 {
		return
	}
	if p.copied {
		clear(p.pieces[0])
		p.body.give(int(p.length))
	}
	p.pieces, p.length = nil, 0
	p.body.release()
}

// release gives up one ownership; the last one wipes.
func (b *requestBody) release() {
	if b.owners.Add(-1) != 0 {
		return
	}
	giveBuffer(b.bytes)
	b.bytes = nil
	b.mutex.Lock()
	b.share.giveAll()
	b.mutex.Unlock()
}

// bodyReader is one sending of a request body.
type bodyReader struct {
	// mutex lets Close wait for a Read under way: HTTP/2 closes a request's body
	// from another goroutine (h2_bundle.go, closeReqBodyLocked), and a wiped buffer
	// must not be read.
	mutex   sync.Mutex
	payload *payload // nil when it is closed
	piece   []byte   // that is being read
	rest    [][]byte // the pieces after it
	left    int64    // bytes
	taken   bool
}

func (r *bodyReader) Read(p []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.left == 0 {
		return 0, io.EOF
	}
	n := 0
	for n < len(p) && r.left > 0 {
		if len(r.piece) == 0 {
			r.piece, r.rest = r.rest[0], r.rest[1:]
		}
		copied := copy(p[n:], r.piece)
		r.piece = r.piece[copied:]
		r.left -= int64(copied)
		n += copied
	}
	r.taken = r.left == 0
	return n, nil
}

func (r *bodyReader) Close() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.payload != nil {
		r.payload.release()
		r.payload, r.piece, r.rest, r.left = nil, nil, nil, 0
	}
	return nil
}

// sent tells whether all of it was taken by the connection.
func (r *bodyReader) sent() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.taken
}

// Interface guards
var _ io.ReadCloser = (*bodyReader)(nil)
