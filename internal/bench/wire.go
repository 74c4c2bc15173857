package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"time"
)

// The load and the provider share one processor and must not be what is measured: they
// speak HTTP/1.1 by hand, for a quarter of what net/http costs.

// errMessage says that a peer's message is not what this client or server understands.
var errMessage = errors.New("not an HTTP/1.1 message of the kind expected")

// connection is a client's, to one gateway.
type connection struct {
	net.Conn
	reader *bufio.Reader
	// progress is told how many events of a stream have come so far.
	progress func(events int)
}

func dial(address string) (*connection, error) {
	opened, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return &connection{Conn: opened, reader: bufio.NewReaderSize(opened, 16<<10)}, nil
}

// response is what a client saw of an answer.
type response struct {
	status int
	bytes  int64
	events int // of a stream
	tail   [64]byte
	closes bool // the connection ends with it
	first  time.Time
	last   time.Time
}

// ends tells whether the answer's last bytes contain text.
func (r *response) ends(text string) bool { return bytes.Contains(r.tail[:], []byte(text)) }

var eventMark = []byte("data:")

// call sends a request and reads its answer; stop, if not 0, is how many events are
// read before the client leaves.
func (c *connection) call(request []byte, streams bool, stop int) (*response, error) {
	if _, err := c.Write(request); err != nil {
		return nil, err
	}
	status, length, chunked, closes, err := readHead(c.reader)
	if err != nil {
		return nil, err
	}
	r := &response{status: status, closes: closes}
	note := func(piece []byte) {
		r.last = time.Now()
		if r.bytes == 0 {
			r.first = r.last
		}
		r.bytes += int64(len(piece))
		if streams {
			r.events += bytes.Count(piece, eventMark)
			c.progress(r.events)
		}
		if len(piece) >= len(r.tail) {
			copy(r.tail[:], piece[len(piece)-len(r.tail):])
		} else {
			copy(r.tail[:], r.tail[len(piece):])
			copy(r.tail[len(r.tail)-len(piece):], piece)
		}
	}
	for {
		if chunked {
			if length, err = readChunkHead(c.reader); err != nil {
				return nil, err
			}
		}
		for left := length; left > 0; {
			if _, err := c.reader.Peek(1); err != nil {
				return nil, err
			}
			piece, _ := c.reader.Peek(int(min(left, int64(c.reader.Buffered()))))
			note(piece)
			left -= int64(len(piece))
			if _, err := c.reader.Discard(len(piece)); err != nil {
				return nil, err
			}
			if stop > 0 && r.events >= stop {
				return r, nil
			}
		}
		if !chunked {
			return r, nil
		}
		line, err := c.reader.ReadSlice('\n') // after a chunk, and after the trailer
		for err == nil && length == 0 && len(line) > len("\r\n") {
			line, err = c.reader.ReadSlice('\n')
		}
		if err != nil {
			return nil, err
		}
		if length == 0 {
			// The end of a stream is when its connection can be used again.
			r.last = time.Now()
			return r, nil
		}
	}
}

func readHead(reader *bufio.Reader) (status int, length int64, chunked, closes bool, err error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, 0, false, false, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return 0, 0, false, false, errMessage
	}
	if status, err = strconv.Atoi(string(line[9:12])); err != nil {
		return 0, 0, false, false, errMessage
	}
	for {
		if line, err = reader.ReadSlice('\n'); err != nil {
			return 0, 0, false, false, err
		}
		if len(line) <= 2 {
			return status, length, chunked, closes, nil
		}
		switch name, value := field(line); {
		case isField(name, "content-length"):
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return 0, 0, false, false, errMessage
			}
		case isField(name, "transfer-encoding"):
			chunked = true
		case isField(name, "connection"):
			closes = bytes.EqualFold(value, []byte("close"))
		}
	}
}

func field(line []byte) (name, value []byte) {
	name, value, _ = bytes.Cut(line, []byte(":"))
	return name, bytes.TrimSpace(value)
}

func isField(name []byte, wanted string) bool {
	return len(name) == len(wanted) && bytes.EqualFold(name, []byte(wanted))
}

func readChunkHead(reader *bufio.Reader) (int64, error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return 0, err
	}
	size, _, _ := bytes.Cut(bytes.TrimSpace(line), []byte(";"))
	length, err := strconv.ParseInt(string(size), 16, 64)
	if err != nil {
		return 0, errMessage
	}
	return length, nil
}

// rawRequest is a POST as bytes.
func rawRequest(path, host string, header http.Header, body []byte) []byte {
	var message bytes.Buffer
	fmt.Fprintf(&message, "POST %s HTTP/1.1\r\nHost: %s\r\n", path, host)
	_ = header.Write(&message) // into memory
	fmt.Fprintf(&message, "Content-Length: %d\r\n\r\n", len(body))
	message.Write(body)
	return message.Bytes()
}

// readRequest reads a request's head and as much of its body as tells its model, and
// drops the rest.
func readRequest(reader *bufio.Reader) (model string, err error) {
	line, err := reader.ReadSlice('\n')
	if err != nil {
		return "", err
	}
	model = benchModel(line)
	var length int64
	for {
		if line, err = reader.ReadSlice('\n'); err != nil {
			return "", err
		}
		if len(line) <= 2 {
			break
		}
		if name, value := field(line); isField(name, "content-length") {
			if length, err = strconv.ParseInt(string(value), 10, 64); err != nil {
				return "", errMessage
			}
		}
	}
	if model == "" {
		start, err := reader.Peek(int(min(length, 512)))
		if err != nil {
			return "", err
		}
		model = benchModel(start)
	}
	_, err = reader.Discard(int(length))
	return model, err
}

const modelPrefix = "bench-"

// benchModel finds the name of one of the models here in a text.
func benchModel(text []byte) string {
	at := bytes.Index(text, []byte(modelPrefix))
	if at < 0 {
		return ""
	}
	end := at
	for end < len(text) && (text[end] == '-' || text[end] >= 'a' && text[end] <= 'z' || text[end] >= '0' && text[end] <= '9') {
		end++
	}
	return string(text[at:end])
}
