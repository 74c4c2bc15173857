package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/simulator"
)

// canary is a text that must not be found anywhere after it went through.
func canary(name string) string { return "CANARY" + name + "ZYGOTE" }

// Markers planted in everything that is private, sent through every way that a
// request can take, at level DEBUG: afterwards no file holds one of them.
func TestNothingPrivateIsEverWritten(t *testing.T) {
	for _, site := range []string{"faregate", "encode gzip\n\tfaregate"} {
		t.Run(strings.Fields(site)[0], func(t *testing.T) { testCanaries(t, site) })
	}
}

func testCanaries(t *testing.T, site string) {
	temporary := t.TempDir()
	t.Setenv("TMPDIR", temporary)
	outputs := redirectOutputs(t, temporary)
	g := startGateway(t, gatewayOptions{site: site, options: &simulator.Options{}})
	answer, tool, failure := canary("answer"), canary("tool"), canary("failure")
	prompt := fmt.Sprintf(`"messages":[{"role":"user","content":%q}],"tools":[{"type":"function","function":{"name":"f","description":%q,"parameters":{}}}]`,
		canary("prompt"), canary("schema"))
	chat := `{"model":"gpt-4.1-mini",` + prompt + `}`
	stream := `{"model":"gpt-4.1-mini","stream":true,` + prompt + `}`
	completion := []byte(fmt.Sprintf(`{"id":"x","model":"gpt-4.1-mini","choices":[{"index":0,"finish_reason":"tool_calls","message":{"role":"assistant","content":%q,`+
		`"tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{\"a\":\"%s\"}"}}]}}],"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}}`, answer, tool))
	events := []byte(fmt.Sprintf("data: {\"model\":\"gpt-4.1-mini\",\"choices\":[{\"index\":0,\"delta\":{\"content\":%q}}]}\n\n", answer) +
		"data: {\"model\":\"gpt-4.1-mini\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" + canary("finish") + "\"}]}\n\n" +
		"data: [DONE]\n\n")
	json := func(status int, body []byte) simulator.Response {
		return simulator.Response{Status: status, ContentType: "application/json", Body: body, Header: http.Header{
			"X-Request-Id": {canary("header")}, "Set-Cookie": {canary("cookie")}, "Openai-Organization": {canary("organisation")},
		}}
	}
	sse := simulator.Response{Status: 200, ContentType: "text/event-stream", Body: events}
	cut, reset := sse, sse
	cut.Fault, cut.FaultAt = simulator.HangUp, 60
	reset.Fault, reset.FaultAt = simulator.Reset, 90

	// Success, JSON and stream; odd model names that the provider claims to serve.
	g.provider.Add(simulator.Step{Response: json(200, completion)})
	if got := g.call("/v1/chat/completions", chat); !bytes.Contains(got.body, []byte(answer)) {
		t.Fatalf("the answer did not come through: %d %s", got.status, got.body)
	}
	g.provider.Add(simulator.Step{Response: sse})
	g.call("/v1/chat/completions", stream)
	g.provider.Add(simulator.Step{Response: json(200, bytes.ReplaceAll(completion, []byte("gpt-4.1-mini"), []byte(canary("model"))))})
	g.call("/v1/chat/completions", chat)

	// Errors of the provider: those that go on, and those that do not.
	for _, status := range []int{301, 400, 401, 404, 429, 500, 529} {
		g.provider.Add(simulator.Step{Response: json(status, []byte(fmt.Sprintf(`{"error":{"message":%q,"type":%q,"code":%q}}`, failure, failure, failure)))})
		g.call("/v1/chat/completions", chat)
	}
	g.provider.Add(simulator.Step{Response: json(200, []byte(`{"choices":"`+failure+`",,`))})
	g.call("/v1/chat/completions", chat)
	g.provider.Add(simulator.Step{Response: simulator.Response{Status: 200, ContentType: canary("type"), Body: []byte(failure)}})
	g.call("/v1/chat/completions", chat)

	// Streams that are cut by the provider, politely and not.
	g.provider.Add(simulator.Step{Response: cut}, simulator.Step{Response: reset})
	g.call("/v1/chat/completions", stream)
	g.call("/v1/chat/completions", stream)

	// Refusals: keys in every place, content where it does not belong.
	g.call("/v1/chat/completions", `{"model":"`+canary("name")+`",`+prompt+`}`)
	g.call("/v1/chat/completions", `{"model":"gpt-4.1-mini",`+prompt+`,}`)
	g.call("/v1/chat/completions", `{"model":"gpt-4.1-mini","model":"x",`+prompt+`}`)
	g.call("/"+canary("path")+"?q="+canary("query"), chat)
	foreign := canary("key") + "-sk-foreign"
	for _, header := range []http.Header{
		{"Authorization": {"Bearer " + foreign}}, {"X-Api-Key": {foreign}}, {"X-Goog-Api-Key": {foreign}}, {"Api-Key": {foreign}},
		{"Authorization": {"Basic " + foreign}}, {"Cookie": {foreign}}, {"User-Agent": {foreign}, "X-Forwarded-For": {"192.0.2.77"}},
	} {
		g.callWith("/v1/chat/completions", chat, header)
	}
	g.callWith("/v1/messages?key="+foreign, chat, http.Header{})
	g.callWith("/v1beta/models/gemini-2.5-flash:generateContent?key="+g.secret, `{"contents":[{"parts":[{"text":"`+canary("prompt")+`"}]}]}`, http.Header{})

	// A client that leaves in the middle, before and after a reload.
	gate := simulator.NewGate()
	held := sse
	held.Pauses = []simulator.Pause{{At: int64(bytes.Index(events, []byte("\n\n")) + 2), Gate: gate}}
	g.provider.Add(simulator.Step{Response: held}, simulator.Step{Response: held})
	leave := g.begin(stream)
	<-gate.Reached()
	leave()
	last := g.begin(stream)
	g.load()
	last()
	gate.Open()
	// Nothing is on its way any more when all records are there.
	waitFor(t, "all requests to be settled", func() bool { return g.idle() })
	if err := caddy.Stop(); err != nil {
		t.Fatal(err)
	}
	if err := g.store.Close(); err != nil {
		t.Fatal(err)
	}
	outputs()

	secrets := map[string]string{"customer key": g.secret, "provider key": providerKey, "canary": "CANARY", "client address": "192.0.2.77"}
	searchFiles(t, []string{g.directory, temporary}, filepath.Join(g.directory, "provider-key"), secrets)
	if log, err := os.ReadFile(g.logFile); err != nil || !bytes.Contains(log, []byte("handled request")) || !bytes.Contains(log, []byte(`"debug"`)) {
		t.Errorf("the log was not written as it should be (%v), so that the search proves nothing", err)
	}
}

