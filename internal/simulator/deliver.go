package simulator

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"slices"
	"strconv"
	"time"
)

// payload is what to send, before delivery cuts, holds and breaks it.
type payload struct {
	status int
	header http.Header
	body   []byte
	cuts   []int         // between a native stream's events
	delay  time.Duration // at each cut
}

// render makes the bytes of a response to this call.
func (s *Simulator) render(c *call, response *Response) payload {
	var p payload
	if response.native() {
		p = s.answer(c, response.Answer)
	} else {
		p = payload{status: response.Status, header: http.Header{}, body: response.Body}
		if p.status == 0 {
			p.status = http.StatusOK
		}
		// A nil value keeps net/http from guessing one.
		p.header["Content-Type"] = nil
	}
	if response.ContentType != "" {
		p.header.Set("Content-Type", response.ContentType)
	}
	maps.Copy(p.header, response.Header)
	if len(response.Trailing) > 0 {
		p.body = slices.Concat(p.body, response.Trailing)
	}
	if response.Gzip {
		var packed bytes.Buffer
		packer := gzip.NewWriter(&packed)
		_, _ = packer.Write(p.body) // into memory
		packer.Close()
		p.body, p.cuts = packed.Bytes(), nil
		p.header.Set("Content-Encoding", "gzip")
	}
	if response.Chunks != nil {
		p.cuts = slices.Sorted(slices.Values(response.Chunks(len(p.body))))
	}
	if response.Delay > 0 {
		p.delay = response.Delay
	}
	return p
}

// delivery sends one answer.
type delivery struct {
	simulator *Simulator
	ctx       context.Context
	writer    http.ResponseWriter
	request   *http.Request
	hijacked  net.Conn // set while the message is written by hand

	sent int64
	left bool // the client went away with bytes still to come
}

func (d *delivery) send(p payload, response *Response) {
	d.hold(response, BeforeHeader)
	if response.Fault != NoFault && response.FaultAt < 0 {
		d.cut(response.Fault)
	}
	d.sendHeader(p, response)

	size := int64(len(p.body))
	for at := int64(0); ; {
		if _, cut := slices.BinarySearch(p.cuts, int(at)); cut && at > 0 && at < size {
			d.wait(nil, p.delay)
		}
		d.hold(response, at)
		if at == size {
			d.hold(response, AtEnd)
		}
		if response.Fault != NoFault && response.FaultAt >= 0 && min(response.FaultAt, size) == at {
			d.cut(response.Fault)
		}
		if at == size {
			break
		}
		next := nextStop(p, response, at)
		d.write(p.body[at:next])
		at, d.sent = next, next
	}
	if d.hijacked != nil {
		d.hijacked.Close()
	}
}

// nextStop is the next offset after at where something happens.
func nextStop(p payload, response *Response, at int64) int64 {
	next := int64(len(p.body))
	consider := func(stop int64) {
		if stop > at {
			next = min(next, stop)
		}
	}
	if i, _ := slices.BinarySearch(p.cuts, int(at)+1); i < len(p.cuts) {
		consider(int64(p.cuts[i]))
	}
	for _, pause := range response.Pauses {
		consider(pause.At)
	}
	if response.Fault != NoFault {
		consider(response.FaultAt)
	}
	return next
}

// hold goes through the pauses at an offset.
func (d *delivery) hold(response *Response, at int64) {
	for _, pause := range response.Pauses {
		if pause.At != at {
			continue
		}
		var open <-chan struct{}
		if pause.Gate != nil {
			open = pause.Gate.arrive()
		} else if pause.For == 0 {
			open = make(chan struct{})
		}
		d.wait(open, pause.For)
	}
}

// wait waits for the gate, if there is one, else for the duration.
func (d *delivery) wait(open <-chan struct{}, duration time.Duration) {
	if open != nil {
		select {
		case <-open:
		case <-d.ctx.Done():
			d.abandon()
		}
	} else if duration > 0 && d.simulator.sleep(d.ctx, duration) != nil {
		d.abandon()
	}
}

// abandon ends an answer that cannot go on: the client has left, the simulator
// closes, or the protocol has no room for what the script wants. It does not
// return.
func (d *delivery) abandon() {
	d.left = d.request.Context().Err() != nil && d.simulator.closing.Err() == nil
	if d.hijacked != nil {
		d.hijacked.Close()
	}
	// Keeps net/http from finishing the message as if it were whole.
	panic(http.ErrAbortHandler)
}

func (d *delivery) sendHeader(p payload, response *Response) {
	claimed := response.ContentLength
	if claimed > 0 && claimed < int64(len(p.body)) && d.request.ProtoMajor == 1 {
		d.sendHeaderByHand(p, claimed)
		return
	}
	maps.Copy(d.writer.Header(), p.header)
	if claimed > 0 {
		d.writer.Header().Set("Content-Length", strconv.FormatInt(claimed, 10))
	}
	d.writer.WriteHeader(p.status)
	d.flush()
}

// sendHeaderByHand takes the connection from net/http, which would not let more
// bytes pass than were claimed. The server no longer notices then that the
// client leaves, except by a failing write.
func (d *delivery) sendHeaderByHand(p payload, claimed int64) {
	connection, _, err := http.NewResponseController(d.writer).Hijack()
	if err != nil {
		d.abandon()
	}
	d.hijacked = connection
	var head bytes.Buffer
	fmt.Fprintf(&head, "HTTP/1.1 %d %s\r\n", p.status, http.StatusText(p.status))
	_ = p.header.Write(&head) // into memory
	fmt.Fprintf(&head, "Content-Length: %d\r\nConnection: close\r\n\r\n", claimed)
	d.write(head.Bytes())
}

// write hands a piece to the operating system, or abandons the answer.
func (d *delivery) write(piece []byte) {
	var err error
	if d.hijacked != nil {
		_, err = d.hijacked.Write(piece)
	} else if _, err = d.writer.Write(piece); err == nil {
		d.flush()
	}
	if err != nil {
		d.abandon()
	}
}

func (d *delivery) flush() {
	err := http.NewResponseController(d.writer).Flush()
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		d.abandon()
	}
}
