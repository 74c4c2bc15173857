package caddymodule

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	goruntime "runtime"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// flusher is a compressor that can give out what it has so far.
type flusher interface {
	io.WriteCloser
	Flush() error
}

var encoders = map[string]func(io.Writer) flusher{
	"gzip":    func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"x-gzip":  func(w io.Writer) flusher { return gzip.NewWriter(w) },
	"deflate": func(w io.Writer) flusher { return zlib.NewWriter(w) },
	"Deflate": func(w io.Writer) flusher { e, _ := flate.NewWriter(w, 5); return e }, // the bare format
	"br":      func(w io.Writer) flusher { return brotli.NewWriter(w) },
	"zstd":    func(w io.Writer) flusher { e, _ := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)); return e },
}

func encoded(encoding string, text []byte) []byte {
	var to bytes.Buffer
	encoder := encoders[encoding](&to)
	_, _ = encoder.Write(text)
	_ = encoder.Close()
	return to.Bytes()
}

func compressedAnswer(encoding string, body io.Reader) *http.Response {
	return &http.Response{
		Header: http.Header{"Content-Encoding": {encoding}, "Content-Length": {"7"}}, ContentLength: 7, Body: io.NopCloser(body),
	}
}

func TestCompressedAnswersAreDecoded(t *testing.T) {
	text := []byte(strings.Repeat(`{"choices":[{"index":0,"delta":{"content":"Grüße 🎫"}}]}`+"\n", 3000))
	for encoding := range encoders {
		whole := encoded(encoding, text)
		for name, source := range map[string]io.Reader{
			"at once": bytes.NewReader(whole), "byte by byte": iotest.OneByteReader(bytes.NewReader(whole)), "with its end": iotest.DataErrReader(bytes.NewReader(whole)),
		} {
			response := compressedAnswer(encoding, source)
			decodeAnswer(response)
			if got, err := io.ReadAll(response.Body); err != nil || !bytes.Equal(got, text) {
				t.Errorf("%s %s: %d bytes, %v", encoding, name, len(got), err)
			}
			if response.ContentLength != -1 || len(response.Header) != 0 {
				t.Errorf("%s: %v, %d", encoding, response.Header, response.ContentLength)
			}
			_ = response.Body.Close()
		}
		// What breaks off does not pass for an end, wherever that is.
		for cut := range min(len(whole), 200) {
			response := compressedAnswer(encoding, bytes.NewReader(whole[:cut]))
			decodeAnswer(response)
			if _, err := io.ReadAll(response.Body); err == nil {
				t.Errorf("%s, cut at %d of %d: no error", encoding, cut, len(whole))
			}
			_ = response.Body.Close()
		}
	}
	for _, encoding := range []string{"identity", "", "IDENTITY"} {
		response := compressedAnswer(encoding, strings.NewReader("hello"))
		if encoding == "" {
			delete(response.Header, "Content-Encoding")
		}
		decodeAnswer(response)
		if got, err := io.ReadAll(response.Body); string(got) != "hello" || err != nil || response.ContentLength != 7 {
			t.Errorf("%q: %q, %v", encoding, got, err)
		}
	}
	for _, encoding := range []string{"gzip, gzip", "compress", "aes128gcm", "nonsense", "identity, gzip"} {
		response := compressedAnswer(encoding, strings.NewReader("hello"))
		decodeAnswer(response)
		if _, err := io.ReadAll(response.Body); !errors.Is(err, errEncodingUnknown) {
			t.Errorf("%q: %v", encoding, err)
		}
		_ = response.Body.Close()
	}
}

// What the provider flushed can be read before more comes: events are not held back.
func TestCompressedEventsComeAtOnce(t *testing.T) {
	for encoding, encoder := range encoders {
		reader, writer := io.Pipe()
		response := compressedAnswer(encoding, reader)
		decodeAnswer(response)
		compressor := encoder(writer)
		next := make(chan string)
		go func() {
			for event := range next {
				_, _ = io.WriteString(compressor, event)
				_ = compressor.Flush()
			}
			_ = compressor.Close()
			_ = writer.Close()
		}()
		for i := range 50 {
			event := "data: {\"number\":" + strings.Repeat("1", i+1) + "}\n\n"
			next <- event
			piece := make([]byte, len(event))
			done := time.AfterFunc(10*time.Second, func() { _ = reader.CloseWithError(errors.New("nothing comes")) })
			if _, err := io.ReadFull(response.Body, piece); err != nil || string(piece) != event {
				t.Fatalf("%s: event %d: %q, %v", encoding, i, piece, err)
			}
			done.Stop()
		}
		close(next)
		if rest, err := io.ReadAll(response.Body); len(rest) != 0 || err != nil {
			t.Errorf("%s: %q, %v", encoding, rest, err)
		}
		_ = response.Body.Close()
	}
}

