package caddymodule

import (
	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"regexp"
	"slices"
)

func init() {
	caddy.RegisterModule(App{})
	caddy.RegisterModule(Authenticate{})
	caddy.RegisterModule(Route{})
	caddy.RegisterModule(Meter{})
	caddy.RegisterModule(Upstreams{})
	caddy.RegisterModule(Transport{})
	caddy.RegisterModule(AdminUpstreams{})
	caddy.RegisterModule(BatchWriter{})
	httpcaddyfile.RegisterGlobalOption("faregate", parseApp)
	registerDirectives()
	caddy.OnExit(stopLeaving)
}

// parseApp reads the faregate global option.
//
//	faregate {
//		store      sqlite [<path>]
//		node       <name>
//		retention  <duration>|forever
//		provider   <name> <key...>
//		provider   <name> {
//			dialect  openai|anthropic|google
//			base_url <address>
//			api_key  <key> [weight <n>] [in_flight <n>] [rpm <n>] [tpm <n>]...
//			models   <names...>
//			data_policy zdr|no_training|retains|unknown
//			connect_timeout    <duration>
//			first_byte_timeout <duration>
//			idle_timeout       <duration>
//			insecure
//			private
//			on_disconnect [cancel|drain|default] {
//				time  <duration>
//				bytes <size>
//			}
//			simulator
//		}
//		model      <name> {
//			to       <provider>[/<model>] [weight <n>]...
//			fallback <provider>[/<model>] [weight <n>]...
//			price <class> <dollars per million tokens>... {
//				above <tokens> <class> <dollars>...
//				unit  <name> <dollars>
//			}
//			context_length <tokens>
//			output_limit   <tokens>
//		}
//		group      <name> {
//			multiply    <factor>
//			rpm         <requests per minute>
//			tpm         <tokens per minute>
//			concurrency <requests at once>
//		}
//		client_limits { … } # rpm, tpm and concurrency of each client address
//		lockout    off
//		drains     <number>
//		data_policy zdr|no_training|retains|unknown
//		balance_low   <dollars>
//		spend_anomaly <dollars>|off
//		max_requests <number>
//		max_attempts <number>
//		try_duration <duration>
//		prices     <file>
//		body_memory <size>
//		heap_headroom <size>
//		access_log caddy|off
//	}
func parseApp(d *caddyfile.Dispenser, existing any) (any, error) {
	app := new(App)
	d.Next() // faregate
	if existing != nil {
		return nil, d.Err("the faregate global option is given twice: put everything into one block")
	}
	if d.NextArg() {
		return nil, d.Err("the faregate global option takes a block only: faregate { … }")
	}
	var models []caddyfile.Dispenser // where each model is
	for d.NextBlock(0) {
		var err error
		switch d.Val() {
		case "store":
			err = app.parseStore(d)
		case "node":
			err = app.parseNode(d)
		case "retention":
			err = app.parseRetention(d)
		case "provider":
			err = app.parseProvider(d)
		case "model":
			models = append(models, *d)
			err = app.parseModel(d)
		case "group":
			err = app.parseGroup(d)
		case "client_limits":
			err = app.parseClientLimits(d)
		case "lockout":
			err = app.parseLockout(d)
		case "drains":
			err = app.parseDrains(d)
		case "data_policy":
			err = parsePolicyLine(d, &app.DataPolicy)
		case "balance_low":
			err = app.parseWatchLine(d, &app.BalanceLow, "1.00")
		case "spend_anomaly":
			err = app.parseWatchLine(d, &app.SpendAnomaly, "10.00")
		case "max_requests":
			err = app.parseMaxRequests(d)
		case "max_attempts":
			err = app.parseMaxAttempts(d)
		case "try_duration":
			err = parseTimeout(d, &app.TryDuration)
		case "prices":
			if app.Prices != "" {
				err = d.Err("prices is given twice")
			} else if !d.AllArgs(&app.Prices) || app.Prices == "" {
				err = d.Err("prices takes one price file, like: prices /etc/caddy/prices.json")
			}
		case "body_memory":
			err = parseSize(d, &app.BodyMemory, "1GiB")
		case "heap_headroom":
			err = app.parseHeapHeadroom(d)
		case "access_log":
			if app.AccessLog != "" {
				err = d.Err("access_log is given twice")
			} else if !d.AllArgs(&app.AccessLog) || app.AccessLog != accessLogCaddy && app.AccessLog != accessLogOff {
				err = d.Err("access_log takes the one word caddy or off; leave it out for Faregate's own line per request")
			}
		default:
			err = unknownSubdirective(d, "faregate", "store, node, retention, provider, model, group, client_limits, lockout, drains, data_policy, balance_low, spend_anomaly, max_requests, max_attempts, try_duration, prices, body_memory, heap_headroom or access_log")
		}
		if err != nil {
			return nil, err
		}
	}
	// A model may stand above the provider that it goes to.
	for i := range app.Models {
		if err := app.Models[i].validate(app.Providers); err != nil {
			return nil, models[i].WrapErr(err)
		}
	}
	return httpcaddyfile.App{Name: "faregate", Value: caddyconfig.JSON(app, nil)}, nil
}

