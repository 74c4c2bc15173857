package dialect

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// recorded is a recorded exchange with a provider.
type recorded struct {
	name     string
	Dialect  string `json:"dialect"`
	Provider string `json:"provider"`
	Request  struct {
		Stream bool            `json:"stream"`
		Model  string          `json:"model"`
		Body   json.RawMessage `json:"body"`
	} `json:"request"`
	Response struct {
		Status   int  `json:"status"`
		Streamed bool `json:"streamed"`
	} `json:"response"`
	facts, answer []byte
}

var recordedOperations = map[string]Operation{"openai_chat": chatCompletions, "anthropic_messages": messages, "gemini_generate": generateContent}

// recordings reads the recordings beside the repository, where there are any.
func recordings(t *testing.T) []recorded {
	t.Helper()
	files, err := filepath.Glob("../../../shared/fixtures/*/*/case.json")
	if err != nil {
		t.Fatal(err)
	}
	var all []recorded
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		one := recorded{name: filepath.Base(filepath.Dir(file)), facts: data}
		if err := json.Unmarshal(data, &one); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		if one.answer, err = os.ReadFile(filepath.Join(filepath.Dir(file), "response.txt")); err != nil {
			t.Fatal(err)
		}
		all = append(all, one)
	}
	if len(all) == 0 {
		t.Skip("no recordings beside the repository")
	}
	return all
}

// Requests that real clients made are taken, or refused as unsupported on purpose.
func TestRecordedRequestsAreRead(t *testing.T) {
	taken, unsupported := 0, 0
	for _, one := range recordings(t) {
		operation, ok := recordedOperations[one.Dialect]
		if !ok || len(one.Request.Body) == 0 || string(one.Request.Body) == "null" {
			continue
		}
		if one.Provider == "vertex" && operation.Dialect == Anthropic {
			continue // the model is in the path there
		}
		request, err := ParseRequest(operation, one.Request.Model, one.Request.Stream, "", one.Request.Body)
		var problem *Error
		switch {
		case errors.As(err, &problem) && problem.Code == CodeUnsupported:
			unsupported++
			t.Logf("%s: %s", one.name, problem.Message)
		case err != nil:
			t.Errorf("%s: %v", one.name, err)
		case request.Stream != one.Request.Stream:
			t.Errorf("%s: stream is %v", one.name, request.Stream)
		default:
			taken++
		}
	}
	t.Logf("%d taken, %d unsupported", taken, unsupported)
	if taken < 100 {
		t.Errorf("only %d were taken", taken)
	}
}

// Errors that providers really sent are told apart.
func TestRecordedErrorsAreClassified(t *testing.T) {
	for _, one := range recordings(t) {
		operation, ok := recordedOperations[one.Dialect]
		if !ok || one.Response.Status < 400 {
			continue
		}
		class := ClassifyProviderError(operation.Dialect, one.Response.Status, one.answer)
		if one.Response.Status == 401 && class != ProviderRefusedCredential || one.Response.Status == 404 && class != ProviderModelNotFound ||
			one.Response.Status >= 500 && class == ProviderCallerError {
			t.Errorf("%s: %v", one.name, class)
		}
		t.Logf("%d %v: %s", one.Response.Status, class, one.name)
	}
}
