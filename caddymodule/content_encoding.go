package caddymodule

import (
	"bufio"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"errors"
	"io"
	"net/http"
	"strings"

	"github.com/andybalholm/brotli"
	"github.com/klauspost/compress/zstd"
)

const (
	// mostDecoded bounds what an answer is decoded to, in bytes: longer ones than any
	// provider's, images included.
	mostDecoded = 256 << 20
	// mostRatio is how many times longer than it came an answer may become, once it is
	// longer than freeRatio: JSON and events become some 30 times as long.
	mostRatio = 200
	freeRatio = 4 << 20
	// zstdWindow is what RFC 9659 allows in HTTP.
	zstdWindow = 8 << 20
)

var (
	errEncodingUnknown = errors.New("answer in an encoding that is not known")
	errDecodedTooLong  = errors.New("answer becomes too long when it is decoded")
)

// decodeAnswer makes a provider's answer readable that is compressed, though it was not
// asked to be: some providers and the proxies before them do so all the same. It is
// decoded as it comes, in bounded memory, and not to any length. Reading an answer whose
// encoding is not known fails.
func decodeAnswer(response *http.Response) {
	var encoding string
	switch values := response.Header["Content-Encoding"]; len(values) {
	case 0:
		return
	case 1:
		encoding = strings.ToLower(strings.TrimSpace(values[0]))
	}
	if encoding == "identity" {
		return
	}
	// A decoder reads the beginning of its format at once, which must not block here.
	decoded := &decodedBody{encoding: encoding, source: response.Body}
	decoded.compressed.source = response.Body
	response.Body, response.ContentLength, response.Uncompressed = decoded, -1, true
	response.Header.Del("Content-Encoding")
	response.Header.Del("Content-Length")
}

// decodedBody is an answer that is decoded while it is read.
type decodedBody struct {
	encoding   string
	source     io.Closer
	compressed countedReader
	decoder    io.Reader // nil before the first read
	decoded    int64
	err        error
}

func (b *decodedBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	if b.decoder == nil {
		decoder, err := newDecoder(b.encoding, &b.compressed)
		if err != nil {
			if b.err = err; errors.Is(err, io.EOF) {
				b.err = io.ErrUnexpectedEOF
			}
			return 0, b.err
		}
		b.decoder = decoder
	}
	n, err := b.decoder.Read(p)
	b.decoded += int64(n)
	if b.decoded > mostDecoded || b.decoded > freeRatio && b.decoded > mostRatio*b.compressed.read {
		n, err = 0, errDecodedTooLong
	}
	if errors.Is(err, io.EOF) && b.compressed.read == 0 {
		err = io.ErrUnexpectedEOF // nothing at all is no answer
	}
	b.err = err
	return n, err
}

func (b *decodedBody) Close() error {
	if decoder, ok := b.decoder.(*zstd.Decoder); ok {
		decoder.Close()
	}
	return b.source.Close()
}

func newDecoder(encoding string, source *countedReader) (io.Reader, error) {
	switch encoding {
	case "gzip", "x-gzip":
		return gzip.NewReader(source)
	case "deflate":
		// zlib's format by the standard (RFC 9110 section 8.4.1.2), and the bare one by
		// some that took its name at its word.
		buffered := bufio.NewReaderSize(source, 4<<10)
		head, err := buffered.Peek(2)
		if err != nil {
			return nil, err
		}
		if head[0]&0x0f == 8 && (int(head[0])<<8|int(head[1]))%31 == 0 {
			return zlib.NewReader(buffered)
		}
		return flate.NewReader(buffered), nil
	case "br":
		return brotli.NewReader(source), nil
	case "zstd":
		return zstd.NewReader(source, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(zstdWindow))
	}
	return nil, errEncodingUnknown
}

// countedReader counts what comes.
type countedReader struct {
	source io.Reader
	read   int64
}

func (r *countedReader) Read(p []byte) (int, error) {
	n, err := r.source.Read(p)
	r.read += int64(n)
	return n, err
}

// Interface guards
var _ io.ReadCloser = (*decodedBody)(nil)
