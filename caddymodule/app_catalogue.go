package caddymodule

import (
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/price"
)

// buildCatalogue makes the providers and models that requests are planned with.
func (a *App) buildCatalogue() error {
	a.transports = make(map[*upstream.Provider]*http.Transport)
	a.leaving = make(map[*upstream.Provider]leavingRules)
	var providers []*upstream.Provider
	for i := range a.Providers {
		configured := &a.Providers[i]
		provider, err := a.buildProvider(configured)
		if err != nil {
			return err
		}
		if provider == nil {
			continue
		}
		providers = append(providers, provider)
		a.transports[provider] = newTransport(provider.Private, provider.Timeouts.Connect)
		a.leaving[provider] = configured.leavingRules()
	}
	if len(providers) == 0 {
		return errNoProvider
	}
	var models []upstream.Alias
	for _, configured := range a.Models {
		alias := upstream.Alias{Name: configured.Name, Limits: upstream.Limits{
			ContextLength: configured.ContextLength, OutputLimit: configured.OutputLimit,
		}}
		alias.Tiers = configured.usableTiers(providers)
		if len(alias.Tiers) == 0 {
			a.logger.Warn("a model is left out, as none of its providers is usable", zap.String("model", configured.Name))
			continue
		}
		if configured.Price != nil {
			rates, err := price.NewRates(*configured.Price)
			if err != nil {
				return fmt.Errorf("model %s: %w", configured.Name, err)
			}
			alias.Rates = rates
		}
		models = append(models, alias)
	}
	var err error
	if a.prices, err = price.NewSource(price.Embedded(), a.Prices); err != nil {
		return err
	}
	a.catalogues = &catalogues{of: func(book *price.Book) (*upstream.Catalogue, error) {
		return upstream.NewCatalogue(book, providers, models)
	}}
	return a.priceCatalogue()
}

// buildProvider returns nil for a provider none of whose keys is set.
func (a *App) buildProvider(configured *Provider) (*upstream.Provider, error) {
	if configured.Simulator {
		server, err := openSimulator(configured.Name)
		if err != nil {
			return nil, err
		}
		a.simulators = append(a.simulators, server)
		return server.provider, nil
	}
	keys, unset, err := configured.resolveKeys()
	if err != nil {
		return nil, err
	}
	for _, name := range unset {
		a.logger.Warn("a provider key is left out, as its environment variable is unset or empty",
			zap.String("provider", configured.Name), zap.String("variable", name))
	}
	if len(keys) == 0 {
		return nil, nil
	}
	address, err := configured.address()
	if err != nil {
		return nil, fmt.Errorf("provider %s: %w", configured.Name, err)
	}
	known, isKnown := upstream.FindPreset(configured.Name)
	options := known.Options()
	if !isKnown {
		spoken, err := parseDialect(configured.Dialect)
		if err != nil {
			return nil, err
		}
		options = upstream.ProviderOptions{Name: configured.Name, Dialects: []dialect.Dialect{spoken}, OldOutputCap: upstream.OldOutputCapAt(address)}
	}
	options.BaseURL, options.Keys, options.Models = address, keys, configured.Models
	options.Timeouts = configured.timeouts()
	options.Private = configured.onPrivateNetwork(address)
	if options.DataPolicy, err = parseDataPolicy(configured.DataPolicy); err != nil {
		return nil, err
	}
	return upstream.NewProvider(options), nil
}
