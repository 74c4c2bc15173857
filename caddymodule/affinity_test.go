package caddymodule

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/faregate/faregate/internal/simulator"
)

// Every turn of a conversation is sent with the same key while that is well, however the
// dialect tells which conversation it is, and conversations are shared out.
func TestAConversationStaysWithItsKey(t *testing.T) {
	pool, configuration := pooledProvider(t, "", "key-one", "key-two", "key-three")
	configuration += strings.NewReplacer("provider pool", "provider anthropic_pool", "dialect openai", "dialect anthropic", "/v1\n", "\n",
		"model pooled", "model anthropic-pooled", "pool/gpt-4.1-mini", "anthropic_pool/claude").Replace(configuration)
	g := startGateway(t, gatewayOptions{extra: configuration})
	turns := func(name, path string, header http.Header, bodies ...string) map[string]bool {
		t.Helper()
		before, keys := len(pool.Requests()), map[string]bool{}
		for _, body := range bodies {
			if got := g.callWith(path, body, header); got.status != http.StatusOK {
				t.Fatalf("%s: %d %s", name, got.status, got.body)
			}
		}
		for _, request := range pool.Requests()[before:] {
			keys[strings.TrimPrefix(request.Header.Get("Authorization"), "Bearer ")+request.Header.Get("X-Api-Key")] = true
		}
		if len(keys) != 1 {
			t.Errorf("%s: asked with %v", name, keys)
		}
		return keys
	}
	const conversations = 40
	shared := map[string]int{}
	for i := range conversations {
		first := fmt.Sprintf(`{"role":"user","content":"question %d"}`, i)
		later := first + `,{"role":"assistant","content":"answer"},{"role":"user","content":"and then?"}`
		chat := `{"model":"pooled","max_tokens":9,"messages":[{"role":"system","content":"Be short."},%s]}`
		for key := range turns("chat", "/v1/chat/completions", bearer(g.secret), fmt.Sprintf(chat, first), fmt.Sprintf(chat, later)) {
			shared[key]++
		}
	}
	for _, key := range []string{"key-one", "key-two", "key-three"} {
		if shared[key] < conversations/10 {
			t.Errorf("%d conversations were shared out as %v", conversations, shared)
			break
		}
	}
	for i := range 6 {
		messages := `{"model":"anthropic-pooled","max_tokens":9,"messages":[{"role":"user","content":"%s"}]%s}`
		session := bearer(g.secret)
		session.Set("X-Claude-Code-Session-Id", fmt.Sprintf("session-%d", i))
		turns("Claude Code", "/v1/messages", session, fmt.Sprintf(messages, "a", ""), fmt.Sprintf(messages, "b", ""), fmt.Sprintf(messages, "c", ""))
		user := fmt.Sprintf(`,"metadata":{"user_id":"user-%d"}`, i)
		turns("a user", "/v1/messages", bearer(g.secret), fmt.Sprintf(messages, "a", user), fmt.Sprintf(messages, "b", user), fmt.Sprintf(messages, "c", user))
	}

	// A key that fails loses the conversation to one other, and gets it back.
	forward := g.steppedHealth()
	ask := conversation(pooled, 1)
	home := turns("before", chatJSON.path, bearer(g.secret), ask, ask)
	before := len(pool.Requests())
	pool.Add(simulator.Step{Response: simulator.ErrorResponse(simulator.OpenAI, 401)})
	if got := g.call(chatJSON.path, ask); got.status != http.StatusOK {
		t.Fatalf("%d %s", got.status, got.body)
	}
	away := turns("meanwhile", chatJSON.path, bearer(g.secret), ask, ask, ask)
	if shown := keysShown(pool)[before:]; !home[shown[0]] || home[shown[1]] || !away[shown[1]] {
		t.Errorf("at home with %v, then asked with %v", home, shown)
	}
	forward(5 * 60e9)
	g.call(chatJSON.path, ask)
	forward(5 * 60e9)
	if back := turns("afterwards", chatJSON.path, bearer(g.secret), ask, ask); fmt.Sprint(back) != fmt.Sprint(home) {
		t.Errorf("at home with %v, then with %v", home, back)
	}
}
