//go:build linux

package attacks

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/tls"
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

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/faregate/faregate/auth"
)

// flood does something so many times in a second, until it is told to stop or has done it
// so often. The pace leaves the customer and the gateway their part of a machine that the
// attackers share with them.
func flood(stop <-chan struct{}, perSecond, most int, do func(i int)) {
	pace := time.NewTicker(time.Second / time.Duration(perSecond))
	defer pace.Stop()
	limit := make(chan struct{}, 64) // at once
	var running sync.WaitGroup
	defer running.Wait()
	for i := 1; i <= most; i++ {
		select {
		case <-stop:
			return
		case <-pace.C:
		}
		select {
		case <-stop:
			return
		case limit <- struct{}{}:
		}
		running.Go(func() {
			defer func() { <-limit }()
			do(i)
		})
	}
}

func TestHeaderFlood(t *testing.T) {
	g := startGateway(t)
	many := strings.Repeat("X-Flood: y\r\n", 50_000)
	large := "X-Flood: " + strings.Repeat("y", 2<<20) + "\r\n"
	var refused, taken atomic.Int64
	g.during(func(stop <-chan struct{}) {
		flood(stop, 50, force(60, 1<<30), func(i int) {
			header := large
			if i%2 == 0 {
				header = many
			}
			switch status := g.raw(i, "POST /v1/chat/completions HTTP/1.1\r\nHost: "+g.plain+"\r\nAuthorization: Bearer "+g.secret+"\r\n"+header+"Content-Length: 2\r\n\r\n{}"); {
			case status == 0 || status >= 400:
				refused.Add(1)
			default:
				taken.Add(1)
			}
		})
	})
	if refused.Load() < 10 || taken.Load() > 0 {
		t.Errorf("%d floods were refused, %d taken", refused.Load(), taken.Load())
	}
	g.bounded(150 << 20)
}

// raw sends bytes from one of many addresses, and returns the status of the first answer; 0
// if there is none.
func (g *gateway) raw(i int, text string) int {
	connection := g.dialFrom(i)
	if connection == nil {
		return 0
	}
	defer connection.Close()
	go func() { _, _ = io.WriteString(connection, text) }() // the answer may come before all is sent
	answer, err := http.ReadResponse(bufio.NewReader(connection), nil)
	if err != nil {
		return 0
	}
	answer.Body.Close()
	return answer.StatusCode
}

// HTTP/2 streams that are begun and reset at once, over and over (CVE-2023-44487).
func TestRapidReset(t *testing.T) {
	call := fmt.Sprintf(chat, `"stream":true,`, "hello")
	for _, attack := range []struct {
		name, body string
		known      bool
	}{{"lists of models", "", true}, {"calls", call, true}, {"calls of strangers", call, false}} {
		t.Run(attack.name, func(t *testing.T) {
			g := startGateway(t)
			key := g.limited
			if !attack.known {
				key = newSecret(t)
			}
			var resets atomic.Int64
			g.during(func(stop <-chan struct{}) {
				// Five connections a second with up to 500 streams each.
				flood(stop, 5, force(20, 1<<30), func(int) { resets.Add(int64(g.rapidReset(stop, key, attack.body, 500))) })
			})
			t.Logf("%d resets", resets.Load())
			if resets.Load() < 100 {
				t.Errorf("only %d streams were reset", resets.Load())
			}
			g.bounded(200 << 20)
			g.behave(3)
		})
	}
}

// rapidReset begins and resets streams on one connection, until the server ends it.
func (g *gateway) rapidReset(stop <-chan struct{}, key, body string, most int) (resets int) {
	connection, err := tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", g.secure, insecure("h2"))
	if err != nil {
		return 0
	}
	defer connection.Close()
	_ = connection.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(connection, http2.ClientPreface); err != nil {
		return 0
	}
	buffered := bufio.NewWriter(connection)
	framer := http2.NewFramer(buffered, connection)
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	method, path := "GET", "/v1/models"
	if body != "" {
		method, path = "POST", "/v1/chat/completions"
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := framer.ReadFrame(); err != nil {
				return
			}
		}
	}()
	_ = framer.WriteSettings() // what fails shows below
	for ; resets < most; resets++ {
		select {
		case <-stop:
			return resets
		case <-ended:
			return resets
		default:
		}
		block.Reset()
		for _, field := range [][2]string{{":method", method}, {":scheme", "https"}, {":authority", g.secure}, {":path", path}, {"authorization", "Bearer " + key}} {
			_ = encoder.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]}) // into memory
		}
		stream := uint32(2*resets + 1)
		err := framer.WriteHeaders(http2.HeadersFrameParam{StreamID: stream, BlockFragment: block.Bytes(), EndHeaders: true, EndStream: body == ""})
		if body != "" {
			err = errors.Join(err, framer.WriteData(stream, true, []byte(body)))
		}
		if err = errors.Join(err, framer.WriteRSTStream(stream, http2.ErrCodeCancel), buffered.Flush()); err != nil {
			return resets
		}
	}
	return resets
}

// Keys that are tried, from one address and from many.
func TestWrongKeys(t *testing.T) {
	for _, addresses := range []int{1, 5000} {
		t.Run(fmt.Sprint("from ", addresses), func(t *testing.T) {
			g := startGateway(t)
			body := fmt.Sprintf(chat, "", "hello")
			var wrong, locked, other, tried atomic.Int64
			g.during(func(stop <-chan struct{}) {
				flood(stop, 1000, force(1000, 1<<30), func(i int) {
					made, err := auth.NewSecret(rand.Reader)
					if err != nil {
						return
					}
					tried.Add(1)
					switch g.raw(i%addresses, fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s", g.plain, made.Reveal(), len(body), body)) {
					case http.StatusUnauthorized:
						wrong.Add(1)
					case http.StatusTooManyRequests:
						locked.Add(1)
					default:
						other.Add(1)
					}
				})
			})
			t.Logf("%d keys tried: %d wrong, %d while locked, %d otherwise", tried.Load(), wrong.Load(), locked.Load(), other.Load())
			if addresses == 1 && wrong.Load() > 50 { // those of the same moment beside the ten
				t.Errorf("%d keys were looked up for one address", wrong.Load())
			}
			if tried.Load() < 100 || other.Load() > tried.Load()/10 {
				t.Errorf("%d of %d were answered in another way", other.Load(), tried.Load())
			}
			if got := len(g.provider.Requests()); got != g.answered {
				t.Errorf("the provider was asked %d times, for %d calls", got, g.answered)
			}
			g.bounded(120 << 20)
		})
	}
}
