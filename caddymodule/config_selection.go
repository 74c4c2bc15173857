package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/upstream"
)

// Key configures a provider's key that has a share or a bound of its own.
type Key struct {
	// The key, as {env.NAME} or {file./path}.
	APIKey string `json:"api_key"`

	// Its share of the provider's requests, 1 to 1000. Default: 1.
	Weight int `json:"weight,omitempty"`

	// How many requests may run at once with it; more wait shortly, or go elsewhere.
	// Default: any number.
	InFlight int `json:"in_flight,omitempty"`

	// How many requests, and how many tokens of input and output together, may be asked of
	// it in a minute; more go elsewhere. Default: any number.
	RequestsPerMinute int64 `json:"rpm,omitempty"`
	TokensPerMinute   int64 `json:"tpm,omitempty"`
}

// Target configures a place that a model goes to.
type Target struct {
	// A provider's name, or provider/model where the provider calls it otherwise.
	To string `json:"to"`

	// Its share of its tier's requests, 1 to 1000. Default: 1.
	Weight int `json:"weight,omitempty"`
}

const (
	maxWeight   = 1000
	maxInFlight = 1_000_000
)

// keys are all keys of a provider, those without options first.
func (p *Provider) keys() []Key {
	keys := make([]Key, 0, len(p.APIKeys)+len(p.Keys))
	for _, key := range p.APIKeys {
		keys = append(keys, Key{APIKey: key})
	}
	return append(keys, p.Keys...)
}

// tiers are where a model goes: the tiers are asked in order, the targets of one share
// their requests.
func (m *Model) tiers() [][]Target {
	if len(m.Tiers) > 0 {
		return m.Tiers
	}
	tiers := make([][]Target, len(m.To))
	for i, to := range m.To {
		tiers[i] = []Target{{To: to}}
	}
	return tiers
}

// checkKeys finds mistakes in a provider's keys. known is what is known of its name.
func (p *Provider) checkKeys(known upstream.Preset, isKnown bool) error {
	keys := p.keys()
	if len(keys) == 0 && (!isKnown || known.KeyVariable != "") {
		variable := known.KeyVariable
		if variable == "" {
			variable = strings.ToUpper(strings.ReplaceAll(p.Name, "-", "_")) + "_API_KEY"
		}
		return fmt.Errorf("provider %s: its API key is missing, like {env.%s}", p.Name, variable)
	}
	for _, key := range keys {
		switch {
		case !secretPlaceholder.MatchString(key.APIKey):
			return fmt.Errorf("provider %s: %w", p.Name, errSecretInClear)
		case key.Weight < 0 || key.Weight > maxWeight:
			return fmt.Errorf("provider %s: %w", p.Name, errWeight)
		case key.InFlight < 0 || key.InFlight > maxInFlight:
			return fmt.Errorf("provider %s: %w", p.Name, errInFlight)
		case key.RequestsPerMinute < 0 || key.RequestsPerMinute > maxLimit || key.TokensPerMinute < 0 || key.TokensPerMinute > maxLimit:
			return fmt.Errorf("provider %s: %w", p.Name, errKeyRate)
		}
	}
	return nil
}

var (
	errWeight   = fmt.Errorf("weight takes a whole number from 1 to %d, after what it belongs to", maxWeight)
	errKeyRate  = fmt.Errorf("rpm and tpm take a whole number a minute from 1 to %d, after the key that it belongs to", maxLimit)
	errInFlight = fmt.Errorf("in_flight takes a whole number of requests from 1 to %d, after the key that it belongs to", maxInFlight)
)

// onPrivateNetwork tells whether a provider may be on this machine or on a private
// network: if the configuration says so, also by naming such an address. A name that
// merely leads there does not say so.
func (p *Provider) onPrivateNetwork(address *url.URL) bool {
	known, _ := upstream.FindPreset(p.Name)
	host := address.Hostname()
	if p.Private || known.Private || loopbackHost(host) {
		return true
	}
	literal, err := netip.ParseAddr(host)
	return err == nil && upstream.CheckAddress(literal, false) != nil
}

// checkAddress refuses addresses at which no provider can be.
func checkAddress(address *url.URL) error {
	literal, err := netip.ParseAddr(address.Hostname())
	if err != nil {
		return nil //nolint:nilerr // a name, which is judged when it is dialled
	}
	if err := upstream.CheckAddress(literal, true); err != nil {
		return fmt.Errorf("base_url: %w", err)
	}
	return nil
}

// parseDataPolicy reads a data policy; empty is that of nobody who has said anything.
func parseDataPolicy(name string) (preferences.DataPolicy, error) {
	if name == "" {
		return preferences.DataPolicyUnknown, nil
	}
	return preferences.ParseDataPolicy(name)
}

// keyWords follow a key, each with a number.
var keyWords = []string{"weight", "in_flight", "rpm", "tpm"}

