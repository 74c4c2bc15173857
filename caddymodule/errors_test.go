package caddymodule

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/metering"
)

const chatBody = `{"model":"gpt-4.1-mini","messages":[{"role":"user","content":"hello"}]}`

// dialectCalls are the same request in each dialect; %MODEL% and %MORE% are filled in.
var dialectCalls = []struct {
	name, path, body string
	header           func(secret string) http.Header
	model            string
}{
	{"openai", "/v1/chat/completions", `{"model":"%MODEL%"%MORE%,"messages":[{"role":"user","content":"hello"}]}`, bearer, "gpt-4.1-mini"},
	{"anthropic", "/v1/messages", `{"model":"%MODEL%"%MORE%,"max_tokens":2000,"messages":[{"role":"user","content":"hello"}]}`, xAPIKey, "claude-haiku-4-5"},
	{"google", "/v1beta/models/%MODEL%:generateContent", `{"contents":[{"parts":[{"text":"hello"}]}]%MORE%}`, googleKey, "gemini-2.5-flash"},
}

// dialectError reads an error in a dialect's shape: what the SDKs read.
func dialectError(t *testing.T, name string, got reply) (kind, message string) {
	t.Helper()
	var body struct {
		Type  string `json:"type"`
		Error struct {
			Type    string          `json:"type"`
			Message string          `json:"message"`
			Code    json.RawMessage `json:"code"`
			Status  string          `json:"status"`
		} `json:"error"`
		RequestID string `json:"request_id"`
	}
	if err := json.Unmarshal(got.body, &body); err != nil {
		t.Fatalf("%s: status %d, not JSON: %s", name, got.status, got.body)
	}
	switch name {
	case "anthropic":
		if body.Type != "error" || body.RequestID == "" {
			t.Errorf("not Anthropic's shape: %s", got.body)
		}
		return body.Error.Type, body.Error.Message
	case "google":
		var code int
		if err := json.Unmarshal(body.Error.Code, &code); err != nil || code != got.status {
			t.Errorf("not Google's shape: %s", got.body)
		}
		return body.Error.Status, body.Error.Message
	}
	var code string
	if err := json.Unmarshal(body.Error.Code, &code); err != nil || body.Error.Type == "" {
		t.Errorf("not OpenAI's shape: %s", got.body)
	}
	return code, body.Error.Message
}

func TestErrorsComeInTheCallersDialectAndSayWhatToDo(t *testing.T) {
	g := startGateway(t, gatewayOptions{site: "faregate {\n\t\tmax_body 100kB\n\t}", extra: "lockout off"})
	expired, expiredSecret := g.createKey(nil, time.Now().Add(-time.Hour))
	_ = expired
	revoked, revokedSecret := g.createKey(nil, time.Time{})
	if err := g.store.RevokeKey(testContext(t), revoked, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, narrowSecret := g.createKey([]string{"other-*"}, time.Time{})
	unknown, err := auth.NewSecret(strings.NewReader(strings.Repeat("faregate", 4)))
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name, secret, model, more string
		status                    int
		says                      string // a part of the text
		recorded                  bool
	}{
		{name: "no key", status: 401, says: "Send your Faregate key"},
		{name: "malformed key", secret: "sk-proj-abc", status: 401, says: "not a Faregate key"},
		{name: "mistyped key", secret: g.secret[:len(g.secret)-1] + "~", status: 401, says: "not a Faregate key"},
		{name: "unknown key", secret: unknown.Reveal(), status: 401, says: "revoked"},
		{name: "revoked key", secret: revokedSecret, status: 401, says: "revoked"},
		{name: "expired key", secret: expiredSecret, status: 401, says: "expired"},
		{name: "unknown model", secret: g.secret, model: "no-such-model", status: 404, says: "list of models", recorded: true},
		{name: "model not allowed", secret: narrowSecret, status: 403, says: "may not call this model", recorded: true},
		{name: "body too large", secret: g.secret, more: `,"x":"` + strings.Repeat("a", 100_000) + `"`, status: 413, says: "larger than 100,000 bytes, the most that this gateway accepts. Send less", recorded: true},
		{name: "invalid JSON", secret: g.secret, more: `,`, status: 400, says: "JSON", recorded: true},
		{name: "ambiguous JSON", secret: g.secret, more: `,"model":"gpt-4.1","mod\u0065l":"gpt-4.1"`, status: 400, says: "", recorded: true},
	}
	for _, c := range cases {
		for _, d := range dialectCalls {
			t.Run(c.name+"/"+d.name, func(t *testing.T) {
				before := len(g.records(0))
				model := d.model
				if c.model != "" {
					model = c.model
				}
				fill := strings.NewReplacer("%MODEL%", model, "%MORE%", c.more)
				header := d.header(c.secret)
				if c.secret == "" {
					header = http.Header{"Anthropic-Version": header["Anthropic-Version"]}
				}
				got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), header)
				kind, message := dialectError(t, d.name, got)
				if got.status != c.status || kind == "" || message == "" || !strings.Contains(message, c.says) {
					t.Errorf("status %d (want %d), %s: %s", got.status, c.status, kind, message)
				}
				if got.header.Get("Faregate-Request-Id") == "" {
					t.Error("no request id")
				}
				records := g.records(before)
				if c.recorded != (len(records) > before) {
					t.Fatalf("%d records more, recorded is to be %v", len(records)-before, c.recorded)
				}
				if c.recorded {
					last := records[len(records)-1]
					if last.Status != metering.StatusRejected || last.HTTPStatus != c.status || last.Cost != 0 || last.Basis != metering.BasisWaived {
						t.Errorf("record %+v", last)
					}
				}
			})
		}
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
	g.verify()
}

