package caddymodule

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/simulator"
)

// otherKey is what the gateway must show the second provider.
const otherKey = "key-for-the-other-provider"

// otherProvider starts a second provider and returns it with the configuration
// that makes it the one to turn to after provider openai, for model twofold.
func otherProvider(t *testing.T, options simulator.Options) (*simulator.Server, string) {
	t.Helper()
	options.Key, options.Record = otherKey, true
	server, err := simulator.Start("127.0.0.1:0", options, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Close(testContext(t)) })
	return server, fmt.Sprintf(`
		provider other {
			dialect openai
			base_url %s/v1
			api_key {file.%s}
		}
		provider other_anthropic {
			dialect anthropic
			base_url %[1]s
			api_key {file.%[2]s}
		}
		provider other_google {
			dialect google
			base_url %[1]s
			api_key {file.%[2]s}
		}
		model twofold {
			to openai/gpt-4.1-mini other/gpt-4.1-mini
		}
		model twofold-messages {
			to anthropic/claude-haiku-4-5 other_anthropic/claude-haiku-4-5
		}
		model twofold-gemini {
			to google/gemini-2.5-flash other_google/gemini-2.5-flash
		}`, server.URL, keyFile(t, otherKey))
}

func keyFile(t *testing.T, secret string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(secret), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// authority signs certificates for the tests.
type authority struct {
	t           *testing.T
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
	pool        *x509.CertPool
}

func newAuthority(t *testing.T) *authority {
	t.Helper()
	a := &authority{t: t, pool: x509.NewCertPool()}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}
	a.key = a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, template, &a.key.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	if a.certificate, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	a.pool.AddCert(a.certificate)
	return a
}

func (a *authority) newKey() *ecdsa.PrivateKey {
	a.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		a.t.Fatal(err)
	}
	return key
}

// certify makes a certificate for one host name or address and no other.
func (a *authority) certify(host string) tls.Certificate {
	a.t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), Subject: pkix.Name{CommonName: host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	if address := net.ParseIP(host); address != nil {
		template.IPAddresses = []net.IP{address}
	} else {
		template.DNSNames = []string{host}
	}
	key := a.newKey()
	der, err := x509.CreateCertificate(rand.Reader, template, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}
