package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/metering/price"
)

const (
	// defaultGroup is the group of accounts that have none, or one that is not configured.
	defaultGroup = "default"
	// lockoutOff is the value of App.Lockout that lets everybody guess keys.
	lockoutOff = "off"
)

// Limits are what somebody may do at most; 0 is no limit.
type Limits struct {
	// Requests per minute.
	RequestsPerMinute int64 `json:"rpm,omitempty"`

	// Tokens per minute, input and output together.
	TokensPerMinute int64 `json:"tpm,omitempty"`

	// How many requests may be under way at once.
	Concurrency int64 `json:"concurrency,omitempty"`
}

// Group is what the accounts of a group pay and may do.
type Group struct {
	// The group's name, as accounts have it. The one called default is for accounts
	// that have none, or one that is not configured.
	Name string `json:"name"`

	// What all prices are multiplied by, an exact decimal like 1.20. Default: 1.
	Multiply string `json:"multiply,omitempty"`

	// What each account of the group may do, all its keys together.
	Limits
}

func (l *Limits) rates() limits.Rates {
	return limits.Rates{RequestsPerMinute: l.RequestsPerMinute, TokensPerMinute: l.TokensPerMinute, Concurrency: l.Concurrency}
}

func (l *Limits) validate() error {
	for _, limit := range []int64{l.RequestsPerMinute, l.TokensPerMinute, l.Concurrency} {
		if limit < 0 || limit > maxLimit {
			return fmt.Errorf("rpm, tpm and concurrency are numbers from 1 to %d; leave one out for no limit", maxLimit)
		}
	}
	return nil
}

func (g *Group) validate() error {
	if g.Name == "" {
		return errors.New("a group needs a name: default is for accounts that have none")
	}
	if err := auth.ValidateGroup(g.Name); err != nil {
		return fmt.Errorf("group %q: %w", g.Name, err)
	}
	if _, err := g.factor(); err != nil {
		return fmt.Errorf("group %s: multiply: %w", g.Name, err)
	}
	if err := g.Limits.validate(); err != nil {
		return fmt.Errorf("group %s: %w", g.Name, err)
	}
	return nil
}

func (g *Group) factor() (price.Factor, error) {
	if g.Multiply == "" {
		return price.Factor{}, nil
	}
	return price.ParseFactor(g.Multiply)
}

// markup is what the group's prices are multiplied by.
func (g *Group) markup() price.Factor {
	factor, _ := g.factor() // validate has read it
	return factor
}

func (g *Group) errTwice() error { return fmt.Errorf("group %s is configured twice", g.Name) }

// checkLimits finds the mistakes of groups, client limits and the lock-out.
func (a *App) checkLimits() error {
	names := make(map[string]bool)
	for i := range a.Groups {
		group := &a.Groups[i]
		if err := group.validate(); err != nil {
			return err
		}
		if names[group.Name] {
			return group.errTwice()
		}
		names[group.Name] = true
	}
	if err := a.ClientLimits.validate(); err != nil {
		return fmt.Errorf("client_limits: %w", err)
	}
	if a.Lockout != "" && a.Lockout != lockoutOff {
		return fmt.Errorf("lockout %q: leave it out, or say off", a.Lockout)
	}
	return nil
}

// groupOf returns the group that a caller's account belongs to.
func (a *App) groupOf(principal *auth.Principal) *Group {
	for _, name := range [...]string{cmp.Or(principal.Group, defaultGroup), defaultGroup} {
		if i := slices.IndexFunc(a.Groups, func(g Group) bool { return g.Name == name }); i >= 0 {
			return &a.Groups[i]
		}
	}
	return new(Group)
}

func (a *App) parseGroup(d *caddyfile.Dispenser) error {
	var group Group
	start := *d
	if !d.AllArgs(&group.Name) {
		return d.Err("group takes one name, and a block with what its accounts pay and may do")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "multiply":
			if group.Multiply != "" {
				return d.Err("multiply is given twice")
			}
			if !d.AllArgs(&group.Multiply) || group.Multiply == "" {
				return d.Err("multiply takes one number, like: multiply 1.20")
			}
		default:
			if known, err := group.parse(d); err != nil {
				return err
			} else if !known {
				return unknownSubdirective(d, "group", "multiply, rpm, tpm or concurrency")
			}
		}
	}
	if err := group.validate(); err != nil {
		return start.WrapErr(err)
	}
	if slices.ContainsFunc(a.Groups, func(g Group) bool { return g.Name == group.Name }) {
		return start.WrapErr(group.errTwice())
	}
	a.Groups = append(a.Groups, group)
	return nil
}

func (a *App) parseClientLimits(d *caddyfile.Dispenser) error {
	if a.ClientLimits != (Limits{}) {
		return d.Err("client_limits is given twice")
	}
	if d.NextArg() {
		return d.Err("client_limits takes a block only, like: client_limits { rpm 600 }")
	}
	start := *d
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if known, err := a.ClientLimits.parse(d); err != nil {
			return err
		} else if !known {
			return unknownSubdirective(d, "client_limits", "rpm, tpm or concurrency")
		}
	}
	if a.ClientLimits == (Limits{}) {
		return start.Err("client_limits is empty: say rpm, tpm or concurrency")
	}
	return nil
}

// parse reads a line with a limit; false if it is none.
func (l *Limits) parse(d *caddyfile.Dispenser) (bool, error) {
	var into *int64
	switch d.Val() {
	case "rpm":
		into = &l.RequestsPerMinute
	case "tpm":
		into = &l.TokensPerMinute
	case "concurrency":
		into = &l.Concurrency
	default:
		return false, nil
	}
	name := d.Val()
	if *into != 0 {
		return true, d.Errf("%s is given twice", name)
	}
	var text string
	if d.AllArgs(&text) {
		var err error
		if *into, err = parseLimit(text); err == nil {
			return true, nil
		}
	}
	return true, d.Errf("%s takes one number, like: %s 100; leave it out for no limit", name, name)
}

// parseLimit reads a limit that is one.
func parseLimit(text string) (int64, error) {
	limit, err := strconv.ParseInt(text, 10, 64)
	if err == nil && (limit <= 0 || limit > maxLimit) {
		err = strconv.ErrRange
	}
	if err != nil {
		return 0, err
	}
	return limit, nil
}

func (a *App) parseLockout(d *caddyfile.Dispenser) error {
	if !d.AllArgs(&a.Lockout) || a.Lockout != lockoutOff {
		return d.Err("lockout takes the one word off; leave it out to lock addresses that guess keys")
	}
	return nil
}
