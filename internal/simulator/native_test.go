package simulator_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

// The prompt of all three: 16 bytes of text, so 4 tokens.
const (
	messagesRequest       = `{"model":"simulator/standard","max_tokens":1000,"messages":[{"role":"user","content":[{"type":"text","text":"hello, you there"}]}]}`
	messagesStreamRequest = `{"model":"simulator/standard","max_tokens":1000,"stream":true,"messages":[{"role":"user","content":"hello, you there"}]}`
	geminiRequest         = `{"contents":[{"role":"user","parts":[{"text":"hello, you there"}]}]}`
	geminiPath            = "/v1beta/models/standard:generateContent"
	geminiStreamPath      = "/v1beta/models/standard:streamGenerateContent"
)

var standardTokens = len(strings.Fields(simulator.StandardText))

// with sets a member of a JSON object.
func with(t *testing.T, object, name, value string) string {
	t.Helper()
	var members map[string]json.RawMessage
	if err := json.Unmarshal([]byte(object), &members); err != nil {
		t.Fatal(err)
	}
	members[name] = json.RawMessage(value)
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// parse reads JSON into maps.
func parse(t *testing.T, text []byte) map[string]any {
	t.Helper()
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		t.Fatalf("%v in %q", err, text)
	}
	return value
}

// at digs into parsed JSON: names for objects, numbers for lists. What is not
// there is nil.
func at(value any, path ...any) any {
	for _, step := range path {
		switch step := step.(type) {
		case string:
			members, _ := value.(map[string]any)
			value = members[step]
		case int:
			list, _ := value.([]any)
			if step >= len(list) {
				return nil
			}
			value = list[step]
		}
	}
	return value
}

func expect(t *testing.T, value, want any, path ...any) {
	t.Helper()
	if n, ok := want.(int); ok {
		want = float64(n)
	}
	if got := at(value, path...); !reflect.DeepEqual(got, want) {
		t.Errorf("%v is %v, want %v", path, got, want)
	}
}

// dataOf returns the payloads of a stream's events, which end in the given
// blank line.
func dataOf(t *testing.T, stream []byte, blank string) []string {
	t.Helper()
	text, whole := strings.CutSuffix(string(stream), blank)
	if !whole {
		t.Fatalf("the stream does not end with a blank line: %q", stream[max(0, len(stream)-50):])
	}
	var payloads []string
	for _, event := range strings.Split(text, blank) {
		_, payload, found := strings.Cut(event, "data: ")
		if !found {
			t.Fatalf("event without data: %q", event)
		}
		payloads = append(payloads, payload)
	}
	return payloads
}

func TestStandardTextIsOfTheAgreedLength(t *testing.T) {
	if standardTokens < 40 || standardTokens > 60 {
		t.Errorf("%d words", standardTokens)
	}
	if !strings.Contains(simulator.StandardText, "simulator") {
		t.Error("it does not say that it is the simulator")
	}
}

