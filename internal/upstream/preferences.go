package upstream

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Preferences are a caller's, or a key's, of providers:
//
//	order=anthropic|openrouter, ignore=xai, data_policy=zdr
//
//	preferences = preference *( "," preference )
//	preference  = ( "order" / "only" / "ignore" ) "=" name *( "|" name )
//	            / "data_policy" "=" ( "zdr" / "no_training" / "retains" / "unknown" )
//	name        = 1*32( a-z / 0-9 / "_" / "-" )
//
// Spaces around names and signs do not count. Each preference stands once.
type Preferences struct {
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

// ErrPreferences says that preferences cannot be read; the error's text says why, and
// never quotes them.
var ErrPreferences = errors.New("provider preferences cannot be read")

func preferencesError(format string, arguments ...any) error {
	return fmt.Errorf("%w: "+format+"; write them like order=openai|azure, ignore=xai, data_policy=zdr",
		append([]any{ErrPreferences}, arguments...)...)
}

// ParsePreferences reads preferences as a header or a key's defaults have them. An
// empty text prefers nothing. Errors are ErrPreferences.
func ParsePreferences(text string) (Preferences, error) {
	var p Preferences
	if strings.TrimSpace(text) == "" {
		return p, nil
	}
	if len(text) > maxPreferences {
		return p, preferencesError("they are longer than %d bytes", maxPreferences)
	}
	seen := make(map[string]bool, 4)
	position := 0
	for preference := range strings.SplitSeq(text, ",") {
		position++
		name, value, ok := strings.Cut(preference, "=")
		name = strings.TrimSpace(name)
		if !ok {
			return Preferences{}, preferencesError("number %d has no equals sign", position)
		}
		into := map[string]*[]string{"order": &p.Order, "only": &p.Only, "ignore": &p.Ignore}[name]
		if into == nil && name != "data_policy" {
			return Preferences{}, preferencesError("number %d is none of order, only, ignore and data_policy", position)
		}
		if seen[name] {
			return Preferences{}, preferencesError("%s stands twice", name)
		}
		seen[name] = true
		if into == nil {
			policy, err := ParseDataPolicy(strings.TrimSpace(value))
			if err != nil {
				return Preferences{}, preferencesError("%w", err)
			}
			p.DataPolicy = policy
			continue
		}
		names, err := parseProviderNames(name, value)
		if err != nil {
			return Preferences{}, err
		}
		*into = names
	}
	return p, nil
}

func parseProviderNames(preference, value string) ([]string, error) {
	var names []string
	for name := range strings.SplitSeq(value, "|") {
		name = strings.TrimSpace(name)
		if !validProviderName(name) {
			return nil, preferencesError("%s wants names of providers, 1 to 32 of a-z, 0-9, _ and -, with | between them", preference)
		}
		if slices.Contains(names, name) {
			return nil, preferencesError("%s has a name twice", preference)
		}
		if names = append(names, name); len(names) > maxPreferenceNames {
			return nil, preferencesError("%s has more than %d names", preference, maxPreferenceNames)
		}
	}
	return names, nil
}

func validProviderName(name string) bool {
	return name != "" && len(name) <= 32 && strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_-") == ""
}

// Or fills each preference that is not stated with another's, such as those of the
// caller's key. The data policies are joined: the strictest holds.
func (p Preferences) Or(others Preferences) Preferences {
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

// String writes preferences as ParsePreferences reads them.
func (p Preferences) String() string {
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

// excludes tells whether a provider may not be asked.
func (p *Preferences) excludes(provider string) bool {
	return len(p.Only) > 0 && !slices.Contains(p.Only, provider) || slices.Contains(p.Ignore, provider)
}

// ErrExcluded says that the caller's preferences exclude all providers of the model.
var ErrExcluded = errors.New("the provider preferences exclude all providers of the model")
