package caddymodule

import (
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"crypto/x509"

	"github.com/faregate/faregate/internal/simulator"
)

// startSecureGateway serves over TLS. The client speaks HTTP/1.1 or, with "h2",
// HTTP/2 only.
func startSecureGateway(t *testing.T, protocol string) (*gateway, *http.Client) {
	t.Helper()
	signer := newAuthority(t)
	certificate := signer.certify("127.0.0.1")
	key, err := x509.MarshalPKCS8PrivateKey(certificate.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	directory := t.TempDir()
	files := [2]string{filepath.Join(directory, "certificate.pem"), filepath.Join(directory, "key.pem")}
	for i, block := range []pem.Block{{Type: "CERTIFICATE", Bytes: certificate.Certificate[0]}, {Type: "PRIVATE KEY", Bytes: key}} {
		if err := os.WriteFile(files[i], pem.EncodeToMemory(&block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	g := newGateway(t, gatewayOptions{
		global: "auto_https disable_redirects\nservers {\n\tprotocols h1 h2\n}",
		site:   fmt.Sprintf("tls %s %s\nfaregate", files[0], files[1]),
	})
	secure := strings.Replace(g.url, "http://", "https://", 1)
	g.config = strings.Replace(g.config, g.url+" {", secure+" {", 1)
	g.url = secure
	g.run()
	transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: signer.pool}}
	transport.Protocols = new(http.Protocols)
	transport.Protocols.SetHTTP1(protocol != "h2")
	transport.Protocols.SetHTTP2(protocol == "h2")
	t.Cleanup(transport.CloseIdleConnections)
	return g, &http.Client{Transport: transport}
}

// The writer that Caddy gives to handlers is no http.Flusher (idletimeout.go):
// whoever asks for one keeps the events of a stream until the buffer is full.
func TestEachEventReachesTheClientBeforeTheNextIsMade(t *testing.T) {
	first := `data: {"id":"1","model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"role":"assistant","content":""}}]}` + "\n\n"
	event := func(i int) string {
		return fmt.Sprintf(`data: {"id":"1","model":"gpt-4.1-mini","choices":[{"index":0,"delta":{"content":"word %d "}}]}`+"\n\n", i)
	}
	last := `data: {"id":"1","model":"gpt-4.1-mini","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	usage := `data: {"id":"1","model":"gpt-4.1-mini","choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4,"total_tokens":7}}` + "\n\n"
	const words = 5
	for _, protocol := range []string{"http/1.1 without tls", "http/1.1", "h2"} {
		t.Run(protocol, func(t *testing.T) {
			var g *gateway
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
			if protocol == "http/1.1 without tls" {
				g = startGateway(t, gatewayOptions{})
			} else {
				g, client = startSecureGateway(t, protocol)
			}
			body := first
			var pauses []simulator.Pause
			var gates []*simulator.Gate
			for i := range words {
				body += event(i)
				gates = append(gates, simulator.NewGate())
				pauses = append(pauses, simulator.Pause{At: int64(len(body)), Gate: gates[i]})
			}
			body += last + usage + "data: [DONE]\n\n"
			g.provider.Add(simulator.Step{Response: simulator.Response{
				ContentType: "text/event-stream", Body: []byte(body), Pauses: pauses, Chunks: simulator.Offsets(len(first)),
			}})
			call := startCall(t, client, g.url+chatStream.path, chatStream.body, bearer(g.secret))
			for i := range words {
				want := event(i)
				if i == 0 {
					want = first + want
				}
				// The provider sends nothing more before the gate opens.
				if got := call.read(len(want)); string(got) != want {
					t.Fatalf("event %d: %s", i, got)
				}
				gates[i].Open()
			}
			if (call.response.ProtoMajor == 2) != (protocol == "h2") {
				t.Errorf("the client speaks %s", call.response.Proto)
			}
			if got := call.finish(); string(got.body) != last+"data: [DONE]\n\n" || got.err != nil {
				t.Errorf("the end: %v %q", got.err, got.body)
			}
			if record := g.records(1)[0]; record.Usage.OutputTotal != 4 {
				t.Errorf("record %+v", record)
			}
		})
	}
}
