package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"
)

// params are those of an SDK's call, as its documentation has them.
type params map[string]any

// call is one call of an SDK.
type call struct {
	Do      string            `json:"do"` // create, stream, helper, models
	Params  params            `json:"params,omitempty"`
	Key     string            `json:"key,omitempty"`      // instead of the customer's
	NoKey   bool              `json:"no_key,omitempty"`   // send none
	BaseURL string            `json:"base_url,omitempty"` // instead of the gateway
	Path    string            `json:"path,omitempty"`     // OpenAI's SDK: behind it, instead of /v1
	Retries int               `json:"retries"`            // how often the SDK may send again
	Header  map[string]string `json:"header,omitempty"`
}

// view is what the SDK made of an answer.
type view struct {
	Text   string            `json:"text"`
	Tools  []tool            `json:"tools"`
	Finish string            `json:"finish"`
	Usage  json.RawMessage   `json:"usage"`
	Body   json.RawMessage   `json:"body"`
	Chunks []json.RawMessage `json:"chunks"` // of a stream or a list
	Error  *sdkError         `json:"error"`

	RequestID string            `json:"request_id"` // where the SDK has it
	Header    map[string]string `json:"header"`     // of the last answer
	Requests  int               `json:"requests"`   // sent for this call
	IDs       []string          `json:"ids"`        // of them, as the answers have them
}

type tool struct {
	Name      string
	Arguments json.RawMessage
}

type sdkError struct {
	Class     string `json:"class"`
	Status    int    `json:"status"`
	Code      string `json:"code"`
	Type      string `json:"type"`
	RequestID string `json:"request_id"`
	Message   string `json:"message"`
}

// id is the request's id as every answer of the gateway has it.
func (v view) id() string { return v.Header["faregate-request-id"] }

// usage is a number of the usage that the SDK shows.
func (v view) usage(t *testing.T, name string) int64 {
	t.Helper()
	var numbers map[string]any
	if err := json.Unmarshal(v.Usage, &numbers); err != nil {
		t.Fatalf("the SDK shows the usage %q: %v", v.Usage, err)
	}
	number, ok := numbers[name].(float64)
	if !ok {
		t.Fatalf("the SDK shows the usage %s without %s", v.Usage, name)
	}
	return int64(number)
}

// sdk is a process that calls through an SDK.
type sdk struct {
	t       *testing.T
	name    string
	input   io.Writer
	output  *bufio.Scanner
	process *exec.Cmd
}

// startSDK starts openai, anthropic, google, aisdk, all by a script for Node, or go,
// which is all official SDKs for Go, with the customer's key.
func startSDK(t *testing.T, name string, c *customer) *sdk {
	t.Helper()
	var said bytes.Buffer // read only after the process has ended
	s := &sdk{t: t, name: name}
	if name == "go" {
		s.process = exec.Command(requireGoClients(t))
	} else {
		requireSDKs(t)
		s.process = exec.Command("node", name+".mjs")
	}
	s.process.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + c.dir, "BASE_URL=" + c.url, "API_KEY=" + c.secret}
	s.process.Stderr = &said
	input, err := s.process.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := s.process.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.process.Start(); err != nil {
		t.Fatal(err)
	}
	s.input, s.output = input, bufio.NewScanner(output)
	s.output.Buffer(nil, 16<<20)
	t.Cleanup(func() {
		_ = input.Close() // ends the script
		killer := time.AfterFunc(patience, func() { _ = s.process.Process.Kill() })
		defer killer.Stop()
		if err := s.process.Wait(); err != nil {
			t.Errorf("%s ended with %v\n%s", name, err, said.String())
		}
	})
	return s
}

// in makes the same client report to a subtest.
func (s *sdk) in(t *testing.T) *sdk {
	copied := *s
	copied.t = t
	return &copied
}

// call makes one call and returns what the SDK made of it, errors included.
func (s *sdk) call(c call) view {
	s.t.Helper()
	line, err := json.Marshal(c)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := s.input.Write(append(line, '\n')); err != nil {
		s.t.Fatalf("%s: %v", s.name, err)
	}
	hung := time.AfterFunc(patience, func() { _ = s.process.Process.Kill() })
	defer hung.Stop()
	if !s.output.Scan() {
		s.t.Fatalf("%s ended without an answer to %s: %v", s.name, line, s.output.Err())
	}
	var v view
	if err := json.Unmarshal(s.output.Bytes(), &v); err != nil {
		s.t.Fatalf("%s said %s: %v", s.name, s.output.Text(), err)
	}
	return v
}

// must is a call that succeeds.
func (s *sdk) must(c call) view {
	s.t.Helper()
	v := s.call(c)
	if v.Error != nil {
		s.t.Fatalf("%s %s: %+v", s.name, c.Do, *v.Error)
	}
	return v
}
