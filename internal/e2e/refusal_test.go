package e2e

import (
	"crypto/rand"
	"encoding/json"
	"maps"
	"math/big"
	"strings"
	"testing"

	"github.com/faregate/faregate/auth"
)

// refusal is a request that never reaches a provider, and how each dialect says so.
type refusal struct {
	name   string
	status int
	code   string // OpenAI's error.code; in capitals Google's reason, if reason is empty
	reason string
	kind   string // Anthropic's error.type
	google string // Google's error.status
	class  string // of OpenAI's SDK, and mostly of Anthropic's
	change func(*call)
	// unrecorded tells that no account is known that a record could be of.
	unrecorded bool
}

// speaker is what a test says to an SDK, to be changed by the test.
type speaker struct {
	sdk, model string
	ask        func(model, prompt string) params
	// unsupported is something that would be kept at the provider.
	unsupported params
	stream      func(model string) string // the path of a stream
}

var speakers = []speaker{
	{"openai", "gpt-4.1-mini", func(model, prompt string) params {
		return params{"model": model, "messages": chat(prompt)}
	}, params{"store": true}, func(string) string { return "/v1/chat/completions" }},
	{"anthropic", "claude-haiku-4-5", func(model, prompt string) params {
		return params{"model": model, "max_tokens": 2000, "messages": chat(prompt)}
	}, params{"tools": []params{{"type": "code_execution_20250825", "name": "code_execution"}}}, func(string) string { return "/v1/messages" }},
	{"google", "gemini-2.5-flash", func(model, prompt string) params {
		return params{"model": model, "contents": prompt}
	}, params{"config": params{"cachedContent": "cachedContents/0"}}, func(model string) string { return "/v1beta/models/" + model + ":streamGenerateContent?alt=sse" }},
}

