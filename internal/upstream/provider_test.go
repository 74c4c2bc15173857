package upstream

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/usage"
)

func chatRequest(t *testing.T) (dialect.Operation, *dialect.Request) {
	t.Helper()
	operation, model, stream, err := dialect.Match(http.MethodPost, "/v1/chat/completions", dialect.OpenAI)
	if err != nil {
		t.Fatal(err)
	}
	request, err := dialect.ParseRequest(operation, model, stream, "", []byte(`{"model":"m","messages":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	return operation, request
}

// Where each well-known provider gets a chat, and where its key.
func TestPresets(t *testing.T) {
	operation, request := chatRequest(t)
	for name, row := range map[string]struct{ base, model, want, header, key string }{
		"openai":     {"", "gpt-5.6", "https://api.openai.com/v1/chat/completions", "Authorization", "Bearer key"},
		"xai":        {"", "grok-4.6", "https://api.x.ai/v1/chat/completions", "Authorization", "Bearer key"},
		"openrouter": {"", "a/b:free", "https://openrouter.ai/api/v1/chat/completions", "Authorization", "Bearer key"},
		"deepseek":   {"", "d", "https://api.deepseek.com/chat/completions", "Authorization", "Bearer key"},
		"mistral":    {"", "m", "https://api.mistral.ai/v1/chat/completions", "Authorization", "Bearer key"},
		"groq":       {"", "m", "https://api.groq.com/openai/v1/chat/completions", "Authorization", "Bearer key"},
		"together":   {"", "m", "https://api.together.xyz/v1/chat/completions", "Authorization", "Bearer key"},
		"cerebras":   {"", "m", "https://api.cerebras.ai/v1/chat/completions", "Authorization", "Bearer key"},
		"perplexity": {"", "sonar", "https://api.perplexity.ai/chat/completions", "Authorization", "Bearer key"},
		"vllm":       {"", "m", "http://127.0.0.1:8000/v1/chat/completions", "Authorization", "Bearer key"},
		"ollama":     {"", "m", "http://127.0.0.1:11434/v1/chat/completions", "Authorization", "Bearer key"},
		"azure-openai": {"https://mine.openai.azure.com/openai/v1", "my-deployment",
			"https://mine.openai.azure.com/openai/v1/chat/completions", "Api-Key", "key"},
		"azure-openai-deployments": {"https://mine.openai.azure.com", "my-deployment",
			"https://mine.openai.azure.com/openai/deployments/my-deployment/chat/completions?api-version=2024-10-21", "Api-Key", "key"},
	} {
		preset, ok := FindPreset(name)
		if !ok {
			t.Errorf("%s is not known", name)
			continue
		}
		options := preset.Options()
		base := preset.BaseURL
		if row.base != "" {
			base = row.base
		}
		options.BaseURL, _ = url.Parse(base)
		options.Secrets = []string{"key"}
		p := NewProvider(options)
		attempt := Attempt{Provider: p, Credential: p.credentials[0], Model: row.model, Dialect: preset.Dialect}
		address, err := attempt.URL(operation, request)
		if err != nil || address.String() != row.want {
			t.Errorf("%s: %v, %v", name, address, err)
		}
		header := http.Header{}
		attempt.SetCredential(header)
		if got := header.Get(row.header); got != row.key || len(header) != 1 {
			t.Errorf("%s: %v", name, header)
		}
	}
	for _, preset := range Presets() {
		if address, err := url.Parse(preset.BaseURL); err != nil || preset.BaseURL != "" && (address.Scheme == "https") == preset.Private || preset.BaseURL == "" && preset.BaseURLLike == "" {
			t.Errorf("%s: %v", preset.Name, err)
		}
		if (preset.KeyVariable == "") != preset.Private {
			t.Errorf("%s takes its key from %q", preset.Name, preset.KeyVariable)
		}
		if !namesOneProvider(preset.Name) {
			t.Errorf("%s cannot be named in preferences", preset.Name)
		}
	}
	if preset, _ := FindPreset("anthropic"); preset.Dialect != dialect.Anthropic {
		t.Error("anthropic speaks", preset.Dialect)
	}
	if preset, _ := FindPreset("google"); preset.Dialect != dialect.Google {
		t.Error("google speaks", preset.Dialect)
	}
	if preset, _ := FindPreset("mistral"); preset.Profile != usage.ProfileAudioApart || !preset.UsageUnasked {
		t.Errorf("%+v", preset)
	}
	if _, ok := FindPreset("nobody"); ok {
		t.Error("nobody is known")
	}
}

// A second account or another region of a well-known provider knows the names that it does.
func TestOwnNamesOfWellKnownAddresses(t *testing.T) {
	for address, want := range map[string]bool{
		"https://api.openai.com/v1": false, "https://EU.api.openai.com/v1": false, "https://house.openai.azure.com/openai/v1": false, "https://eu-west-1.api.x.ai/v1": false,
		"https://api.deepseek.com": true, "https://llm.example.com/v1": true, "https://notapi.openai.com.example/v1": true, "https://fakeapi.openai.com.": true, "http://127.0.0.1:11434/v1": true,
		"https://myapi.x.ai.example.com": true, "https://generativelanguage.googleapis.com": true,
	} {
		parsed, err := url.Parse(address)
		if err != nil {
			t.Fatal(err)
		}
		if OldOutputCapAt(parsed) != want {
			t.Errorf("%s: not %t", address, want)
		}
	}
}

func TestDeploymentsCannotLeaveTheirPath(t *testing.T) {
	operation, request := chatRequest(t)
	p := NewProvider(ProviderOptions{Name: "azure", BaseURL: &url.URL{Scheme: "https", Host: "h", Path: "/"}, Deployments: true, Secrets: []string{"key"}})
	for _, model := range []string{"a/b", "../x", "a?b", "a#b", ""} {
		if address, err := (Attempt{Provider: p, Model: model}).URL(operation, request); err == nil {
			t.Errorf("%q went to %v", model, address)
		}
	}
	if before := p.BaseURL().String(); before != "https://h/" {
		t.Errorf("the provider's address was changed: %s", before)
	}
}

func TestAKeylessProviderGetsNone(t *testing.T) {
	p := house("local", ProviderOptions{Keys: []KeyOptions{{}}})
	header := http.Header{}
	Attempt{Provider: p, Credential: p.credentials[0]}.SetCredential(header)
	if len(header) != 0 {
		t.Errorf("%v", header)
	}
}

func TestKeysAreNeverPrinted(t *testing.T) {
	p := house("a", ProviderOptions{Secrets: []string{"secret-0"}, Keys: keys(2)})
	w := newWorld(t, 1)
	w.configure(SelectorOptions{}, []Target{to(p, "x")})
	plan := w.plan(Request{})
	call, err := plan.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	call.Done(Outcome{Result: Refused})
	for _, value := range []any{p.credentials, call.Attempt, w.health.View(), w.events, call} {
		for _, format := range []string{"%v", "%+v", "%#v", "%s"} {
			if strings.Contains(fmt.Sprintf(format, value), "secret-") {
				t.Errorf("%T printed with %s holds a key", value, format)
			}
		}
	}
}

func TestResults(t *testing.T) {
	for _, row := range []struct {
		class  dialect.ProviderErrorClass
		status int
		want   Result
	}{
		{dialect.ProviderCallerError, 400, CallersFault}, {dialect.ProviderRefusedCredential, 401, Refused}, {dialect.ProviderRefusedCredential, 400, Refused},
		{dialect.ProviderRefusedCredential, 402, NoCredit}, {dialect.ProviderLowCredit, 402, LowCredit}, {dialect.ProviderRefusedCredential, 403, Forbidden}, {dialect.ProviderRefusedCredential, 0, Forbidden},
		{dialect.ProviderQuota, 429, NoCredit}, {dialect.ProviderQuota, 400, NoCredit}, {dialect.ProviderRateLimited, 429, RateLimited}, {dialect.ProviderOverloaded, 529, Overloaded},
		{dialect.ProviderModelNotFound, 404, ModelMissing}, {dialect.ProviderFailed, 500, Failed}, {dialect.ProviderInvalidAnswer, 200, Failed},
	} {
		if got := ResultOf(row.class, row.status); got != row.want {
			t.Errorf("%v under %d is %v", row.class, row.status, got)
		}
	}
	for want, err := range map[Result]error{
		Succeeded: nil, Abandoned: fmt.Errorf("x: %w", context.Canceled), TimedOut: fmt.Errorf("x: %w", context.DeadlineExceeded), Failed: errors.New("x"),
		Unreachable: &url.Error{Op: "Post", Err: &AddressError{}},
	} {
		if got := ResultOfError(err); got != want {
			t.Errorf("%v is %v", err, got)
		}
	}
	if got := ResultOfError(fmt.Errorf("reading: %w", os.ErrDeadlineExceeded)); got != TimedOut {
		t.Errorf("a deadline is %v", got)
	}
	for result := range faults {
		if Result(result).String() == "unknown" || Result(result).String() == "" {
			t.Errorf("result %d has no name", result)
		}
	}
}

func TestAffinityDigests(t *testing.T) {
	selectorOf := func(secrets ...string) *Selector {
		w := newWorld(t, 1)
		w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Secrets: secrets}), "x")})
		return w.selector
	}
	selector, seen := selectorOf("s1"), map[uint64]string{}
	for _, told := range [][2]string{{"", "a"}, {"a", "b"}, {"ab", "b"}, {"a", "bb"}, {"b", "a"}} {
		digest := selector.Affinity(told[0], []byte(told[1]))
		if other, twice := seen[digest]; twice || digest == 0 || digest != selector.Affinity(told[0], []byte(told[1])) {
			t.Errorf("%q has the digest of %s: %d", told, other, digest)
		}
		seen[digest] = fmt.Sprint(told)
	}
	if selector.Affinity("account", nil) != 0 {
		t.Error("no conversation has a digest")
	}
	// All gateways of a configuration, and all versions, must agree on it, and nobody without
	// its keys can.
	digest := func(s *Selector) uint64 { return s.Affinity("account", []byte("conversation")) }
	if a, b, c := digest(selectorOf("s1")), digest(selectorOf("s1", "s2")), digest(selectorOf("s2")); a != 0xb52c5045c668fbde || a != b || a == c {
		t.Errorf("digests %#x, %#x and, with another key, %#x", a, b, c)
	}
	if n := testing.AllocsPerRun(100, func() { digest(selector) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
	if got := fingerprint("openai", "sk-1"); got != 0x83e5d8fbef4f96da {
		t.Errorf("the fingerprint is another: %#x", got)
	}
	if got := mix(1); got != 0x910a2dec89025cc1 { // splitmix64's first number from seed 1
		t.Errorf("mixed to %#x", got)
	}
}

func namesOneProvider(name string) bool {
	read, err := preferences.Parse("only=" + name)
	return err == nil && len(read.Only) == 1
}
