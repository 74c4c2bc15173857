package caddymodule

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"

	"github.com/faregate/faregate/internal/simulator"
)

// Bodies that two parsers could read in two ways, or that no parser can read, go to no
// provider.
func TestBodiesThatAreNoPlainJSONAreRefused(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for name, more := range map[string]string{
		"a name twice":                  `,"model":"gpt-4.1-mini"`,
		"a name twice, escaped":         `,"mod\u0065l":"gpt-4.1"`,
		"a name twice, in another case": `,"MODEL":"gpt-4.1"`,
		"a name twice, folded":          `,"\u017ftream":true,"contentſ":[]`,
		"too deep":                      `,"x":` + strings.Repeat("[", 200) + strings.Repeat("]", 200),
		"far too deep":                  `,"x":` + strings.Repeat(`[{"y":`, 100_000),
		"not UTF-8":                     ",\"x\":\"\xff\"",
		"half a character":              ",\"x\":\"\xe2\x82\"",
		"a surrogate as bytes":          ",\"x\":\"\xed\xa0\x80\"",
		"an overlong character":         ",\"x\":\"\xc0\xaf\"",
		"a control character":           ",\"x\":\"\x01\"",
		"more after the end":            "}{",
		"an object after the end":       `} {"model":"gpt-4.1"}//`,
		"a comment":                     `,/* */"x":1`,
		"a trailing comma":              `,`,
		"not a number":                  `,"x":NaN`,
		"a leading zero":                `,"x":01`,
		"a plus":                        `,"x":+1`,
		"single quotes":                 `,'x':1`,
	} {
		for _, d := range dialectCalls {
			if d.name == "google" && strings.HasPrefix(name, "a name twice") {
				continue // its model is in the path; see below
			}
			fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", more)
			got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), d.header(g.secret))
			if _, message := dialectError(t, d.name, got); got.status != http.StatusBadRequest || len(message) > 300 {
				t.Errorf("%s, %s: %d %s", d.name, name, got.status, message)
			}
		}
	}
	for _, body := range []string{
		`{"contents":[],"contents":[{"parts":[{"text":"hello"}]}]}`, `{"contents":[],"content\u0073":[]}`, `{"contents":[],"Contents":[]}`,
		`{"contents":[],"generationConfig":{"maxOutputTokens":1},"generation_config":{"maxOutputTokens":60000}}`,
		`{"contents":[],"generationConfig":{"maxOutputTokens":1,"max_output_tokens":60000}}`,
	} {
		got := g.callWith(geminiJSON.path, body, googleKey(g.secret))
		if dialectError(t, "google", got); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", body, got.status, got.body)
		}
	}
	for name, body := range map[string]string{
		"nothing but white space": " \n", "a list": `[]`, "a string": `"hello"`, "null": `null`, "a byte order mark": "\ufeff" + chatBody,
		"UTF-16": "{\x00\"\x00", "a half": `{"model":"gpt-4.1-mini"`, "two": chatBody + chatBody,
	} {
		got := g.callWith(chatJSON.path, body, bearer(g.secret))
		if dialectError(t, "openai", got); got.status != http.StatusBadRequest {
			t.Errorf("%s: %d %s", name, got.status, got.body)
		}
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}

// Numbers that parsers cut or round are refused where they count, and where they do not
// they go on byte by byte: the provider reads what the caller wrote.
func TestNumbersBeyondAllBounds(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for _, number := range []string{"1e400", "9999999999999999999999", "-1", "1.5", "1e3", "0", `"100"`, "2147483648", strings.Repeat("9", 10_000)} {
		for _, body := range []string{
			`{"model":"gpt-4.1-mini","messages":[],"max_completion_tokens":` + number + `}`,
			`{"model":"gpt-4.1-mini","messages":[],"n":` + number + `}`,
		} {
			if strings.Contains(body, `"n":0`) {
				continue
			}
			got := g.call(chatJSON.path, body)
			if dialectError(t, "openai", got); got.status != http.StatusBadRequest {
				t.Errorf("%.80s: %d %s", body, got.status, got.body)
			}
		}
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Fatalf("%d requests reached the provider", n)
	}
	body := `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hello"}],"seed":` + strings.Repeat("9", 1000) + `,"x":1e99999}`
	if got := g.call(chatJSON.path, body); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	if sent := g.provider.Requests()[0].Body; !bytes.Equal(sent, []byte(body)) && !bytes.Contains(sent, []byte(body[1:])) {
		t.Errorf("the provider was sent %.200s", sent)
	}
}

