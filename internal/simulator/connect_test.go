package simulator_test

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

// connect serves the simulator over HTTP/1.1 or, with TLS, HTTP/2.
func connect(t *testing.T, options simulator.Options, http2 bool) (*simulator.Simulator, *http.Client, string) {
	t.Helper()
	options.Record = true
	provider := simulator.New(options)
	server := httptest.NewUnstartedServer(provider)
	server.Config.ConnContext = simulator.ConnContext
	if http2 {
		server.EnableHTTP2 = true
		server.StartTLS()
	} else {
		server.Start()
	}
	client := server.Client()
	client.Transport.(*http.Transport).DisableCompression = true
	t.Cleanup(func() {
		provider.Close()
		client.CloseIdleConnections()
		server.Close()
	})
	return provider, client, server.URL
}

// overBoth runs a test over HTTP/1.1 and over HTTP/2 with TLS.
func overBoth(t *testing.T, test func(t *testing.T, http2 bool)) {
	t.Run("http1", func(t *testing.T) { test(t, false) })
	t.Run("http2", func(t *testing.T) { test(t, true) })
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

const chatRequest = `{"model":"simulator/standard","messages":[{"role":"user","content":"hello, you there"}]}`
const chatStreamRequest = `{"model":"simulator/standard","stream":true,"messages":[{"role":"user","content":"hello, you there"}]}`

func request(t *testing.T, method, url, body string, header ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(deadline(t), method, url, bytes.NewReader([]byte(body)))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	return r
}

// post returns the response with its body read; both errors are the caller's.
func post(t *testing.T, client *http.Client, url, body string, header ...string) (*http.Response, []byte, error) {
	t.Helper()
	response, err := client.Do(request(t, http.MethodPost, url, body, header...))
	if err != nil {
		return nil, nil, err
	}
	defer response.Body.Close()
	read, err := io.ReadAll(response.Body)
	return response, read, err
}

func mustPost(t *testing.T, client *http.Client, url, body string, header ...string) (*http.Response, []byte) {
	t.Helper()
	response, read, err := post(t, client, url, body, header...)
	if err != nil {
		t.Fatalf("%s: %v", url, err)
	}
	return response, read
}
