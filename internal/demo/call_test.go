package main

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func gatewayThatSays(t *testing.T, status int, body string) string {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer secret" {
			status, body = http.StatusUnauthorized, "no key"
		}
		w.Header().Set("Faregate-Request-Id", "request-1")
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func TestStreamChatShowsTheAnswerAsItArrives(t *testing.T) {
	address := gatewayThatSays(t, http.StatusOK, `data: {"choices":[{"delta":{"role":"assistant","content":"It takes "}}]}

: a comment
data: {"choices":[{"delta":{"content":"the fare."}}],"usage":null}

data: {"choices":[],"usage":{"prompt_tokens":8,"completion_tokens":5}}

data: [DONE]

`)
	var screen bytes.Buffer
	got, err := streamChat(t.Context(), &screen, address, "secret", "simulator/x")
	if err != nil {
		t.Fatal(err)
	}
	want := answered{requestID: "request-1", text: "It takes the fare.", inputTokens: 8, outputTokens: 5}
	if *got != want {
		t.Errorf("got %+v, want %+v", *got, want)
	}
	if screen.String() != want.text {
		t.Errorf("the screen shows %q", screen.String())
	}
}

func TestStreamChatFails(t *testing.T) {
	for name, test := range map[string]struct {
		status     int
		body, want string
	}{
		"on a cut stream":   {http.StatusOK, "data: {\"choices\":[{\"delta\":{\"content\":\"It\"}}]}\n\n", "before its [DONE]"},
		"on a broken chunk": {http.StatusOK, "data: {\"choices\":\n\n", "reading a chunk"},
		"on an error":       {http.StatusPaymentRequired, `{"error":{"message":"no credit"}}`, "no credit"},
	} {
		t.Run(name, func(t *testing.T) {
			address := gatewayThatSays(t, test.status, test.body)
			_, err := streamChat(t.Context(), io.Discard, address, "secret", "simulator/x")
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got error %v, want one with %q", err, test.want)
			}
		})
	}
}

func TestFirstModelReadsEveryListShape(t *testing.T) {
	headers := map[string]string{"Authorization": "Bearer secret"}
	for _, body := range []string{
		`{"object":"list","data":[{"id":"gpt-5.4"},{"id":"simulator/x"}]}`,
		`{"models":[{"name":"models/gemini-3-pro"},{"name":"models/simulator/x"}]}`,
	} {
		name, err := firstModel(t.Context(), gatewayThatSays(t, http.StatusOK, body), headers)
		if err != nil || name != "simulator/x" {
			t.Errorf("%s: got %q, %v", body, name, err)
		}
	}
	if name, err := firstModel(t.Context(), gatewayThatSays(t, http.StatusOK, `{"data":[{"id":"gpt-5.4"}]}`), headers); err == nil {
		t.Errorf("got %q from a list without the simulator", name)
	}
}
