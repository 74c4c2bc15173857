package caddymodule

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/internal/upstream"
)

// Timeouts are how long a provider is waited for.
type Timeouts struct {
	// How long a connection to the provider may take, TLS included. Default: 10s.
	ConnectTimeout caddy.Duration `json:"connect_timeout,omitempty"`

	// How long until an answer begins: its first byte, of a stream its first content.
	// Models that reason may need minutes. Default: 10m.
	FirstByteTimeout caddy.Duration `json:"first_byte_timeout,omitempty"`

	// How long a pause within an answer may be. Default: 5m.
	IdleTimeout caddy.Duration `json:"idle_timeout,omitempty"`
}

// longestTimeout is more than any provider keeps a connection for.
const longestTimeout = 24 * time.Hour

func (t *Timeouts) validate() error {
	for name, timeout := range map[string]caddy.Duration{
		"connect_timeout": t.ConnectTimeout, "first_byte_timeout": t.FirstByteTimeout, "idle_timeout": t.IdleTimeout,
	} {
		if timeout < 0 || time.Duration(timeout) > longestTimeout {
			return fmt.Errorf("%s is a duration up to 24h, like 30s", name)
		}
	}
	return nil
}

func (t *Timeouts) timeouts() upstream.Timeouts {
	return upstream.Timeouts{
		Connect: time.Duration(t.ConnectTimeout), FirstByte: time.Duration(t.FirstByteTimeout), Idle: time.Duration(t.IdleTimeout),
	}
}

// parseTimeouts reads a line with a time-out; false if it is none.
func (t *Timeouts) parseTimeouts(d *caddyfile.Dispenser) (bool, error) {
	switch d.Val() {
	case "connect_timeout":
		return true, parseTimeout(d, &t.ConnectTimeout)
	case "first_byte_timeout":
		return true, parseTimeout(d, &t.FirstByteTimeout)
	case "idle_timeout":
		return true, parseTimeout(d, &t.IdleTimeout)
	}
	return false, nil
}

// parseTimeout reads a line with one duration.
func parseTimeout(d *caddyfile.Dispenser, into *caddy.Duration) error {
	name := d.Val()
	if *into != 0 {
		return d.Errf("%s is given twice", name)
	}
	var text string
	if d.AllArgs(&text) {
		if duration, err := caddy.ParseDuration(text); err == nil && duration > 0 && duration <= longestTimeout {
			*into = caddy.Duration(duration)
			return nil
		}
	}
	return d.Errf("%s takes one duration up to 24h, like: %s 30s", name, name)
}

// maxMostAttempts bounds max_attempts.
const maxMostAttempts = 64

func (a *App) checkAttempts() error {
	switch {
	case a.MaxAttempts < 0 || a.MaxAttempts > maxMostAttempts:
		return fmt.Errorf("max_attempts is a number from 1 to %d", maxMostAttempts)
	case a.TryDuration < 0 || time.Duration(a.TryDuration) > longestTimeout:
		return fmt.Errorf("try_duration is a duration up to 24h, like 30s")
	}
	return nil
}

func (a *App) parseMaxAttempts(d *caddyfile.Dispenser) error {
	words := d.RemainingArgs()
	number, ok := numberAfter(append([]string{""}, words...), 0)
	if a.MaxAttempts != 0 || len(words) != 1 || !ok || number > maxMostAttempts {
		return d.Errf("max_attempts takes one number from 1 to %d, once", maxMostAttempts)
	}
	a.MaxAttempts = number
	return nil
}
