//go:build linux

package attacks

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
)

// Requests that two parsers could cut in two ways, with a second one hidden in the first.
// The hidden one never comes to the provider, and what is not answered is not charged.
func TestRequestSmuggling(t *testing.T) {
	g := startGateway(t)
	body := fmt.Sprintf(chat, "", "hello")
	hiddenBody := fmt.Sprintf(chat, "", "SMUGGLED")
	hidden := fmt.Sprintf("POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n\r\n%s", g.plain, len(hiddenBody), hiddenBody)
	start := "POST /v1/chat/completions HTTP/1.1\r\nHost: " + g.plain + "\r\nAuthorization: Bearer " + g.secret + "\r\nContent-Type: application/json\r\n"
	chunked := fmt.Sprintf("%x\r\n%s\r\n0\r\n\r\n", len(body), body)
	length := fmt.Sprintf("Content-Length: %d\r\n", len(body))
	both := fmt.Sprintf("Content-Length: %d\r\n", len(chunked)+len(hidden))
	var answered atomic.Int64
	var attacks sync.WaitGroup
	for name, attack := range map[string]string{
		"length and chunks":          start + both + "Transfer-Encoding: chunked\r\n\r\n" + chunked + hidden,
		"chunks and length":          start + "Transfer-Encoding: chunked\r\n" + "Content-Length: 4\r\n\r\n" + chunked + hidden,
		"two lengths":                start + length + fmt.Sprintf("Content-Length: %d\r\n\r\n", len(body)+len(hidden)) + body + hidden,
		"two lengths in one":         start + fmt.Sprintf("Content-Length: %d, %d\r\n\r\n", len(body), len(body)+len(hidden)) + body + hidden,
		"the same length twice":      start + length + length + "\r\n" + body + hidden,
		"signed length":              start + fmt.Sprintf("Content-Length: +%d\r\n\r\n", len(body)) + body + hidden,
		"negative length":            start + "Content-Length: -1\r\n\r\n" + body + hidden,
		"hexadecimal length":         start + fmt.Sprintf("Content-Length: 0x%x\r\n\r\n", len(body)) + body + hidden,
		"folded length":              start + fmt.Sprintf("Content-Length:\r\n %d\r\n\r\n", len(body)) + body + hidden,
		"folded header":              start + "X-A: b\r\n Transfer-Encoding: chunked\r\n" + length + "\r\n" + body + hidden,
		"space before the colon":     start + "Transfer-Encoding : chunked\r\n" + length + "\r\n" + body + hidden,
		"unknown coding":             start + "Transfer-Encoding: xchunked\r\n" + length + "\r\n" + body + hidden,
		"two codings":                start + "Transfer-Encoding: identity, chunked\r\n\r\n" + chunked + hidden,
		"coding twice":               start + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n" + chunked + hidden,
		"coding with a tab":          start + "Transfer-Encoding:\tchunked\r\n" + length + "\r\n" + chunked + hidden,
		"bare line feeds":            strings.ReplaceAll(start+length+"\r\n", "\r\n", "\n") + body + hidden,
		"bare line feed in a header": start + "X-A: b\nTransfer-Encoding: chunked\r\n" + length + "\r\n" + body + hidden,
		"bare carriage return":       start + "X-A: b\rTransfer-Encoding: chunked\r\n" + length + "\r\n" + body + hidden,
		"null in a header":           start + "X-A: b\x00\r\n" + length + "\r\n" + body + hidden,
		"bad chunk size":             start + "Transfer-Encoding: chunked\r\n\r\n" + "zz\r\n" + body + "\r\n0\r\n\r\n" + hidden,
		"signed chunk size":          start + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("+%x\r\n%s\r\n0\r\n\r\n", len(body), body) + hidden,
		"huge chunk size":            start + "Transfer-Encoding: chunked\r\n\r\n" + "fffffffffffffffff\r\n" + body + "\r\n0\r\n\r\n" + hidden,
		"chunk without its end":      start + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x\r\n%s0\r\n\r\n", len(body), body) + hidden,
		"chunks with line feeds":     start + "Transfer-Encoding: chunked\r\n\r\n" + strings.ReplaceAll(chunked, "\r\n", "\n") + hidden,
		"chunk extension":            start + "Transfer-Encoding: chunked\r\n\r\n" + fmt.Sprintf("%x;a=\"\n%s\r\n0\r\n\r\n", len(body), body) + hidden,
		"trailer":                    start + "Transfer-Encoding: chunked\r\nTrailer: Authorization\r\n\r\n" + fmt.Sprintf("%x\r\n%s\r\n0\r\nAuthorization: Bearer %s\r\n\r\n", len(body), body, g.secret) + hidden,
		"no length":                  start + "\r\n" + hidden,
		"length of nothing":          start + "Content-Length: 0\r\n\r\n" + hidden,
		"HTTP/1.0 with chunks":       strings.Replace(start, "HTTP/1.1", "HTTP/1.0", 1) + "Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n" + length + "\r\n" + body + hidden,
		"header in the request line": strings.Replace(start, " HTTP/1.1", " HTTP/1.1\r\nContent-Length: 0 HTTP/1.1", 1) + length + "\r\n" + body + hidden,
		"two hosts":                  start + "Host: other\r\n" + length + "\r\n" + body + hidden,
	} {
		attacks.Go(func() {
			statuses := g.statuses(attack)
			for i, status := range statuses {
				if status == http.StatusOK {
					answered.Add(1)
					if i > 0 {
						t.Errorf("%s: the hidden request is answered: %v", name, statuses)
					}
				}
			}
		})
	}
	attacks.Wait()
	// The provider has seen what was answered, and nothing of what was hidden.
	for _, request := range g.provider.Requests() {
		if bytes.Contains(request.Body, []byte("SMUGGLED")) {
			t.Errorf("a hidden request came to the provider: %s", request.Body)
		}
	}
	g.behave(5)
	if asked, records := len(g.provider.Requests()), g.charged(); asked != int(answered.Load())+g.answered || records != asked {
		t.Errorf("%d requests came to the provider and %d were charged, for %d answers", asked, records, int(answered.Load())+g.answered)
	}
	t.Logf("%d of the first requests were answered", answered.Load())
	if answered.Load() == 0 {
		t.Error("not even a harmless one was answered")
	}
}

// charged counts the records that cost something.
func (g *gateway) charged() (n int) {
	g.t.Helper()
	for record, err := range g.store.Records(g.deadline(), store.Filter{AccountID: g.account}) {
		must(g.t, err)
		if record.Cost > 0 {
			n++
		}
	}
	return n
}

// statuses sends bytes, and returns the statuses of all answers until the server hangs up
// or says nothing more.
func (g *gateway) statuses(text string) (statuses []int) {
	g.t.Helper()
	connection := g.dialFrom(0)
	if connection == nil {
		g.t.Fatal("no connection")
	}
	defer connection.Close()
	if _, err := io.WriteString(connection, text); err != nil {
		return nil
	}
	reader := bufio.NewReader(connection)
	for {
		_ = connection.SetReadDeadline(time.Now().Add(2 * time.Second))
		answer, err := http.ReadResponse(reader, nil)
		if err != nil {
			return statuses
		}
		_ = connection.SetReadDeadline(time.Now().Add(patience))
		if _, err := io.Copy(io.Discard, answer.Body); err != nil {
			return statuses
		}
		answer.Body.Close()
		statuses = append(statuses, answer.StatusCode)
	}
}
