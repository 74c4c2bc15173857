package caddymodule

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyevents"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/headroom"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/price"
)

// The values of App.AccessLog: the first keeps Caddy's own access log, the second
// writes no line of ours.
const (
	accessLogCaddy = "caddy"
	accessLogOff   = "off"
)

// defaultGracePeriod is how long a stop waits for running requests, unless Caddy's
// grace_period says otherwise. Caddy's own default is to wait for ever, which ends
// with a kill by the service manager and no record of what was running.
const defaultGracePeriod = 30 * time.Second

// App is Faregate's configuration (module faregate): providers, models and the
// store. Handlers find it through Caddy.
type App struct {
	// Where accounts, keys and the ledger are kept: "sqlite" (a file in Caddy's
	// data directory), "sqlite:/path/to/file.db", or "postgres:{env.DATABASE_URL}",
	// which any number of gateways can share. Default: sqlite.
	Store string `json:"store,omitempty"`

	// What this gateway is called among those that share the store. Two that run at
	// the same time must have different names; one that keeps its name takes its
	// credit back at once when it starts again after a crash. Placeholders are allowed,
	// like {env.HOSTNAME}. Default: "main" for a file, a new name at every start for
	// a database. Another name counts from the next start of the process on.
	Node string `json:"node,omitempty"`

	// How long usage records and the transfers that belong to them are kept, in whole
	// days; 0 keeps them for ever. What accounts paid stays in the books as sums of each
	// day. Default: 400 days.
	Retention *caddy.Duration `json:"retention,omitempty"`

	// Where requests go, in order of preference for a model that several serve.
	Providers []Provider `json:"providers,omitempty"`

	// Model names of our own, and prices other than the price book's.
	Models []Model `json:"models,omitempty"`

	// What groups of accounts pay and may do. The one called default is for accounts
	// that have no group, or one that is not configured.
	Groups []Group `json:"groups,omitempty"`

	// What all that comes from one client address may do, whichever keys it uses. An
	// IPv6 client counts as its /64 network.
	ClientLimits Limits `json:"client_limits,omitzero"`

	// "off" lets client addresses send any number of wrong keys. Default: ten of them
	// lock the address for ten seconds, and for twice as long each further time.
	Lockout string `json:"lockout,omitempty"`

	// Below which balance, in dollars, an account's is low: an event tells of it when it
	// becomes so. Default: none.
	BalanceLow string `json:"balance_low,omitempty"`

	// From which amount on, in dollars, an account spends much in an hour: if it is also
	// more than on any of the 14 days before, an event and the log tell of it. "off"
	// tells of nothing. Default: 10.00.
	SpendAnomaly string `json:"spend_anomaly,omitempty"`

	// What every provider must have promised of what it is sent, to get requests: zdr,
	// no_training, retains or unknown. Default: unknown, nothing.
	DataPolicy string `json:"data_policy,omitempty"`

	// How many answers may be read on at once after their clients have left; further ones
	// are cancelled. Default: 1000.
	Drains int `json:"drains,omitempty"`

	// How many requests may be under way at once, waiting ones included; more are refused
	// with 503. Default: 10,000.
	MaxRequests int `json:"max_requests,omitempty"`

	// How many attempts are made for one request at most, 1 to 64. Default: 8.
	MaxAttempts int `json:"max_attempts,omitempty"`

	// How long after its first attempt another one may begin. Default: 15m.
	TryDuration caddy.Duration `json:"try_duration,omitempty"`

	// A price file, whose prices take precedence over those that come with Faregate.
	// It is read again when it changes. Default: none.
	Prices string `json:"prices,omitempty"`

	// How much memory the bodies of all requests under way may take, in bytes; more
	// are refused with 503. It must be at least twice the longest max_body of any site.
	// Default: 1 GiB.
	BodyMemory int64 `json:"body_memory,omitempty"`

	// By how many bytes the heap may at least grow until its garbage is collected; 0
	// collects as Go does by default. Where the environment variable GOGC is set, it
	// counts instead. Default: 48 MiB.
	HeapHeadroom *int64 `json:"heap_headroom,omitempty"`

	// Which access log is written: ours, of metadata only (the default); "caddy", beside
	// it, which logs headers, addresses and URIs; or "off" for none.
	AccessLog string `json:"access_log,omitempty"`

	ctx        caddy.Context
	events     *caddyevents.App
	logger     *zap.Logger
	now        func() time.Time
	after      func(time.Duration, func()) timer
	runtime    *runtime
	node       string
	prices     *price.Source
	catalogues *catalogues
	transports map[*upstream.Provider]*http.Transport
	leaving    map[*upstream.Provider]leavingRules
	dataPolicy preferences.DataPolicy // that providers must have
	watching   watching
	simulators []*simulatorServer

	// begin makes ready what requests need, once. Caddy starts apps in random order
	// (caddy.go, run), so that the first request may come before Start.
	begin func() error
	// end waits for what begin has begun, and keeps it from coming later.
	end func()
}

// CaddyModule returns the Caddy module information.
func (App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "faregate",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision resolves secrets and builds the catalogue. It has no side effects, as
// `caddy validate` calls it too: the store is opened in Start.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx, a.logger, a.now, a.after = ctx, ctx.Logger(), time.Now, afterFunc
	a.begin, a.end = onceUntil(a.open)
	if err := a.check(); err != nil {
		return err
	}
	events, err := ctx.App("events")
	if err != nil {
		return err
	}
	a.events = events.(*caddyevents.App)
	address, err := resolveStoreURL(a.Store)
	if err != nil {
		return err
	}
	if a.node, err = resolveNode(a.Node); err != nil {
		return err
	}
	if err := a.buildCatalogue(); err != nil {
		return err
	}
	if a.runtime, err = openRuntime(address, a.logger); err != nil {
		return err
	}
	return measured.register(ctx.GetMetricsRegistry(), a.runtime)
}

