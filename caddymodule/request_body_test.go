package caddymodule

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"os"
	"testing"
	"testing/iotest"
	"time"
)

// bodyBounds bound bodies to a length, and to so much memory that it does not matter.
func bodyBounds(most int64) bodyLimits {
	return bodyLimits{
		most: most, share: bodyShare{memory: new(bodyMemory), limit: 1 << 40}, now: time.Now, deadline: func(time.Time) {},
	}
}

func TestRequestBodyIsReadWholeWhateverItsLength(t *testing.T) {
	for _, size := range []int{0, 1, 4095, 4096, 4097, 32 << 10, 300 << 10, 3 << 20} {
		content := bytes.Repeat([]byte("faregate"), size/8+1)[:size]
		for _, declared := range []int64{-1, int64(size)} {
			body, err := readRequestBody(iotest.HalfReader(bytes.NewReader(content)), declared, bodyBounds(4<<20))
			if err != nil || !bytes.Equal(body.bytes, content) {
				t.Fatalf("size %d declared %d: %v", size, declared, err)
			}
			body.release()
		}
	}
}

func TestRequestBodyOverTheLimit(t *testing.T) {
	for _, declared := range []int64{-1, 11} {
		_, err := readRequestBody(bytes.NewReader(make([]byte, 11)), declared, bodyBounds(10))
		if !errors.Is(err, errBodyTooLarge) {
			t.Errorf("declared %d: %v", declared, err)
		}
	}
	limited := http.MaxBytesReader(nil, io.NopCloser(bytes.NewReader(make([]byte, 11))), 5)
	if _, err := readRequestBody(limited, -1, bodyBounds(100)); !errors.Is(err, errBodyTooLarge) {
		t.Errorf("limited outside: %v", err)
	}
	broken := io.MultiReader(bytes.NewReader(make([]byte, 3)), iotest.ErrReader(io.ErrUnexpectedEOF))
	if _, err := readRequestBody(broken, 11, bodyBounds(100)); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("broken off: %v", err)
	}
}

func TestRequestBodyIsWipedAfterItsLastReader(t *testing.T) {
	body, err := readRequestBody(bytes.NewReader([]byte("a prompt")), 8, bodyBounds(100))
	if err != nil {
		t.Fatal(err)
	}
	memory := body.bytes
	payload, err := body.inPieces([][]byte{memory[:2], []byte("short "), memory[2:], nil})
	if err != nil || payload.length != 14 {
		t.Fatal(payload, err)
	}
	edited := payload.pieces[0]
	reader := payload.reader()
	payload.release()
	body.release()
	if string(memory) != "a prompt" || string(edited) != "a short prompt" {
		t.Fatal("wiped while a reader was open")
	}
	if sent, err := io.ReadAll(reader); err != nil || string(sent) != "a short prompt" {
		t.Fatalf("sent %q, %v", sent, err)
	}
	_ = reader.Close()
	_ = reader.Close() // net/http may close twice
	if !bytes.Equal(memory, make([]byte, 8)) || !bytes.Equal(edited, make([]byte, 14)) {
		t.Fatal("not wiped")
	}
}

// A long body is never copied, and may be sent more than once.
func TestLongRequestBodyIsSentInPieces(t *testing.T) {
	content := bytes.Repeat([]byte("faregate"), shortBody)
	body, err := readRequestBody(bytes.NewReader(content), int64(len(content)), bodyBounds(1<<20))
	if err != nil {
		t.Fatal(err)
	}
	memory := body.bytes
	payload, err := body.inPieces([][]byte{memory[:0], []byte("a"), memory[:5], nil, []byte("new"), memory[8:], nil})
	if err != nil {
		t.Fatal(err)
	}
	want := append([]byte("afaregnew"), content[8:]...)
	first, second := payload.reader(), payload.reader()
	payload.release()
	body.release()
	for _, reader := range []*bodyReader{first, second} {
		if err := iotest.TestReader(reader, want); err != nil || !reader.sent() {
			t.Fatal(reader.sent(), err)
		}
		_ = reader.Close()
		if n, err := reader.Read(make([]byte, 1)); n != 0 || !errors.Is(err, io.EOF) {
			t.Fatalf("%d bytes read of a body that is closed, %v", n, err)
		}
	}
	if !bytes.Equal(memory, make([]byte, len(content))) {
		t.Fatal("not wiped")
	}
}

