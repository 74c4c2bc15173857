package dialect

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for _, row := range []struct {
		method, path string
		caller       Dialect
		name         string
		dialect      Dialect
		model        string
		stream       bool
	}{
		{"POST", "/v1/chat/completions", OpenAI, "chat", OpenAI, "", false},
		{"POST", "/v1/chat/completions", Anthropic, "chat", OpenAI, "", false},
		{"POST", "/v1/messages", Anthropic, "messages", Anthropic, "", false},
		{"POST", "/v1beta/models/gemini-3.8-flash:generateContent", Google, "generate_content", Google, "gemini-3.8-flash", false},
		{"POST", "/v1beta/models/gemini-3.8-flash:streamGenerateContent", Google, "generate_content", Google, "gemini-3.8-flash", true},
		{"POST", "/v1beta/models/google/gemini:free:generateContent", Google, "generate_content", Google, "google/gemini:free", false},
		{"GET", "/v1/models", OpenAI, "models", OpenAI, "", false},
		{"GET", "/v1/models", Anthropic, "models", Anthropic, "", false},
		{"GET", "/v1/models", Google, "models", OpenAI, "", false},
		{"GET", "/v1beta/models", OpenAI, "models", Google, "", false},
		{"GET", "/v1/models/openai/gpt-5.6", OpenAI, "model", OpenAI, "openai/gpt-5.6", false},
		{"GET", "/v1/models/claude-opus-5", Anthropic, "model", Anthropic, "claude-opus-5", false},
		{"GET", "/v1beta/models/gemini-3.8-flash", OpenAI, "model", Google, "gemini-3.8-flash", false},
		{"GET", "/v1/generation", OpenAI, "generation", OpenAI, "", false},
		{"GET", "/v1/generation", Anthropic, "generation", Anthropic, "", false},
		{"GET", "/v1/generation", Google, "generation", Google, "", false},
		{"POST", "/v1/completions", OpenAI, "completions", OpenAI, "", false},
		{"POST", "/v1/responses", OpenAI, "responses", OpenAI, "", false},
		{"POST", "/v1/responses/compact", OpenAI, "responses_compact", OpenAI, "", false},
		{"POST", "/v1/responses/input_tokens", OpenAI, "responses_input_tokens", OpenAI, "", false},
		{"POST", "/v1/embeddings", OpenAI, "embeddings", OpenAI, "", false},
		{"POST", "/v1/images/generations", OpenAI, "images", OpenAI, "", false},
		{"POST", "/v1/images/edits", OpenAI, "image_edits", OpenAI, "", false},
		{"POST", "/v1/audio/speech", OpenAI, "speech", OpenAI, "", false},
		{"POST", "/v1/audio/transcriptions", OpenAI, "transcriptions", OpenAI, "", false},
		{"POST", "/v1/audio/translations", OpenAI, "translations", OpenAI, "", false},
		{"POST", "/v1/moderations", OpenAI, "moderations", OpenAI, "", false},
		{"POST", "/v1/messages/count_tokens", Anthropic, "count_tokens", Anthropic, "", false},
		{"POST", "/v1beta/models/gemini-3.8-flash:countTokens", Google, "count_tokens", Google, "gemini-3.8-flash", false},
		{"POST", "/v1beta/models/gemini-embedding-2:embedContent", Google, "embed_content", Google, "gemini-embedding-2", false},
		{"POST", "/v1beta/models/gemini-embedding-2:batchEmbedContents", Google, "batch_embed_contents", Google, "gemini-embedding-2", false},
	} {
		operation, model, stream, err := Match(row.method, row.path, row.caller)
		if err != nil || operation.Name != row.name || operation.Dialect != row.dialect || model != row.model || stream != row.stream ||
			(operation.Kind == ListModels) != (row.name == "models") {
			t.Errorf("%s %s: %+v %q %v %v", row.method, row.path, operation, model, stream, err)
		}
	}
}