// check finds the mistakes that can be told from the configuration alone.
func (a *App) check() error {
	names := make(map[string]bool)
	for i := range a.Providers {
		provider := &a.Providers[i]
		if err := provider.validate(); err != nil {
			return err
		}
		if names[provider.Name] {
			return provider.errTwice()
		}
		names[provider.Name] = true
	}
	models := make(map[string]bool)
	for i := range a.Models {
		model := &a.Models[i]
		if err := model.validate(a.Providers); err != nil {
			return err
		}
		if models[model.Name] {
			return model.errTwice()
		}
		models[model.Name] = true
	}
	if err := checkStoreSecret(a.Store); err != nil {
		return err
	}
	if err := checkRetention(a.Retention); err != nil {
		return err
	}
	if err := a.checkLimits(); err != nil {
		return err
	}
	if err := a.checkDrains(); err != nil {
		return err
	}
	if err := a.checkMaxRequests(); err != nil {
		return err
	}
	if err := a.checkAttempts(); err != nil {
		return err
	}
	if a.BodyMemory < 0 {
		return fmt.Errorf("body_memory %d is not a size: it is a number of bytes", a.BodyMemory)
	}
	a.BodyMemory = cmp.Or(a.BodyMemory, defaultBodyMemory)
	if err := checkHeapHeadroom(a.HeapHeadroom); err != nil {
		return err
	}
	var err error
	if a.dataPolicy, err = parseDataPolicy(a.DataPolicy); err != nil {
		return err
	}
	if a.watching, err = a.watchingFor(); err != nil {
		return err
	}
	switch a.AccessLog {
	case "", accessLogCaddy, accessLogOff:
	default:
		return fmt.Errorf("access_log %q: leave it out, or say caddy or off", a.AccessLog)
	}
	return nil
}

// Start opens the store and makes the node known to it.
func (a *App) Start() error {
	if err := a.boundGracePeriod(); err != nil {
		return err
	}
	if err := a.checkChains(); err != nil {
		return err
	}
	if err := a.begin(); err != nil {
		return err
	}
	names := make([]string, 0, len(a.Providers))
	for provider := range a.transports {
		names = append(names, provider.Name)
	}
	slices.Sort(names)
	kind, _, _ := strings.Cut(a.runtime.address, ":")
	a.logger.Info("the gateway is ready", zap.String("store", kind), zap.String("node", a.runtime.node),
		zap.Strings("providers", names), zap.Int("models", len(a.catalogue().Models())))
	return nil
}

// onceUntil makes begin call open once, if end is not called before.
func onceUntil(open func() error) (begin func() error, end func()) {
	var once sync.Once
	var err error
	begin = func() error {
		once.Do(func() { err = open() })
		return err
	}
	return begin, func() { once.Do(func() { err = errShuttingDown }) }
}

// open starts the simulators and opens the store, from where on the runtime follows this
// configuration.
func (a *App) open() error {
	keepAnswersOutOfStandardLog()
	for _, server := range a.simulators {
		if err := server.start(); err != nil {
			return err
		}
	}
	if err := a.runtime.start(a); err != nil {
		return err
	}
	headroom.Join(a, a.heapHeadroom())
	a.followPrices()
	return nil
}

// boundGracePeriod sets Caddy's grace period where the configuration does not. The
// http app cannot be asked for earlier: its handlers ask for this app while it is
// being provisioned.
func (a *App) boundGracePeriod() error {
	loaded, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil //nolint:nilerr // no http app, nothing to bound
	}
	if server, ok := loaded.(*caddyhttp.App); ok && server.GracePeriod == 0 {
		server.GracePeriod = caddy.Duration(defaultGracePeriod)
	}
	return nil
}

// Stop does nothing: Caddy stops apps in random order, and requests still run.
// Cleanup follows when all apps have stopped.
func (a *App) Stop() error { return nil }

// Cleanup lets go of the runtime, the headroom and idle connections. Requests that still run
// keep the runtime open.
func (a *App) Cleanup() error {
	var errs []error
	if a.end != nil {
		// Requests of a configuration that fails may yet ask for its beginning, and then
		// nothing would ever end it.
		a.end()
	}
	headroom.Leave(a)
	if a.catalogues != nil {
		a.catalogues.stopFollowing()
	}
	if a.runtime != nil {
		a.runtime.retentions.leave(a)
		a.runtime.listeners.leave(a)
		if _, err := runtimes.Delete(a.runtime.address); err != nil {
			errs = append(errs, fmt.Errorf("closing the store: %w", err))
		}
	}
	for _, transport := range a.transports {
		transport.CloseIdleConnections()
	}
	for _, server := range a.simulators {
		if _, err := simulatorServers.Delete(server.name); err != nil {
			errs = append(errs, fmt.Errorf("stopping the simulator: %w", err))
		}
	}
	return errors.Join(errs...)
}

// transportOf returns the connections to a provider.
func (a *App) transportOf(provider *upstream.Provider) *http.Transport {
	return a.transports[provider]
}

// appOf returns the app that a handler belongs to.
func appOf(ctx caddy.Context) (*App, error) {
	loaded, err := ctx.App("faregate")
	if err != nil {
		return nil, err
	}
	return loaded.(*App), nil
}

// Interface guards
var (
	_ caddy.App          = (*App)(nil)
	_ caddy.Provisioner  = (*App)(nil)
	_ caddy.CleanerUpper = (*App)(nil)
)