// What says that it is something else than we read is refused before it is read.
func TestBodiesOfOtherKindsAreRefused(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		sent := len(g.provider.Requests())
		call := func(name, value string) reply {
			header := d.header(g.secret)
			header.Set(name, value)
			return g.callWith(fill.Replace(d.path), fill.Replace(d.body), header)
		}
		for _, encoding := range []string{"gzip", "br", "deflate", "zstd", "x-unknown", "gzip, identity", "identity, gzip"} {
			got := call("Content-Encoding", encoding)
			if _, message := dialectError(t, d.name, got); got.status != http.StatusUnsupportedMediaType || !strings.Contains(message, "without Content-Encoding") {
				t.Errorf("%s, %s: %d %s", d.name, encoding, got.status, message)
			}
		}
		for _, kind := range []string{"multipart/form-data; boundary=x", "application/xml", "application/x-protobuf", "image/png", "nonsense;;", "application/json; charset=utf-16",
			"application/json; charset=iso-8859-1", "application/json; charset=utf-7"} {
			got := call("Content-Type", kind)
			if _, message := dialectError(t, d.name, got); got.status != http.StatusUnsupportedMediaType || !strings.Contains(message, "UTF-8") {
				t.Errorf("%s, %s: %d %s", d.name, kind, got.status, message)
			}
		}
		if n := len(g.provider.Requests()); n != sent {
			t.Fatalf("%d requests reached the provider", n-sent)
		}
		for _, kind := range []string{"application/json", "application/json; charset=UTF-8", "application/x-www-form-urlencoded", "text/plain;charset=utf-8", "application/vnd.api+json", "application/json;charset=us-ascii"} {
			if got := call("Content-Type", kind); got.status != http.StatusOK {
				t.Errorf("%s, %s: %d %s", d.name, kind, got.status, got.body)
			}
		}
		if got := call("Content-Encoding", "identity"); got.status != http.StatusOK {
			t.Errorf("%s, identity: %d %s", d.name, got.status, got.body)
		}
		for _, request := range g.provider.Requests()[sent:] {
			if got := request.Header.Get("Content-Type"); got != "application/json" || request.Header.Get("Content-Encoding") != "" {
				t.Errorf("the provider was told %v", request.Header)
			}
		}
		got := g.send(http.MethodPost, fill.Replace(d.path), "", d.header(g.secret))
		if _, message := dialectError(t, d.name, got); got.status != http.StatusBadRequest || !strings.Contains(message, "no body") {
			t.Errorf("%s, no body: %d %s", d.name, got.status, message)
		}
	}
	header := bearer(g.secret)
	header["Content-Type"] = []string{"application/json", "multipart/form-data; boundary=x"}
	if got := g.callWith(chatJSON.path, chatJSON.body, header); got.status != http.StatusUnsupportedMediaType {
		t.Errorf("two kinds: %d %s", got.status, got.body)
	}
	header = bearer(g.secret)
	header.Set("Content-Type", "application/json")
	got := g.callWith("/v1/audio/transcriptions", `{"model":"whisper-1"}`, header)
	if _, message := dialectError(t, "openai", got); got.status != http.StatusUnsupportedMediaType || !strings.Contains(message, "multipart/form-data") {
		t.Errorf("a form that is none: %d %s", got.status, message)
	}
	var empty bytes.Buffer
	form := multipart.NewWriter(&empty)
	header.Set("Content-Type", form.FormDataContentType())
	got = g.send(http.MethodPost, "/v1/audio/transcriptions", "", header)
	if dialectError(t, "openai", got); got.status != http.StatusBadRequest {
		t.Errorf("a form without a body: %d %s", got.status, got.body)
	}
	if got := g.send(http.MethodGet, "/v1/models", `{"model":"gpt-4.1-mini"}`, bearer(g.secret)); got.status != http.StatusOK {
		t.Errorf("GET with a body: %d %s", got.status, got.body)
	}
	if got := g.send(http.MethodGet, chatJSON.path, chatJSON.body, bearer(g.secret)); got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != "POST" {
		t.Errorf("GET of a call, with a body: %d %s", got.status, got.body)
	}
}

