package caddymodule

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// headerUnread tells whether the reverse_proxy among the modules that a transport is
// loaded by does nothing with the header of an answer but copy it for the client: no
// option of it looks into the header or changes it.
func headerUnread(loaders []caddy.Module) bool {
	for _, loader := range loaders {
		if proxy, ok := loader.(*reverseproxy.Handler); ok {
			changed := proxy.Headers != nil && proxy.Headers.Response != nil
			retried := proxy.LoadBalancing != nil && proxy.LoadBalancing.RetryMatchRaw != nil
			return !changed && !retried && len(proxy.HandleResponse) == 0 && proxy.ResponseBuffers == 0
		}
	}
	return false
}

// answerHeader returns the header of an answer as reverse_proxy is shown it, and the
// header to fill. It is the client's where nobody reads the other one: reverse_proxy
// makes a placeholder of each field, strips fields that ours are not among and then
// copies them one by one (reverseproxy.go, reverseProxy and finalizeResponse).
func (t *Transport) answerHeader(ex *Exchange) (shown, filled http.Header) {
	shown = make(http.Header)
	if t.headerUnread {
		return shown, ex.delivery.Header()
	}
	return shown, shown
}

// leaveNothingToLog empties reverse_proxy's copy of the request, which it encodes for its
// logger once the transport has returned, whether anything is logged or not
// (reverseproxy.go, reverseProxy).
func leaveNothingToLog(r *http.Request) {
	r.Header, r.TLS, r.Host, r.RequestURI = nil, nil, "", ""
	r.RemoteAddr = ":" // no address and no port; an empty text would be an error, made anew each time
}
