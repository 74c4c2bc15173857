package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/price"
)

// Provider configures where requests go.
type Provider struct {
	// The provider's name. Well-known names, as openai, anthropic and google, bring
	// their dialect, address and models with them.
	Name string `json:"name"`

	// The dialect that the provider speaks: openai, anthropic or google.
	// Default: that of the well-known name.
	Dialect string `json:"dialect,omitempty"`

	// The address, as that dialect's SDK takes it: with /v1 for openai, without
	// a version for anthropic and google. Default: that of the well-known name.
	// Plain http:// is refused unless the address is loopback or insecure is set.
	BaseURL string `json:"base_url,omitempty"`

	// The provider's API keys, each as {env.NAME} or {file./path}, never in
	// clear: a clear key would land in Caddy's autosave and in GET /config/.
	// A key whose environment variable is unset is left out with a warning.
	APIKeys []string `json:"api_keys,omitempty"`

	// Keys with a share or a bound of their own, beside those in api_keys.
	Keys []Key `json:"keys,omitempty"`

	// Names of models that the provider serves beside those that the price book
	// lists for it.
	Models []string `json:"models,omitempty"`

	// Allows an http:// address that is not loopback. Prompts and the provider
	// key then cross the network in clear.
	Insecure bool `json:"insecure,omitempty"`

	// Allows a base_url whose host is on this machine or on a private network. An
	// address that is written there as a number, or localhost, needs no permission.
	Private bool `json:"private,omitempty"`

	// What the provider has promised of what it is sent: zdr (nothing is kept),
	// no_training (kept for a time, not trained with), retains or unknown. Requests
	// that require more go elsewhere. Default: unknown.
	DataPolicy string `json:"data_policy,omitempty"`

	// What becomes of an answer whose client has left before its end. A key of ours can
	// have a policy of its own, which goes before this one.
	OnDisconnect *Disconnect `json:"on_disconnect,omitempty"`

	// How long the provider is waited for.
	Timeouts

	// Makes this provider the built-in simulator: made-up answers for tries and
	// tests, models simulator/* only, served to loopback clients only.
	Simulator bool `json:"simulator,omitempty"`
}

// Model configures a model name of our own, or the price of one.
type Model struct {
	// The name that clients call. One that ends in an asterisk stands for all names that
	// begin so and that nothing else in the configuration is named; of several, the longest
	// holds. Without a price of its own it serves what the price book knows.
	Name string `json:"name"`

	// Where it goes, in order of preference: a provider's name, or
	// provider/model where the provider calls it otherwise. An asterisk at the end of
	// that stands for what the name's does.
	To []string `json:"to,omitempty"`

	// In place of to: tiers in order of preference, whose targets share the requests by
	// their weights.
	Tiers [][]Target `json:"tiers,omitempty"`

	// The price, instead of the price book's.
	Price *price.Definition `json:"price,omitempty"`

	// The longest prompt that the model reads, in tokens, at every provider that it
	// goes to. Default: what the price book says, if it knows the model there.
	ContextLength int64 `json:"context_length,omitempty"`

	// The longest answer that is asked for where the caller gives no cap, in tokens.
	// Default: what the price book says, else 16,384.
	OutputLimit int64 `json:"output_limit,omitempty"`
}

// simulatorName is what the simulator is called, and what the names of its models
// begin with.
const simulatorName = "simulator"

// providerName is what a provider may be called: it becomes part of records and
// of model names like provider/model.
var providerName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,31}$`)

var secretPlaceholder = regexp.MustCompile(`^\{(env|file)\.[^{}]+\}$`)

var (
	errSecretInClear = errors.New("a provider key must be {env.NAME} or {file./path}: a literal key, or one read by {$NAME}, " +
		"would be stored in clear in Caddy's autosave and shown by GET /config/")
	errNoProvider = errors.New("no provider is usable: set the environment variable of at least one provider's key, " +
		"or add a provider to the faregate global option")
)

// nodeName is what a gateway may be called among the nodes of a store.
var nodeName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$`)

// resolveNode says what this gateway is called; empty is the store's default.
func resolveNode(configured string) (string, error) {
	name, err := caddy.NewReplacer().ReplaceOrErr(configured, true, true)
	if err != nil {
		return "", fmt.Errorf("node: %w", err)
	}
	if name != "" && !nodeName.MatchString(name) {
		return "", fmt.Errorf("node %q is not a name: use 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-', beginning with a letter or digit", name)
	}
	return name, nil
}

