package caddymodule

import (
	"errors"
	"io"
	"net/http"
	"sync"
	"sync/atomic"
)

// errBodyTooLarge says that a request body is longer than allowed.
var errBodyTooLarge = errors.New("request body is too large")

// bodySizes are the sizes of pooled buffers, in bytes. Larger bodies get a
// buffer of their own, as keeping those would hold memory for the rare case.
var bodySizes = [...]int{4 << 10, 32 << 10, 256 << 10, 2 << 20}

var bodyPools [len(bodySizes)]sync.Pool

// appendPooled appends to a pooled buffer, and takes a larger one in its place when it
// is full. Nothing else may look into the old one.
func appendPooled(buffer, p []byte) []byte {
	if length := len(buffer) + len(p); length > cap(buffer) {
		larger := append(takeBuffer(max(length, 2*cap(buffer))), buffer...)
		giveBuffer(buffer)
		buffer = larger
	}
	return append(buffer, p...)
}

// firstBodySize bounds what is set aside on a client's mere word about its
// Content-Length.
const firstBodySize = 256 << 10

// requestBody is a request's body in memory. It is read once and may be sent
// several times. Its buffer goes back to its pool, wiped, when the handler has
// ended and every reader is closed: net/http may still read a body after an early
// answer has come (transport.go, writeLoop).
type requestBody struct {
	bytes  []byte
	edited [][]byte
	owners atomic.Int32
}

// readRequestBody reads at most limit bytes up to the end. length is the declared
// one, or -1. It reads to io.EOF, as net/http watches for the client's leaving
// only from there on (server.go, registerOnHitEOF).
func readRequestBody(source io.Reader, length, limit int64) (*requestBody, error) {
	if length > limit {
		return nil, errBodyTooLarge
	}
	size := int64(bodySizes[0])
	if length >= 0 {
		size = min(length+1, firstBodySize) // one more, to see the end without growing
	}
	buffer := takeBuffer(int(size))
	for {
		if len(buffer) == cap(buffer) {
			larger := takeBuffer(2 * cap(buffer))
			larger = append(larger, buffer...)
			giveBuffer(buffer)
			buffer = larger
		}
		n, err := source.Read(buffer[len(buffer):cap(buffer)])
		buffer = buffer[:len(buffer)+n]
		if int64(len(buffer)) > limit {
			giveBuffer(buffer)
			return nil, errBodyTooLarge
		}
		if err == io.EOF {
			body := &requestBody{bytes: buffer}
			body.owners.Store(1)
			return body, nil
		}
		if err != nil {
			giveBuffer(buffer)
			var tooLarge *http.MaxBytesError
			if errors.As(err, &tooLarge) {
				return nil, errBodyTooLarge
			}
			return nil, err
		}
	}
}

// reader returns a reader of payload, which is the body's own bytes or an edited
// copy of them. The body stays in memory until the reader is closed.
func (b *requestBody) reader(payload []byte) *bodyReader {
	b.owners.Add(1)
	return &bodyReader{payload: payload, body: b}
}

// keep makes an edited copy be wiped together with the body.
func (b *requestBody) keep(payload []byte) {
	if len(payload) > 0 && (len(b.bytes) == 0 || &payload[0] != &b.bytes[0]) {
		b.edited = append(b.edited, payload)
	}
}

// release gives up one ownership; the last one wipes.
func (b *requestBody) release() {
	if b.owners.Add(-1) != 0 {
		return
	}
	for _, payload := range b.edited {
		clear(payload)
	}
	giveBuffer(b.bytes)
	b.bytes, b.edited = nil, nil
}

// bodyReader is one sending of a request body.
type bodyReader struct {
	// mutex lets Close wait for a Read under way: HTTP/2 closes a request's body
	// from another goroutine (h2_bundle.go, closeReqBodyLocked), and a wiped buffer
	// must not be read.
	mutex   sync.Mutex
	payload []byte
	body    *requestBody
	taken   bool
}

func (r *bodyReader) Read(p []byte) (int, error) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if len(r.payload) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.payload)
	r.payload = r.payload[n:]
	r.taken = len(r.payload) == 0
	return n, nil
}

func (r *bodyReader) Close() error {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.body != nil {
		r.body.release()
		r.body, r.payload = nil, nil
	}
	return nil
}

// sent tells whether all of it was taken by the connection.
func (r *bodyReader) sent() bool {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.taken
}

func takeBuffer(size int) []byte {
	for class, classSize := range bodySizes {
		if size <= classSize {
			if pooled, ok := bodyPools[class].Get().(*[]byte); ok {
				return (*pooled)[:0]
			}
			return make([]byte, 0, classSize)
		}
	}
	return make([]byte, 0, size)
}

// giveBuffer wipes a buffer, as far as it was used, and returns it to its pool if it is
// of one.
func giveBuffer(buffer []byte) {
	clear(buffer)
	for class, classSize := range bodySizes {
		if cap(buffer) == classSize {
			buffer = buffer[:0]
			bodyPools[class].Put(&buffer)
			return
		}
	}
}

// Interface guards
var _ io.ReadCloser = (*bodyReader)(nil)
