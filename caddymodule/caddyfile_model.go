package caddymodule

import (
	"slices"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/faregate/faregate/metering/price"
)

func (a *App) parseModel(d *caddyfile.Dispenser) error {
	var model Model
	var tiers, fallbacks [][]Target
	start := *d
	if !d.AllArgs(&model.Name) {
		return d.Err("model takes one name, and a block that says where it goes")
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "to", "fallback":
			into := &tiers
			if d.Val() == "fallback" {
				into = &fallbacks
			}
			words := d.RemainingArgs()
			if len(words) == 0 {
				return d.Errf("%s takes one or more providers, each as NAME or NAME/MODEL", d.Val())
			}
			targets, err := parseTargets(d, words)
			if err != nil {
				return err
			}
			*into = append(*into, targets...)
		case "price":
			if model.Price != nil {
				return d.Err("price is given twice")
			}
			definition, err := parsePrice(d)
			if err != nil {
				return err
			}
			model.Price = definition
		case "context_length":
			if err := parseTokens(d, &model.ContextLength); err != nil {
				return err
			}
		case "output_limit":
			if err := parseTokens(d, &model.OutputLimit); err != nil {
				return err
			}
		default:
			return unknownSubdirective(d, "model", "to, fallback, price, context_length or output_limit")
		}
	}
	if slices.ContainsFunc(a.Models, func(m Model) bool { return m.Name == model.Name }) {
		return start.WrapErr(model.errTwice())
	}
	model.goesTo(slices.Concat(tiers, fallbacks))
	a.Models = append(a.Models, model)
	return nil
}

// parseTokens reads a line with one number of tokens.
func parseTokens(d *caddyfile.Dispenser, into *int64) error {
	name := d.Val()
	var text string
	if *into != 0 {
		return d.Errf("%s is given twice", name)
	}
	if d.AllArgs(&text) {
		if tokens, err := strconv.ParseInt(text, 10, 64); err == nil && tokens > 0 && tokens <= maxLimit {
			*into = tokens
			return nil
		}
	}
	return d.Errf("%s takes one number of tokens, like: %s 128000", name, name)
}

// parsePrice reads a price line. It is compiled here already, so that a mistake is
// reported with its line.
func parsePrice(d *caddyfile.Dispenser) (*price.Definition, error) {
	definition := new(price.Definition)
	start := *d
	var err error
	if definition.Prices, err = parsePairs(d, d.RemainingArgs()); err != nil {
		return nil, err
	}
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		switch d.Val() {
		case "above":
			d.NextArg()
			tokens, err := strconv.ParseInt(d.Val(), 10, 64)
			if err != nil || tokens <= 0 {
				return nil, d.Err("above needs a number of tokens, like: above 200000 input 5.00 output 22.50")
			}
			tier := price.Tier{Above: tokens}
			if tier.Prices, err = parsePairs(d, d.RemainingArgs()); err != nil {
				return nil, err
			}
			definition.Tiers = append(definition.Tiers, tier)
		case "unit":
			units, err := parsePairs(d, d.RemainingArgs())
			if err != nil {
				return nil, err
			}
			if definition.Units == nil {
				definition.Units = make(map[string]string)
			}
			for name, dollars := range units {
				if _, twice := definition.Units[name]; twice {
					return nil, d.Errf("the price of %s is given twice", name)
				}
				definition.Units[name] = dollars
			}
		default:
			return nil, unknownSubdirective(d, "price", "above or unit")
		}
	}
	if _, err := price.NewRates(*definition); err != nil {
		return nil, start.WrapErr(err)
	}
	return definition, nil
}

// parsePairs reads NAME DOLLARS pairs.
func parsePairs(d *caddyfile.Dispenser, words []string) (map[string]string, error) {
	if len(words) == 0 || len(words)%2 != 0 {
		return nil, d.Errf("prices come in pairs, like: input 2.50 output 10.00; got %q", strings.Join(words, " "))
	}
	pairs := make(map[string]string, len(words)/2)
	for i := 0; i < len(words); i += 2 {
		if _, twice := pairs[words[i]]; twice {
			return nil, d.Errf("the price of %s is given twice", words[i])
		}
		pairs[words[i]] = words[i+1]
	}
	return pairs, nil
}
