package dialect

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"
)

func TestErrorShapes(t *testing.T) {
	problem := NewError(CodeModelUnknown).WithMessage("No \"such\"\nmodel.").WithParam("model").WithRequestID("req-1")
	problem.RetryAfter = 1500 * time.Millisecond
	for d, want := range map[Dialect]string{
		OpenAI:    `{"error":{"message":"No \"such\"\nmodel.","type":"invalid_request_error","param":"model","code":"model_not_found"}}`,
		Anthropic: `{"type":"error","error":{"type":"not_found_error","message":"No \"such\"\nmodel.","code":"model_not_found"},"request_id":"req-1"}`,
		Google: `{"error":{"code":404,"message":"No \"such\"\nmodel.","status":"NOT_FOUND","details":[{"@type":"type.googleapis.com/google.rpc.ErrorInfo","reason":"MODEL_NOT_FOUND","domain":"faregate"},` +
			`{"@type":"type.googleapis.com/google.rpc.BadRequest","fieldViolations":[{"field":"model"}]},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"2s"},` +
			`{"@type":"type.googleapis.com/google.rpc.RequestInfo","requestId":"req-1"}]}}`,
	} {
		w := httptest.NewRecorder()
		WriteError(w, d, problem)
		if got := w.Body.String(); got != want || w.Code != 404 {
			t.Errorf("%v: %d %s", d, w.Code, got)
		}
		header := w.Header()
		if header.Get("Content-Type") != "application/json" || header.Get("Content-Length") != strconv.Itoa(len(want)) || header.Get("Retry-After") != "2" || header.Get(RequestIDHeader(d)) != "req-1" {
			t.Errorf("%v: %v", d, header)
		}
	}
	w := httptest.NewRecorder()
	WriteError(w, OpenAI, NewError(CodeInternal))
	if want := `"type":"server_error","param":null,"code":"internal_error"}}`; !strings.HasSuffix(w.Body.String(), want) || w.Code != 500 {
		t.Error(w.Code, w.Body.String())
	}
}

// Every error has all that its shapes need, and says what to do in whole sentences.
func TestCatalogueIsComplete(t *testing.T) {
	statuses := map[string]bool{}
	for code, known := range catalogue {
		problem := NewError(code)
		if problem.Status < 400 || problem.Status > 599 || problem.Code != code || known.openAI == "" || known.anthropic == "" || known.google == "" {
			t.Errorf("%s: %+v", code, known)
		}
		if len(problem.Message) < 20 || !strings.HasSuffix(problem.Message, ".") {
			t.Errorf("%s: %q", code, problem.Message)
		}
		statuses[known.google] = true
		for _, d := range []Dialect{OpenAI, Anthropic, Google} {
			_, header, body := EncodeError(d, problem)
			if !json.Valid(body) || strings.ContainsAny(string(body), "\r\n") {
				t.Errorf("%s: %s", code, body)
			}
			if problem.Status == 401 && header.Get("WWW-Authenticate") != "Bearer" {
				t.Errorf("%s: no challenge", code)
			}
		}
	}
	for _, code := range []Code{CodeNoKey, CodeMalformedKey, CodeUnknownKey, CodeExpiredKey} {
		if NewError(code).Status != 401 {
			t.Errorf("%s is %d", code, NewError(code).Status)
		}
	}
	if unknown := NewError("nonsense"); unknown.Code != CodeInternal || unknown.Status != 500 {
		t.Errorf("%+v", unknown)
	}
}

// SDKs ask x-should-retry first, then the status (openai 6.49, client.js, shouldRetry).
func TestRetrySemantics(t *testing.T) {
	retries := func(d Dialect, code Code) bool {
		status, header, _ := EncodeError(d, NewError(code))
		switch header.Get("X-Should-Retry") {
		case "true":
			return true
		case "false":
			return false
		}
		return status == 408 || status == 409 || status == 429 || status >= 500
	}
	for code, want := range map[Code]bool{
		CodeNoCredit: false, CodeKeyLimit: false, CodeProviderRefused: false, CodeProviderLacksModel: false, CodeUpgrade: false, CodeUnknownKey: false, CodeModelUnknown: false, CodeInvalidJSON: false, CodeNoPrice: false, CodeSuspended: false,
		CodeAddressNotAllowed: false, CodeTooManyTokens: false, CodeRateLimited: true, CodeLockedOut: true,
		CodeStoreUnavailable: true, CodeCreditElsewhere: true, CodeTooManyWaiting: true, CodeShuttingDown: true, CodeProviderDown: true, CodeProviderOverloaded: true, CodeProviderRateLimited: true,
	} {
		for _, d := range []Dialect{OpenAI, Anthropic} {
			if got := retries(d, code); got != want {
				t.Errorf("%s: an SDK would retry: %v", code, got)
			}
		}
	}
	for _, code := range []Code{CodeStoreUnavailable, CodeCreditElsewhere, CodeShuttingDown} {
		if status, header, _ := EncodeError(Google, NewError(code)); status != 503 || header.Get("Retry-After") == "" {
			t.Errorf("%s: %d %v", code, status, header)
		}
	}
}

