package caddymodule

import (
	"bytes"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/jackc/pgx/v5"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store/postgrestest"
)

// strangeAddress is a client's address that nothing else has.
const strangeAddress = "127.83.41.7"

// canaryOperation is a request for an operation with markers in all its content, and the
// answers of its provider.
type canaryOperation struct {
	path, body   string
	form, stream bool
	answer       string // of success; a stream's events
	audio        bool   // the answer is no JSON
}

func canaryOperations() []canaryOperation {
	prompt, answer := canary("prompt"), canary("answer")
	tool := fmt.Sprintf(`{"name":%q,"description":%q,"parameters":{"type":"object","properties":{%q:{"type":"string"}}}}`, canary("tool"), canary("described"), canary("property"))
	message := fmt.Sprintf(`"messages":[{"role":"user","name":%q,"content":%q}]`, canary("name"), prompt)
	chat := fmt.Sprintf(`{"model":"gpt-4.1-mini",%s,"tools":[{"type":"function","function":%s}],"user":%q,"metadata":{%q:%q},"stop":[%q]`,
		message, tool, canary("user"), canary("metadata"), canary("value"), canary("stop"))
	call := fmt.Sprintf(`"tool_calls":[{"index":0,"id":%q,"type":"function","function":{"name":%q,"arguments":%q}}]`, canary("call"), canary("tool"), `{"a":"`+canary("argument")+`"}`)
	const openAIUsage = `"usage":{"prompt_tokens":9,"completion_tokens":9,"total_tokens":18}`
	events := fmt.Sprintf("event: %s\nid: %s\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q,%s}}]}\n\n: %s\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":%q},\"finish_reason\":%q}],%s}\n\ndata: [DONE]\n\n",
		canary("event"), canary("id"), answer, call, canary("comment"), answer, canary("finish"), openAIUsage)
	response := fmt.Sprintf(`{"id":%q,"status":"completed","output":[{"type":"message","content":[{"type":"output_text","text":%q}]}],"usage":{"input_tokens":9,"output_tokens":9,"total_tokens":18}}`, canary("id"), answer)
	input := fmt.Sprintf(`{"model":"gpt-4.1-mini","input":[{"role":"user","content":%q}],"instructions":%q`, prompt, canary("system"))
	contents := fmt.Sprintf(`{"contents":[{"role":"user","parts":[{"text":%q},{"inlineData":{"mimeType":"image/png","data":%q}}]}],"systemInstruction":{"parts":[{"text":%q}]}}`, prompt, canary("media"), canary("system"))
	candidate := fmt.Sprintf(`{"candidates":[{"content":{"parts":[{"text":%q},{"functionCall":{"name":%q,"args":{%q:%q}}}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":9,"totalTokenCount":18}}`, answer, canary("tool"), canary("key"), canary("argument"))
	messages := fmt.Sprintf(`{"model":"claude-haiku-4-5","max_tokens":99,"system":%q,%s,"tools":[{"name":%q,"input_schema":{"type":"object"}}],"metadata":{"user_id":%q}`, canary("system"), strings.Replace(message, fmt.Sprintf(`"name":%q,`, canary("name")), "", 1), canary("tool"), canary("user"))
	said := fmt.Sprintf(`{"type":"message","id":%q,"model":"claude-haiku-4-5","content":[{"type":"text","text":%q},{"type":"tool_use","id":%q,"name":%q,"input":{"a":%q}}],"stop_reason":"tool_use","usage":{"input_tokens":9,"output_tokens":9}}`, canary("id"), answer, canary("call"), canary("tool"), canary("argument"))
	saying := fmt.Sprintf("event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":%q,\"model\":\"claude-haiku-4-5\",\"usage\":{\"input_tokens\":9,\"output_tokens\":1}}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":%q}}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":%q},\"usage\":{\"output_tokens\":9}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
		canary("id"), answer, canary("finish"))
	images := fmt.Sprintf(`{"data":[{"b64_json":%q,"revised_prompt":%q}],"usage":{"input_tokens":9,"output_tokens":9,"total_tokens":18}}`, canary("image"), answer)
	transcript := fmt.Sprintf(`{"text":%q,"usage":{"type":"tokens","input_tokens":9,"output_tokens":9,"total_tokens":18}}`, answer)
	form := func(model, file string) string {
		field := "--" + canary("boundary") + "\r\nContent-Disposition: form-data; name=\"%s\"%s\r\n\r\n%s\r\n"
		return fmt.Sprintf(field, "model", "", model) + fmt.Sprintf(field, "prompt", "", prompt) + fmt.Sprintf(field, canary("field"), "", canary("value")) +
			fmt.Sprintf(field, file, "; filename=\""+canary("file")+".wav\"\r\nContent-Type: audio/wav", canary("audio")) + "--" + canary("boundary") + "--\r\n"
	}
	const stream = `,"stream":true}`
	const gemini = "/v1beta/models/gemini-2.5-flash"
	return []canaryOperation{
		{path: "/v1/chat/completions", body: chat + "}", answer: fmt.Sprintf(`{"id":%q,"choices":[{"index":0,"finish_reason":"tool_calls","message":{"content":%q,%s}}],%s}`, canary("id"), answer, call, openAIUsage)},
		{path: "/v1/chat/completions", body: chat + stream, stream: true, answer: events},
		{path: "/v1/completions", body: fmt.Sprintf(`{"model":"gpt-3.5-turbo-instruct","prompt":%q,"suffix":%q}`, prompt, canary("suffix")), answer: fmt.Sprintf(`{"choices":[{"text":%q,"finish_reason":"stop"}],%s}`, answer, openAIUsage)},
		{path: "/v1/responses", body: input + "}", answer: response},
		{path: "/v1/responses", body: input + stream, stream: true, answer: fmt.Sprintf("event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"delta\":%q}\n\nevent: response.completed\ndata: {\"type\":\"response.completed\",\"response\":%s}\n\n", answer, response)},
		{path: "/v1/responses/compact", body: input + "}", answer: response},
		{path: "/v1/responses/input_tokens", body: input + "}", answer: fmt.Sprintf(`{"object":%q,"input_tokens":9}`, answer)},
		{path: "/v1/embeddings", body: fmt.Sprintf(`{"model":"text-embedding-3-small","input":[%q],"user":%q}`, prompt, canary("user")), answer: fmt.Sprintf(`{"data":[{"embedding":%q}],"usage":{"prompt_tokens":9,"total_tokens":9}}`, answer)},
		{path: "/v1/moderations", body: fmt.Sprintf(`{"model":"omni-moderation-latest","input":%q}`, prompt), answer: fmt.Sprintf(`{"id":%q,"results":[]}`, answer)},
		{path: "/v1/images/generations", body: fmt.Sprintf(`{"model":"gpt-image-1","prompt":%q}`, prompt), answer: images},
		{path: "/v1/images/edits", form: true, body: form("gpt-image-1", "image"), answer: images},
		{path: "/v1/audio/speech", body: fmt.Sprintf(`{"model":"gpt-4o-mini-tts","input":%q,"voice":%q,"instructions":%q}`, prompt, canary("voice"), canary("system")), answer: answer, audio: true},
		{path: "/v1/audio/transcriptions", form: true, body: form("gpt-4o-mini-transcribe", "file"), answer: transcript},
		{path: "/v1/audio/translations", form: true, body: form("whisper-1", "file"), answer: transcript},
		{path: "/v1/messages", body: messages + "}", answer: said},
		{path: "/v1/messages", body: messages + stream, stream: true, answer: saying},
		{path: "/v1/messages/count_tokens", body: strings.Replace(messages, `"max_tokens":99,`, "", 1) + "}", answer: fmt.Sprintf(`{"input_tokens":9,"x":%q}`, answer)},
		{path: gemini + ":generateContent", body: contents, answer: candidate},
		{path: gemini + ":streamGenerateContent?alt=sse", body: contents, stream: true, answer: "data: " + candidate + "\n\n"},
		{path: gemini + ":countTokens", body: contents, answer: fmt.Sprintf(`{"totalTokens":9,"x":%q}`, answer)},
		{path: "/v1beta/models/gemini-embedding-001:embedContent", body: fmt.Sprintf(`{"content":{"parts":[{"text":%q}]},"title":%q}`, prompt, canary("title")), answer: `{"embedding":{"values":[1]}}`},
		{path: "/v1beta/models/gemini-embedding-001:batchEmbedContents", body: fmt.Sprintf(`{"requests":[{"model":"models/gemini-embedding-001","content":{"parts":[{"text":%q}]}}]}`, prompt), answer: `{"embeddings":[{"values":[1]}]}`},
	}
}

