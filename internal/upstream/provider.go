package upstream

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/blake2b"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

// ProviderOptions describe a provider.
type ProviderOptions struct {
	Name     string
	Dialects []dialect.Dialect
	// BaseURL is the address as the dialect's SDK takes it; nil where it is only
	// known later (SetBaseURL).
	BaseURL *url.URL
	// Secrets are keys without options of their own; they come before Keys.
	Secrets []string
	Keys    []KeyOptions
	Profile usage.Profile
	// Models are served beside those that the price book lists for the provider.
	Models []string
	// OldOutputCap says that the provider may know only max_tokens as the name of a
	// chat's output cap, and not max_completion_tokens.
	OldOutputCap bool
	// UsageUnasked says that the usage of a streamed chat comes without asking for it.
	UsageUnasked bool
	// Simulator marks the built-in one, which serves loopback clients only.
	Simulator bool
	// DataPolicy is what the provider promises of what it is sent.
	DataPolicy preferences.DataPolicy
	// Private says that the provider may be on a private network or this machine,
	// see GuardDial.
	Private bool
	// CredentialHeader is the field that takes the key as it is; empty for where the
	// dialect puts it.
	CredentialHeader string
	// Deployments says that the model's name is a deployment in the path, as with
	// Azure's /openai/deployments/NAME/chat/completions.
	Deployments bool
	// APIVersion is sent as the query's api-version.
	APIVersion string
	// Timeouts are how long the provider is waited for; what is 0 has a default.
	Timeouts Timeouts
	// Compatible is a second dialect that the provider speaks; without operations none.
	Compatible Compatibility
}

// Timeouts are how long a provider is waited for.
type Timeouts struct {
	// Connect is for a connection, TLS included; 0 is 10 seconds.
	Connect time.Duration
	// FirstByte is from the attempt's beginning until its answer begins, of a stream until
	// its first content; 0 is 10 minutes, which reasoning models may need.
	FirstByte time.Duration
	// Idle is for each further piece of an answer; 0 is 5 minutes.
	Idle time.Duration
}

const (
	defaultConnect   = 10 * time.Second
	defaultFirstByte = 10 * time.Minute
	defaultIdle      = 5 * time.Minute
)

// KeyOptions describe one key of a provider.
type KeyOptions struct {
	// Secret is the key; empty where a provider wants none.
	Secret string
	// Weight is its share among the provider's keys, 1 to 1000; 0 is 1.
	Weight int
	// InFlight is how many requests may run at once with it; 0 is any number.
	InFlight int
	// RequestsPerMinute and TokensPerMinute are what may be asked of it; 0 is any number.
	// Tokens are counted when an answer has ended.
	RequestsPerMinute, TokensPerMinute int64
}

// maxWeight bounds the weights of keys and targets.
const maxWeight = 1000

// Provider is where requests go.
type Provider struct {
	Name         string
	Profile      usage.Profile
	OldOutputCap bool
	UsageUnasked bool
	Simulator    bool
	DataPolicy   preferences.DataPolicy
	Private      bool
	Timeouts     Timeouts // none is 0

	dialects         []dialect.Dialect
	models           []string
	credentials      []Credential
	address          atomic.Pointer[url.URL]
	credentialHeader string
	deployments      bool
	apiVersion       string
	compatible       Compatibility
}

// NewProvider makes a provider. Weights are put within their bounds.
func NewProvider(options ProviderOptions) *Provider {
	p := &Provider{
		Name: options.Name, Profile: options.Profile, OldOutputCap: options.OldOutputCap,
		UsageUnasked: options.UsageUnasked, Simulator: options.Simulator,
		DataPolicy: options.DataPolicy, Private: options.Private, dialects: options.Dialects, models: options.Models,
		credentialHeader: http.CanonicalHeaderKey(options.CredentialHeader), deployments: options.Deployments, apiVersion: options.APIVersion,
		compatible: options.Compatible,
	}
	p.Timeouts = Timeouts{
		Connect: cmp.Or(options.Timeouts.Connect, defaultConnect), FirstByte: cmp.Or(options.Timeouts.FirstByte, defaultFirstByte),
		Idle: cmp.Or(options.Timeouts.Idle, defaultIdle),
	}
	for _, secret := range options.Secrets {
		p.addKey(KeyOptions{Secret: secret})
	}
	for _, key := range options.Keys {
		p.addKey(key)
	}
	if options.BaseURL != nil {
		p.SetBaseURL(options.BaseURL)
	}
	return p
}