// begin sends a request and returns when the first bytes are there; the function
// leaves.
func (g *gateway) begin(body string) (leave func()) {
	g.t.Helper()
	request, err := http.NewRequestWithContext(testContext(g.t), http.MethodPost, g.url+"/v1/chat/completions", strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+g.secret)
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		g.t.Fatal(err)
	}
	if _, err := bufio.NewReader(response.Body).Peek(1); err != nil {
		g.t.Fatal(err)
	}
	return func() { _ = response.Body.Close() }
}

// idle tells whether no request is on its way.
func (g *gateway) idle() bool {
	idle := true
	runtimes.Range(func(_, value any) bool {
		rt := value.(*runtime)
		rt.mutex.Lock()
		defer rt.mutex.Unlock()
		idle = idle && rt.requests == 0
		return true
	})
	return idle
}

// redirectOutputs sends what the process prints into files of a directory.
func redirectOutputs(t *testing.T, directory string) (restore func()) {
	t.Helper()
	stdout, stderr := os.Stdout, os.Stderr
	file, err := os.Create(filepath.Join(directory, "outputs"))
	if err != nil {
		t.Fatal(err)
	}
	os.Stdout, os.Stderr = file, file
	return func() {
		os.Stdout, os.Stderr = stdout, stderr
		_ = file.Close()
	}
}

// searchFiles fails for every file that holds a secret, as it is or encoded.
func searchFiles(t *testing.T, directories []string, except string, secrets map[string]string) {
	t.Helper()
	searched := 0
	for _, directory := range directories {
		err := filepath.WalkDir(directory, func(path string, entry fs.DirEntry, err error) error {
			if errors.Is(err, fs.ErrNotExist) {
				return nil // SQLite's, of a store that is being closed
			}
			if err != nil || !entry.Type().IsRegular() || path == except {
				return err
			}
			content, err := os.ReadFile(path)
			switch {
			case errors.Is(err, fs.ErrNotExist):
				return nil
			case err != nil:
				return err
			}
			searched++
			for name, secret := range secrets {
				for _, form := range []string{secret, url.QueryEscape(secret), hex.EncodeToString([]byte(secret)), base64Core(secret)} {
					if at := bytes.Index(content, []byte(form)); at >= 0 {
						t.Errorf("%s is in %s: …%q…", name, path, content[max(at-80, 0):min(at+80, len(content))])
					}
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if searched < 3 {
		t.Errorf("only %d files were searched", searched)
	}
}

// base64Core is the part of a text's base64 that does not depend on what follows.
func base64Core(text string) string {
	return base64.StdEncoding.EncodeToString([]byte(text[:len(text)/3*3]))
}
