package caddymodule

import (
	"fmt"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/metering"
)

const (
	// anomalyOff is the value of App.SpendAnomaly that finds nothing strange.
	anomalyOff = "off"
	// defaultAnomaly is the least that is much for an hour: some dollars are spent by
	// anybody who tries something out.
	defaultAnomaly = 10 * metering.Dollar
)

// watchingFor reads BalanceLow and SpendAnomaly.
func (a *App) watchingFor() (watching, error) {
	w := watching{anomaly: defaultAnomaly}
	var err error
	if a.BalanceLow != "" {
		if w.low, err = metering.ParseUSD(a.BalanceLow); err != nil || w.low <= 0 {
			return w, fmt.Errorf("balance_low %q is not an amount in dollars, like 1.00", a.BalanceLow)
		}
	}
	switch a.SpendAnomaly {
	case "":
	case anomalyOff:
		w.anomaly = 0
	default:
		if w.anomaly, err = metering.ParseUSD(a.SpendAnomaly); err != nil || w.anomaly <= 0 {
			return w, fmt.Errorf("spend_anomaly %q is not an amount in dollars, like 10.00, nor off", a.SpendAnomaly)
		}
	}
	return w, nil
}

// parseWatchLine reads a line with one amount.
func (a *App) parseWatchLine(d *caddyfile.Dispenser, into *string, example string) error {
	name := d.Val()
	if *into != "" {
		return d.Errf("%s is given twice", name)
	}
	if !d.AllArgs(into) || *into == "" {
		return d.Errf("%s takes one amount in dollars, like: %s %s", name, name, example)
	}
	if _, err := a.watchingFor(); err != nil {
		return d.WrapErr(err)
	}
	return nil
}
