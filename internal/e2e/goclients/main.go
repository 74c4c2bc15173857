// Command goclients makes turns through the official SDKs for Go, as the scripts
// beside it do for Node: it reads one call per line from standard input and prints
// one line of JSON, the client's view of the answer. It is a module of its own, so
// that the SDKs stay out of the dependencies of the gateway.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log"
	"net/http"
	"os"
	"strings"
)

// call is one turn.
type call struct {
	Do     string // turn, turn stream
	Key    string // instead of the customer's
	Params struct {
		Provider, Model, Prompt, Result string
		Schema                          map[string]any // of the tool's arguments
	}
}

func (c *call) streamed() bool { return c.Do == "turn stream" }

// view is what a client made of the answers.
type view struct {
	Text     string            `json:"text"`
	Finish   string            `json:"finish"`
	Tools    []toolCall        `json:"tools"`
	Error    *failure          `json:"error"`
	Header   map[string]string `json:"header"`
	Requests int               `json:"requests"`
	IDs      []string          `json:"ids"`
}

type toolCall struct {
	Name      string          `json:"name"`
	Arguments json.RawMessage `json:"arguments"`
}

type failure struct {
	Class     string `json:"class"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	Message   string `json:"message"`
}

// run is the tool: it notes what it was asked, and has one answer.
func (v *view) run(c *call, arguments json.RawMessage) string {
	v.Tools = append(v.Tools, toolCall{"weather", arguments})
	return c.Params.Result
}

// RoundTrip notes what the client really sends and gets, retries too.
func (v *view) RoundTrip(r *http.Request) (*http.Response, error) {
	v.Requests++
	response, err := http.DefaultTransport.RoundTrip(r)
	if err == nil {
		v.Header = map[string]string{}
		for name := range response.Header {
			v.Header[strings.ToLower(name)] = response.Header.Get(name)
		}
		v.IDs = append(v.IDs, response.Header.Get("Faregate-Request-Id"))
	}
	return response, err
}

// turns are the ways to make a turn.
var turns = map[string]func(ctx context.Context, at, key string, c *call, v *view) error{
	"openai":           turnOfChat,
	"openai.responses": turnOfResponses,
	"anthropic":        turnOfMessages,
	"google":           turnOfGemini,
}

func main() {
	lines := bufio.NewScanner(os.Stdin)
	for lines.Scan() {
		var c call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			log.Fatal(err)
		}
		turn, ok := turns[c.Params.Provider]
		if !ok {
			log.Fatalf("there is no %q", c.Params.Provider)
		}
		key := c.Key
		if key == "" {
			key = os.Getenv("API_KEY")
		}
		var v view
		if err := turn(context.Background(), os.Getenv("BASE_URL"), key, &c, &v); err != nil {
			v.Error = explain(err)
		}
		text, err := json.Marshal(v)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(string(text))
	}
}
