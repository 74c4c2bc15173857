// Package preferences says what callers require and prefer of providers: the data
// policy that they must have promised, and who shall be asked or left out. Operators,
// accounts, keys and single requests each say so; nobody relaxes what another requires.
package preferences

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Providers are the preferences that a caller, or a key, has of providers:
//
//	order=anthropic|openrouter, ignore=xai, data_policy=zdr
//
//	preferences = preference *( "," preference )
//	preference  = ( "order" / "only" / "ignore" ) "=" name *( "|" name )
//	            / "data_policy" "=" ( "zdr" / "no_training" / "retains" / "unknown" )
//	name        = 1*32( a-z / 0-9 / "_" / "-" )
//
// Spaces around names and signs do not count. Each preference stands once.
type Providers struct {
	// Order names who is asked first, in this order; others follow in theirs.
	Order []string
	// Only names the only ones who may be asked; empty means all.
	Only []string
	// Ignore names who may not be asked.
	Ignore []string
	// DataPolicy is what is required beside what others require.
	DataPolicy DataPolicy
}

const (
	maxPreferences     = 2048 // bytes
	maxPreferenceNames = 32
)

// ErrUnreadable says that preferences cannot be read; the error's text says why, and
// never quotes them.
var ErrUnreadable = errors.New("provider preferences cannot be read")

func unreadable(format string, arguments ...any) error {
	return fmt.Errorf("%w: "+format+"; write them like order=openai|azure, ignore=xai, data_policy=zdr",
		append([]any{ErrUnreadable}, arguments...)...)
}

// Parse reads preferences as a header or a key's defaults have them. An
// empty text prefers nothing. Errors are ErrUnreadable.
func Parse(text string) (Providers, error) {
	if strings.TrimSpace(text) == "" {
		return Providers{}, nil
	}
	var p Providers
	if len(text) > maxPreferences {
		return p, unreadable("they are longer than %d bytes", maxPreferences)
	}
	seen := make(map[string]bool, 4)
	position := 0
	for preference := range strings.SplitSeq(text, ",") {
		position++
		name, value, ok := strings.Cut(preference, "=")
		name = strings.TrimSpace(name)
		if !ok {
			return Providers{}, unreadable("number %d has no equals sign", position)
		}
		into := map[string]*[]string{"order": &p.Order, "only": &p.Only, "ignore": &p.Ignore}[name]
		if into == nil && name != "data_policy" {
			return Providers{}, unreadable("number %d is none of order, only, ignore and data_policy", position)
		}
		if seen[name] {
			return Providers{}, unreadable("%s stands twice", name)
		}
		seen[name] = true
		if into == nil {
			policy, err := ParseDataPolicy(strings.TrimSpace(value))
			if err != nil {
				return Providers{}, unreadable("%w", err)
			}
			p.DataPolicy = policy
			continue
		}
		names, err := parseNames(name, value)
		if err != nil {
			return Providers{}, err
		}
		*into = names
	}
	return p, nil
}

func parseNames(preference, value string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(value, "|") {
		name = strings.TrimSpace(name)
		if !validName(name) {
			return nil, unreadable("%s wants names of providers, 1 to 32 of a-z, 0-9, _ and -, with | between them", preference)
		}
		if slices.Contains(names, name) {
			return nil, unreadable("%s has a name twice", preference)
		}
		if names = append(names, name); len(names) > maxPreferenceNames {
			return nil, unreadable("%s has more than %d names", preference, maxPreferenceNames)
		}
	}
	return names, nil
}

func validName(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// Or fills each preference that is not stated with another's, such as those of the
// caller's key. The data policies are joined: the strictest holds.
func (p Providers) Or(others Providers) Providers {
	if len(p.Order) == 0 {
		p.Order = others.Order
	}
	if len(p.Only) == 0 {
		p.Only = others.Only
	}
	if len(p.Ignore) == 0 {
		p.Ignore = others.Ignore
	}
	p.DataPolicy = Strictest(p.DataPolicy, others.DataPolicy)
	return p
}

// String writes preferences as Parse reads them.
func (p Providers) String() string {
	var parts []string
	for _, one := range [...]struct {
		name  string
		names []string
	}{{"order", p.Order}, {"only", p.Only}, {"ignore", p.Ignore}} {
		if len(one.names) > 0 {
			parts = append(parts, one.name+"="+strings.Join(one.names, "|"))
		}
	}
	if p.DataPolicy != DataPolicyUnknown {
		parts = append(parts, "data_policy="+p.DataPolicy.String())
	}
	return strings.Join(parts, ", ")
}

// Validate finds preferences that cannot be written and read again: ErrUnreadable.
func (p Providers) Validate() error {
	again, err := Parse(p.String())
	same := slices.Equal(again.Order, p.Order) && slices.Equal(again.Only, p.Only) &&
		slices.Equal(again.Ignore, p.Ignore) && again.DataPolicy == p.DataPolicy
	if err == nil && !same {
		err = unreadable("they hold what is no name of a provider")
	}
	return err
}

// Exclude tells whether a provider may not be asked.
func (p *Providers) Exclude(provider string) bool {
	return len(p.Only) > 0 && !slices.Contains(p.Only, provider) || slices.Contains(p.Ignore, provider)
}