func (a *App) parseStore(d *caddyfile.Dispenser) error {
	if a.Store != "" {
		return d.Err("store is given twice")
	}
	arguments := d.RemainingArgs()
	switch len(arguments) {
	case 1:
		a.Store = arguments[0]
	case 2:
		a.Store = arguments[0] + ":" + arguments[1]
	default: // not quoted: a database's address may hold a password
		return d.Err("store takes a kind and a place, like: store sqlite /var/lib/faregate/faregate.db")
	}
	return nil
}

func (a *App) parseNode(d *caddyfile.Dispenser) error {
	if a.Node != "" {
		return d.Err("node is given twice")
	}
	if !d.AllArgs(&a.Node) || a.Node == "" {
		return d.Err("node takes one name, like: node gateway-1, or a placeholder, like {env.HOSTNAME}")
	}
	return nil
}

func (a *App) parseRetention(d *caddyfile.Dispenser) error {
	if a.Retention != nil {
		return d.Err("retention is given twice")
	}
	var text string
	if !d.AllArgs(&text) {
		return d.Err("retention takes one duration, like 400d, or forever")
	}
	var keep caddy.Duration
	if text != "forever" && text != "0" {
		duration, err := caddy.ParseDuration(text)
		if err != nil {
			return d.Errf("retention %q is not a duration, like 400d or 9600h, nor forever", text)
		}
		keep = caddy.Duration(duration)
	}
	if err := checkRetention(&keep); err != nil {
		return d.WrapErr(err)
	}
	a.Retention = &keep
	return nil
}

func (a *App) parseProvider(d *caddyfile.Dispenser) error {
	start := *d
	if !d.NextArg() {
		return d.Err("provider needs a name, like: provider openai {env.OPENAI_API_KEY}")
	}
	provider := Provider{Name: d.Val()}
	if err := provider.parseKeys(d, d.RemainingArgs()); err != nil {
		return err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "dialect":
			if provider.Dialect != "" {
				return d.Err("dialect is given twice")
			}
			if !d.AllArgs(&provider.Dialect) {
				return d.Err("dialect takes one of openai, anthropic and google")
			}
		case "base_url":
			if provider.BaseURL != "" {
				return d.Err("base_url is given twice")
			}
			if !d.AllArgs(&provider.BaseURL) {
				return d.Err("base_url takes one address, like https://llm.example.com/v1")
			}
		case "api_key":
			keys := d.RemainingArgs()
			if len(keys) == 0 {
				return d.Err("api_key takes one or more keys, each as {env.NAME} or {file./path}")
			}
			if err := provider.parseKeys(d, keys); err != nil {
				return err
			}
		case "models":
			names := d.RemainingArgs()
			if len(names) == 0 {
				return d.Err("models takes one or more names of models")
			}
			provider.Models = append(provider.Models, names...)
		case "insecure":
			if d.NextArg() {
				return d.Err("insecure takes no arguments")
			}
			provider.Insecure = true
		case "private":
			if d.NextArg() {
				return d.Err("private takes no arguments")
			}
			provider.Private = true
		case "data_policy":
			if err := parsePolicyLine(d, &provider.DataPolicy); err != nil {
				return err
			}
		case "on_disconnect":
			if err := parseDisconnect(d, &provider.OnDisconnect); err != nil {
				return err
			}
		case "simulator":
			if d.NextArg() {
				return d.Err("simulator takes no arguments")
			}
			provider.Simulator = true
		default:
			if known, err := provider.parseTimeouts(d); err != nil {
				return err
			} else if !known {
				return unknownSubdirective(d, "provider", "dialect, base_url, api_key, models, data_policy, on_disconnect, connect_timeout, first_byte_timeout, idle_timeout, insecure, private or simulator")
			}
		}
	}
	if err := provider.validate(); err != nil {
		return start.WrapErr(err)
	}
	if slices.ContainsFunc(a.Providers, func(p Provider) bool { return p.Name == provider.Name }) {
		return start.WrapErr(provider.errTwice())
	}
	a.Providers = append(a.Providers, provider)
	return nil
}

// subdirectiveName is what a subdirective looks like, and a provider's key does not.
var subdirectiveName = regexp.MustCompile(`^[a-z_]{1,32}$`)

// unknownSubdirective is the error for the current token. It quotes the token only if
// that cannot be a secret which slipped onto a line of its own.
func unknownSubdirective(d *caddyfile.Dispenser, directive, known string) error {
	if !subdirectiveName.MatchString(d.Val()) {
		return d.Errf("this is no subdirective of %s: use %s", directive, known)
	}
	return d.Errf("unknown subdirective %q of %s: use %s", d.Val(), directive, known)
}