// A client that waits to be asked for its body is asked once its key and its request's
// head are in order, and not for one that will be refused.
func TestBodiesAreAskedForOnlyWhereTheyAreWanted(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: "faregate {\n\t\tmax_body 1MB\n\t}"})
	for name, c := range map[string]struct {
		key, more string
		length    int
		status    string
	}{
		"wanted":     {g.secret, "", len(chatBody), "HTTP/1.1 100 Continue"},
		"wrong key":  {"sk-nobody", "", len(chatBody), "HTTP/1.1 401 "},
		"too long":   {g.secret, "", 1_000_001, "HTTP/1.1 413 "},
		"compressed": {g.secret, "Content-Encoding: gzip\r\n", len(chatBody), "HTTP/1.1 415 "},
	} {
		connection, err := net.Dial("tcp", strings.TrimPrefix(g.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		_ = connection.SetDeadline(time.Now().Add(10 * time.Second))
		_, _ = fmt.Fprintf(connection, "POST /v1/chat/completions HTTP/1.1\r\nHost: %s\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\nExpect: 100-continue\r\n%s\r\n",
			strings.TrimPrefix(g.url, "http://"), c.key, c.length, c.more)
		reader := bufio.NewReader(connection)
		line, err := reader.ReadString('\n')
		if err != nil || !strings.HasPrefix(line, c.status) {
			t.Errorf("%s: %q, %v", name, line, err)
		}
		if name == "wanted" {
			_, _ = reader.ReadString('\n')
			_, _ = io.WriteString(connection, chatBody)
			response, err := http.ReadResponse(reader, nil)
			if err != nil || response.StatusCode != http.StatusOK {
				t.Errorf("%v %v", response, err)
			} else {
				_ = response.Body.Close()
			}
		}
		_ = connection.Close()
	}
}

// A site whose longest request could never be served does not start.
func TestMemoryForBodiesSufficesForOne(t *testing.T) {
	g := newGateway(t, gatewayOptions{extra: "body_memory 64MB"})
	adapted, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(g.config), nil)
	if err != nil {
		t.Fatal(err)
	}
	var config caddy.Config
	if err := json.Unmarshal(adapted, &config); err != nil {
		t.Fatal(err)
	}
	if err := caddy.Validate(&config); err == nil || !strings.Contains(err.Error(), "body_memory is 61 MiB, but one request of the longest that max_body allows (32 MiB) takes up to 64 MiB") {
		t.Error(err)
	}
}

// Beyond the memory for all bodies requests are refused for a moment, and all of it is
// there again once they have ended, whatever their end was.
func TestBodiesHaveBoundedMemory(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: strings.Replace(metricsSite, "\t\tfaregate\n", "\t\tfaregate {\n\t\t\tmax_body 3MiB\n\t\t}\n", 1), extra: "body_memory 7MiB"})
	long := strings.Replace(chatBody, "hello", strings.Repeat("hello ", 500_000), 1) // 3 MB
	short := chatBody
	gate := simulator.NewGate()
	var running []*calling // as many as there is room for
	for range 2 {
		at := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{}, Pauses: []simulator.Pause{{Gate: at}, {Gate: gate}}}})
		call := g.startCall(chatJSON.path, long, bearer(g.secret))
		call.at(at)
		at.Open()
		running = append(running, call)
	}
	if used := bodiesMemory.used.Load(); used < int64(2*len(long)) {
		t.Errorf("%d bytes are counted for two of %d", used, len(long))
	}
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "", "hello", strings.Repeat("hello ", 500_000))
		for range 2 {
			got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), d.header(g.secret))
			if _, message := dialectError(t, d.name, got); got.status != http.StatusServiceUnavailable || got.header.Get("Retry-After") != "1" || !strings.Contains(message, "as it can hold") {
				t.Errorf("%s: %d %v %s", d.name, got.status, got.header, message)
			}
		}
	}
	if got := g.call(chatJSON.path, short); got.status != http.StatusOK {
		t.Errorf("a short one: %d %s", got.status, got.body)
	}
	gate.Open()
	for _, call := range running {
		if got := call.finish(); got.status != http.StatusOK {
			t.Errorf("one of the first: %d %s", got.status, got.body)
		}
	}
	released := func() bool { return bodiesMemory.used.Load() == 0 }
	waitFor(t, "the memory to be given back", released)

	// All other ends: refusals at each stage, failures of the provider, clients that leave.
	stream := strings.Replace(long, `{"model"`, `{"stream":true,"model"`, 1)
	for _, response := range []simulator.Response{
		simulator.ErrorResponse(simulator.OpenAI, 500), simulator.ErrorResponse(simulator.OpenAI, 400), {Status: 200, Body: []byte("nonsense"), ContentType: "application/json"},
	} {
		g.provider.Add(simulator.Step{Response: response})
		g.call(chatJSON.path, stream)
	}
	g.call(chatJSON.path, long[:len(long)-5])
	g.call(chatJSON.path, strings.Replace(long, "gpt-4.1-mini", "no-such-model", 1))
	g.call("/v1/responses", long)
	for _, body := range []string{stream, long} {
		gate := simulator.NewGate()
		g.provider.Add(simulator.Step{Response: simulator.Response{Answer: &simulator.Answer{}, Pauses: []simulator.Pause{{Gate: gate}}}})
		leaving := g.startCall(chatJSON.path, body, bearer(g.secret))
		leaving.at(gate)
		leaving.leave()
		gate.Open()
		waitFor(t, "the memory to be given back", released)
	}
	if got := g.call(chatJSON.path, stream); got.status != http.StatusOK {
		t.Errorf("afterwards: %d %s", got.status, got.body)
	}
	waitFor(t, "the memory to be given back", released)
	if used, told := g.scraped()["faregate_body_memory_bytes"]; !told || used != 0 {
		t.Errorf("the metric tells %v, %v", used, told)
	}
}