// A small answer that would become a large one ends, and takes no memory.
func TestCompressionBombs(t *testing.T) {
	var bombs []*http.Response
	for encoding := range encoders {
		bombs = append(bombs, compressedAnswer(encoding, bytes.NewReader(encoded(encoding, make([]byte, 16<<20)))))
	}
	// Windows of a gigabyte: zstd's largest, and brotli's beyond the standard.
	bombs = append(bombs,
		compressedAnswer("zstd", io.MultiReader(bytes.NewReader([]byte{0x28, 0xb5, 0x2f, 0xfd, 0x00, 0xa0}), neverEnding('\x03'))),
		compressedAnswer("br", io.MultiReader(bytes.NewReader([]byte{0x11, 0x1e}), neverEnding('\xff'))),
		compressedAnswer("gzip", io.MultiReader(bytes.NewReader([]byte{0x1f, 0x8b, 8, 0x08, 0, 0, 0, 0, 0, 3}), neverEnding('x')))) // a file name without end
	debug.FreeOSMemory()
	var before, after goruntime.MemStats
	goruntime.ReadMemStats(&before)
	for _, response := range bombs {
		encoding := response.Header.Get("Content-Encoding")
		decodeAnswer(response)
		n, err := io.Copy(io.Discard, response.Body)
		if err == nil || n > 4<<20+1<<16 {
			t.Errorf("%s: %d bytes, %v", encoding, n, err)
		}
		_ = response.Body.Close()
	}
	goruntime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 64<<20 {
		t.Errorf("%d bytes were allocated", took)
	}
	// What is long all the same passes.
	var varied []byte
	for i := range 200_000 {
		varied = fmt.Appendf(varied, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%d\"}}]}\n\n", i)
	}
	response := compressedAnswer("gzip", bytes.NewReader(encoded("gzip", varied)))
	decodeAnswer(response)
	if n, err := io.Copy(io.Discard, response.Body); n != int64(len(varied)) || err != nil {
		t.Errorf("%d of %d bytes, %v", n, len(varied), err)
	}
}

type neverEnding byte

func (b neverEnding) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = byte(b)
	}
	return len(p), nil
}

// Providers that compress are metered like others, and their errors are read.
func TestCompressedAnswersAreMetered(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	credit := g.balance()
	events := `data: {"model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"content":"hello"}}]}` + "\n\n" +
		`data: {"model":"gpt-4.1-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n" +
		`data: {"model":"gpt-4.1-mini","choices":[],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33}}` + "\n\ndata: [DONE]\n\n"
	document := `{"model":"gpt-4.1-mini","choices":[{"index":0,"message":{"content":"hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":11,"completion_tokens":22,"total_tokens":33}}`
	const refused = `{"error":{"message":"temperature is too high","type":"invalid_request_error","param":"temperature","code":null}}`
	n := 0
	for encoding := range encoders {
		for _, c := range []struct {
			wire              wire
			kind, body, shows string
			status            int
		}{
			{chatStream, "text/event-stream", events, "data: [DONE]", 200},
			{chatJSON, "application/json", document, document, 200},
			{chatJSON, "application/json", refused, refused, 400},
		} {
			g.provider.Add(simulator.Step{Response: simulator.Response{
				Status: c.status, ContentType: c.kind, Body: encoded(encoding, []byte(c.body)), Header: http.Header{"Content-Encoding": {encoding}}, Chunks: simulator.Every(7),
			}})
			got := g.call(c.wire.path, c.wire.body)
			if got.status != c.status || !strings.Contains(string(got.body), c.shows) || got.err != nil || got.header.Get("Content-Encoding") != "" {
				t.Errorf("%s: %d %v %v %.300q", encoding, got.status, got.err, got.header, got.body)
			}
			n++
			record := g.records(n)[n-1]
			if c.status == 200 && (record.Basis != metering.BasisMeasured || record.Usage.InputTotal != 11 || record.Usage.OutputTotal != 22) || c.status != 200 && record.Cost != 0 {
				t.Errorf("%s: %+v", encoding, record)
			}
		}
	}
	g.settledUp(credit, g.records(n))
}