// Every operation of internal/dialect has its canaries.
func TestCanariesCoverEveryOperation(t *testing.T) {
	source, err := os.ReadFile("../internal/dialect/operation.go")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("chatPath", `"/v1/chat/completions"`, `messagesPath + "/count_tokens"`, `"/v1/messages/count_tokens"`, "messagesPath", `"/v1/messages"`).Replace(string(source))
	want := map[string]bool{":streamGenerateContent": true}
	for _, found := range regexp.MustCompile(`(?m)^\t"([^"]+)": +&\w+,$|path: "(:\w+)"`).FindAllStringSubmatch(text, -1) {
		want[found[1]+found[2]] = true
	}
	if len(want) < 19 {
		t.Fatalf("the table is not read any more: %v", want)
	}
	for _, o := range canaryOperations() {
		path, _, _ := strings.Cut(o.path, "?")
		if at := strings.LastIndexByte(path, ':'); at >= 0 {
			path = path[at:]
		}
		delete(want, path)
	}
	for path := range want {
		t.Errorf("%s is served and has no canaries", path)
	}
}

// outcomes are what a provider can do, with markers in all that it says.
func (o *canaryOperation) outcomes() map[string]simulator.Response {
	header := http.Header{
		"X-Request-Id": {canary("header")}, "Set-Cookie": {canary("cookie")}, "Openai-Organization": {canary("organisation")}, "Server": {canary("server")},
		"Retry-After": {canary("after")}, "Retry-After-Ms": {canary("after")}, "X-Should-Retry": {canary("retry")}, "Cache-Control": {canary("cache")}, "X-Ratelimit-Limit-Requests": {canary("limit")}, "Anthropic-Organization-Id": {canary("organisation")}, "Location": {"/" + canary("location")},
	}
	said := func(status int, contentType, body string) simulator.Response {
		return simulator.Response{Status: status, ContentType: contentType, Body: []byte(body), Header: header}
	}
	kind := "application/json"
	switch {
	case o.stream:
		kind = "text/event-stream"
	case o.audio:
		kind = "audio/mpeg"
	}
	kind += "; x=" + canary("parameter")
	ways := map[string]simulator.Response{
		"success":       said(200, kind, o.answer),
		"odd type":      said(200, canary("type"), o.answer),
		"broken":        said(200, "application/json", `{"choices":"`+canary("broken")+`",,`),
		"redirect":      said(307, "text/html", canary("failure")),
		"no connection": {Fault: simulator.HangUp, FaultAt: simulator.BeforeHeader},
	}
	for _, status := range []int{400, 401, 403, 404, 429, 500} {
		failure := fmt.Sprintf(`{"error":{"message":%q,"type":%q,"code":%q,"status":%q,"param":%q},"type":"error"}`, canary("failure"), canary("kind"), canary("code"), canary("status"), canary("param"))
		ways[fmt.Sprint(status)] = said(status, "application/json", failure)
	}
	cut := ways["success"]
	cut.Fault, cut.FaultAt = simulator.Reset, int64(len(o.answer)/2)
	ways["cut"] = cut
	if o.stream {
		failing := ways["success"]
		failing.Body = []byte(fmt.Sprintf("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":%q,\"message\":%q,\"code\":%q}}\n\n", canary("kind"), canary("failure"), canary("code")))
		ways["error under 200"] = failing
	}
	return ways
}

