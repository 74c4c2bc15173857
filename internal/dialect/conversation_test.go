package dialect

import (
	"net/http"
	"strings"
	"testing"
)

func conversationOf(t testing.TB, operation Operation, body string, header http.Header) string {
	t.Helper()
	r, err := ParseRequest(operation, "gemini-3.8-flash", false, "", []byte(body))
	if err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	told := r.AppendConversation(nil, header)
	if len(told) > MaxConversation {
		t.Errorf("%d bytes of %s", len(told), body)
	}
	return string(told)
}

// The turns of one conversation tell the same, and of another something else.
func TestConversations(t *testing.T) {
	long := strings.Repeat("The same long template. ", 100)
	for name, row := range map[string]struct {
		operation Operation
		turns     []string
		others    []string
	}{
		"chat": {
			chatCompletions,
			[]string{
				`{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"hi"}]}`,
				`{"messages":[{"content":"S","role":"system"},{"content":"hi","role":"user"},{"role":"assistant","content":"yes"},{"role":"user","content":"more"}],"model":"other"}`,
			},
			[]string{
				`{"model":"m","messages":[{"role":"system","content":"S"},{"role":"user","content":"ho"},{"role":"user","content":"hi"}]}`,
				`{"model":"m","messages":[{"role":"system","content":"T"},{"role":"user","content":"hi"}]}`,
				`{"model":"m","messages":[{"role":"system","content":"Sh"},{"role":"user","content":"i"}]}`,
			},
		},
		"chat, parts": {
			chatCompletions,
			[]string{
				`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"` + long + `1"},{"type":"text","text":"b","cache_control":{"type":"ephemeral"}}]}]}`,
				`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"` + long + `1"},{"type":"text","text":"b"}]},{"role":"user","content":"next"}]}`,
			},
			[]string{`{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"` + long + `2"},{"type":"text","text":"b"}]}]}`},
		},
		"many texts before the question": {
			chatCompletions,
			[]string{`{"model":"m","messages":[` + strings.Repeat(`{"role":"developer","content":"S"},`, 9) + `{"role":"user","content":"hi"},{"role":"user","content":"x"}]}`},
			[]string{`{"model":"m","messages":[` + strings.Repeat(`{"role":"developer","content":"S"},`, 9) + `{"role":"user","content":"ho"},{"role":"user","content":"x"}]}`},
		},
		"messages": {
			messages,
			[]string{
				`{"model":"m","max_tokens":9,"system":[{"type":"text","text":"S"}],"messages":[{"role":"user","content":"hi"}]}`,
				`{"model":"m","max_tokens":9,"system":"S","messages":[{"role":"user","content":[{"type":"text","text":"hi","cache_control":{"type":"ephemeral"}}]},{"role":"assistant","content":"yes"},{"role":"user","content":"more"}]}`,
				`{"messages":[{"role":"user","content":"hi"},{"role":"assistant","content":"yes"}],"model":"m","max_tokens":9,"system":"S"}`,
			},
			[]string{
				`{"model":"m","max_tokens":9,"system":"S","messages":[{"role":"user","content":"ho"}]}`,
				`{"messages":[{"role":"user","content":"hi"}],"model":"m","max_tokens":9,"system":"T"}`,
			},
		},
		"responses": {
			responses,
			[]string{
				`{"model":"m","instructions":"S","input":"hi"}`,
				`{"model":"m","instructions":"S","input":[{"role":"user","content":"hi"}]}`,
				`{"model":"m","instructions":"S","input":[{"type":"message","role":"user","content":[{"type":"input_text","text":"hi"}]},{"type":"function_call_output","output":"x"},{"role":"user","content":"more"}]}`,
			},
			[]string{`{"model":"m","instructions":"S","input":"ho"}`, `{"model":"m","instructions":"T","input":"hi"}`},
		},
		"Gemini": {
			generateContent,
			[]string{
				`{"system_instruction":{"parts":[{"text":"S"}]},"contents":[{"role":"user","parts":[{"text":"hi"}]}]}`,
				`{"contents":[{"role":"user","parts":[{"text":"hi"}]},{"role":"model","parts":[{"text":"yes"}]},{"parts":{"text":"more"}}],"systemInstruction":{"parts":{"text":"S"}}}`,
				`{"contents":{"parts":{"text":"hi"}},"systemInstruction":{"parts":{"text":"S"}}}`,
			},
			[]string{`{"contents":{"parts":{"text":"hi"}},"systemInstruction":{"parts":{"text":"T"}}}`, `{"contents":{"parts":{"text":"ho"}},"systemInstruction":{"parts":{"text":"S"}}}`},
		},
		"completions": {
			completions,
			[]string{`{"model":"m","prompt":"` + long + `"}`, `{"model":"m","prompt":"` + long + `and more"}`},
			[]string{`{"model":"m","prompt":"Another beginning."}`},
		},
		"a cache key": {
			chatCompletions,
			[]string{
				`{"model":"m","prompt_cache_key":"k","user":"u","messages":[{"role":"user","content":"hi"}]}`,
				`{"model":"m","messages":[{"role":"user","content":"ho"}],"prompt_cache_key":"k"}`,
			},
			[]string{`{"model":"m","user":"k","messages":[]}`, `{"model":"m","session_id":"k","messages":[]}`, `{"model":"m","prompt_cache_key":"l","messages":[]}`},
		},
		"a user of Anthropic's": {
			messages,
			[]string{
				`{"model":"m","max_tokens":9,"metadata":{"user_id":"u"},"messages":[{"role":"user","content":"hi"}]}`,
				`{"model":"m","max_tokens":9,"messages":[{"role":"user","content":"ho"}],"metadata":{"user_id":"u"}}`,
			},
			[]string{`{"model":"m","max_tokens":9,"metadata":{"user_id":"v"},"messages":[{"role":"user","content":"hi"}]}`},
		},
		"a user of responses": {
			responses,
			[]string{`{"model":"m","safety_identifier":"u","input":"hi"}`, `{"model":"m","user":"u","input":"ho"}`},
			[]string{`{"model":"m","user":"v","input":"hi"}`, `{"model":"m","prompt_cache_key":"u","input":"hi"}`},
		},
	} {
		first := conversationOf(t, row.operation, row.turns[0], nil)
		if first == "" {
			t.Errorf("%s: nothing is told", name)
		}
		for _, turn := range row.turns[1:] {
			if again := conversationOf(t, row.operation, turn, nil); again != first {
				t.Errorf("%s: told %q first, and then %q", name, first, again)
			}
		}
		for _, other := range row.others {
			if told := conversationOf(t, row.operation, other, nil); told == first {
				t.Errorf("%s: another conversation tells %q, too: %s", name, told, other)
			}
		}
	}
}