// parseKeys reads keys, each with what belongs to it:
//
//	{env.A} weight 3 in_flight 20 rpm 500 tpm 200000 {env.B}
func (p *Provider) parseKeys(d *caddyfile.Dispenser, words []string) error {
	var keys []Key
	for i := 0; i < len(words); i++ {
		word := words[i]
		if !slices.Contains(keyWords, word) {
			keys = append(keys, Key{APIKey: word})
			continue
		}
		number, ok := numberAfter(words, i)
		i++
		switch {
		case word == "weight" && (!ok || number > maxWeight || len(keys) == 0 || keys[len(keys)-1].Weight != 0):
			return d.WrapErr(errWeight)
		case word == "in_flight" && (!ok || number > maxInFlight || len(keys) == 0 || keys[len(keys)-1].InFlight != 0):
			return d.WrapErr(errInFlight)
		case word == "rpm" && (!ok || number > maxLimit || len(keys) == 0 || keys[len(keys)-1].RequestsPerMinute != 0),
			word == "tpm" && (!ok || number > maxLimit || len(keys) == 0 || keys[len(keys)-1].TokensPerMinute != 0):
			return d.WrapErr(errKeyRate)
		case word == "weight":
			keys[len(keys)-1].Weight = number
		case word == "rpm":
			keys[len(keys)-1].RequestsPerMinute = int64(number)
		case word == "tpm":
			keys[len(keys)-1].TokensPerMinute = int64(number)
		default:
			keys[len(keys)-1].InFlight = number
		}
	}
	// All in one list, so that the numbers of keys are those of the Caddyfile.
	keys = append(p.keys(), keys...)
	p.APIKeys, p.Keys = nil, nil
	if slices.ContainsFunc(keys, func(key Key) bool { return key != Key{APIKey: key.APIKey} }) {
		p.Keys = keys
		return nil
	}
	for _, key := range keys {
		p.APIKeys = append(p.APIKeys, key.APIKey)
	}
	return nil
}

// numberAfter reads the positive number that follows a word.
func numberAfter(words []string, i int) (int, bool) {
	if i+1 >= len(words) {
		return 0, false
	}
	number, err := strconv.ParseUint(words[i+1], 10, 31)
	return int(number), err == nil && number > 0
}

// parseTargets reads a line of targets. Those without weights are tiers of their own,
// in order; with a weight on any they share one.
func parseTargets(d *caddyfile.Dispenser, words []string) ([][]Target, error) {
	var targets []Target
	weighted := false
	for i := 0; i < len(words); i++ {
		if words[i] != "weight" {
			targets = append(targets, Target{To: words[i]})
			continue
		}
		number, ok := numberAfter(words, i)
		if !ok || number > maxWeight || len(targets) == 0 || targets[len(targets)-1].Weight != 0 {
			return nil, d.WrapErr(errWeight)
		}
		targets[len(targets)-1].Weight = number
		weighted = true
		i++
	}
	if weighted {
		return [][]Target{targets}, nil
	}
	tiers := make([][]Target, len(targets))
	for i, target := range targets {
		tiers[i] = []Target{target}
	}
	return tiers, nil
}

// goesTo sets where a model goes, in the simplest form.
func (m *Model) goesTo(tiers [][]Target) {
	if slices.ContainsFunc(tiers, func(tier []Target) bool { return len(tier) > 1 || tier[0].Weight != 0 }) {
		m.Tiers = tiers
		return
	}
	for _, tier := range tiers {
		m.To = append(m.To, tier[0].To)
	}
}

// checkTiers finds mistakes in where a model goes, but for its targets' names.
func (m *Model) checkTiers() error {
	if len(m.Tiers) > 0 && len(m.To) > 0 {
		return fmt.Errorf("model %s: say where it goes in to or in tiers, not in both", m.Name)
	}
	tiers := m.tiers()
	if len(tiers) == 0 {
		return fmt.Errorf("model %s: say where it goes, like: to openai/gpt-5.4", m.Name)
	}
	for _, tier := range tiers {
		if len(tier) == 0 {
			return fmt.Errorf("model %s: a tier without targets", m.Name)
		}
		for _, target := range tier {
			if target.Weight < 0 || target.Weight > maxWeight {
				return fmt.Errorf("model %s: %w", m.Name, errWeight)
			}
		}
	}
	return nil
}

// usableTiers are the targets whose providers have keys. Of others was warned.
func (m *Model) usableTiers(providers []*upstream.Provider) [][]upstream.Target {
	var tiers [][]upstream.Target
	for _, tier := range m.tiers() {
		var usable []upstream.Target
		for _, target := range tier {
			name, model, _ := strings.Cut(target.To, "/")
			i := slices.IndexFunc(providers, func(p *upstream.Provider) bool { return p.Name == name })
			if i >= 0 {
				usable = append(usable, upstream.Target{Provider: providers[i], Model: cmp.Or(model, m.Name), Weight: target.Weight})
			}
		}
		if len(usable) > 0 {
			tiers = append(tiers, usable)
		}
	}
	return tiers
}

// errPolicyTwice is for a data policy that is stated again.
var errPolicyTwice = errors.New("data_policy is given twice")

// parsePolicyLine reads a data_policy line.
func parsePolicyLine(d *caddyfile.Dispenser, into *string) error {
	if *into != "" {
		return d.WrapErr(errPolicyTwice)
	}
	var name string
	if !d.AllArgs(&name) {
		return d.Err("data_policy takes one of zdr, no_training, retains and unknown")
	}
	if _, err := preferences.ParseDataPolicy(name); err != nil {
		return d.WrapErr(err)
	}
	*into = name
	return nil
}