func TestKeysAreChecked(t *testing.T) {
	_, client, url := connect(t, simulator.Options{Key: "secret"}, false)
	version := []string{"Anthropic-Version", "2023-06-01"}
	cases := []struct {
		name, path, body string
		header           []string
		want             int
	}{
		{"openai", "/v1/chat/completions", chatRequest, []string{"Authorization", "Bearer secret"}, 200},
		{"openai wrong", "/v1/chat/completions", chatRequest, []string{"Authorization", "Bearer other"}, 401},
		{"openai none", "/v1/chat/completions", chatRequest, nil, 401},
		{"openai elsewhere", "/v1/chat/completions", chatRequest, []string{"X-Api-Key", "secret"}, 401},
		{"openai no scheme", "/v1/chat/completions", chatRequest, []string{"Authorization", "secret"}, 401},
		{"anthropic", "/v1/messages", messagesRequest, append([]string{"X-Api-Key", "secret"}, version...), 200},
		{"anthropic bearer", "/v1/messages", messagesRequest, append([]string{"Authorization", "Bearer secret"}, version...), 200},
		{"anthropic both", "/v1/messages", messagesRequest, append([]string{"X-Api-Key", "secret", "Authorization", "Bearer secret"}, version...), 401},
		{"anthropic wrong", "/v1/messages", messagesRequest, append([]string{"X-Api-Key", "other"}, version...), 401},
		{"google", geminiPath, geminiRequest, []string{"X-Goog-Api-Key", "secret"}, 200},
		{"google query", geminiPath + "?key=secret", geminiRequest, nil, 200},
		{"google both", geminiPath + "?key=secret", geminiRequest, []string{"X-Goog-Api-Key", "secret"}, 401},
		{"google bearer", geminiPath, geminiRequest, []string{"Authorization", "Bearer secret"}, 401},
	}
	errorKinds := map[string][]any{
		"openai":    {"error", "code", "invalid_api_key"},
		"anthropic": {"error", "type", "authentication_error"},
		"google":    {"error", "status", "UNAUTHENTICATED"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			response, body := mustPost(t, client, url+c.path, c.body, c.header...)
			if response.StatusCode != c.want {
				t.Fatalf("status %d, want %d: %s", response.StatusCode, c.want, body)
			}
			if c.want == 401 {
				dialect, _, _ := strings.Cut(c.name, " ")
				kind := errorKinds[dialect]
				expect(t, parse(t, body), kind[2], kind[:2]...)
			}
			if bytes.Contains(body, []byte("secret")) {
				t.Error("the answer quotes the key")
			}
		})
	}
}

func TestBadRequestsAreRefusedInTheirDialect(t *testing.T) {
	_, client, url := connect(t, simulator.Options{}, false)
	version := []string{"Anthropic-Version", "2023-06-01"}
	newer := []string{"Anthropic-Version", "2026-10-21"}
	cases := []struct {
		name, path, body string
		header           []string
		status           int
		path2            []any
		kind             any
	}{
		{"no JSON", "/v1/chat/completions", "{", nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"no messages", "/v1/chat/completions", `{"model":"m"}`, nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"no model", "/v1/chat/completions", `{"messages":[{"content":"x"}]}`, nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"no choices", "/v1/chat/completions", with(t, chatRequest, "n", "0"), nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"stream options alone", "/v1/chat/completions", with(t, chatRequest, "stream_options", `{"include_usage":true}`), nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"negative cap", "/v1/chat/completions", with(t, chatRequest, "max_tokens", "-1"), nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"no version", "/v1/messages", messagesRequest, nil, 400, []any{"error", "type"}, "invalid_request_error"},
		{"no cap", "/v1/messages", `{"model":"m","messages":[{"content":"x"}]}`, version, 400, []any{"error", "type"}, "invalid_request_error"},
		{"sampling, old version", "/v1/messages", with(t, messagesRequest, "top_k", "1"), version, 200, []any{"type"}, "message"},
		{"sampling, new version", "/v1/messages", with(t, messagesRequest, "top_k", "1"), newer, 400, []any{"error", "type"}, "invalid_request_error"},
		{"temperature, new version", "/v1/messages", with(t, messagesRequest, "temperature", "1"), newer, 400, []any{"type"}, "error"},
		{"unknown Anthropic path", "/v1/complete", "{}", version, 404, []any{"error", "type"}, "not_found_error"},
		{"no contents", geminiPath, "{}", nil, 400, []any{"error", "status"}, "INVALID_ARGUMENT"},
		{"unknown verb", "/v1beta/models/m:predict", "{}", nil, 404, []any{"error", "status"}, "NOT_FOUND"},
		{"unknown Google path", "/v1beta/files", "{}", nil, 404, []any{"error", "status"}, "NOT_FOUND"},
		{"unknown path", "/v1/other", "{}", nil, 404, []any{"error", "type"}, "invalid_request_error"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			response, body := mustPost(t, client, url+c.path, c.body, c.header...)
			if response.StatusCode != c.status {
				t.Errorf("status %d, want %d: %s", response.StatusCode, c.status, body)
			}
			expect(t, parse(t, body), c.kind, c.path2...)
		})
	}
	response, err := client.Get(url + "/v1/chat/completions")
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d", response.StatusCode)
	}
}

