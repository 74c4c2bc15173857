package caddymodule

import (
	"net/http"
	"strings"
	"testing"
)

// What would be kept at a provider, in an account that callers share, or what no bound
// can be put on: each with a text that says what to do.
func TestWhatIsLeftOutSaysSo(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	const (
		chat      = `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hello"}],%}`
		responses = `{"model":"gpt-4.1-mini","input":"hello",%}`
		messages  = `{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":"hello"}],%}`
		gemini    = `{"contents":[{"parts":[{"text":"hello"}]}],%}`
		google    = "/v1beta/models/gemini-2.5-flash"
	)
	for _, c := range []struct {
		dialect, method, path, body, more string
		status                            int
	}{
		{"openai", "POST", "/v1/chat/completions", chat, `"store":true`, 400},
		{"openai", "POST", "/v1beta/openai/chat/completions", chat, `"store":true`, 400},
		{"openai", "POST", "/v1/chat/completions", chat, `"background":true`, 400},
		{"openai", "POST", "/v1/chat/completions", `{"model":"gpt-4.1-mini",%}`, `"messages":[{"role":"assistant","audio":{"id":"audio_1"}}]`, 400},
		{"openai", "POST", "/v1/responses", responses, `"store":true`, 400},
		{"openai", "POST", "/v1/responses", responses, `"background":true`, 400},
		{"openai", "POST", "/v1/responses", responses, `"previous_response_id":"resp_1"`, 400},
		{"openai", "POST", "/v1/responses", responses, `"conversation":"conv_1"`, 400},
		{"openai", "POST", "/v1/responses", responses, `"conversation":{"id":"conv_1"}`, 400},
		{"openai", "POST", "/v1/responses", responses, `"prompt":{"id":"pmpt_1"}`, 400},
		{"openai", "POST", "/v1/responses", `{"model":"gpt-4.1-mini",%}`, `"input":[{"type":"item_reference","id":"msg_1"}]`, 400},
		{"openai", "POST", "/v1/responses", `{"model":"gpt-4.1-mini",%}`, `"input":[{"role":"user","content":[{"type":"input_file","file_id":"file-1"}]}]`, 400},
		{"openai", "POST", "/v1/responses", responses, `"tools":[{"type":"file_search","vector_store_ids":["vs_1"]}]`, 400},
		{"openai", "POST", "/v1/responses/compact", responses, `"previous_response_id":"resp_1"`, 400},
		{"openai", "POST", "/v1/responses/input_tokens", responses, `"previous_response_id":"resp_1"`, 400},
		{"openai", "GET", "/v1/responses/resp_1", "", "", 400},
		{"openai", "POST", "/v1/responses/resp_1/cancel", "", "", 400},
		{"openai", "DELETE", "/v1/responses/resp_1", "", "", 400},
		{"openai", "GET", "/v1/chat/completions/chatcmpl_1", "", "", 400},
		{"openai", "POST", "/v1/conversations", "{}", "", 400},
		{"openai", "POST", "/v1/batches", "{}", "", 400},
		{"openai", "POST", "/v1/files", "{}", "", 400},
		{"openai", "GET", "/v1/files/file-1/content", "", "", 400},
		{"openai", "POST", "/v1/uploads", "{}", "", 400},
		{"openai", "POST", "/v1/vector_stores", "{}", "", 400},
		{"openai", "POST", "/v1/videos", "{}", "", 400},
		{"openai", "POST", "/v1/realtime/client_secrets", "{}", "", 501},
		{"openai", "POST", "/v1/realtime/calls", "", "", 501},
		{"openai", "GET", "/v1/realtime?model=gpt-realtime", "", "", 501},
		{"anthropic", "POST", "/v1/messages/batches", "{}", "", 400},
		{"anthropic", "GET", "/v1/messages/batches/b_1/results", "", "", 400},
		{"anthropic", "POST", "/v1/files", "{}", "", 400},
		{"anthropic", "POST", "/v1/skills", "{}", "", 400},
		{"anthropic", "POST", "/v1/messages", messages, `"container":"c_1"`, 400},
		{"anthropic", "POST", "/v1/messages", messages, `"mcp_servers":[{"type":"url"}]`, 400},
		{"anthropic", "POST", "/v1/messages", messages, `"fallbacks":[{"model":"claude-opus-4-6"}]`, 400},
		{"anthropic", "POST", "/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":2000,%}`,
			`"messages":[{"role":"user","content":[{"type":"document","source":{"type":"file","file_id":"file_1"}}]}]`, 400},
		{"google", "POST", google + ":generateContent", gemini, `"cachedContent":"cachedContents/c_1"`, 400},
		{"google", "POST", google + ":generateContent", gemini, `"cached_content":"cachedContents/c_1"`, 400},
		{"google", "POST", google + ":generateContent", gemini, `"store":true`, 400},
		{"google", "POST", google + ":generateContent", `{%}`, `"contents":[{"parts":[{"fileData":{"fileUri":"https://generativelanguage.googleapis.com/v1beta/files/f_1"}}]}]`, 400},
		{"google", "POST", google + ":batchGenerateContent", gemini, `"x":1`, 400},
		{"google", "POST", "/v1beta/cachedContents", "{}", "", 400},
		{"google", "POST", "/v1beta/interactions", "{}", "", 400},
		{"google", "GET", "/v1beta/interactions/i_1", "", "", 400},
		{"google", "GET", "/v1beta/files", "", "", 400},
		{"google", "POST", "/upload/v1beta/files", "{}", "", 400},
		{"google", "GET", "/v1beta/batches", "", "", 400},
	} {
		header := map[string]func(string) http.Header{"openai": bearer, "anthropic": xAPIKey, "google": googleKey}[c.dialect](g.secret)
		got := g.send(c.method, c.path, strings.Replace(c.body, "%", c.more, 1), header)
		if got.status != c.status {
			t.Errorf("%s %s %s: %d %s", c.method, c.path, c.more, got.status, got.body)
			continue
		}
		_, message := dialectError(t, c.dialect, got)
		if !strings.Contains(message, "not supported") {
			t.Errorf("%s %s %s: %s", c.method, c.path, c.more, message)
		}
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}

// Sockets are refused once the key is known, in each dialect, wherever the key is. Other
// upgrades are offers that need not be taken.
func TestWebSocketsAreRefused(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	socket := func(header http.Header) http.Header {
		header.Set("Connection", "Upgrade")
		header.Set("Upgrade", "WebSocket")
		header.Set("Sec-Websocket-Version", "13")
		header.Set("Sec-Websocket-Key", "AAAAAAAAAAAAAAAAAAAAAA==")
		return header
	}
	for _, c := range []struct {
		dialect, path string
		header        http.Header
		status        int
	}{
		{"openai", "/v1/responses", bearer(g.secret), 501},
		{"openai", "/v1/realtime?model=gpt-realtime", bearer(g.secret), 501},
		{"openai", "/v1/realtime?model=gpt-realtime", http.Header{"Sec-Websocket-Protocol": {"realtime, openai-insecure-api-key." + g.secret}}, 501},
		{"openai", "/v1/realtime?model=gpt-realtime", http.Header{"Sec-Websocket-Protocol": {"realtime"}}, 401},
		{"anthropic", "/v1/messages", xAPIKey(g.secret), 501},
		{"google", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent?key=" + g.secret, http.Header{}, 501},
		{"google", "/ws/google.ai.generativelanguage.v1beta.GenerativeService.BidiGenerateContent", http.Header{}, 401},
	} {
		got := g.send(http.MethodGet, c.path, "", socket(c.header))
		if got.status != c.status {
			t.Errorf("%s: %d %s", c.path, got.status, got.body)
			continue
		}
		dialectError(t, c.dialect, got)
	}
	header := bearer(g.secret)
	header.Set("Connection", "Upgrade, HTTP2-Settings")
	header.Set("Upgrade", "h2c")
	header.Set("Http2-Settings", "AAMAAABkAAQAoAAAAAIAAAAA")
	if got := g.callWith(chatJSON.path, chatJSON.body, header); got.status != http.StatusOK {
		t.Errorf("an offer of HTTP/2: %d %s", got.status, got.body)
	}
	for _, request := range g.provider.Requests() {
		if request.Header.Get("Upgrade") != "" || request.Header.Get("Http2-Settings") != "" {
			t.Errorf("the offer went on: %v", request.Header)
		}
	}
}
