package dialect

import (
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering/usage"
)

func TestProviderURL(t *testing.T) {
	plain := `{"model":"m","max_tokens":1,"stream":true}`
	for _, row := range []struct {
		operation         Operation
		stream            bool
		query, base, name string
		want              string
	}{
		{chatCompletions, false, "x=1", "https://api.openai.com/v1", "gpt-5.6", "https://api.openai.com/v1/chat/completions"},
		{chatCompletions, false, "", "https://openrouter.test/api/v1/", "a/b:free", "https://openrouter.test/api/v1/chat/completions"},
		{messages, false, "beta=true&x=1", "https://api.anthropic.com", "claude", "https://api.anthropic.com/v1/messages?beta=true"},
		{messages, false, "beta=1", "https://api.anthropic.com/v1", "claude", "https://api.anthropic.com/v1/messages"},
		{generateContent, true, "alt=sse&x=1", "https://g.test", "gemini", "https://g.test/v1beta/models/gemini:streamGenerateContent?alt=sse"},
		{generateContent, true, "", "https://g.test/v1beta", "tuned/x:y@1", "https://g.test/v1beta/models/tuned/x:y@1:streamGenerateContent"},
		{generateContent, false, "alt=sse", "http://127.0.0.1:81/base/v1?q=1#f", "gemini", "http://127.0.0.1:81/base/v1/models/gemini:generateContent"},
	} {
		request, err := ParseRequest(row.operation, "m", row.stream, row.query, []byte(plain))
		if err != nil {
			t.Fatal(err)
		}
		base, _ := url.Parse(row.base)
		before := *base
		address, err := ProviderURL(row.operation, base, row.name, request)
		if err != nil || address.String() != row.want {
			t.Errorf("%v, %v; want %s", address, err, row.want)
		}
		if *base != before {
			t.Error("the provider's own address was changed")
		}
		if again, err := url.Parse(address.String()); err != nil || again.Path != address.Path {
			t.Errorf("%s is not escaped: %v", address, err)
		}
		if _, err := ProviderURL(row.operation, base, "../"+row.name, request); err == nil {
			t.Error("a name that is none went into an address")
		}
	}
}

func TestOnlyListedHeadersReachProviders(t *testing.T) {
	caller := http.Header{}
	for name, value := range map[string]string{
		"Accept": "text/event-stream", "Content-Type": "text/plain", "User-Agent": "OpenAI/JS", "Openai-Organization": "org", "Openai-Project": "p", "OpenAI-Beta": "b", "Idempotency-Key": "i",
		"Authorization": "Bearer x", "Cookie": "c", "X-Forwarded-For": "1.2.3.4", "X-Stainless-Os": "Linux", "Anthropic-Version": "2026-10-21", "X-Goog-Api-Client": "genai-js",
		"Anthropic-Beta": "files-api-2025-04-14, interleaved-thinking-2025-05-14,unknown,effort-2025-11-24,context-1m-2025-08-07", "X-Goog-User-Project": "p", "Connection": "x", "Te": "trailers", "Traceparent": "t", "Accept-Encoding": "gzip",
	} {
		caller.Set(name, value)
	}
	common := http.Header{"Accept": {"text/event-stream"}, "Content-Type": {"application/json"}, "User-Agent": {"faregate"}}
	for d, own := range map[Dialect]http.Header{
		OpenAI:    {"Openai-Beta": {"b"}, "Idempotency-Key": {"i"}, "Authorization": {"Bearer provider-key"}},
		Anthropic: {"Anthropic-Version": {"2026-10-21"}, "Idempotency-Key": {"i"}, "X-Api-Key": {"provider-key"}, "Anthropic-Beta": {"interleaved-thinking-2025-05-14,effort-2025-11-24"}},
		Google:    {"X-Goog-Api-Client": {"genai-js"}, "X-Goog-Api-Key": {"provider-key"}},
	} {
		got := http.Header{}
		CopyRequestHeader(d, got, caller)
		NewProviderKey("provider-key").Set(d, got)
		want := common.Clone()
		for name, values := range own {
			want[name] = values
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%v: %v", d, got)
		}
	}
	for accept, want := range map[string]string{
		"*/*": "*/*", "application/json, text/event-stream": "application/json, text/event-stream", "application/x-protobuf": "application/json", "application/json;q=0, x/y": "application/json", "": "application/json",
	} {
		got := http.Header{}
		if CopyRequestHeader(Google, got, http.Header{"Accept": {accept}}); got.Get("Accept") != want {
			t.Errorf("%q became %q", accept, got.Get("Accept"))
		}
	}
	got := http.Header{}
	CopyRequestHeader(Anthropic, got, http.Header{"Anthropic-Beta": {"mcp-client-2025-11-20"}})
	if got.Get("Anthropic-Version") != "2023-06-01" || got.Get("Anthropic-Beta") != "" {
		t.Error(got)
	}
}