// What a body takes is known before it is allocated, in all its stages, and is given
// back whatever happens.
func TestRequestBodyTakesWhatItIsAllowed(t *testing.T) {
	content := bytes.Repeat([]byte("faregate"), 600<<10/8)
	for _, declared := range []int64{-1, int64(len(content))} {
		for limit := int64(1); limit < 4<<20; limit *= 2 {
			bounds := bodyBounds(32 << 20)
			bounds.share.limit = limit
			memory := bounds.share.memory
			var peak int64
			watched := readerFunc(func(p []byte) (int, error) {
				peak = max(peak, memory.used.Load())
				if int64(len(p)) > memory.used.Load() {
					t.Fatalf("%d bytes to read into, %d taken", len(p), memory.used.Load())
				}
				n := min(len(p), len(content))
				copy(p, content[:n])
				return n, nil
			})
			left := len(content)
			body, err := readRequestBody(readerFunc(func(p []byte) (int, error) {
				if left == 0 {
					return 0, io.EOF
				}
				n, _ := watched(p[:min(len(p), left)])
				left -= n
				return n, nil
			}), declared, bounds)
			if peak > limit {
				t.Fatalf("%d bytes taken of %d", peak, limit)
			}
			if err != nil {
				if !errors.Is(err, errBodyMemory) || memory.used.Load() != 0 {
					t.Fatalf("limit %d: %v, %d bytes are still taken", limit, err, memory.used.Load())
				}
				continue
			}
			if taken := memory.used.Load(); taken != int64(cap(body.bytes)) {
				t.Fatalf("%d bytes taken for %d", taken, cap(body.bytes))
			}
			// Sending it takes no more, whatever is changed in it.
			payload, err := body.inPieces([][]byte{[]byte("{"), body.bytes})
			if err != nil {
				t.Fatal(err)
			}
			first, second := payload.reader(), payload.reader()
			payload.release()
			_ = first.Close()
			_ = first.Close()
			if sent, err := io.Copy(io.Discard, second); err != nil || sent != int64(len(content)+1) {
				t.Fatal(sent, err)
			}
			body.release() // the handler ends while it is being sent
			if taken := memory.used.Load(); taken != int64(cap(body.bytes)) || taken > limit {
				t.Fatalf("%d bytes taken of %d while %d are sent", taken, limit, cap(body.bytes))
			}
			_ = second.Close()
			if memory.used.Load() != 0 {
				t.Fatalf("limit %d: %d bytes are still taken", limit, memory.used.Load())
			}
		}
	}
}

// A short body is sent in one piece, so that what is changed in it takes memory.
func TestShortRequestBodyTakesMemoryForItsCopy(t *testing.T) {
	for _, limit := range []int64{4 << 10, 4<<10 + 9, 4<<10 + 10} {
		bounds := bodyBounds(100)
		bounds.share.limit = limit
		body, err := readRequestBody(bytes.NewReader([]byte("a prompt")), 8, bounds)
		if err != nil {
			t.Fatal(err)
		}
		payload, err := body.inPieces([][]byte{body.bytes, []byte("!!")})
		switch {
		case limit < 4<<10+10 && !errors.Is(err, errBodyMemory):
			t.Errorf("limit %d: %v", limit, err)
		case err == nil:
			if taken := bounds.share.memory.used.Load(); taken != 4<<10+10 {
				t.Errorf("limit %d: %d bytes taken", limit, taken)
			}
			payload.release()
		}
		body.release()
		if taken := bounds.share.memory.used.Load(); taken != 0 {
			t.Errorf("limit %d: %d bytes are still taken", limit, taken)
		}
	}
}

// A client's word about a length that is long is trusted as far as it has kept it.
func TestRequestBodyTrustsALengthAsItComes(t *testing.T) {
	const declared = 32 << 20
	bounds := bodyBounds(declared)
	came := 0
	_, err := readRequestBody(readerFunc(func(p []byte) (int, error) {
		if taken := bounds.share.memory.used.Load(); taken > firstBodySize+int64(trustedGrowth*came) {
			t.Errorf("%d bytes taken when %d have come", taken, came)
		}
		if came >= declared/2 {
			return 0, io.ErrUnexpectedEOF
		}
		n := min(len(p), 10_000)
		came += n
		return n, nil
	}), declared, bounds)
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Error(err)
	}
}

// A pooled buffer of a long body is hardly longer than it, as all of it is reserved.
func TestLongBodiesGetBuffersOfTheirLength(t *testing.T) {
	for size := 2<<20 + 1; size < 10<<20; size += 100_000 {
		buffer := takeBuffer(size)
		if got := cap(buffer); got != bufferSize(size) || got < size || got > size+size/4 {
			t.Errorf("a buffer of %d bytes for %d", got, size)
		}
		buffer = append(buffer, "a prompt"...)
		giveBuffer(buffer)
		if !bytes.Equal(buffer, make([]byte, 8)) {
			t.Fatal("not wiped")
		}
	}
}

type readerFunc func([]byte) (int, error)

func (f readerFunc) Read(p []byte) (int, error) { return f(p) }

// A body that comes a byte at a time ends, though no wait for a byte is long.
func TestRequestBodyThatTrickles(t *testing.T) {
	for name, c := range map[string]struct {
		piece, every int // bytes, and seconds between them
		slow         bool
	}{
		"a byte in a second":      {1, 1, true},
		"a byte in half a minute": {1, 30, true},
		"a slow line":             {bodyRate, 1, false},
		"slower after a while":    {bodyRate / 2, 1, true},
	} {
		now := time.Now()
		began, set := now, time.Time{}
		bounds := bodyBounds(4 << 20)
		bounds.now = func() time.Time { return now }
		bounds.deadline = func(at time.Time) { set = at }
		left := 4 << 20
		_, err := readRequestBody(readerFunc(func(p []byte) (int, error) {
			now = now.Add(time.Duration(c.every) * time.Second)
			if now.After(set) {
				now = set // the connection's own clock
				return 0, os.ErrDeadlineExceeded
			}
			n := min(len(p), c.piece, left)
			if left -= n; left == 0 {
				return n, io.EOF
			}
			return n, nil
		}), -1, bounds)
		if errors.Is(err, errBodyTooSlow) != c.slow || err != nil && !c.slow {
			t.Errorf("%s: %v after %s", name, err, now.Sub(began))
		}
		if !set.IsZero() {
			t.Errorf("%s: a deadline stays", name)
		}
	}
	// The same without a connection that knows deadlines.
	now := time.Now()
	bounds := bodyBounds(1 << 20)
	bounds.now = func() time.Time { now = now.Add(time.Second); return now }
	if _, err := readRequestBody(readerFunc(func(p []byte) (int, error) { return 1, nil }), -1, bounds); !errors.Is(err, errBodyTooSlow) {
		t.Error(err)
	}
}