// validate checks what can be told from the configuration alone.
func (p *Provider) validate() error {
	if !providerName.MatchString(p.Name) {
		// The name is not quoted: it may be the key, in the wrong place.
		return errors.New("a provider's name is 1 to 32 of a-z, 0-9, _ and -, beginning with a letter or digit, like openai; its key comes after it")
	}
	if err := p.OnDisconnect.validate(); err != nil {
		return fmt.Errorf("provider %s: %w", p.Name, err)
	}
	if err := p.Timeouts.validate(); err != nil {
		return fmt.Errorf("provider %s: %w", p.Name, err)
	}
	if p.Simulator {
		if p.Dialect != "" || p.BaseURL != "" || len(p.keys()) > 0 || len(p.Models) > 0 || p.DataPolicy != "" ||
			p.Timeouts != (Timeouts{}) || p.Insecure || p.Private {
			return fmt.Errorf("provider %s: the simulator takes no dialect, address, key, models, data policy, time-outs, insecure or private", p.Name)
		}
		if p.Name != simulatorName {
			// Under the name of another it would be taken for the one that serves its models.
			return fmt.Errorf("provider %s: the simulator must be called %s, as its models are", p.Name, simulatorName)
		}
		return nil
	}
	known, isKnown := upstream.FindPreset(p.Name)
	if !isKnown && p.Dialect == "" {
		if p.Name == simulatorName {
			return fmt.Errorf("provider %s: write the word simulator into a block of its own, { … }, for made-up answers", p.Name)
		}
		return fmt.Errorf("provider %s is not a well-known one (%s): say its dialect (openai, anthropic or google) and its base_url",
			p.Name, strings.Join(wellKnownNames(), ", "))
	}
	if p.Dialect != "" {
		spoken, err := parseDialect(p.Dialect)
		if err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
		if isKnown && spoken != known.Dialect {
			return fmt.Errorf("provider %s speaks the %s dialect; give a provider of another dialect another name", p.Name, known.Dialect)
		}
	}
	if p.BaseURL == "" && known.BaseURL == "" {
		return fmt.Errorf("provider %s: base_url is missing, like %s", p.Name, cmp.Or(known.BaseURLLike, "https://llm.example.com/v1"))
	}
	if p.BaseURL != "" {
		if _, err := p.address(); err != nil {
			return fmt.Errorf("provider %s: %w", p.Name, err)
		}
	}
	if err := p.checkKeys(known, isKnown); err != nil {
		return err
	}
	if _, err := parseDataPolicy(p.DataPolicy); err != nil {
		return fmt.Errorf("provider %s: %w", p.Name, err)
	}
	for _, name := range p.Models {
		if !dialect.ValidModelName(name) {
			return fmt.Errorf("provider %s: %w", p.Name, errModelName(name))
		}
	}
	return nil
}

// address reads the base address and refuses what would send prompts in clear.
func (p *Provider) address() (*url.URL, error) {
	text := p.BaseURL
	if text == "" {
		known, _ := upstream.FindPreset(p.Name)
		text = known.BaseURL
	}
	address, err := url.Parse(text)
	if err != nil || address.Host == "" || address.User != nil || address.RawQuery != "" || address.Fragment != "" {
		return nil, errors.New("base_url must be an address like https://llm.example.com/v1, without user, query or fragment")
	}
	address.Path = strings.TrimRight(address.Path, "/")
	switch {
	case address.Scheme == "https":
	case address.Scheme != "http":
		return nil, errors.New("base_url must begin with https://")
	case !p.Insecure && !loopbackHost(address.Hostname()):
		return nil, errors.New("base_url is plain http, so that prompts and the provider key would cross the network in clear: " +
			"use https, or say insecure if that network is yours alone")
	}
	return address, checkAddress(address)
}

