package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/dustin/go-humanize"

	"github.com/faregate/faregate/auth"
)

const (
	// defaultDrainTime is how long an answer is still read for its usage after the
	// client has left.
	defaultDrainTime = 60 * time.Second
	// defaultDrainBytes bounds what is read then.
	defaultDrainBytes = 32 << 20
	// defaultDrains is how many answers may be read so at once.
	defaultDrains = 1000

	maxDrainTime  = time.Hour
	maxDrainBytes = 1 << 30
	maxDrains     = 1_000_000
)

// Disconnect configures what becomes of a provider's answer whose client has left before
// its end.
type Disconnect struct {
	// cancel: the provider's request is ended at once, and what is charged is the usage
	// reported so far, else our own count. drain: the answer is read to its end, and the
	// reported usage is charged. Default: a stream is cancelled; what only its end puts a
	// number to (documents, tools that run at the provider, images, audio) is drained.
	Policy auth.OnDisconnect `json:"policy,omitempty"`

	// For how long an answer is drained, up to an hour. Default: 60s.
	Time caddy.Duration `json:"time,omitempty"`

	// How much of an answer is drained, in bytes, up to 1 GiB. Default: 32 MiB.
	Bytes int64 `json:"bytes,omitempty"`
}

var (
	errDrainTime  = errors.New("on_disconnect: time takes one duration up to 1h, like: time 60s")
	errDrainBytes = errors.New("on_disconnect: bytes takes one size up to 1GiB, like: bytes 32MiB")
	errDrainOf    = errors.New("on_disconnect cancel reads nothing on: it takes no block")
	errDrains     = fmt.Errorf("drains takes one number from 1 to %d, like: drains %d; to read nothing on, say on_disconnect cancel in a provider's block", maxDrains, defaultDrains)
)

func (d *Disconnect) validate() error {
	if d == nil {
		return nil
	}
	switch {
	case d.Time < 0 || time.Duration(d.Time) > maxDrainTime:
		return errDrainTime
	case d.Bytes < 0 || d.Bytes > maxDrainBytes:
		return errDrainBytes
	case d.Policy == auth.OnDisconnectCancel && (d.Time != 0 || d.Bytes != 0):
		return errDrainOf
	}
	if err := d.Policy.Validate(); err != nil {
		return fmt.Errorf("on_disconnect %w", err)
	}
	return nil
}

// leavingRules are what a provider's block says of clients that leave, with the defaults.
func (p *Provider) leavingRules() leavingRules {
	stated := p.OnDisconnect
	if stated == nil {
		stated = new(Disconnect)
	}
	return leavingRules{
		policy: stated.Policy, time: cmp.Or(time.Duration(stated.Time), defaultDrainTime),
		bytes: cmp.Or(stated.Bytes, defaultDrainBytes),
	}
}

// parseDisconnect reads
//
//	on_disconnect [cancel|drain|default] {
//		time  <duration>
//		bytes <size>
//	}
func parseDisconnect(d *caddyfile.Dispenser, into **Disconnect) error {
	if *into != nil {
		return d.Err("on_disconnect is given twice")
	}
	start := *d
	stated := new(Disconnect)
	words := d.RemainingArgs()
	if len(words) > 1 {
		return d.Err("on_disconnect takes one of cancel, drain and default")
	}
	if len(words) == 1 {
		var err error
		if stated.Policy, err = auth.ParseOnDisconnect(words[0]); err != nil {
			return d.Err("on_disconnect takes one of cancel, drain and default")
		}
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		var text string
		switch name := d.Val(); name {
		case "time":
			if stated.Time != 0 {
				return d.Err("time is given twice")
			}
			if !d.AllArgs(&text) {
				return d.WrapErr(errDrainTime)
			}
			duration, err := caddy.ParseDuration(text)
			if err != nil || duration <= 0 || duration > maxDrainTime {
				return d.WrapErr(errDrainTime)
			}
			stated.Time = caddy.Duration(duration)
		case "bytes":
			if stated.Bytes != 0 {
				return d.Err("bytes is given twice")
			}
			if !d.AllArgs(&text) {
				return d.WrapErr(errDrainBytes)
			}
			size, err := humanize.ParseBytes(text)
			if err != nil || size == 0 || size > maxDrainBytes {
				return d.WrapErr(errDrainBytes)
			}
			stated.Bytes = int64(size)
		default:
			return unknownSubdirective(d, "on_disconnect", "time or bytes")
		}
	}
	if len(words) == 0 && *stated == (Disconnect{}) {
		return start.Err("on_disconnect takes one of cancel, drain and default")
	}
	if err := stated.validate(); err != nil {
		return start.WrapErr(err)
	}
	*into = stated
	return nil
}

func (a *App) parseDrains(d *caddyfile.Dispenser) error {
	if a.Drains != 0 {
		return d.Err("drains is given twice")
	}
	var text string
	if d.AllArgs(&text) {
		if number, err := strconv.Atoi(text); err == nil && number > 0 && number <= maxDrains {
			a.Drains = number
			return nil
		}
	}
	return d.WrapErr(errDrains)
}

func (a *App) checkDrains() error {
	if a.Drains < 0 || a.Drains > maxDrains {
		return errDrains
	}
	return nil
}
