// Package upstream knows the providers and the models, and plans the attempts of a
// request: which provider, which of its keys, under which model name. It sends
// nothing itself.
//
//	catalogue, err := upstream.NewCatalogue(price.Embedded(), providers, aliases)
//	model, err := catalogue.Find("gpt-5.4-mini")
//	attempts, err := model.Plan(dialect.OpenAI) // in order of preference
//
// A Catalogue is an immutable snapshot of one configuration and safe for concurrent
// use.
package upstream

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"sync/atomic"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/usage"
)

// What can be wrong with the model that is called.
var (
	// ErrUnknownModel says that no provider serves a model of this name.
	ErrUnknownModel = errors.New("unknown model")
	// ErrNoPrice says that the model has no price, so that it is not served.
	ErrNoPrice = errors.New("the model has no price")
	// ErrOtherDialect says that no provider of the model speaks the caller's dialect.
	ErrOtherDialect = errors.New("the model is served in another dialect")
)

// ProviderOptions describe a provider.
type ProviderOptions struct {
	Name     string
	Dialects []dialect.Dialect
	// BaseURL is the address as the dialect's SDK takes it; nil where it is only
	// known later (SetBaseURL).
	BaseURL *url.URL
	Secrets []string
	Profile usage.Profile
	// Models are served beside those that the price book lists for the provider.
	Models []string
	// OldOutputCap says that the provider may know only max_tokens as the name of a
	// chat's output cap, and not max_completion_tokens.
	OldOutputCap bool
	// Simulator marks the built-in one, which serves loopback clients only.
	Simulator bool
}

// Provider is where requests go.
type Provider struct {
	Name         string
	Profile      usage.Profile
	OldOutputCap bool
	Simulator    bool
	dialects     []dialect.Dialect
	models       []string
	credentials  []Credential
	address      atomic.Pointer[url.URL]
}

// NewProvider makes a provider.
func NewProvider(options ProviderOptions) *Provider {
	p := &Provider{
		Name: options.Name, Profile: options.Profile, OldOutputCap: options.OldOutputCap, Simulator: options.Simulator,
		dialects: options.Dialects, models: options.Models,
	}
	for i, secret := range options.Secrets {
		p.credentials = append(p.credentials, Credential{secret: secret, number: i + 1})
	}
	if options.BaseURL != nil {
		p.SetBaseURL(options.BaseURL)
	}
	return p
}

// SetBaseURL says where the provider is. It may be called while requests run.
func (p *Provider) SetBaseURL(address *url.URL) { p.address.Store(address) }

// BaseURL is where the provider is, as its dialect's SDK takes it.
func (p *Provider) BaseURL() *url.URL { return p.address.Load() }

// Speaks tells whether the provider takes requests of this dialect.
func (p *Provider) Speaks(d dialect.Dialect) bool { return slices.Contains(p.dialects, d) }

// Credential is one of a provider's keys.
type Credential struct {
	secret string
	number int
}

// Secret is the key itself, for the provider's eyes only.
func (c Credential) Secret() string { return c.secret }

// String says which key it is, never the key.
func (c Credential) String() string { return fmt.Sprintf("key %d", c.number) }

// GoString keeps %#v from printing the key.
func (c Credential) GoString() string { return c.String() }

// Attempt is one try of a plan.
type Attempt struct {
	Provider   *Provider
	Credential Credential
	// Model is the provider's name of the model.
	Model string
	// Limits are those that the provider itself keeps to.
	Limits Limits
}