func TestNoCreditSaysHowMuch(t *testing.T) {
	for _, row := range []struct {
		dialect Dialect
		lacks   Shortage
		code    Code
		says    []string
		not     string
	}{
		{OpenAI, Shortage{Needed: "0.50", Available: "0.02"}, CodeNoCredit, []string{"$0.50", "$0.02", "Top up", "max_completion_tokens"}, "shortest"},
		{Anthropic, Shortage{Needed: "0.50", Available: "0.02", Least: "0.03", LeastTokens: 1024}, CodeNoCredit, []string{"1024 tokens", "$0.03", " max_tokens"}, "limit"},
		{Google, Shortage{Needed: "0.50", Available: "0.02", KeyLimit: true}, CodeKeyLimit, []string{"spend limit", "owner of the key", "maxOutputTokens"}, "Top up"},
		{OpenAI, Shortage{Needed: "0.50", Available: "0.02", Failed: true}, CodeNoCredit, []string{"could not answer"}, "shortest"},
	} {
		problem := NoCredit(row.dialect, row.lacks)
		if problem.Status != 402 || problem.Code != row.code || strings.Contains(problem.Message, row.not) {
			t.Errorf("%+v: %v", row.lacks, problem)
		}
		for _, text := range row.says {
			if !strings.Contains(problem.Message, text) {
				t.Errorf("%+v lacks %q: %v", row.lacks, text, problem)
			}
		}
	}
}

func TestStreamError(t *testing.T) {
	problem := NewError(CodeProviderBroke).WithMessage("Broke.")
	for _, row := range []struct {
		operation Operation
		want      string
	}{
		{chatCompletions, "data: {\"error\":{\"message\":\"Broke.\",\"type\":\"server_error\",\"param\":null,\"code\":\"provider_broke_off\"}}\n\n"},
		{messages, "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\",\"message\":\"Broke.\",\"code\":\"provider_broke_off\"}}\n\n"},
		{generateContent, "data: {\"error\":{\"code\":502,\"message\":\"Broke.\",\"status\":\"INTERNAL\",\"details\":[{\"@type\":\"type.googleapis.com/google.rpc.ErrorInfo\"," +
			"\"reason\":\"PROVIDER_BROKE_OFF\",\"domain\":\"faregate\"}]}}\r\n\r\n"},
		{responses, "event: error\ndata: {\"type\":\"error\",\"sequence_number\":0,\"param\":null,\"code\":\"provider_broke_off\",\"message\":\"Broke.\"," +
			"\"error\":{\"message\":\"Broke.\",\"type\":\"server_error\",\"param\":null,\"code\":\"provider_broke_off\"}}\n\n"},
	} {
		if got := string(StreamError(row.operation, problem)); got != row.want {
			t.Errorf("%s: %q", row.operation.Name, got)
		}
	}
}

func TestModelLists(t *testing.T) {
	models := []ModelInfo{{ID: "a/b", Owner: "x", DisplayName: "A", Created: time.Unix(1700000000, 0), ContextLength: 1000, OutputLimit: 10}, {ID: "c"}}
	for d, want := range map[Dialect]string{
		OpenAI: `{"object":"list","data":[{"id":"a/b","object":"model","created":1700000000,"owned_by":"x","context_length":1000},{"id":"c","object":"model","created":0,"owned_by":""}]}`,
		Anthropic: `{"data":[{"type":"model","id":"a/b","display_name":"A","created_at":"2023-11-14T22:13:20Z","max_input_tokens":1000,"max_tokens":10},` +
			`{"type":"model","id":"c","display_name":"c","created_at":"1970-01-01T00:00:00Z"}],"has_more":false,"first_id":"a/b","last_id":"c"}`,
		Google: `{"models":[{"name":"models/a/b","displayName":"A","inputTokenLimit":1000,"outputTokenLimit":10,"supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]},` +
			`{"name":"models/c","displayName":"c","supportedGenerationMethods":["generateContent","streamGenerateContent","countTokens"]}]}`,
	} {
		w := httptest.NewRecorder()
		WriteModels(w, d, models)
		if got := w.Body.String(); got != want || w.Code != 200 || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%v: %s", d, got)
		}
		if d == Google {
			w = httptest.NewRecorder()
			if WriteModels(w, d, []ModelInfo{{ID: "gemini-embedding-001"}}); !strings.Contains(w.Body.String(), `["embedContent","batchEmbedContents","countTokens"]`) {
				t.Errorf("one that embeds: %s", w.Body)
			}
		}
		w = httptest.NewRecorder()
		if WriteModels(w, d, nil); !json.Valid(w.Body.Bytes()) || !strings.Contains(w.Body.String(), ":[]") {
			t.Errorf("%v, empty: %s", d, w.Body)
		}
	}
}
