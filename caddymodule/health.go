package caddymodule

import (
	"io"
	"net/http"
)

// answerHealth answers what load balancers and clients ask without a key; false if the
// request is none of that. It tells nothing but whether requests would be taken.
//
//	GET /healthz  200: the process serves
//	GET /readyz   200, or 503 with Retry-After: requests would be refused, as the store
//	              does not answer or has no room, or the gateway is stopping
//	HEAD /        200: how Claude Code looks whether the address is there
func (h *Authenticate) answerHealth(w http.ResponseWriter, r *http.Request) bool {
	asked := r.Method == http.MethodGet || r.Method == http.MethodHead
	switch {
	case !asked:
		return false
	case r.URL.Path == "/healthz":
		writeHealth(w, http.StatusOK, "ok")
	case r.URL.Path == "/readyz":
		if why := h.unready(); why != "" {
			w.Header().Set("Retry-After", "1")
			writeHealth(w, http.StatusServiceUnavailable, why)
			break
		}
		writeHealth(w, http.StatusOK, "ready")
	case r.URL.Path == "/" && r.Method == http.MethodHead:
		w.WriteHeader(http.StatusOK)
	default:
		return false
	}
	return true
}

// unready says why requests would be refused; empty if they would not.
func (h *Authenticate) unready() string {
	rt := h.app.runtime
	switch {
	case h.app.begin() != nil:
		return "the store cannot be opened"
	case !rt.acquire():
		return "stopping"
	}
	defer rt.release()
	if err := rt.ready(); err != nil {
		return "the store cannot be written"
	}
	return ""
}

func writeHealth(w http.ResponseWriter, status int, text string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // nobody waits for more
}