func TestUnknownPathsAreUnknown(t *testing.T) {
	for _, path := range []string{
		"", "/", "*", "/v1", "/v1/", "//v1/chat/completions", "/v1//chat/completions", "/v1/chat/completions/", "/v1/chat/./completions", "/v1/x/../chat/completions", "/V1/chat/completions", "/v1/chat/completions\x00",
		"/v1/chat%2fcompletions", "/v1/messages/", "/v1/messages/count_tokens/", "/v1/modelsx", "/v1/generation/", "/v1/generationx", "/v1beta/models/", "/v1beta/models/x:predict", "/v1beta/models/x:generatecontent",
		"/v1/models/../x", "/v1beta/models/x:generateContent/", "/v1/batchesx", "/v1beta/tunedModels/x",
	} {
		if _, _, _, err := Match("POST", path, OpenAI); !errors.Is(err, ErrNoOperation) {
			t.Errorf("%q: %v", path, err)
		}
	}
	for _, path := range []string{"../x", "x/../y", "x//y", "/x", "", ".x", "x y", "x\ny", "é", "x?y", "x%2e", "x#y", strings.Repeat("x", 129), "x/"} {
		_, _, _, err := Match("POST", "/v1beta/models/"+path+":generateContent", Google)
		var problem *Error
		if !errors.As(err, &problem) || problem.Status != 400 || path != "" && strings.Contains(problem.Message, path) && len(path) > 3 {
			t.Errorf("%q: %v", path, err)
		}
	}
}

func TestWrongMethods(t *testing.T) {
	for path, allow := range map[string]string{"/v1/chat/completions": "POST", "/v1/messages": "POST", "/v1/models": "GET, HEAD", "/v1/generation": "GET, HEAD", "/v1beta/models": "GET, HEAD", "/v1beta/models/x:generateContent": "POST"} {
		for _, method := range []string{"GET", "POST", "HEAD", "OPTIONS", "PUT", "DELETE", "PATCH", "post", ""} {
			_, _, _, err := Match(method, path, OpenAI)
			if method != "" && slices.Contains(strings.Split(allow, ", "), method) {
				if err != nil {
					t.Errorf("%s %s: %v", method, path, err)
				}
				continue
			}
			var wrong *MethodError
			if !errors.Is(err, ErrMethod) || !errors.As(err, &wrong) || wrong.Allow != allow {
				t.Errorf("%s %s: %v", method, path, err)
			}
		}
	}
}

func TestLeftOutOperationsSaySo(t *testing.T) {
	for _, path := range []string{
		"/v1/batches", "/v1/batches/b_1/cancel", "/v1/files", "/v1/files/f/content", "/v1/messages/batches", "/v1/messages/batches/x/results", "/v1/assistants", "/v1/threads/t/runs", "/v1/fine_tuning/jobs",
		"/v1beta/cachedContents", "/v1beta/cachedContents/c", "/v1beta/interactions", "/upload/v1beta/files", "/v1beta/files/f", "/v1beta/models/m:batchGenerateContent", "/v1beta/tunedModels/t:generateContent", "/v1/conversations",
	} {
		_, _, _, err := Match("POST", path, OpenAI)
		var problem *Error
		if !errors.As(err, &problem) || problem.Code != CodeUnsupported || problem.Status != 400 || !strings.Contains(problem.Message, "not ") {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func TestGuess(t *testing.T) {
	header := func(name string) http.Header { return http.Header{http.CanonicalHeaderKey(name): {"x"}} }
	for _, row := range []struct {
		path   string
		header http.Header
		want   Dialect
	}{
		{"/v1/models", nil, OpenAI}, {"/v1/models", header("anthropic-version"), Anthropic}, {"/v1/models", header("x-api-key"), Anthropic}, {"/v1/models", header("authorization"), OpenAI},
		{"/v1/messages", nil, Anthropic}, {"/v1/messages/count_tokens", nil, Anthropic}, {"/v1/chat/completions", header("x-api-key"), OpenAI}, {"/v1beta/models/x:y", nil, Google},
		{"/v1beta/openai/chat/completions", nil, OpenAI}, {"/", header("x-goog-api-key"), Google}, {"/", nil, OpenAI}, {"/nothing", header("anthropic-version"), Anthropic},
	} {
		if got := Guess(row.path, row.header); got != row.want {
			t.Errorf("%s %v: %v", row.path, row.header, got)
		}
	}
}