// strangeClient calls from strangeAddress.
func strangeClient() *http.Client {
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(strangeAddress)}}
	return &http.Client{Transport: &http.Transport{DialContext: dialer.DialContext}}
}

func (g *gateway) canaryHeader(form bool) http.Header {
	header := http.Header{
		"Authorization": {"Bearer " + g.secret}, "X-Api-Key": {g.secret}, "Cookie": {"a=" + canary("cookie")}, "Referer": {"https://" + canary("referer")},
		"User-Agent": {canary("agent")}, "Idempotency-Key": {canary("idempotency")}, "X-" + canary("odd"): {canary("odd")}, "Anthropic-Beta": {canary("beta")},
		"Openai-Beta": {canary("beta")}, "X-Stainless-Lang": {canary("telemetry")}, "X-Forwarded-For": {"192.0.2.77"}, "Openai-Organization": {canary("organisation")}, "Traceparent": {canary("trace")},
		"Content-Type": {"application/json; x=" + canary("parameter")},
	}
	if form {
		header["Content-Type"] = []string{"multipart/form-data; boundary=" + canary("boundary")}
	}
	return header
}

// sendCanary makes a call and reads the answer, or only as much of it where reads is not
// negative.
func (g *gateway) sendCanary(client *http.Client, method, path, body string, header http.Header, reads int) (status int, read []byte) {
	g.t.Helper()
	ctx, cancel := context.WithCancel(testContext(g.t))
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, method, g.url+path, strings.NewReader(body))
	if err != nil {
		g.t.Fatal(err)
	}
	request.Header = header
	answer, err := client.Do(request)
	if err != nil {
		return 0, nil // some connections are cut
	}
	defer func() { _ = answer.Body.Close() }()
	if reads >= 0 {
		read = make([]byte, reads)
		_, _ = io.ReadFull(answer.Body, read)
		return answer.StatusCode, read
	}
	read, _ = io.ReadAll(answer.Body) // some are cut
	return answer.StatusCode, read
}

