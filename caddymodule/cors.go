package caddymodule

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/jub0bs/cors"
)

// preflightMemory is how long a browser may remember that it may call, in seconds.
// Chromium keeps to two hours at most.
const preflightMemory = 7200

// newCORS makes what lets pages of these origins call from browsers; nil where there are
// none. Any request header is allowed and any header of an answer can be read, as SDKs
// have many of their own: what counts of a request is its key, which a page must know
// itself. Cookies and other credentials of the browser's are never allowed, so that "*"
// gives a page nothing that it does not have.
func newCORS(origins []string) (*cors.Middleware, error) {
	if len(origins) == 0 {
		return nil, nil
	}
	// GET, HEAD and POST need no permission (Fetch, "CORS-safelisted method").
	made, err := cors.NewMiddleware(cors.Config{
		Origins:         origins,
		RequestHeaders:  []string{"*", "Authorization"}, // the asterisk stands for all but that
		ResponseHeaders: []string{"*"},
		MaxAgeInSeconds: preflightMemory,
	})
	if err != nil {
		return nil, fmt.Errorf("an origin is a scheme and a host, with a port where it is not the usual one, like https://app.example.com; * stands for all: %s", strings.ReplaceAll(err.Error(), "\n", "; "))
	}
	return made, nil
}

func (h *Authenticate) parseCORS(d *caddyfile.Dispenser) error {
	if h.CORS != nil {
		return d.Err("cors is given twice: put all origins on one line")
	}
	if h.CORS = d.RemainingArgs(); len(h.CORS) == 0 {
		return d.Err("cors takes the origins of the pages that may call from browsers, like https://app.example.com, or * for all")
	}
	if _, err := newCORS(h.CORS); err != nil {
		return d.WrapErr(err)
	}
	return nil
}

// acrossOrigins answers the questions that browsers ask before a page may call, and marks all
// other answers, errors too, as ones that the page may read.
func (h *Authenticate) acrossOrigins(w http.ResponseWriter, r *http.Request, answer http.HandlerFunc) {
	if h.cors == nil {
		answer(w, r)
		return
	}
	h.cors.Wrap(answer).ServeHTTP(w, r)
}
