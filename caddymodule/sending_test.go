package caddymodule

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	goruntime "runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// payloadOf makes a payload whose memory belongs to nobody else any more.
func payloadOf(t *testing.T, content string) (*payload, *bodyMemory) {
	t.Helper()
	bounds := bodyBounds(1 << 20)
	body, err := readRequestBody(strings.NewReader(content), int64(len(content)), bounds)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := body.inPieces([][]byte{body.bytes})
	if err != nil {
		t.Fatal(err)
	}
	body.release()
	return payload, bounds.share.memory
}

func requestOf(t *testing.T, s *sending, address string) *http.Request {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	t.Cleanup(cancel)
	request, err := http.NewRequestWithContext(s.traced(ctx), http.MethodPost, address, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Body, request.GetBody, request.ContentLength = s.body(), s.bodyAgain, s.payload.length
	return request
}

// awaitCollected waits until the garbage collector has found that nobody reads.
func awaitCollected(t *testing.T, memory *bodyMemory) {
	t.Helper()
	waitFor(t, "the memory of the body to be given back", func() bool {
		goruntime.GC()
		return memory.used.Load() == 0
	})
}

// countedConn counts what is written to it at once.
type countedConn struct {
	net.Conn
	writes *atomic.Int64
}

func (c countedConn) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestAShortBodyIsWrittenWithItsHeader(t *testing.T) {
	received := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		read, _ := io.ReadAll(r.Body)
		received <- string(read)
	}))
	defer server.Close()
	for _, length := range []int{1, shortBody, shortBody + 1} {
		var writes atomic.Int64
		transport := &http.Transport{DialContext: func(ctx context.Context, network, address string) (net.Conn, error) {
			dialed, err := new(net.Dialer).DialContext(ctx, network, address)
			return countedConn{dialed, &writes}, err
		}}
		content := strings.Repeat("x", length)
		payload, memory := payloadOf(t, content)
		sending := payload.send()
		response, err := transport.RoundTrip(requestOf(t, sending, server.URL))
		if err != nil {
			t.Fatal(err)
		}
		whole := sending.end()
		payload.release()
		_ = response.Body.Close()
		if got := <-received; got != content || !whole {
			t.Errorf("%d bytes: %d came, sent whole: %t", length, len(got), whole)
		}
		if short := length <= shortBody; short != (writes.Load() == 1) {
			t.Errorf("%d bytes: %d writes", length, writes.Load())
		}
		waitFor(t, "the memory to be given back", func() bool { return memory.used.Load() == 0 })
		transport.CloseIdleConnections()
	}
}

// What net/http may still be reading is not given back.
func TestAShortBodyStaysAsLongAsItMayBeRead(t *testing.T) {
	payload, memory := payloadOf(t, "a prompt")
	content := payload.pieces[0]
	sending := payload.send()
	body := sending.body()
	if sending.end() {
		t.Error("what nobody has written is said to be sent")
	}
	payload.release()
	goruntime.GC()
	if read, err := io.ReadAll(body); err != nil || string(read) != "a prompt" || memory.used.Load() == 0 {
		t.Fatalf("read %q, %v", read, err)
	}
	goruntime.KeepAlive(body) // the last that anybody has of it
	awaitCollected(t, memory)
	if !bytes.Equal(content, make([]byte, len(content))) {
		t.Error("not wiped")
	}
}

func TestAShortBodyThatNobodyTook(t *testing.T) {
	payload, memory := payloadOf(t, "a prompt")
	sending := payload.send()
	transport := &http.Transport{DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("nobody there")
	}}
	if response, err := transport.RoundTrip(requestOf(t, sending, "http://127.0.0.1:1")); err == nil {
		_ = response.Body.Close()
		t.Fatal("it was answered")
	}
	if sending.end() {
		t.Error("it is said to be sent")
	}
	payload.release()
	sending = nil
	awaitCollected(t, memory)

	payload, memory = payloadOf(t, "a prompt")
	payload.send().drop()
	payload.release()
	if memory.used.Load() != 0 {
		t.Error("what was dropped is not given back")
	}
}

// An idle connection that the provider has closed is found out by writing to it: the
// request goes over another one, whole.
func TestAShortBodyIsSentAgainWhereAnIdleConnectionWasClosed(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	received := make(chan string, 10)
	go func() { // ends with the listener
		for number := 0; ; number++ {
			connection, err := listener.Accept()
			if err != nil {
				return
			}
			reader := bufio.NewReader(connection)
			for request, err := http.ReadRequest(reader); err == nil; request, err = http.ReadRequest(reader) {
				read, _ := io.ReadAll(request.Body)
				received <- string(read)
				if number == 0 && string(read) != "first" {
					break // as if it had been closed just before
				}
				_, _ = io.WriteString(connection, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
			}
			_ = connection.Close()
		}
	}()
	transport := new(http.Transport)
	defer transport.CloseIdleConnections()
	for _, content := range []string{"first", "second"} {
		payload, memory := payloadOf(t, content)
		sending := payload.send()
		request := requestOf(t, sending, "http://"+listener.Addr().String())
		request.Header.Set("Idempotency-Key", "lets net/http send it again")
		response, err := transport.RoundTrip(request)
		if err != nil {
			t.Fatal(err)
		}
		_ = response.Body.Close()
		again := sending.again.Load() != nil
		if whole := sending.end(); !whole || again != (content == "second") {
			t.Errorf("%s: sent whole: %t, again: %t", content, whole, again)
		}
		payload.release()
		request, response, sending = nil, nil, nil
		awaitCollected(t, memory)
	}
	for _, want := range []string{"first", "second", "second"} {
		if got := <-received; got != want {
			t.Errorf("received %q, want %q", got, want)
		}
	}
}

// What counts of a long body is what the last connection took of it.
func TestALongBodyThatIsSentAgain(t *testing.T) {
	const length = 100 << 10
	payload, memory := payloadOf(t, strings.Repeat("x", length))
	sending := payload.send()
	first := sending.body()
	if _, err := io.ReadFull(first, make([]byte, 10<<10)); err != nil {
		t.Fatal(err)
	}
	_ = first.Close()
	second, err := sending.bodyAgain()
	if err != nil {
		t.Fatal(err)
	}
	if sending.end() {
		t.Error("what nobody has read to its end is said to be sent")
	}
	if n, err := io.Copy(io.Discard, second); n != length || err != nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	_ = second.Close()
	if !sending.end() {
		t.Error("what was read to its end is said not to be sent")
	}
	payload.release()
	if memory.used.Load() != 0 {
		t.Error("the memory is not given back")
	}
}
