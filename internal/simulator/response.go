package simulator

import (
	"math"
	"net/http"
	"time"
)

// Response is one answer: what is sent, and how. Without Status and Body it is
// the native answer to the request, altered as Answer says; every other field
// works for both kinds.
type Response struct {
	// Answer alters the native answer; nil leaves it as it is.
	Answer *Answer

	// Status and Body replace the native answer; Status 0 with a Body is 200.
	Status int
	Body   []byte

	// ContentType replaces that of the native answer, wrongly if it must be.
	// "" with a Body sends no Content-Type at all.
	ContentType string

	// Header is added to the answer's own; a name in it replaces all values
	// that the answer has for it.
	Header http.Header

	// Trailing bytes follow the end that the format defines (data: [DONE], the
	// closing bracket), within the same HTTP body.
	Trailing []byte

	// Gzip compresses the body and says so, whether the client accepts it or
	// not.
	Gzip bool

	// ContentLength, when not 0, is claimed whatever the body's length. More
	// than the body: the connection ends early. Less than the body: the rest
	// follows all the same (HTTP/1.1 only, where the connection is then
	// closed; over HTTP/2 the stream is reset, since no such frames exist).
	ContentLength int64

	// Chunks cuts the body; each piece is flushed by itself. Nil keeps a
	// native stream's own events and sends other bodies whole.
	Chunks Chunking

	// Delay between pieces; 0 is Options.Delay for native streams, nothing
	// for others.
	Delay time.Duration

	// Pauses on the way.
	Pauses []Pause

	// Fault ends the answer at FaultAt, a byte offset as in Pause.
	Fault   Fault
	FaultAt int64
}

// BeforeHeader and AtEnd are offsets for Pause.At and Response.FaultAt beside
// those of the body's bytes: before the status line, and after the last byte but
// before the end of the HTTP message.
const (
	BeforeHeader int64 = -1
	AtEnd        int64 = math.MaxInt64
)

// Pause holds the answer before the body's byte At is sent; all bytes before it
// have been flushed. It lasts until the gate opens, or for the duration, or,
// with neither, until the client leaves.
type Pause struct {
	At   int64
	Gate *Gate
	For  time.Duration
}

// Fault is a way to end an answer before its end.
type Fault uint8

const (
	// NoFault ends an answer as HTTP wants it.
	NoFault Fault = iota

	// HangUp closes the connection politely (FIN, and close_notify under TLS)
	// in the middle of the message: a chunked body then lacks its last chunk.
	// Over HTTP/2 the stream is reset instead.
	HangUp

	// Reset tears the connection down (TCP RST). Over HTTP/2 this takes the
	// other streams along and needs a server with ConnContext; without one,
	// only the stream is reset.
	Reset
)

// native reports whether the answer's bytes come from the request.
func (r *Response) native() bool { return r.Status == 0 && r.Body == nil }