// Every operation, with every outcome, from an address that can be recognised, at level
// DEBUG and with Caddy's own debugging: nothing of it is in any file, log, table, metric
// or answer of the admin interface afterwards.
func TestNothingPrivateIsKeptOfAnyOperation(t *testing.T) {
	for _, name := range []string{"sqlite", "postgres"} {
		t.Run(name, func(t *testing.T) {
			address, served := "", ""
			var proxy *postgrestest.Proxy
			if name == "postgres" {
				address = cluster.NewDatabase(t)
				proxy = cluster.NewProxy(t)
				served = proxy.URL(postgrestest.Name(address), "")
			}
			temporary := t.TempDir()
			t.Setenv("TMPDIR", temporary)
			outputs := redirectOutputs(t, temporary)
			defer outputs()
			admin := freeAddress(t)
			g := newGateway(t, gatewayOptions{store: address, site: probedSite, credit: "1000", global: "debug\n\tmetrics {\n\t\tper_host\n\t}"})
			g.config = strings.Replace(g.config, "admin off", "admin "+admin, 1)
			if served != "" {
				g.config = strings.Replace(g.config, g.storeLine(), served, 1)
			}
			g.config = strings.Replace(g.config, "faregate {", "faregate {\n\t\tlockout off", 1)
			g.run()
			client := strangeClient()
			g.everyOutcome(client)
			g.everyRefusal(client)
			if proxy != nil {
				proxy.Plan(func() postgrestest.Fate { return postgrestest.CutOff })
				proxy.Cut()
				o, header := canaryOperations()[0], g.canaryHeader(false)
				unknown, err := auth.NewSecret(rand.Reader)
				if err != nil {
					t.Fatal(err)
				}
				header.Del("X-Api-Key")
				header.Set("Authorization", "Bearer "+unknown.Reveal())
				if status, read := g.sendCanary(client, http.MethodPost, o.path, o.body, header, -1); status != http.StatusServiceUnavailable {
					t.Errorf("while the store is away: %d %s", status, read)
				}
				proxy.Plan(nil)
			}
			g.load() // a reload
			client.CloseIdleConnections()
			waitFor(t, "all requests to be settled", func() bool { return g.idle() })
			told := g.adminTells(admin)
			if err := caddy.Stop(); err != nil {
				t.Fatal(err)
			}
			if proxy != nil {
				told["tables"] = dumpTables(t, address)
			}
			if err := g.store.Close(); err != nil {
				t.Fatal(err)
			}
			outputs()
			secrets := map[string]string{"customer key": g.secret, "provider key": providerKey, "canary": "CANARY", "client address": strangeAddress, "forwarded address": "192.0.2.77"}
			for what, text := range told {
				if err := os.WriteFile(filepath.Join(temporary, strings.ReplaceAll(what, "/", "_")), text, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			searchFiles(t, []string{g.directory, temporary}, filepath.Join(g.directory, "provider-key"), secrets)
			log := g.log()
			if handled := strings.Count(log, `"handled request"`); handled < 200 || !strings.Contains(log, `"debug"`) {
				t.Errorf("%d handled requests are in the log: what is searched is not the whole", handled)
			}
		})
	}
}

// everyOutcome calls every operation with every outcome. Of streams a client leaves in the
// middle, and there is a panic that quotes what is being written.
func (g *gateway) everyOutcome(client *http.Client) {
	g.t.Helper()
	for _, o := range canaryOperations() {
		for name, way := range o.outcomes() {
			g.forgetFailures()
			path := o.path
			if !strings.Contains(path, "?") {
				path += "?"
			}
			path += "&key=" + g.secret + "&x=" + canary("query")
			g.provider.Add(simulator.Step{Response: way})
			status, read := g.sendCanary(client, http.MethodPost, path, o.body, g.canaryHeader(o.form), -1)
			if left := g.provider.Unused(); left != 0 {
				g.t.Fatalf("%s, %s: the provider was not asked: %d %s", o.path, name, status, read)
			}
			if name == "success" && (status != http.StatusOK || string(read) != o.answer) {
				g.t.Errorf("%s: %d %s, want %s", o.path, status, read, o.answer)
			}
		}
		if !o.stream {
			continue
		}
		said := strings.Index(o.answer, canary("answer"))
		if end := said + strings.Index(o.answer[said:], "\n\n") + 2; end < len(o.answer) {
			held := o.outcomes()["success"]
			held.Pauses = []simulator.Pause{{At: int64(end)}}
			g.provider.Add(simulator.Step{Response: held})
			g.sendCanary(client, http.MethodPost, o.path, o.body, g.canaryHeader(false), 20)
		}
		probeWith(g.t, func(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
			return next.ServeHTTP(quotingPanic{w}, r)
		})
		g.provider.Add(simulator.Step{Response: o.outcomes()["success"]})
		g.sendCanary(client, http.MethodPost, o.path, o.body, g.canaryHeader(false), -1)
		probing.Store(nil)
	}
}

// quotingPanic panics with what it is to write.
type quotingPanic struct{ http.ResponseWriter }

func (quotingPanic) Write(p []byte) (int, error) { panic("cannot write " + string(p)) }

// everyRefusal is refused before any provider is asked, in every way.
func (g *gateway) everyRefusal(client *http.Client) {
	g.t.Helper()
	asked := len(g.provider.Requests())
	refused := func(what, method, path, body string, header http.Header) {
		g.t.Helper()
		if status, read := g.sendCanary(client, method, path, body, header, -1); status < 400 {
			g.t.Errorf("%s is not refused: %d %s", what, status, read)
		} else if bytes.Contains(read, []byte("CANARYprompt")) || bytes.Contains(read, []byte(g.secret)) {
			g.t.Errorf("%s: the refusal quotes the request: %s", what, read)
		}
	}
	foreign := "sk-fg-" + canary("key")
	for _, o := range canaryOperations() {
		with := func(change func(http.Header)) http.Header {
			header := g.canaryHeader(o.form)
			change(header)
			return header
		}
		same := with(func(http.Header) {})
		refused("malformed", http.MethodPost, o.path, o.body+canary("tail"), same)
		refused("no body", http.MethodPost, o.path, "", same)
		refused("no JSON", http.MethodPost, o.path, canary("body"), same)
		refused("another method", http.MethodPut, o.path, o.body, same)
		refused("another type", http.MethodPost, o.path+canary("path"), o.body, same)
		refused("two keys", http.MethodPost, o.path, o.body, with(func(h http.Header) { h.Set("X-Api-Key", foreign) }))
		refused("no key", http.MethodPost, o.path, o.body, with(func(h http.Header) { h.Del("X-Api-Key"); h.Del("Authorization") }))
		refused("a wrong key", http.MethodPost, o.path, o.body, with(func(h http.Header) { h.Del("X-Api-Key"); h.Set("Authorization", "Bearer "+foreign) }))
		refused("basic", http.MethodPost, o.path, o.body, with(func(h http.Header) { h.Del("X-Api-Key"); h.Set("Authorization", "Basic "+foreign) }))
		refused("an upgrade", http.MethodPost, o.path, o.body, with(func(h http.Header) {
			h.Set("Connection", "Upgrade")
			h.Set("Upgrade", "websocket")
			h.Set("Sec-Websocket-Protocol", "openai-insecure-api-key."+g.secret)
		}))
		for _, model := range []string{"gpt-4.1-mini", "claude-haiku-4-5", "gpt-image-1", "whisper-1"} {
			if strings.Contains(o.body, model) {
				refused("an unknown model", http.MethodPost, o.path, strings.Replace(o.body, model, canary("model"), 1), same)
				refused("an impossible model", http.MethodPost, o.path, strings.Replace(o.body, model, canary("model")+" ", 1), same)
			}
		}
		refused("a preference", http.MethodPost, o.path, o.body, with(func(h http.Header) { h.Set("Faregate-Provider", "only="+canary("provider")) }))
	}
	refused("an unknown path", http.MethodGet, "/"+canary("path")+"/?key="+g.secret+"&q="+canary("query"), "", g.canaryHeader(false))
	refused("a key in the path", http.MethodGet, "/v1/"+g.secret, "", g.canaryHeader(false))
	if now := len(g.provider.Requests()); now != asked {
		g.t.Errorf("%d refused requests came to the provider", now-asked)
	}
}

// adminTells is what the admin interface has to say.
func (g *gateway) adminTells(address string) map[string][]byte {
	g.t.Helper()
	told := make(map[string][]byte)
	for _, path := range []string{"/config/", "/metrics", "/reverse_proxy/upstreams", "/faregate/upstreams", "/debug/pprof/", "/debug/pprof/goroutine?debug=2", "/debug/vars", "/pki/ca/local"} {
		request, err := http.NewRequestWithContext(testContext(g.t), http.MethodGet, "http://"+address+path, nil)
		if err != nil {
			g.t.Fatal(err)
		}
		answer, err := http.DefaultClient.Do(request)
		if err != nil {
			g.t.Fatal(err)
		}
		read, err := io.ReadAll(answer.Body)
		if err != nil {
			g.t.Fatal(err)
		}
		_ = answer.Body.Close()
		told["admin"+path] = read
	}
	if !bytes.Contains(told["admin/metrics"], []byte("faregate_requests_total")) || !bytes.Contains(told["admin/config/"], []byte("faregate")) {
		g.t.Error("the admin interface does not tell what is searched")
	}
	return told
}

// dumpTables is every row of every table of a database, as text.
func dumpTables(t *testing.T, address string) []byte {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	connection, err := pgx.Connect(ctx, address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = connection.Close(ctx) }()
	rows, err := connection.Query(ctx, `SELECT table_name FROM information_schema.tables WHERE table_schema = 'public'`)
	if err != nil {
		t.Fatal(err)
	}
	tables, err := pgx.CollectRows(rows, pgx.RowTo[string])
	if err != nil {
		t.Fatal(err)
	}
	var dump bytes.Buffer
	for _, table := range tables {
		rows, err := connection.Query(ctx, `SELECT t::text FROM `+pgx.Identifier{table}.Sanitize()+` t`)
		if err != nil {
			t.Fatal(err)
		}
		lines, err := pgx.CollectRows(rows, pgx.RowTo[string])
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&dump, "%s: %d rows\n%s\n", table, len(lines), strings.Join(lines, "\n"))
	}
	if !bytes.Contains(dump.Bytes(), []byte("rider@example.com")) || dump.Len() < 10_000 {
		t.Errorf("the tables are not there: %d bytes", dump.Len())
	}
	return dump.Bytes()
}