func TestOnlyListedHeadersReachCallers(t *testing.T) {
	provider := http.Header{}
	for _, name := range []string{
		"Content-Type", "Content-Length", "Retry-After", "Retry-After-Ms", "X-Should-Retry", "Cache-Control", "Set-Cookie", "Openai-Organization", "Openai-Project", "Anthropic-Organization-Id", "X-Request-Id", "Request-Id",
		"X-Ratelimit-Remaining-Requests", "Anthropic-Ratelimit-Tokens-Limit", "Cf-Ray", "Server", "Connection", "Transfer-Encoding", "Keep-Alive", "Alt-Svc", "Strict-Transport-Security", "Access-Control-Allow-Origin", "Via", "Www-Authenticate", "X-Goog-Api-Key",
	} {
		provider.Set(name, "v")
	}
	for name, value := range map[string]string{
		"Content-Type": "audio/mpeg", "Content-Length": "7", "Retry-After": "7", "Retry-After-Ms": "7", "X-Should-Retry": "true", "Cache-Control": "no-store",
	} {
		provider.Set(name, value)
	}
	got := http.Header{}
	CopyResponseHeader(got, provider)
	if len(got) != 6 || got.Get("Content-Type") == "" || got.Get("Retry-After") == "" || got.Get("Retry-After-Ms") == "" || got.Get("X-Should-Retry") == "" || got.Get("Content-Length") == "" || got.Get("Cache-Control") == "" {
		t.Error(got)
	}
}

func TestAProvidersKeyIsNotPrinted(t *testing.T) {
	key := NewProviderKey("provider-key")
	for _, verb := range []string{"%v", "%+v", "%s", "%#v", "%q"} {
		for _, value := range []any{key, &key, []ProviderKey{key}} {
			if text := fmt.Sprintf(verb, value); strings.Contains(text, "provider-key") {
				t.Errorf("%s prints %s", verb, text)
			}
		}
	}
}

func TestRetryAfter(t *testing.T) {
	for _, row := range []struct {
		name, value string
		want        time.Duration
	}{
		{"Retry-After", "3", 3 * time.Second}, {"Retry-After", "0.5", 500 * time.Millisecond}, {"Retry-After-Ms", "250", 250 * time.Millisecond}, {"Retry-After", "99999999", 24 * time.Hour},
		{"Retry-After", "-1", 0}, {"Retry-After", "soon", 0}, {"Retry-After", "", 0}, {"Retry-After", "Wed, 21 Oct 2026 07:28:00 GMT", 0}, {"Retry-After", "1h1", 0},
	} {
		if got := RetryAfter(http.Header{row.name: {row.value}}); got != row.want {
			t.Errorf("%s: %s is %v", row.name, row.value, got)
		}
	}
	body := `{"error":{"code":429,"status":"RESOURCE_EXHAUSTED","details":[{"@type":"x"},{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"34.4s"}]}}`
	if got := RetryAfterBody([]byte(body)); got != 34400*time.Millisecond {
		t.Error(got)
	}
}