func TestSessionsInHeaders(t *testing.T) {
	body := `{"model":"m","max_tokens":9,"metadata":{"user_id":"u"},"messages":[{"role":"user","content":"hi"}]}`
	bare := conversationOf(t, messages, body, nil)
	for _, name := range []string{"x-claude-code-session-id", "session_id", "X-Session-Id", "x-session-affinity", "x-grok-conv-id"} {
		header := http.Header{}
		header.Set(name, "7b1f"+strings.Repeat("f", 10_000))
		if told := conversationOf(t, messages, body, header); told == bare || !strings.Contains(told, "7b1f") {
			t.Errorf("%s: told %q", name, told)
		}
	}
	header := http.Header{"Session_id": {"s"}}
	if told := conversationOf(t, chatCompletions, `{"model":"m","prompt_cache_key":"k","messages":[]}`, header); strings.Contains(told, "s") {
		t.Errorf("a cache key goes before a session: %q", told)
	}
	if told := conversationOf(t, embeddings, `{"model":"m","input":"hi"}`, nil); told != "" {
		t.Errorf("an embedding is no conversation: %q", told)
	}
}

func TestTellingTheConversationAllocatesNothing(t *testing.T) {
	r, err := ParseRequest(chatCompletions, "", false, "", []byte(`{"model":"m","messages":[{"role":"system","content":"`+strings.Repeat("S", 9000)+`"},{"role":"user","content":"hi"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	var space [MaxConversation]byte
	if n := testing.AllocsPerRun(100, func() { r.AppendConversation(space[:0], nil) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
