package e2e

import (
	"encoding/json"
	"net/http"
	"slices"
	"testing"
)

// Each SDK lists the models by its own call; all dialects list the same ones, and a
// key lists only what it may call.
func TestModelsBySDK(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "0")
	_, limited := c.newKey("--models", "gpt-4.1-mini,claude-haiku-*,gemini-2.5-flash")
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			client := startSDK(t, s.sdk, c)
			all := names(t, client.must(call{Do: "models"}))
			for _, model := range []string{s.model, "house/large"} {
				if model == "house/large" && s.sdk != "openai" {
					continue
				}
				if !slices.Contains(all, model) {
					t.Errorf("%s is not among %v", model, all)
				}
			}
			few := names(t, client.must(call{Do: "models", Key: limited}))
			if len(few) == 0 || len(few) >= len(all) || !slices.Contains(few, s.model) {
				t.Errorf("a key that may call %s lists %v", s.model, few)
			}
		})
	}
	c.records(0)
}

func names(t *testing.T, v view) []string {
	t.Helper()
	var listed []string
	for _, chunk := range v.Chunks {
		var model struct{ ID, Name string }
		if err := json.Unmarshal(chunk, &model); err != nil {
			t.Fatal(err)
		}
		name := model.ID + model.Name // Google has the name only
		if len(name) > len("models/") && name[:len("models/")] == "models/" {
			name = name[len("models/"):]
		}
		listed = append(listed, name)
	}
	return listed
}

// Paths that nobody serves, other methods and bodies that are no JSON are answered in
// the dialect that the caller seems to speak.
func TestErrorShapes(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "1")
	bearer := []string{"Authorization", "Bearer " + c.secret}
	anthropic := []string{"X-Api-Key", c.secret, "Anthropic-Version", "2023-06-01"}
	google := []string{"X-Goog-Api-Key", c.secret}
	for _, test := range []struct {
		name, method, path, body string
		header                   []string
		status                   int
		dialect                  string
		code                     string // OpenAI's code, Anthropic's type, Google's status
	}{
		{"unknown path", "POST", "/v1/nothing", "{}", bearer, 404, "openai", "not_found"},
		{"root", "POST", "/", "{}", bearer, 404, "openai", "not_found"},
		{"unknown path, no key", "POST", "/v1/nothing", "{}", nil, 401, "openai", "missing_api_key"},
		{"unknown path", "POST", "/v1/nothing", "{}", anthropic, 404, "anthropic", "not_found_error"},
		{"unknown path", "POST", "/v1beta/nothing", "{}", google, 404, "google", "NOT_FOUND"},
		{"unknown verb", "POST", "/v1beta/models/gemini-2.5-flash:nothing", "{}", google, 404, "google", "NOT_FOUND"},
		{"method", "GET", "/v1/chat/completions", "", bearer, 405, "openai", "method_not_allowed"},
		{"method", "GET", "/v1/messages", "", anthropic, 405, "anthropic", "invalid_request_error"},
		{"method", "GET", "/v1beta/models/gemini-2.5-flash:generateContent", "", google, 405, "google", "UNIMPLEMENTED"},
		{"invalid JSON", "POST", "/v1/chat/completions", `{"model":"gpt-4.1-mini",`, bearer, 400, "openai", "invalid_json"},
		{"invalid JSON", "POST", "/v1/messages", `{"model":"claude-haiku-4-5",`, anthropic, 400, "anthropic", "invalid_request_error"},
		{"invalid JSON", "POST", "/v1beta/models/gemini-2.5-flash:generateContent", `{"contents":`, google, 400, "google", "INVALID_ARGUMENT"},
		{"two models", "POST", "/v1/chat/completions", `{"model":"gpt-4.1-mini","mod\u0065l":"o3-pro","messages":[]}`, bearer, 400, "openai", "ambiguous_json"},
		{"batches", "POST", "/v1/messages/batches", `{}`, anthropic, 400, "anthropic", "invalid_request_error"},
		{"two keys", "GET", "/v1/models", "", append([]string{"X-Api-Key", "sk-another"}, bearer...), 401, "anthropic", "authentication_error"},
	} {
		t.Run(test.dialect+"/"+test.name, func(t *testing.T) {
			status, header, body, err := g.send(test.method, test.path, test.body, test.header...)
			if err != nil {
				t.Fatal(err)
			}
			var answered struct {
				Type  string
				Error struct {
					Message, Type, Status string
					Code                  any
				}
			}
			if err := json.Unmarshal(body, &answered); err != nil {
				t.Fatalf("answered %s: %v", body, err)
			}
			code := answered.Error.Status
			switch test.dialect {
			case "openai":
				code, _ = answered.Error.Code.(string)
			case "anthropic":
				if code = answered.Error.Type; answered.Type != "error" {
					t.Errorf("answered %s", body)
				}
			}
			if status != test.status || code != test.code || answered.Error.Message == "" || header.Get("Faregate-Request-Id") == "" ||
				header.Get("Content-Type") != "application/json" || status == http.StatusMethodNotAllowed && header.Get("Allow") != "POST" {
				t.Errorf("answered %d %v %s, want %d %s", status, header, body, test.status, test.code)
			}
		})
	}
}

// The lists of models have each dialect's shape.
func TestModelListShapes(t *testing.T) {
	g := startGateway(t)
	c := g.newCustomer("rider", "0")
	for _, test := range []struct {
		path   string
		header []string
		list   string   // the member that has the models
		first  []string // members of each model
	}{
		{"/v1/models", []string{"Authorization", "Bearer " + c.secret}, "data", []string{"id", "object", "created", "owned_by"}},
		{"/v1/models", []string{"X-Api-Key", c.secret, "Anthropic-Version", "2023-06-01"}, "data", []string{"id", "type", "display_name", "created_at"}},
		{"/v1/models", []string{"Authorization", "Bearer " + c.secret, "Anthropic-Version", "2026-10-21"}, "data", []string{"id", "type", "display_name", "created_at"}},
		{"/v1beta/models", []string{"X-Goog-Api-Key", c.secret}, "models", []string{"name", "displayName", "supportedGenerationMethods"}},
		{"/v1beta/models?key=" + c.secret + "&pageSize=50", nil, "models", []string{"name", "displayName", "supportedGenerationMethods"}},
	} {
		status, header, body, err := g.send("GET", test.path, "", test.header...)
		var answered map[string]json.RawMessage
		if err != nil || status != 200 || header.Get("Content-Type") != "application/json" || json.Unmarshal(body, &answered) != nil {
			t.Errorf("%s: %d %v %v %s", test.path, status, err, header, body)
			continue
		}
		var models []map[string]any
		if err := json.Unmarshal(answered[test.list], &models); err != nil || len(models) < 3 {
			t.Errorf("%s %v: %v in %s", test.path, test.header, err, body)
			continue
		}
		for _, member := range test.first {
			if models[0][member] == nil {
				t.Errorf("%s: a model without %s: %v", test.path, member, models[0])
			}
		}
	}
}
