//go:build linux

package attacks

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

// Connections that begin a request and never end it.
func TestSlowloris(t *testing.T) {
	chunk := "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
	for _, slow := range []struct {
		name, begin, piece string
		authorised         bool
		each               int64 // bytes of memory that one may take
	}{
		{"headers", "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\n", "X-A: b\r\n", false, 64 << 10},
		{"body", "POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 30000000\r\n", " ", true, 400 << 10},
		{"chunked body", chunk, "1\r\n \r\n", true, 100 << 10},
		{"body of a stranger", chunk, "1\r\n \r\n", false, 64 << 10},
	} {
		t.Run(slow.name, func(t *testing.T) {
			g := startGateway(t)
			begin := slow.begin
			if slow.authorised {
				begin += "Authorization: Bearer " + g.secret + "\r\n"
			}
			if slow.name != "headers" {
				begin += "\r\n"
			}
			count := force(200, 2000)
			var open atomic.Int64
			g.during(func(stop <-chan struct{}) {
				var connections sync.WaitGroup
				for i := range count {
					connections.Go(func() {
						connection := g.dialFrom(i)
						if connection == nil {
							return
						}
						defer connection.Close()
						open.Add(1)
						text := begin
						for {
							if _, err := io.WriteString(connection, text); err != nil {
								return // it was cut off, as it should be
							}
							text = slow.piece
							select {
							case <-stop:
								return
							case <-time.After(500 * time.Millisecond):
							}
						}
					})
				}
				connections.Wait()
			})
			if int(open.Load()) < count/2 {
				t.Errorf("only %d of %d connections were made", open.Load(), count)
			}
			g.bounded(40<<20 + int64(count)*slow.each)
			if got := len(g.provider.Requests()); got != g.answered {
				t.Errorf("the provider was asked %d times, for %d calls", got, g.answered)
			}
		})
	}
}

// dialFrom connects from one of many addresses of this machine.
func (g *gateway) dialFrom(i int) net.Conn {
	dialer := &net.Dialer{Timeout: patience, LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 66, byte(i>>8), byte(i))}}
	connection, err := dialer.Dial("tcp", g.plain)
	if err != nil {
		return nil
	}
	_ = connection.SetDeadline(time.Now().Add(2 * patience))
	return connection
}

// Streams that the provider holds, for clients that wait.
func TestManyIdleStreams(t *testing.T) {
	g := startGateway(t)
	count := force(300, 10_000)
	gate := simulator.NewGate()
	defer gate.Open()
	body := fmt.Sprintf(chat, `"stream":true,`, "hello")
	body = strings.Replace(body, "gpt-4.1-mini", "gpt-4.1", 1) // nobody else's model
	g.provider.Add(simulator.Step{Model: "gpt-4.1", Times: count, Response: simulator.Response{Pauses: []simulator.Pause{{At: 600, Gate: gate}}}})
	client := &http.Client{Transport: &http.Transport{TLSClientConfig: insecure(), ForceAttemptHTTP2: true}}
	defer client.CloseIdleConnections()
	var begun, complete atomic.Int64
	var streams sync.WaitGroup
	limit := make(chan struct{}, 100) // that begin at once
	var failed atomic.Pointer[error]
	for range count {
		streams.Go(func() {
			limit <- struct{}{}
			answer, err := g.begin(client, body)
			<-limit
			if err == nil {
				begun.Add(1)
				var read []byte
				read, err = io.ReadAll(answer.Body)
				answer.Body.Close()
				if err == nil && !strings.Contains(string(read), "[DONE]") {
					err = errors.New("it has no end: " + string(read))
				}
			}
			if err != nil {
				failed.Store(&err)
				return
			}
			complete.Add(1)
		})
	}
	for deadline := time.Now().Add(5 * patience); int(begun.Load()) < count && failed.Load() == nil && time.Now().Before(deadline); {
		time.Sleep(10 * time.Millisecond)
	}
	g.during(func(stop <-chan struct{}) { <-stop })
	g.bounded(60<<20 + int64(count)*150<<10)
	gate.Open()
	streams.Wait()
	if err := failed.Load(); err != nil || int(complete.Load()) != count {
		t.Fatalf("%d of %d streams were begun, %d came to their end: %v", begun.Load(), count, complete.Load(), err)
	}
	if got := g.records(); got != g.answered+count {
		t.Errorf("%d records, want %d", got, g.answered+count)
	}
}

// begin makes a call over HTTP/2 and returns when its answer has begun.
func (g *gateway) begin(client *http.Client, body string) (*http.Response, error) {
	request, err := http.NewRequest(http.MethodPost, "https://"+g.secure+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	request.Header.Set("Authorization", "Bearer "+g.secret)
	answer, err := client.Do(request)
	if err == nil && (answer.StatusCode != http.StatusOK || answer.ProtoMajor != 2) {
		answer.Body.Close()
		return nil, fmt.Errorf("%s %s", answer.Proto, answer.Status)
	}
	return answer, err
}

// Clients that take nothing of the answer that they asked for.
func TestClientsThatReadNothing(t *testing.T) {
	g := startGateway(t)
	count := force(50, 500)
	answer := strings.Repeat("word ", 100_000)
	g.provider.Add(simulator.Step{Model: "gpt-4.1", Times: simulator.Always, Response: simulator.Response{Answer: &simulator.Answer{Text: answer, OneEvent: true}}})
	body := strings.Replace(fmt.Sprintf(chat, `"stream":true,`, "hello"), "gpt-4.1-mini", "gpt-4.1", 1)
	asked := func() (calls int) {
		for _, request := range g.provider.Requests() {
			if bytes.Contains(request.Body, []byte(`"gpt-4.1"`)) {
				calls++
			}
		}
		return calls
	}
	g.during(func(stop <-chan struct{}) {
		for i := range count {
			connection := g.dialFrom(i)
			if connection == nil {
				continue
			}
			defer connection.Close()
			_ = connection.(*net.TCPConn).SetReadBuffer(4 << 10) // the less it takes, the better for the test
			fmt.Fprintf(connection, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n%s", g.plain, g.secret, len(body), body)
		}
		for deadline := time.Now().Add(patience); asked() < count/2 && time.Now().Before(deadline); {
			time.Sleep(20 * time.Millisecond)
		}
		if calls := asked(); calls < count/2 {
			t.Errorf("the provider was asked by %d of %d clients", calls, count)
		}
		<-stop
	})
	g.bounded(60<<20 + int64(count)*3<<20)
}
