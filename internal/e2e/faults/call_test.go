package faults

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

// patience bounds every wait for a process; machines that run tests are busy.
const patience = 60 * time.Second

// kind is a way to ask for an answer.
type kind struct {
	name, path, body string // the body has room for the output cap and the prompt
	header, prefix   string // of the key
	// terminal is in the event after which no more content can follow; a document has none.
	terminal string
	// last is what a stream says last before that: Gemini's terminal event has a word too.
	last string
	// input and output are the provider's published prices of a token.
	input, output metering.Nanos
}

const (
	chat     = `{"model":"gpt-4.1-mini",%s"max_tokens":%%d,"messages":[{"role":"user","content":"%%s"}]}`
	messages = `{"model":"claude-haiku-4-5",%s"max_tokens":%%d,"messages":[{"role":"user","content":"%%s"}]}`
	generate = `{"generationConfig":{"maxOutputTokens":%d},"contents":[{"parts":[{"text":"%s"}]}]}`
	stream   = `"stream":true,`

	geminiPath = "/v1beta/models/gemini-2.5-flash:"
)

var kinds = []*kind{
	{"chat", "/v1/chat/completions", fmt.Sprintf(chat, ""), "Authorization", "Bearer ", "", "", 400, 1600},
	{"chat stream", "/v1/chat/completions", fmt.Sprintf(chat, stream), "Authorization", "Bearer ", `"finish_reason":"stop"`, "instead.", 400, 1600},
	{"messages", "/v1/messages", fmt.Sprintf(messages, ""), "X-Api-Key", "", "", "", 1000, 5000},
	{"messages stream", "/v1/messages", fmt.Sprintf(messages, stream), "X-Api-Key", "", `"stop_reason":"end_turn"`, "instead.", 1000, 5000},
	{"gemini", geminiPath + "generateContent", generate, "X-Goog-Api-Key", "", "", "", 300, 2500},
	{"gemini stream", geminiPath + "streamGenerateContent?alt=sse", generate, "X-Goog-Api-Key", "", `"finishReason"`, "way ", 300, 2500},
}

var (
	chatJSON = kinds[0]
	// heldStream is for answers that a test holds at a gate: its model is nobody else's.
	heldStream = &kind{"held stream", "/v1/chat/completions", strings.Replace(fmt.Sprintf(chat, stream), "gpt-4.1-mini", heldModel, 1),
		"Authorization", "Bearer ", `"finish_reason":"stop"`, "instead.", 2000, 8000}
)

const heldModel = "gpt-4.1"

// answerTokens is how long the simulator's answers are.
var answerTokens = metering.Nanos(len(strings.Fields(simulator.StandardText)))

// enough is an output cap that no answer comes to.
const enough = 2000

// call is one call and what its client saw of the answer.
type call struct {
	*kind
	// number is of the input tokens, and the call's own.
	number int64
	id     string // of the request; empty where not even the header came
	status int
	header http.Header
	body   []byte
	err    error
	began  time.Time
	took   time.Duration
}

// leastNumber is the shortest prompt: it has the number in it.
const leastNumber = 2

// marker is in the prompt of the call.
func (c *call) marker() string { return fmt.Sprintf("#%05d", c.number) }

// do makes the call and reads the answer, for as long as it goes.
func (c *call) do(client *http.Client, url, secret string, outputCap int) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	prompt := c.marker() // four bytes are a token to the simulator
	prompt += strings.Repeat(".", int(4*c.number)-len(prompt))
	body := fmt.Sprintf(c.kind.body, outputCap, prompt)
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url+c.path, strings.NewReader(body))
	if err != nil {
		c.err = err
		return
	}
	request.Header.Set(c.kind.header, c.prefix+secret)
	response, err := client.Do(request)
	if err != nil {
		c.err = err
		return
	}
	defer response.Body.Close()
	c.status, c.header, c.id = response.StatusCode, response.Header, response.Header.Get("Faregate-Request-Id")
	var read bytes.Buffer
	_, c.err = io.Copy(&read, response.Body)
	c.body = read.Bytes()
}

// complete tells whether the client has seen the end of the answer.
func (c *call) complete() bool {
	if c == nil || c.status != http.StatusOK {
		return false
	}
	if c.terminal == "" {
		return json.Valid(c.body)
	}
	return bytes.Contains(c.body, []byte(c.terminal))
}

// price is what the call costs.
func (c *call) price() metering.Nanos {
	return metering.Nanos(c.number)*c.input + answerTokens*c.output
}

func (c *call) String() string {
	return fmt.Sprintf("%s %s (%s): %d, %v, %q", c.name, c.marker(), c.id, c.status, c.err, tail(c.body, 300))
}

func tail(text []byte, length int) string {
	if len(text) > length {
		text = text[len(text)-length:]
	}
	return string(text)
}

// newClient returns a client with connections of its own.
func newClient() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 500}}
}