func TestClassifyProviderError(t *testing.T) {
	for name, row := range map[string]struct {
		d      Dialect
		status int
		body   string
		want   ProviderErrorClass
	}{
		"OpenAI key":             {OpenAI, 401, `{"error":{"message":"Incorrect API key provided","type":"invalid_request_error","code":"invalid_api_key"}}`, ProviderRefusedCredential},
		"OpenAI quota":           {OpenAI, 429, `{"error":{"message":"x","type":"insufficient_quota","param":null,"code":"insufficient_quota"}}`, ProviderQuota},
		"OpenAI rate":            {OpenAI, 429, `{"error":{"message":"x","type":"tokens","code":"rate_limit_exceeded"}}`, ProviderRateLimited},
		"OpenAI model":           {OpenAI, 404, `{"error":{"message":"x","code":"model_not_found"}}`, ProviderModelNotFound},
		"OpenAI bad request":     {OpenAI, 400, `{"error":{"message":"x","type":"invalid_request_error","param":"n","code":null}}`, ProviderCallerError},
		"model under 400":        {OpenAI, 400, `{"error":{"message":"x","code":"model_not_found"}}`, ProviderModelNotFound},
		"code is a number":       {OpenAI, 402, `{"error":{"message":"Insufficient credits","code":402}}`, ProviderRefusedCredential},
		"OpenRouter, too dear":   {OpenAI, 402, `{"error":{"message":"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 30104. To increase, visit x","code":402,"metadata":{"provider_name":null}},"user_id":"x"}`, ProviderLowCredit},
		"in Anthropic's words":   {Anthropic, 402, `{"type":"error","error":{"type":"billing_error","message":"This request requires more credits, or fewer max_tokens. You requested up to 65536 tokens, but can only afford 30104."}}`, ProviderLowCredit},
		"too long a prompt":      {OpenAI, 402, `{"error":{"message":"Prompt tokens limit exceeded: 230799 > 91442. To increase, visit x","code":402}}`, ProviderLowCredit},
		"said under 400":         {OpenAI, 400, `{"error":{"message":"This request requires more credits, or fewer max_tokens. x","code":400}}`, ProviderCallerError},
		"Anthropic billing":      {Anthropic, 402, `{"type":"error","error":{"type":"billing_error","message":"x"}}`, ProviderQuota},
		"xAI key":                {OpenAI, 400, `{"code":"Client specified an invalid argument","error":"Incorrect API key provided: x"}`, ProviderRefusedCredential},
		"xAI bad request":        {OpenAI, 400, `{"code":"x","error":"bad"}`, ProviderCallerError},
		"Mistral key":            {OpenAI, 401, `{"detail":"Unauthorized"}`, ProviderRefusedCredential},
		"unprocessable":          {OpenAI, 422, `{"detail":[{}]}`, ProviderCallerError},
		"conflict":               {OpenAI, 409, ``, ProviderCallerError},
		"too large":              {Anthropic, 413, ``, ProviderCallerError},
		"timeout":                {OpenAI, 408, ``, ProviderFailed},
		"server":                 {OpenAI, 500, `<html>`, ProviderFailed},
		"gateway":                {OpenAI, 502, ``, ProviderFailed},
		"redirect":               {OpenAI, 302, ``, ProviderFailed},
		"Anthropic overloaded":   {Anthropic, 529, `{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}`, ProviderOverloaded},
		"Anthropic limit":        {Anthropic, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"You have reached your specified API usage limits. x"}}`, ProviderQuota},
		"Anthropic disabled":     {Anthropic, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"This organization has been disabled."}}`, ProviderRefusedCredential},
		"Groq restricted":        {OpenAI, 400, `{"error":{"message":"Organization has been restricted. x","type":"invalid_request_error","code":"organization_restricted"}}`, ProviderRefusedCredential},
		"OpenAI unverified":      {OpenAI, 400, `{"error":{"message":"Your organization must be verified to stream this model. x","type":"invalid_request_error","param":"stream","code":"unsupported_value"}}`, ProviderModelNotFound},
		"Anthropic credit":       {Anthropic, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"Your credit balance is too low to access the Anthropic API. x"}}`, ProviderQuota},
		"Anthropic bad request":  {Anthropic, 400, `{"type":"error","error":{"type":"invalid_request_error","message":"max_tokens: too large"}}`, ProviderCallerError},
		"Anthropic permission":   {Anthropic, 403, `{"type":"error","error":{"type":"permission_error","message":"x"}}`, ProviderRefusedCredential},
		"Gemini key under 400":   {Google, 400, `{"error":{"code":400,"message":"API key not valid.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}`, ProviderRefusedCredential},
		"Gemini billing":         {Google, 400, `{"error":{"code":400,"message":"x","status":"FAILED_PRECONDITION"}}`, ProviderRefusedCredential},
		"Gemini bad request":     {Google, 400, `{"error":{"code":400,"message":"x","status":"INVALID_ARGUMENT"}}`, ProviderCallerError},
		"Gemini array":           {Google, 400, `[{"error":{"code":400,"message":"x","status":"FAILED_PRECONDITION"}}` + "\n]", ProviderRefusedCredential},
		"Gemini overloaded":      {Google, 503, `{"error":{"code":503,"status":"UNAVAILABLE"}}`, ProviderOverloaded},
		"cut body":               {OpenAI, 429, `{"error":{"mess`, ProviderRateLimited},
		"details of other type":  {Google, 400, `{"error":{"status":"FAILED_PRECONDITION","details":"x"}}`, ProviderRefusedCredential},
		"body that is an array":  {OpenAI, 400, `[`, ProviderCallerError},
		"error that is an array": {OpenAI, 400, `{"error":[1]}`, ProviderCallerError},
	} {
		if got := ClassifyProviderError(row.d, row.status, []byte(row.body)); got != row.want {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
	for class := ProviderFailed; class <= ProviderInvalidAnswer; class++ {
		if class.Retryable() == (class == ProviderCallerError) || class.Status() < 400 || NewError(class.Code()).Code != class.Code() || class.String() == "" {
			t.Errorf("%d: %v", class, class)
		}
	}
}

func TestClassifyStreamError(t *testing.T) {
	for kind, want := range map[usage.ErrorKind]ProviderErrorClass{
		usage.ErrorInvalidRequest: ProviderCallerError, usage.ErrorContentFilter: ProviderCallerError, usage.ErrorAuthentication: ProviderRefusedCredential, usage.ErrorPermission: ProviderRefusedCredential,
		usage.ErrorNotFound: ProviderModelNotFound, usage.ErrorRateLimited: ProviderRateLimited, usage.ErrorQuota: ProviderQuota, usage.ErrorOverloaded: ProviderOverloaded, usage.ErrorServer: ProviderFailed, usage.ErrorOther: ProviderFailed,
	} {
		if got := ClassifyStreamError(kind); got != want {
			t.Errorf("%s: %v", kind, got)
		}
	}
}

// What a provider writes into a header field that goes on is only passed where it is
// what the field is for.
func TestResponseHeadersSayNothingElse(t *testing.T) {
	for value, name := range map[string]string{
		"application/json": "Content-Type", "text/event-stream; charset=utf-8": "Content-Type", "audio/pcm;rate=24000;channels=1": "Content-Type",
		"120": "Retry-After", "0.5": "Retry-After", "Wed, 25 Nov 2026 16:00:00 GMT": "Retry-After", "250": "Retry-After-Ms", "true": "X-Should-Retry",
		"no-cache, no-transform": "Cache-Control", "private, max-age=0": "Cache-Control", "17": "Content-Length",
	} {
		caller := http.Header{}
		if CopyResponseHeader(caller, http.Header{name: {value}}); caller.Get(name) != value {
			t.Errorf("%s: %s is not passed: %v", name, value, caller)
		}
	}
	for value, name := range map[string]string{
		"a word": "Retry-After", "12a": "Retry-After-Ms", "maybe": "X-Should-Retry", "no-cache, x-prompt": "Cache-Control", "max-age=word": "Cache-Control",
		"org-1": "Openai-Organization", "a=b": "Set-Cookie", strings.Repeat("1", 101): "Retry-After", "x": "Content-Length",
	} {
		caller := http.Header{}
		if CopyResponseHeader(caller, http.Header{name: {value}}); len(caller) != 0 {
			t.Errorf("%s: %s is passed: %v", name, value, caller)
		}
	}
	caller := http.Header{}
	CopyResponseHeader(caller, http.Header{"Content-Type": {"application/json; prompt=word"}})
	if got := caller.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type: %s", got)
	}
}