// Every refusal arrives in each SDK as the error that its users know, is sent once
// only, costs nothing, and says what to do.
func TestRefusals(t *testing.T) {
	g := startGateway(t)
	rider, poor, idle := g.newCustomer("rider", "1"), g.newCustomer("poor", "0"), g.newCustomer("idle", "1")
	g.run("account", "suspend", "idle", "--reason", "a test")
	unknown, err := auth.NewSecret(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	revokedID, revoked := rider.newKey()
	g.run("key", "revoke", revokedID)
	_, expired := rider.newKey("--expires", "1s")
	_, limited := rider.newKey("--models", "house/*,o4-mini")
	within(t, patience, "the key expires", func() bool {
		_, _, body, err := g.send("GET", "/v1/models", "", "Authorization", "Bearer "+expired)
		return err == nil && strings.Contains(string(body), "expired_api_key")
	})
	for _, s := range speakers {
		t.Run(s.sdk, func(t *testing.T) {
			client := startSDK(t, s.sdk, rider)
			withKey := func(secret string) func(*call) { return func(c *call) { c.Key = secret } }
			for _, want := range []refusal{
				{"no key", 401, "missing_api_key", "", "authentication_error", "UNAUTHENTICATED", "AuthenticationError", func(c *call) { c.NoKey = true }, true},
				{"malformed key", 401, "malformed_api_key", "", "authentication_error", "UNAUTHENTICATED", "AuthenticationError", withKey("sk-proj-of-some-provider"), true},
				{"mistyped key", 401, "malformed_api_key", "", "authentication_error", "UNAUTHENTICATED", "AuthenticationError", withKey(mistyped(rider.secret)), true},
				{"unknown key", 401, "invalid_api_key", "API_KEY_INVALID", "authentication_error", "UNAUTHENTICATED", "AuthenticationError", withKey(unknown.Reveal()), true},
				{"revoked key", 401, "invalid_api_key", "API_KEY_INVALID", "authentication_error", "UNAUTHENTICATED", "AuthenticationError", withKey(revoked), true},
				{"expired key", 401, "expired_api_key", "API_KEY_INVALID", "authentication_error", "UNAUTHENTICATED", "AuthenticationError", withKey(expired), true},
				{"suspended account", 403, "account_suspended", "", "permission_error", "PERMISSION_DENIED", "PermissionDeniedError", withKey(idle.secret), true},
				{"no credit", 402, "insufficient_credit", "", "billing_error", "FAILED_PRECONDITION", "APIError", withKey(poor.secret), false},
				{"unknown model", 404, "model_not_found", "", "not_found_error", "NOT_FOUND", "NotFoundError", func(c *call) { c.Params["model"] = "no-such-model" }, false},
				{"model not allowed", 403, "model_not_allowed", "", "permission_error", "PERMISSION_DENIED", "PermissionDeniedError", withKey(limited), false},
				{"body too large", 413, "request_too_large", "", "request_too_large", "INVALID_ARGUMENT", "APIError", func(c *call) { c.Params = s.ask(s.model, strings.Repeat("word ", maxBody/4)) }, false},
				{"unsupported", 400, "unsupported_feature", "", "invalid_request_error", "INVALID_ARGUMENT", "BadRequestError", func(c *call) { maps.Copy(c.Params, s.unsupported) }, false},
			} {
				for _, do := range []string{"create", "stream"} {
					asking := call{Do: do, Params: s.ask(s.model, hello), Retries: 2}
					want.change(&asking)
					name := want.name + ", " + do
					v := client.call(asking)
					v.expectError(t, name, s, want)
					if v.Requests != 1 {
						t.Errorf("%s: the SDK sent %d requests, want 1", name, v.Requests)
					}
					if want.unrecorded {
						continue
					}
					r := g.in(t).recorded(v.id())
					if r.Status != "rejected" || r.HTTPStatus != want.status || r.Basis != "waived" || len(r.Usage) != 0 ||
						amount(t, r.Cost).Sign() != 0 || r.Dialect != s.sdk || r.Attempts != 0 {
						t.Errorf("%s: record %+v", name, r)
					}
				}
			}
		})
	}
	// One record for each request: two of each refusal by each SDK.
	poor.records(2 * len(speakers))
	rider.records(4 * 2 * len(speakers))
	idle.records(0)
	for _, c := range []*customer{rider, poor, idle} {
		c.expectSpent(new(big.Rat))
	}
	if sent := g.provider.Requests(); len(sent) != 0 {
		t.Errorf("the provider got %d requests", len(sent))
	}
}

// mistyped is a key with two characters exchanged.
func mistyped(secret string) string {
	typed := []byte(secret)
	for i := len("sk-fg-"); ; i++ {
		if typed[i] != typed[i+1] {
			typed[i], typed[i+1] = typed[i+1], typed[i]
			return string(typed)
		}
	}
}

// recorded is the record of a request that was answered before it was recorded.
func (g *gateway) recorded(id string) record {
	g.t.Helper()
	within(g.t, patience, "a record of request "+id, func() bool {
		_, err := g.try("request", id)
		return err == nil
	})
	return g.request(id)
}

// expectError fails unless the SDK raised the error as its users know it.
func (v view) expectError(t *testing.T, name string, s speaker, want refusal) {
	t.Helper()
	if v.Error == nil {
		t.Errorf("%s: the SDK raised nothing", name)
		return
	}
	e := *v.Error
	if e.Status != want.status || len(e.Message) < 20 || v.id() == "" {
		t.Errorf("%s: the SDK raised %+v", name, e)
	}
	switch s.sdk {
	case "openai":
		if e.Class != want.class || e.Code != want.code || e.RequestID != v.id() {
			t.Errorf("%s: the SDK raised %+v, want %s %s of %s", name, e, want.class, want.code, v.id())
		}
	case "anthropic":
		if named, ok := anthropicClasses[want.status]; ok {
			want.class = named
		}
		if e.Class != want.class || e.Type != want.kind || e.RequestID != v.id() {
			t.Errorf("%s: the SDK raised %+v, want %s %s of %s", name, e, want.class, want.kind, v.id())
		}
	case "google":
		got := readGoogleError(t, []byte(e.Message))
		reason := want.reason
		if reason == "" {
			reason = strings.ToUpper(want.code)
		}
		if e.Class != "ApiError" || got.Status != want.google || got.Code != want.status || got.reason() != reason {
			t.Errorf("%s: the SDK raised %+v, want %s %s", name, e, want.google, reason)
		}
	}
}

// anthropicClasses are those that Anthropic's SDK has and OpenAI's has not.
var anthropicClasses = map[int]string{402: "PaymentRequiredError", 413: "ContentTooLargeError", 503: "ServiceUnavailableError"}

type googleError struct {
	Code    int
	Status  string
	Message string
	Details []struct{ Reason string }
}

func (e googleError) reason() string {
	if len(e.Details) == 0 {
		return ""
	}
	return e.Details[0].Reason
}

func readGoogleError(t *testing.T, text []byte) googleError {
	t.Helper()
	var body struct{ Error googleError }
	if err := json.Unmarshal(text, &body); err != nil {
		t.Errorf("%q is no error of Google's: %v", text, err)
	}
	return body.Error
}
