package caddymodule

import (
	"net"
	"net/http"
	"time"

	"github.com/faregate/faregate/internal/upstream"
)

// newTransport makes the connections to one provider. They are apart from other
// providers', so that one that hangs takes no connection from another, and they
// take no proxy from the environment: prompts go where the configuration says. A
// provider that is not private is not dialled on this machine or a private network,
// whatever its name leads to. Redirects are answers like others, and not followed.
// How long an answer may take is the attempt's matter (patience).
func newTransport(private bool, connect time.Duration) *http.Transport {
	dialer := &net.Dialer{Timeout: connect, KeepAlive: 30 * time.Second, Control: upstream.GuardDial(private)}
	return &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: connect,
		ForceAttemptHTTP2:   true,
		MaxIdleConns:        1024,
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     90 * time.Second,
		// The meter reads the answer as it is; see also identityEncoding.
		DisableCompression:     true,
		MaxResponseHeaderBytes: 64 << 10,
		// A dead HTTP/2 connection would keep all its streams waiting.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 15 * time.Second},
	}
}