func (p *Provider) addKey(options KeyOptions) {
	p.credentials = append(p.credentials, Credential{&providerKey{
		secret: options.Secret, values: dialect.NewProviderKey(options.Secret), number: len(p.credentials) + 1, fingerprint: fingerprint(p.Name, options.Secret),
		weight: boundedWeight(options.Weight), inFlight: int64(max(options.InFlight, 0)),
		requestsPerMinute: options.RequestsPerMinute, tokensPerMinute: options.TokensPerMinute,
	}})
}

func boundedWeight(weight int) int { return min(max(weight, 1), maxWeight) }

// fingerprint tells a provider's keys apart, the same on every node and after every
// change of their order. It stays in memory.
func fingerprint(provider, secret string) uint64 {
	sum := blake2b.Sum256([]byte("faregate provider key\x00" + provider + "\x00" + secret))
	return binary.BigEndian.Uint64(sum[:])
}

// SetBaseURL says where the provider is. It may be called while requests run.
func (p *Provider) SetBaseURL(address *url.URL) { p.address.Store(address) }

// BaseURL is where the provider is, as its dialect's SDK takes it.
func (p *Provider) BaseURL() *url.URL { return p.address.Load() }

// Serves tells whether the provider takes requests of this dialect for an operation.
func (p *Provider) Serves(d dialect.Dialect, operation string) bool {
	return slices.Contains(p.dialects, d) || p.compatible.serves(d, operation)
}

// spoken are all dialects that the provider speaks.
func (p *Provider) spoken() []dialect.Dialect {
	if len(p.compatible.Operations) == 0 {
		return p.dialects
	}
	return append(slices.Clone(p.dialects), p.compatible.Dialect)
}

// Credential is one of a provider's keys.
type Credential struct{ key *providerKey }

type providerKey struct {
	secret      string
	values      dialect.ProviderKey // of header fields
	number      int
	fingerprint uint64
	weight      int
	inFlight    int64

	requestsPerMinute, tokensPerMinute int64
}

// Secret is the key itself, for the provider's eyes only.
func (c Credential) Secret() string { return c.key.secret }

// String says which key it is, never the key.
func (c Credential) String() string {
	if c.key == nil {
		return "no key"
	}
	return fmt.Sprintf("key %d", c.key.number)
}

// GoString keeps %#v from printing the key.
func (c Credential) GoString() string { return c.String() }

// String keeps a Credential inside an unexported field from printing the key.
func (k *providerKey) String() string { return fmt.Sprintf("key %d", k.number) }

// GoString is String.
func (k *providerKey) GoString() string { return k.String() }

// Attempt is one try of a plan.
type Attempt struct {
	Provider   *Provider
	Credential Credential
	// Model is the provider's name of the model.
	Model string
	// Dialect is what the provider is to be spoken to in.
	Dialect dialect.Dialect
	// Limits are those that the provider itself keeps to.
	Limits Limits
	// Estimator counts as the model does.
	Estimator tokens.Estimator
}

// SetCredential puts the key where the provider wants it.
func (a Attempt) SetCredential(header http.Header) {
	key := a.Credential.key
	switch {
	case key.secret == "":
	case a.Provider.credentialHeader != "":
		key.values.SetAs(a.Provider.credentialHeader, header)
	default:
		key.values.Set(a.Dialect, header)
	}
}

var errDeploymentName = errors.New("a deployment's name has no slash")

// compatible tells whether the provider is spoken to in its second dialect.
func (a Attempt) compatible() bool { return !slices.Contains(a.Provider.dialects, a.Dialect) }

// TellsOfModel tells whether a provider that does not find what is asked for lacks the
// model: else it may be that it lacks the operation.
func (a Attempt) TellsOfModel(operation dialect.Operation) bool {
	return operation.Usual() && !a.compatible()
}

// Profile is how the provider counts in the dialect of the attempt.
func (a Attempt) Profile() usage.Profile {
	if a.compatible() {
		return a.Provider.compatible.Profile
	}
	return a.Provider.Profile
}

// URL is the address of an operation at the provider.
func (a Attempt) URL(operation dialect.Operation, request *dialect.Request) (*url.URL, error) {
	base := a.Provider.BaseURL()
	if a.compatible() {
		base = dialect.CompatibleURL(base, a.Provider.compatible.Path)
	}
	if a.Provider.deployments {
		if strings.Contains(a.Model, "/") || !dialect.ValidModelName(a.Model) {
			return nil, errDeploymentName
		}
		deployment := *base
		deployment.Path = strings.TrimRight(base.Path, "/") + "/openai/deployments/" + a.Model
		base = &deployment
	}
	address, err := dialect.ProviderURL(operation, base, a.Model, request)
	if err != nil || a.Provider.apiVersion == "" {
		return address, err
	}
	query := "api-version=" + url.QueryEscape(a.Provider.apiVersion)
	if address.RawQuery != "" {
		query = address.RawQuery + "&" + query
	}
	address.RawQuery = query
	return address, nil
}
