package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

const exactCapsUsage = "refuse a request that the credit does not cover, rather than lowering its output cap"

// The words that take a limit or an expiry away.
const (
	noLimit  = "none"
	noExpiry = "never"
)

// keyEdit is what an operator asks to be changed of a key; nil and empty: nothing.
type keyEdit struct {
	name       *string
	models     *[]string // empty: all
	expires    *time.Time
	exactCaps  *bool
	limit, per string
}

func (c *commandLine) keyEditCommand() *cobra.Command {
	var name, limit, per, expires string
	var models []string
	var exactCaps bool
	edit := &cobra.Command{
		Use: "edit KEY [--name NAME] [--models a,b*] [--expires 720h|never] [--spend-limit 10.00|none] [--per day|week|month|total] [--exact-caps=true|false] " +
			"[--rpm N|none] [--tpm N|none] [--concurrency N|none] [--cidr 203.0.113.0/24,...|any] " +
			"[--data-policy zdr|no_training|retains|none] [--providers 'order=a|b, ignore=c'|none] [--on-disconnect cancel|drain|default]",
		Short: "Change a key; the server goes by it within a second",
		Long: "Changes what is given, and nothing else; the server goes by it within a second. KEY is the id of the key, as key list shows it. " +
			"What was spent in the present period under an earlier limit counts.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			wanted := keyEdit{limit: limit, per: per}
			if wanted == (keyEdit{}) && !slices.ContainsFunc(append([]string{"name", "models", "expires", "exact-caps"}, keyLimitFlags...), cmd.Flags().Changed) {
				return errors.New("nothing to change: say --name, --models, --expires, --spend-limit, --per, --exact-caps, --rpm, --tpm, --concurrency, --cidr, --data-policy, --providers or --on-disconnect")
			}
			if cmd.Flags().Changed("name") {
				if name, err = auth.NormalizeKeyName(name); err != nil {
					return fmt.Errorf("--name: %w", err)
				}
				wanted.name = &name
			}
			if cmd.Flags().Changed("models") {
				if models, err = parseModels(models); err != nil {
					return err
				}
				if slices.Contains(models, "*") {
					models = nil
				}
				wanted.models = &models
			}
			if cmd.Flags().Changed("expires") {
				var at time.Time
				if expires != noExpiry {
					if at, err = c.expiry(expires); err != nil {
						return err
					}
				}
				wanted.expires = &at
			}
			if cmd.Flags().Changed("exact-caps") {
				wanted.exactCaps = &exactCaps
			}
			restrict, err := readKeyLimits(cmd)
			if err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				key, err := books.EditKey(cmd.Context(), id, func(key *store.LimitedKey) error {
					restrict(&key.Key)
					return wanted.apply(key)
				})
				if err := noSuchKey(args[0], err); err != nil {
					return err
				}
				limit, spent, per := limitFacts(key)
				rpm, tpm, concurrency := rateFacts(key)
				dataPolicy, providers := preferenceFacts(&key.Key)
				found.facts(c.keyForJSON(key), "id", key.ID, "name", key.Name, "status", c.keyStatus(key), "models", allowedModels(key),
					"spend limit USD", limit, "spent USD", spent, "per", per, "output caps", capsFact(key),
					"requests per minute", rpm, "tokens per minute", tpm, "requests at once", concurrency, "usable from", key.Addresses.String(),
					"data policy", dataPolicy, "providers", providers, "on disconnect", string(key.OnDisconnect), "expires", shown(key.ExpiresAt))
				return nil
			})
		},
	}
	edit.Flags().StringVar(&name, "name", "", "what the key is for")
	edit.Flags().StringSliceVar(&models, "models", nil, "the models that the key may call, in place of those before; '*' for all")
	edit.Flags().StringVar(&expires, "expires", "", "how long the key works from now on, like 720h or 30d, or never, for a key without an end")
	edit.Flags().StringVar(&limit, "spend-limit", "", "dollars that the key may spend, like 10.00, or none")
	edit.Flags().StringVar(&per, "per", "", "how often the spend limit starts afresh: day, week or month, in UTC, or total, for never")
	edit.Flags().BoolVar(&exactCaps, "exact-caps", false, exactCapsUsage)
	addKeyLimitFlags(edit)
	return edit
}

func (e *keyEdit) apply(key *store.LimitedKey) error {
	if key.Revoked() {
		return errors.New("the key is revoked, which is for good: create a new one")
	}
	if e.name != nil {
		key.Name = *e.name
	}
	if e.models != nil {
		key.Models = *e.models
	}
	if e.expires != nil {
		key.ExpiresAt = *e.expires
	}
	if e.exactCaps != nil {
		key.ExactCaps = *e.exactCaps
	}
	return e.applyLimit(key)
}

func (e *keyEdit) applyLimit(key *store.LimitedKey) error {
	switch {
	case e.limit == noLimit && e.per != "":
		return errors.New("--per: a key without a spend limit has no period; leave it out")
	case e.limit == noLimit:
		key.Limit = nil
	case e.limit == "" && e.per == "":
	case e.limit == "" && key.Limit == nil:
		return errors.New("--per: the key has no spend limit yet: say --spend-limit, too")
	default:
		amount, per := e.limit, e.per
		if key.Limit != nil && amount == "" {
			amount = key.Limit.Amount.String()
		}
		if key.Limit != nil && per == "" {
			per = string(key.Limit.Period)
		}
		limit, err := newKeyLimit(amount, per)
		if err != nil {
			return err
		}
		key.Limit = limit
	}
	return nil
}

// newKeyLimit reads --spend-limit and --per; both empty is no limit.
func newKeyLimit(amount, per string) (*store.KeyLimit, error) {
	if amount == "" {
		if per != "" {
			return nil, errors.New("--per: say --spend-limit, too: what the key may spend in that time")
		}
		return nil, nil
	}
	limit := &store.KeyLimit{Period: ledger.PeriodTotal}
	var err error
	if limit.Amount, err = metering.ParseUSD(amount); err != nil {
		return nil, fmt.Errorf("--spend-limit: %w", err)
	}
	if per != "" {
		limit.Period = ledger.Period(per)
	}
	if !limit.Period.Valid() {
		return nil, fmt.Errorf("--per %q: say day, week, month or total", per)
	}
	return limit, nil
}

// allowedModels are the models that a key may call, for people.
func allowedModels(key *store.LimitedKey) string {
	if len(key.Models) == 0 {
		return "all"
	}
	return strings.Join(key.Models, ",")
}
