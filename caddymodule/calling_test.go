package caddymodule

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// calling is a call under way, on a connection of its own: leaving it closes that.
type calling struct {
	t        *testing.T
	leave    context.CancelFunc
	began    chan struct{} // closed when the answer's header is here, or the call has failed
	response *http.Response
	err      error
}

// startCall sends a request and does not wait for its answer.
func (g *gateway) startCall(path, body string, header http.Header) *calling {
	g.t.Helper()
	return startCall(g.t, &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}, g.url+path, body, header)
}

func startCall(t *testing.T, client *http.Client, url, body string, header http.Header) *calling {
	t.Helper()
	ctx, leave := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = header.Clone()
	c := &calling{t: t, leave: leave, began: make(chan struct{})}
	t.Cleanup(leave)
	go func() {
		defer close(c.began)
		c.response, c.err = client.Do(request)
	}()
	return c
}

// callAfterReload makes a call on a new connection. The server that was replaced may
// still accept one in the moment of its end, and hang up unread (Caddy's listeners.go).
func (g *gateway) callAfterReload(w wire) reply {
	g.t.Helper()
	got := g.startCall(w.path, w.body, w.header(g.secret)).finish()
	for tries := 1; got.err != nil && tries < 4; tries++ {
		got = g.startCall(w.path, w.body, w.header(g.secret)).finish()
	}
	return got
}

// read waits for the next n bytes of the answer.
func (c *calling) read(n int) []byte {
	c.t.Helper()
	<-c.began
	if c.err != nil {
		c.t.Fatalf("no answer: %v", c.err)
	}
	piece := make([]byte, n)
	if got, err := io.ReadFull(c.response.Body, piece); err != nil {
		c.t.Fatalf("%d of %d bytes came, then %v: %q", got, n, err, piece[:got])
	}
	return piece
}

// readTo waits until the answer has shown a text, and returns what was read.
func (c *calling) readTo(text string) string {
	c.t.Helper()
	<-c.began
	if c.err != nil {
		c.t.Fatalf("no answer: %v", c.err)
	}
	var read []byte
	piece := make([]byte, 512)
	for !bytes.Contains(read, []byte(text)) {
		n, err := c.response.Body.Read(piece)
		read = append(read, piece[:n]...)
		if err != nil {
			c.t.Fatalf("%q did not come, but %v after %q", text, err, read)
		}
	}
	return string(read)
}

// finish reads what is left of the answer.
func (c *calling) finish() reply {
	<-c.began
	defer c.leave()
	if c.err != nil {
		return reply{err: c.err}
	}
	defer c.response.Body.Close()
	body, err := io.ReadAll(c.response.Body)
	return reply{status: c.response.StatusCode, header: c.response.Header, body: body, err: err}
}

// reached waits until a gate holds an answer.
func reached(t *testing.T, at <-chan struct{}) {
	t.Helper()
	select {
	case <-at:
	case <-time.After(20 * time.Second):
		t.Fatal("what the test waits for did not happen")
	}
}

// at waits until the answer to this call has come to a gate.
func (c *calling) at(gate *simulator.Gate) {
	c.t.Helper()
	select {
	case <-gate.Reached():
	case <-time.After(20 * time.Second):
		c.leave()
		got := c.finish()
		c.t.Fatalf("the answer does not come to the gate: %d %v %s", got.status, got.err, got.body)
	}
}

// wire is a way to ask for an answer.
type wire struct {
	name, path, body string
	header           func(secret string) http.Header
	// terminal is in the event after which no more content can follow.
	terminal string
}

func (w wire) streams() bool { return w.terminal != "" }

var (
	chatJSON = wire{"chat", "/v1/chat/completions",
		`{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hello"}]}`, bearer, ""}
	chatStream = wire{"chat stream", "/v1/chat/completions",
		`{"model":"gpt-4.1-mini","stream":true,"messages":[{"role":"user","content":"hello"}]}`, bearer, `"finish_reason":"stop"`}
	messagesJSON = wire{"messages", "/v1/messages",
		`{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":"hello"}]}`, xAPIKey, ""}
	messagesStream = wire{"messages stream", "/v1/messages",
		`{"model":"claude-haiku-4-5","max_tokens":2000,"stream":true,"messages":[{"role":"user","content":"hello"}]}`, xAPIKey, `"stop_reason":"end_turn"`}
	geminiJSON = wire{"gemini", "/v1beta/models/gemini-2.5-flash:generateContent",
		`{"contents":[{"parts":[{"text":"hello"}]}]}`, googleKey, ""}
	geminiStream = wire{"gemini stream", "/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
		`{"contents":[{"parts":[{"text":"hello"}]}]}`, googleKey, `"finishReason"`}
	geminiArray = wire{"gemini array", "/v1beta/models/gemini-2.5-flash:streamGenerateContent",
		`{"contents":[{"parts":[{"text":"hello"}]}]}`, googleKey, `"finishReason"`}

	wireStreams   = []wire{chatStream, messagesStream, geminiStream, geminiArray}
	wireDocuments = []wire{chatJSON, messagesJSON, geminiJSON}
)

// available is what the account can still hold, by the ledger in memory.
func (g *gateway) available() metering.Nanos {
	g.t.Helper()
	var available metering.Nanos
	found := false
	runtimes.Range(func(_, value any) bool {
		opened, err := value.(*runtime).ledger.Available(testContext(g.t), g.account)
		if err != nil {
			g.t.Fatalf("asking the ledger: %v", err)
		}
		available, found = opened, true
		return false
	})
	if !found {
		g.t.Fatal("no ledger is open")
	}
	return available
}

// settledUp checks that the books add up to nothing but these records: no hold
// is left, and what the account has lost is what the records say.
func (g *gateway) settledUp(credit metering.Nanos, records []*metering.Record) {
	g.t.Helper()
	seen := make(map[string]bool)
	for _, record := range records {
		if seen[record.ID] {
			g.t.Errorf("request %s is recorded twice", record.ID)
		}
		seen[record.ID] = true
		credit -= record.Cost - record.Shortfall
	}
	if balance := g.balance(); balance != credit {
		g.t.Errorf("balance %s, but the records leave %s", balance, credit)
	}
	if credit < 0 {
		g.t.Errorf("balance fell below zero: %s", credit)
	}
	g.verify()
	// A request that leaves twice would let a stop close the store under another one.
	waitFor(g.t, "all requests to leave the runtime, once", func() bool {
		left := true
		runtimes.Range(func(_, value any) bool {
			rt := value.(*runtime)
			rt.mutex.Lock()
			defer rt.mutex.Unlock()
			left = left && rt.requests == 0 && len(rt.live) == 0
			return true
		})
		return left
	})
}

// errorCode reads the code of an error in OpenAI's shape, "" if it is none.
func (r reply) errorCode() string {
	var body struct {
		Error struct {
			Code string `json:"code"`
		} `json:"error"`
	}
	if json.Unmarshal(r.body, &body) != nil {
		return ""
	}
	return body.Error.Code
}
