package dialect

import (
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

const secret = "sk-fg-TopSecret"

// request makes a request as net/http would hand it over.
func request(target string, fields ...string) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "http://gateway.test/", nil)
	r.RequestURI = target
	r.URL, _ = url.ParseRequestURI(target)
	if r.URL == nil {
		r.URL = &url.URL{Path: "/"}
	}
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	return r
}

// survives tells whether a text is still anywhere in a request.
func survives(r *http.Request, text string) bool {
	everything := fmt.Sprintf("%+v %+v %+v %v %s %s %s", r.Header, r.URL, *r.URL, r.URL.User, r.RequestURI, r.URL.String(), r.Host)
	return strings.Contains(everything, text)
}

func TestTakeCredential(t *testing.T) {
	for name, r := range map[string]*http.Request{
		"bearer":             request("/", "Authorization", "Bearer "+secret),
		"lower case":         request("/", "authorization", "bearer  "+secret+" "),
		"upper case":         request("/", "AUTHORIZATION", "BEARER "+secret),
		"Anthropic":          request("/", "x-api-key", secret),
		"Google":             request("/", "x-goog-api-key", secret),
		"Azure":              request("/", "api-key", secret),
		"query":              request("/p?key=" + secret),
		"query, first":       request("/p?key=" + secret + "&alt=sse"),
		"query, last":        request("/p?alt=sse&key=" + secret),
		"query, twice":       request("/p?key=" + secret + "&x=1&key=" + secret),
		"escaped name":       request("/p?k%65y=" + secret),
		"escaped value":      request("/p?key=sk%2Dfg%2DTopSecret"),
		"other case":         request("/p?Key=" + secret),
		"behind a semicolon": request("/p?alt=sse;key=" + secret),
		"absolute form":      request("http://user:"+secret+"@gateway.test/p?key="+secret, "Api-Key", secret),
		"everywhere":         request("/p?key="+secret, "Authorization", "Bearer "+secret, "X-Api-Key", secret, "X-Goog-Api-Key", secret, "Api-Key", secret, "X-Api-Key", secret),
		"beside empty ones":  request("/p?key=", "Authorization", "Bearer ", "X-Api-Key", "", "Api-Key", secret),
		"beside basic":       request("/", "Authorization", "Basic "+secret, "Api-Key", secret),
		"rewritten URL":      func() *http.Request { r := request("/p?key=" + secret); r.URL = &url.URL{Path: "/"}; return r }(),
		"of a socket":        request("/", "Sec-WebSocket-Protocol", "realtime, openai-insecure-api-key."+secret, "Api-Key", secret),
	} {
		got, err := TakeCredential(r)
		if err != nil || got != secret {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if survives(r, "TopSecret") {
			t.Errorf("%s: survives in %+v %s %s", name, r.Header, r.URL, r.RequestURI)
		}
	}
}

func TestTakeCredentialRemovesOnErrorToo(t *testing.T) {
	for name, row := range map[string]struct {
		r    *http.Request
		want error
	}{
		"none":              {request("/p?alt=sse"), ErrNoCredential},
		"basic":             {request("/", "Authorization", "Basic "+secret), ErrNoCredential},
		"no scheme":         {request("/", "Authorization", secret), ErrNoCredential},
		"two headers":       {request("/", "X-Api-Key", secret, "Api-Key", secret+"2"), ErrAmbiguousCredential},
		"two of a header":   {request("/", "X-Api-Key", secret, "X-Api-Key", secret+"2"), ErrAmbiguousCredential},
		"header and query":  {request("/?key="+secret+"3", "X-Api-Key", secret), ErrAmbiguousCredential},
		"two in the query":  {request("/?key=" + secret + "&key=x" + secret), ErrAmbiguousCredential},
		"three, third same": {request("/?key="+secret, "X-Api-Key", secret+"2", "Api-Key", secret), ErrAmbiguousCredential},
		"URI and URL apart": {func() *http.Request { r := request("/?key=" + secret); r.URL.RawQuery = "key=other"; return r }(), ErrAmbiguousCredential},
	} {
		if got, err := TakeCredential(row.r); !errors.Is(err, row.want) || got != "" {
			t.Errorf("%s: %q, %v", name, got, err)
		}
		if survives(row.r, "TopSecret") {
			t.Errorf("%s: survives in %+v %s %s", name, row.r.Header, row.r.URL, row.r.RequestURI)
		}
	}
	broken := request("/?k%65y="+secret+"%zz&a=%zz", "Api-Key", "")
	if _, err := TakeCredential(broken); err != nil || survives(broken, "TopSecret") {
		t.Errorf("%v, %s", err, broken.RequestURI)
	}
}

func TestOtherQueryBytesStay(t *testing.T) {
	for query, want := range map[string]string{
		"": "", "alt=sse": "alt=sse", "key=a": "", "a=1&key=x&b=2": "a=1&b=2", "key=x&a=%7e&b=%7E": "a=%7e&b=%7E", "a=1;key=x;b=2": "a=1;b=2",
		"$alt=json;enum-encoding=int&key=x": "$alt=json;enum-encoding=int", "&&y=1&&": "&&y=1&&", "y&key&z": "y&z", "monkey=1&keys=2&key2=3&=key&a=key": "monkey=1&keys=2&key2=3&=key&a=key",
		"a=%zz&y=%": "a=%zz&y=%", "&key=x": "", "y=1&key=x&": "y=1&", "+key=x&y=1": "y=1",
	} {
		if got := WithoutCredential(query); got != want {
			t.Errorf("%q became %q, want %q", query, got, want)
		}
	}
}

func FuzzTakeCredential(f *testing.F) {
	f.Add("alt=sse", "Bearer x", "")
	f.Add("k%65y=x;key=y", "bearer", "z")
	f.Add("a=%zz&%6b%65%79=x", "Basic eDp5", "x, y")
	f.Fuzz(func(t *testing.T, query, authorization, key string) {
		r := request("/v1/x", "Authorization", authorization, "X-Goog-Api-Key", key)
		r.URL.RawQuery, r.RequestURI = query, "/v1/x?"+query
		got, err := TakeCredential(r)
		if (err == nil) == (got == "") {
			t.Fatalf("%q, %v", got, err)
		}
		if len(r.Header) != 0 {
			t.Fatalf("left: %v", r.Header)
		}
		// Nothing that net/url or a reader that splits at ; too would take for a key is left.
		for _, text := range []string{r.URL.RawQuery, strings.ReplaceAll(r.URL.RawQuery, ";", "&"), strings.ReplaceAll(strings.TrimPrefix(r.RequestURI, "/v1/x"), ";", "&")} {
			values, _ := url.ParseQuery(strings.TrimPrefix(text, "?"))
			if values.Has("key") || values.Has("Key") {
				t.Fatalf("%q left %q", query, text)
			}
		}
		if again := WithoutCredential(r.URL.RawQuery); again != r.URL.RawQuery {
			t.Fatalf("%q, then %q", r.URL.RawQuery, again)
		}
	})
}
