package auth

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/auth/preferences"
)

// Principal is who a request acts for. One Principal is shared by all requests of
// a key: it must not be changed.
type Principal struct {
	AccountID string
	KeyID     string
	KeyName   string
	Group     string
	// Models holds patterns; empty allows every model.
	Models []string
	// ExactCaps refuses a request whose worst case the credit does not cover, rather
	// than asking for a shorter answer.
	ExactCaps bool
	// Rates are the key's own limits, beside those of its account; zero is none.
	Rates limits.Rates
	// Addresses is from where the key may be used; empty allows every address.
	Addresses limits.AddressList
	// Providers are preferred where a request says nothing else. Their data policy is the
	// stricter of the key's and its account's.
	Providers preferences.Providers
	// OnDisconnect goes before what is configured for the provider.
	OnDisconnect OnDisconnect
}

// AllowsModel tells whether the key may call the model of this name. A pattern is
// a name, or the beginning of names followed by `*`.
func (p *Principal) AllowsModel(name string) bool {
	if len(p.Models) == 0 {
		return true
	}
	for _, pattern := range p.Models {
		if prefix, open := strings.CutSuffix(pattern, "*"); pattern == name || open && strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return false
}

// ErrModelPattern says that a text is not a pattern of model names.
var ErrModelPattern = errors.New("not a model pattern: write a model's name, or the beginning of names followed by *")

var modelPattern = regexp.MustCompile(`^(\*|[A-Za-z0-9][A-Za-z0-9._:@/-]{0,127}\*?)$`)

// ValidateModelPattern checks one entry of Key.Models.
func ValidateModelPattern(pattern string) error {
	if !modelPattern.MatchString(pattern) || strings.Contains(pattern, "..") || strings.Contains(pattern, "//") {
		return fmt.Errorf("%q: %w", pattern, ErrModelPattern)
	}
	return nil
}
