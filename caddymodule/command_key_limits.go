package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/store"
)

// anyAddress takes an address list away.
const anyAddress = "any"

// rateFlags are the limits of a key's own, beside those of its account's group.
var rateFlags = []struct {
	name, usage string
	of          func(*limits.Rates) *int64
}{
	{"rpm", "requests per minute", func(r *limits.Rates) *int64 { return &r.RequestsPerMinute }},
	{"tpm", "tokens per minute", func(r *limits.Rates) *int64 { return &r.TokensPerMinute }},
	{"concurrency", "requests at once", func(r *limits.Rates) *int64 { return &r.Concurrency }},
}

// keyLimitFlags are the names of the flags that addKeyLimitFlags adds.
var keyLimitFlags = []string{"rpm", "tpm", "concurrency", "cidr", "data-policy", "providers", "on-disconnect"}

func addKeyLimitFlags(cmd *cobra.Command) {
	for _, flag := range rateFlags {
		cmd.Flags().String(flag.name, "", flag.usage+" of this key, beside the limits of its account, or none")
	}
	cmd.Flags().StringSlice("cidr", nil, "networks and addresses that the key may be used from, like 203.0.113.0/24, or any")
	addPreferenceFlags(cmd)
	cmd.Flags().String("on-disconnect", "", "what becomes of an answer whose client leaves: cancel ends it at once, drain reads it to its end, default leaves that to the configuration")
}

// readKeyLimits returns the change that the flags ask for.
func readKeyLimits(cmd *cobra.Command) (func(*auth.Key), error) {
	var changes []func(*auth.Key)
	for _, flag := range rateFlags {
		text, err := cmd.Flags().GetString(flag.name)
		if err != nil || !cmd.Flags().Changed(flag.name) {
			continue
		}
		var limit int64
		if text != noLimit {
			if limit, err = parseLimit(text); err != nil {
				return nil, fmt.Errorf("--%s %q: write a number of %s, 1 or more, or none", flag.name, text, flag.usage)
			}
		}
		changes = append(changes, func(key *auth.Key) { *flag.of(&key.Rates) = limit })
	}
	if cmd.Flags().Changed("cidr") {
		entries, err := cmd.Flags().GetStringSlice("cidr")
		if err != nil {
			return nil, err
		}
		var list limits.AddressList
		if !slices.Equal(entries, []string{anyAddress}) {
			if list, err = limits.ParseAddressList(strings.Join(entries, ",")); err != nil {
				return nil, fmt.Errorf("--cidr: %w", err)
			}
			if list.Everywhere() {
				return nil, errors.New("--cidr is empty: write networks like 203.0.113.0/24, or any")
			}
		}
		changes = append(changes, func(key *auth.Key) { key.Addresses = list })
	}
	preferring, err := preferenceChanges(cmd)
	if err != nil {
		return nil, err
	}
	changes = append(changes, preferring...)
	if text, err := cmd.Flags().GetString("on-disconnect"); err == nil && cmd.Flags().Changed("on-disconnect") {
		policy, err := auth.ParseOnDisconnect(text)
		if err != nil {
			return nil, fmt.Errorf("--on-disconnect %w", err)
		}
		changes = append(changes, func(key *auth.Key) { key.OnDisconnect = policy })
	}
	return func(key *auth.Key) {
		for _, change := range changes {
			change(key)
		}
	}, nil
}

// rateFacts are a key's own limits for people: empty where there is none.
func rateFacts(k *store.LimitedKey) (rpm, tpm, concurrency string) {
	text := func(limit int64) string {
		if limit == 0 {
			return ""
		}
		return strconv.FormatInt(limit, 10)
	}
	return text(k.Rates.RequestsPerMinute), text(k.Rates.TokensPerMinute), text(k.Rates.Concurrency)
}

// addressesForJSON are the networks that a key may be used from; nil for every address.
func addressesForJSON(k *store.LimitedKey) []string {
	if k.Addresses.Everywhere() {
		return nil
	}
	return strings.Split(k.Addresses.String(), ",")
}