// resolveKeys returns the keys with their secrets. A key whose environment variable
// is unset is reported in unset; an empty or missing file is an error.
func (p *Provider) resolveKeys() (resolved []upstream.KeyOptions, unset []string, err error) {
	replacer := caddy.NewReplacer()
	keys := p.keys()
	if len(keys) == 0 {
		return []upstream.KeyOptions{{}}, nil, nil // it wants none
	}
	for _, key := range keys {
		placeholder := key.APIKey
		name, isEnvironment := strings.CutPrefix(strings.Trim(placeholder, "{}"), "env.")
		if isEnvironment {
			if os.Getenv(name) == "" {
				unset = append(unset, name)
				continue
			}
		} else if _, err := os.Stat(strings.TrimPrefix(name, "file.")); err != nil {
			// The replacer would silently return an empty text for it.
			return nil, nil, fmt.Errorf("provider %s: reading its key: %w", p.Name, err)
		}
		secret := strings.TrimSpace(replacer.ReplaceAll(placeholder, ""))
		if secret == "" {
			return nil, nil, fmt.Errorf("provider %s: %s is empty", p.Name, placeholder)
		}
		if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
			return nil, nil, fmt.Errorf("provider %s: %s holds white space or control characters, so it is no API key", p.Name, placeholder)
		}
		resolved = append(resolved, upstream.KeyOptions{
			Secret: secret, Weight: key.Weight, InFlight: key.InFlight, RequestsPerMinute: key.RequestsPerMinute, TokensPerMinute: key.TokensPerMinute,
		})
	}
	return resolved, unset, nil
}

func (p *Provider) errTwice() error {
	return fmt.Errorf("provider %s is configured twice; give it several keys instead, or another name", p.Name)
}

// validate checks what can be told from the model and the providers.
func (m *Model) validate(providers []Provider) error {
	prefix, many := strings.CutSuffix(m.Name, anyModel)
	if !validModelOrMany(m.Name) {
		return errModelName(m.Name)
	}
	if err := m.checkTiers(); err != nil {
		return err
	}
	if m.ContextLength < 0 || m.ContextLength > maxLimit || m.OutputLimit < 0 || m.OutputLimit > maxLimit {
		return fmt.Errorf("model %s: context_length and output_limit are numbers of tokens, 1 to %d", m.Name, maxLimit)
	}
	for _, stated := range slices.Concat(m.tiers()...) {
		target := stated.To
		name, model, named := strings.Cut(target, "/")
		i := slices.IndexFunc(providers, func(p Provider) bool { return p.Name == name })
		if i < 0 {
			return fmt.Errorf("model %s goes to %q, but no provider %q is configured", m.Name, target, name)
		}
		if named && !validModelOrMany(model) {
			return fmt.Errorf("model %s goes to %q, but %w", m.Name, target, errModelName(model))
		}
		if strings.HasSuffix(model, anyModel) && !many {
			return fmt.Errorf("model %s goes to %q: its own name must end in an asterisk then, too", m.Name, target)
		}
		if providers[i].Simulator && !strings.HasPrefix(prefix, simulatorName+"/") {
			return fmt.Errorf("model %s goes to the simulator: its name must begin with %s/, so that nobody pays for a made-up answer unawares", m.Name, simulatorName)
		}
	}
	return nil
}

// maxLimit is beyond every model, and its price can be reckoned with.
const maxLimit = 1 << 30

func (m *Model) errTwice() error {
	return fmt.Errorf("model %s is configured twice", m.Name)
}

func errModelName(name string) error {
	return fmt.Errorf("%q is not a model name: use letters, digits and . _ : @ / -, beginning with a letter or digit", name)
}

// anyModel ends names that stand for many.
const anyModel = "*"

// validModelOrMany tells whether a text is a model's name, or the beginning of names
// with an asterisk.
func validModelOrMany(name string) bool {
	prefix, many := strings.CutSuffix(name, anyModel)
	return dialect.ValidModelName(name) || many && (prefix == "" || dialect.ValidModelName(strings.TrimRight(prefix, "/")) && !strings.HasSuffix(prefix, "//"))
}

func parseDialect(name string) (dialect.Dialect, error) {
	for _, d := range []dialect.Dialect{dialect.OpenAI, dialect.Anthropic, dialect.Google} {
		if d.String() == name {
			return d, nil
		}
	}
	return 0, errors.New("dialect must be openai, anthropic or google")
}

func wellKnownNames() []string {
	var names []string
	for _, known := range upstream.Presets() {
		names = append(names, known.Name)
	}
	slices.Sort(names)
	return names
}

// loopbackHost tells whether a host can only be this machine.
func loopbackHost(host string) bool {
	if host == "localhost" {
		return true
	}
	address, err := netip.ParseAddr(host)
	return err == nil && address.Unmap().IsLoopback()
}

// loopbackAddress tells whether an address with a port is this machine's.
func loopbackAddress(hostPort string) bool {
	host, _, err := net.SplitHostPort(hostPort)
	if err != nil {
		return hostPort == "@" // a Unix socket
	}
	host, _, _ = strings.Cut(host, "%")
	return loopbackHost(host)
}