func TestSuspendedAccountAndEmptyAccount(t *testing.T) {
	g := startGateway(t, gatewayOptions{credit: "0"})
	for _, d := range dialectCalls {
		fill := strings.NewReplacer("%MODEL%", d.model, "%MORE%", "")
		got := g.callWith(fill.Replace(d.path), fill.Replace(d.body), d.header(g.secret))
		_, message := dialectError(t, d.name, got)
		if got.status != http.StatusPaymentRequired || !strings.Contains(message, "$0.00 is available") {
			t.Errorf("%s: %d %s", d.name, got.status, message)
		}
	}
	if err := g.store.SetAccountStatus(testContext(t), g.account, auth.StatusSuspended, "test"); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the suspension to be noticed", func() bool {
		return g.call("/v1/chat/completions", chatBody).status == http.StatusForbidden
	})
	g.verify()
}

func TestUnknownOperationsAndMethods(t *testing.T) {
	g := startGateway(t, gatewayOptions{})
	for path, want := range map[string]struct {
		dialect string
		status  int
	}{
		"/v1/no/such":                           {"openai", 404},
		"/v1beta/nothing":                       {"google", 404},
		"/v1/messages/batches":                  {"anthropic", 400},
		"/v1/batches":                           {"openai", 400},
		"/v1/../v1/chat/completions":            {"openai", 404},
		"/v1//chat/completions":                 {"openai", 404},
		"/v1beta/models/a..b:generateContent":   {"google", 400},
		"/v1beta/models/%2e%2e:generateContent": {"google", 400},
	} {
		got := g.call(path, `{}`)
		if got.status != want.status {
			t.Errorf("%s: status %d, want %d: %s", path, got.status, want.status, got.body)
		}
		dialectError(t, want.dialect, got)
	}
	got := g.call("/v1/chat/completions", "")
	if got.status != http.StatusMethodNotAllowed || got.header.Get("Allow") != http.MethodPost {
		t.Errorf("GET: %d, Allow %q", got.status, got.header.Get("Allow"))
	}
	header := bearer(g.secret)
	header.Set("Connection", "Upgrade")
	header.Set("Upgrade", "websocket")
	if got := g.callWith("/v1/chat/completions", "", header); got.status != http.StatusNotImplemented {
		t.Errorf("upgrade: %d", got.status)
	}
	if n := len(g.provider.Requests()); n != 0 {
		t.Errorf("%d requests reached the provider", n)
	}
}

// What a provider's failure looks like to the caller, and that it costs nothing.
func TestProviderFailures(t *testing.T) {
	for name, c := range map[string]struct {
		provider   int // status, 0 = refuses connections
		status     int
		retryAfter bool
		passed     bool // the provider's own body goes on
	}{
		"down":             {0, 503, false, false},
		"bad request":      {400, 400, false, true},
		"not our key":      {401, 502, false, false},
		"no credit there":  {402, 502, false, false},
		"forbidden":        {403, 502, false, false},
		"not found":        {404, 0, false, false},
		"unprocessable":    {422, 422, false, true},
		"rate limited":     {429, 429, true, false},
		"broken":           {500, 503, false, false},
		"overloaded":       {503, 503, true, false},
		"Anthropic's load": {529, 503, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, gatewayOptions{})
			before := g.balance()
			if c.provider == 0 {
				g.provider.Refuse()
			} else {
				g.provider.Add(simulator.Step{Times: simulator.Always, Response: simulator.ErrorResponse(simulator.Anthropic, c.provider)})
			}
			got := g.callWith("/v1/messages", `{"model":"claude-haiku-4-5","max_tokens":2000,"messages":[{"role":"user","content":"hello"}]}`, xAPIKey(g.secret))
			_, message := dialectError(t, "anthropic", got)
			if c.status != 0 && got.status != c.status {
				t.Errorf("status %d, want %d: %s", got.status, c.status, message)
			}
			if c.retryAfter != (got.header.Get("Retry-After") != "") {
				t.Errorf("Retry-After %q", got.header.Get("Retry-After"))
			}
			if own := string(simulator.ErrorResponse(simulator.Anthropic, c.provider).Body); c.passed != (string(got.body) == own) {
				t.Errorf("passed on: %s", got.body)
			}
			for _, name := range []string{"Set-Cookie", "Anthropic-Organization-Id", "Request-Id"} {
				if value := got.header.Get(name); value != "" && value != got.header.Get("Faregate-Request-Id") {
					t.Errorf("%s: %q came through", name, value)
				}
			}
			record := g.records(1)[0]
			if record.Status != metering.StatusProviderError || record.Cost != 0 || record.Basis != metering.BasisWaived || record.HTTPStatus != got.status {
				t.Errorf("record %+v", record)
			}
			if after := g.balance(); after != before {
				t.Errorf("balance went from %s to %s", before, after)
			}
			g.verify()
		})
	}
}

// waitFor polls a condition until it holds, for at most some seconds.
func waitFor(t *testing.T, what string, condition func() bool) {
	t.Helper()
	ctx := testContext(t)
	for !condition() {
		select {
		case <-ctx.Done():
			t.Fatalf("waited in vain for %s", what)
		case <-time.After(10 * time.Millisecond):
		}
	}
}
