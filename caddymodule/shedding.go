package caddymodule

import (
	"errors"
	"fmt"
	"strconv"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

const (
	// defaultMaxRequests is how many requests may be under way at once, waiting ones
	// included.
	defaultMaxRequests = 10_000
	mostRequests       = 10_000_000
)

// errOverloaded says that more requests are under way than there is room for.
var errOverloaded = errors.New("too many requests are under way")

// load counts the requests under way, those of replaced configurations included. What
// their bodies take is counted apart (bodyMemory).
type load struct{ requests atomic.Int64 }

// enter takes a request into the load: errOverloaded.
func (l *load) enter(a *App) error {
	most := a.MaxRequests
	if most == 0 {
		most = defaultMaxRequests
	}
	if l.requests.Add(1) > int64(most) {
		l.leave()
		return errOverloaded
	}
	return nil
}

// leave takes a request out of the load.
func (l *load) leave() { l.requests.Add(-1) }

var errMaxRequests = fmt.Errorf("max_requests takes one number from 1 to %d, like: max_requests %d", mostRequests, defaultMaxRequests)

func (a *App) checkMaxRequests() error {
	if a.MaxRequests < 0 || a.MaxRequests > mostRequests {
		return errMaxRequests
	}
	return nil
}

func (a *App) parseMaxRequests(d *caddyfile.Dispenser) error {
	if a.MaxRequests != 0 {
		return d.Err("max_requests is given twice")
	}
	var text string
	if d.AllArgs(&text) {
		if number, err := strconv.Atoi(text); err == nil && number > 0 && number <= mostRequests {
			a.MaxRequests = number
			return nil
		}
	}
	return d.WrapErr(errMaxRequests)
}
