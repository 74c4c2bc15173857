package caddymodule

import (
	"io"
	"net/http"
	"strings"

	"github.com/faregate/faregate/internal/dialect"
)

// answerSideCall answers what load balancers, browsers and clients ask without a key;
// false if the request is none of that. It tells nothing but what is in the documents,
// and whether requests would be taken.
//
//	GET /healthz  200: the process serves
//	GET /readyz   200, or 503 with Retry-After: requests would be refused, as the store
//	              does not answer or has no room, or the gateway is stopping
//	GET /         200: how Claude Code (with HEAD) and people look whether it is there
//	OPTIONS PATH  204 with the methods that there are at the path of an operation
func (h *Authenticate) answerSideCall(w http.ResponseWriter, r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead:
	case http.MethodOptions:
		return answerOptions(w, r)
	default:
		return false
	}
	switch r.URL.Path {
	case "/":
		writePlain(w, http.StatusOK, "This is an AI API gateway. Point an OpenAI SDK at this address with /v1 behind it, "+
			"Anthropic's or Google's at this address as it is, and use your Faregate key.")
	case "/healthz":
		writePlain(w, http.StatusOK, "ok")
	case "/readyz":
		if why := h.unready(); why != "" {
			w.Header().Set("Retry-After", "1")
			writePlain(w, http.StatusServiceUnavailable, why)
			break
		}
		writePlain(w, http.StatusOK, "ready")
	default:
		return false
	}
	return true
}

// answerOptions tells which methods a path takes; false where there is nothing. Where
// pages of other origins may call, browsers' own questions are answered before.
func answerOptions(w http.ResponseWriter, r *http.Request) bool {
	methods := dialect.Methods(r.URL.Path)
	switch r.URL.Path {
	case "/", "/healthz", "/readyz":
		methods = []string{http.MethodGet, http.MethodHead}
	}
	if len(methods) == 0 {
		return false
	}
	w.Header().Set("Allow", strings.Join(append(methods, http.MethodOptions), ", "))
	w.WriteHeader(http.StatusNoContent)
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

func writePlain(w http.ResponseWriter, status int, text string) {
	header := w.Header()
	header.Set("Content-Type", "text/plain; charset=utf-8")
	header.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text+"\n") // nobody waits for more
}