func TestAnswersAreDeterministic(t *testing.T) {
	now := func() time.Time { return time.Unix(1_790_000_000, 0) }
	for _, path := range []string{"/v1/chat/completions", geminiStreamPath} {
		body := chatStreamRequest
		if path == geminiStreamPath {
			body = geminiRequest
		}
		var answers [2][]byte
		for i := range answers {
			_, client, url := connect(t, simulator.Options{Now: now}, false)
			_, answers[i] = mustPost(t, client, url+path, body)
		}
		if !bytes.Equal(answers[0], answers[1]) {
			t.Errorf("%s: two simulators answer differently:\n%s\n%s", path, answers[0], answers[1])
		}
	}
}

func TestErrorResponsesAreInTheirDialect(t *testing.T) {
	provider, client, url := connect(t, simulator.Options{}, false)
	cases := []struct {
		dialect simulator.Dialect
		status  int
		kind    any
		path    []any
	}{
		{simulator.OpenAI, 402, "insufficient_quota", []any{"error", "code"}},
		{simulator.OpenAI, 404, "model_not_found", []any{"error", "code"}},
		{simulator.OpenAI, 429, "rate_limit_exceeded", []any{"error", "code"}},
		{simulator.OpenAI, 503, "server_error", []any{"error", "type"}},
		{simulator.Anthropic, 402, "billing_error", []any{"error", "type"}},
		{simulator.Anthropic, 403, "permission_error", []any{"error", "type"}},
		{simulator.Anthropic, 408, "timeout_error", []any{"error", "type"}},
		{simulator.Anthropic, 413, "request_too_large", []any{"error", "type"}},
		{simulator.Anthropic, 429, "rate_limit_error", []any{"error", "type"}},
		{simulator.Anthropic, 500, "api_error", []any{"error", "type"}},
		{simulator.Anthropic, 529, "overloaded_error", []any{"error", "type"}},
		{simulator.Google, 402, "FAILED_PRECONDITION", []any{"error", "status"}},
		{simulator.Google, 403, "PERMISSION_DENIED", []any{"error", "status"}},
		{simulator.Google, 408, "DEADLINE_EXCEEDED", []any{"error", "status"}},
		{simulator.Google, 429, "7s", []any{"error", "details", 0, "retryDelay"}},
		{simulator.Google, 500, "INTERNAL", []any{"error", "status"}},
		{simulator.Google, 503, "UNAVAILABLE", []any{"error", "status"}},
	}
	for _, c := range cases {
		provider.Add(simulator.Step{Response: simulator.ErrorResponse(c.dialect, c.status)})
		response, body := mustPost(t, client, url+"/x", "{}")
		if response.StatusCode != c.status || response.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v %d: status %d, %v", c.dialect, c.status, response.StatusCode, response.Header)
		}
		expect(t, parse(t, body), c.kind, c.path...)
		retry := c.dialect != simulator.Google && (c.status == 429 || c.status == 503 || c.status == 529)
		if (response.Header.Get("Retry-After") != "") != retry {
			t.Errorf("%v %d: Retry-After %q", c.dialect, c.status, response.Header.Get("Retry-After"))
		}
	}
	planted := simulator.ErrorBody(simulator.Anthropic, 400, "planted")
	expect(t, parse(t, planted), "planted", "error", "message")
	for _, dialect := range []simulator.Dialect{simulator.OpenAI, simulator.Anthropic, simulator.Google} {
		if simulator.ProviderHeader(dialect).Get("Set-Cookie") == "" {
			t.Errorf("%v: no cookie among the provider's headers", dialect)
		}
	}
}
