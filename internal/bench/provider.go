package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"net"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// provider answers each model of the benchmark with the same bytes always.
type provider struct {
	answers  map[string]*canned
	listener net.Listener
	server   *http.Server // with TLS
	served   atomic.Int64 // requests that came whole
	running  sync.WaitGroup
	open     sync.Map // net.Conn of those that run
}

// canned is an answer ready to be sent by HTTP/1.1.
type canned struct {
	*answer
	pace   time.Duration // between events
	pieces [][]byte      // with the head, and each event in a chunk
}

// providerHeader is what a provider sends with an answer: as OpenAI's, in part.
var providerHeader = http.Header{
	"Date":                           {"Wed, 25 Nov 2026 12:00:00 GMT"},
	"Server":                         {"cloudflare"},
	"X-Request-Id":                   {"req_7d0b6a4b5bd2a2ec8c9d8b5a0f4b9d2e"},
	"Openai-Organization":            {"org-bench"},
	"Openai-Processing-Ms":           {"512"},
	"Openai-Version":                 {"2020-10-01"},
	"X-Ratelimit-Limit-Requests":     {"10000"},
	"X-Ratelimit-Limit-Tokens":       {"2000000"},
	"X-Ratelimit-Remaining-Requests": {"9999"},
	"X-Ratelimit-Remaining-Tokens":   {"1999480"},
	"X-Ratelimit-Reset-Requests":     {"6ms"},
	"X-Ratelimit-Reset-Tokens":       {"15ms"},
	"Strict-Transport-Security":      {"max-age=31536000; includeSubDomains; preload"},
	"X-Content-Type-Options":         {"nosniff"},
	"Cf-Cache-Status":                {"DYNAMIC"},
	"Cf-Ray":                         {"9a3f5b1c2d4e6f70-FRA"},
	"Alt-Svc":                        {`h3=":443"; ma=86400`},
}

// startProvider listens on a free port of loopback; certificate may be nil.
func startProvider(workloads []*workload, header http.Header, certificate *tls.Certificate) (*provider, error) {
	p := &provider{answers: make(map[string]*canned)}
	for _, w := range workloads {
		if p.answers[w.model] == nil {
			p.answers[w.model] = canAnswer(answerOf(w.speech, w.model, w.events), header, w.pace)
		}
	}
	var err error
	if p.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		return nil, err
	}
	if certificate != nil {
		p.server = &http.Server{
			Handler: p.handler(header), TLSConfig: &tls.Config{Certificates: []tls.Certificate{*certificate}},
			ErrorLog: log.New(io.Discard, "", 0), // clients that leave
		}
		p.running.Go(func() { _ = p.server.ServeTLS(p.listener, "", "") }) // ends with the listener
		return p, nil
	}
	p.running.Go(p.accept)
	return p, nil
}

func canAnswer(a *answer, header http.Header, pace time.Duration) *canned {
	c := &canned{answer: a, pace: pace}
	var head bytes.Buffer
	head.WriteString("HTTP/1.1 200 OK\r\n")
	_ = header.Write(&head) // into memory
	fmt.Fprintf(&head, "Content-Type: %s\r\n", a.contentType)
	if !a.streams {
		fmt.Fprintf(&head, "Content-Length: %d\r\n\r\n", len(a.events[0]))
		c.pieces = [][]byte{append(head.Bytes(), a.events[0]...)}
		return c
	}
	head.WriteString("Transfer-Encoding: chunked\r\n\r\n")
	for i, event := range a.events {
		piece := fmt.Appendf(nil, "%x\r\n%s\r\n", len(event), event)
		if i == 0 {
			piece = append(head.Bytes(), piece...)
		}
		c.pieces = append(c.pieces, piece)
	}
	last := len(c.pieces) - 1
	c.pieces[last] = append(c.pieces[last], "0\r\n\r\n"...)
	return c
}

func (p *provider) address() string { return p.listener.Addr().String() }

func (p *provider) accept() {
	for {
		opened, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.open.Store(opened, nil)
		p.running.Go(func() {
			defer p.open.Delete(opened)
			defer opened.Close()
			p.serve(opened)
		})
	}
}

// serve answers until the gateway closes the connection.
func (p *provider) serve(opened net.Conn) {
	reader := bufio.NewReaderSize(opened, 16<<10)
	for {
		model, err := readRequest(reader)
		answer := p.answers[model]
		if err != nil || answer == nil {
			return
		}
		p.served.Add(1)
		for i, piece := range answer.pieces {
			if i > 1 && answer.pace > 0 { // the first text comes with the beginning, as from OpenAI
				time.Sleep(answer.pace)
			}
			if _, err := opened.Write(piece); err != nil {
				return
			}
		}
	}
}

// handler is the same over net/http, for TLS and HTTP/2.
func (p *provider) handler(header http.Header) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		model := benchModel([]byte(r.URL.Path))
		if model == "" {
			start, err := io.ReadAll(io.LimitReader(r.Body, 512))
			if err != nil {
				return
			}
			model = benchModel(start)
		}
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		answer := p.answers[model]
		if answer == nil {
			http.NotFound(w, r)
			return
		}
		p.served.Add(1)
		maps.Copy(w.Header(), header)
		w.Header().Set("Content-Type", answer.contentType)
		flush := http.NewResponseController(w).Flush
		for i, event := range answer.events {
			if i > 1 && answer.pace > 0 {
				time.Sleep(answer.pace)
			}
			if _, err := w.Write(event); err != nil {
				return
			}
			if answer.streams && flush() != nil {
				return
			}
		}
	})
}

// close ends all connections.
func (p *provider) close() error {
	var err error
	if p.server != nil {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		if err = p.server.Shutdown(ctx); errors.Is(err, context.DeadlineExceeded) {
			err = p.server.Close()
		}
	} else {
		err = p.listener.Close()
	}
	p.open.Range(func(opened, _ any) bool {
		opened.(net.Conn).Close()
		return true
	})
	p.running.Wait()
	return err
}

// models are the names that the provider knows, in order.
func (p *provider) models() []string { return slices.Sorted(maps.Keys(p.answers)) }
