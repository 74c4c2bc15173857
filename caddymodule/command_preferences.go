package caddymodule

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/preferences"
)

const (
	dataPolicyUsage = "what providers must have promised of what they are sent: zdr (nothing is kept), no_training (kept for a time, not trained with), " +
		"retains (stated at least), or none; the strictest of operator, account, key and request counts"
	providersUsage = "providers that are preferred where a request does not say, like 'order=anthropic|openrouter, ignore=xai', or none"
)

// readDataPolicy reads a data policy that is required; none requires nothing.
func readDataPolicy(name string) (preferences.DataPolicy, error) {
	if name == noLimit {
		return preferences.DataPolicyUnknown, nil
	}
	policy, err := preferences.ParseDataPolicy(name)
	if err != nil || policy == preferences.DataPolicyUnknown {
		return 0, fmt.Errorf("--data-policy %q: say zdr, no_training, retains or none", name)
	}
	return policy, nil
}

// shownPolicy is a required data policy for people and scripts; empty where nothing is
// required.
func shownPolicy(policy preferences.DataPolicy) string {
	if policy == preferences.DataPolicyUnknown {
		return ""
	}
	return policy.String()
}

func addPreferenceFlags(cmd *cobra.Command) {
	cmd.Flags().String("data-policy", "", dataPolicyUsage)
	cmd.Flags().String("providers", "", providersUsage)
}

// preferenceChanges are what the flags of addPreferenceFlags ask for.
func preferenceChanges(cmd *cobra.Command) (changes []func(*auth.Key), err error) {
	if text, err := cmd.Flags().GetString("data-policy"); err == nil && cmd.Flags().Changed("data-policy") {
		policy, err := readDataPolicy(text)
		if err != nil {
			return nil, err
		}
		changes = append(changes, func(key *auth.Key) { key.Providers.DataPolicy = policy })
	}
	if text, err := cmd.Flags().GetString("providers"); err == nil && cmd.Flags().Changed("providers") {
		var preferred preferences.Providers
		if text != noLimit {
			if preferred, err = preferences.Parse(text); err != nil {
				return nil, fmt.Errorf("--providers: %w", err)
			}
		}
		switch {
		case preferred.DataPolicy != preferences.DataPolicyUnknown:
			return nil, errors.New("--providers: say the data policy in --data-policy")
		case preferred.String() == "" && text != noLimit:
			return nil, errors.New("--providers is empty: write preferences like order=openai|azure, ignore=xai, or none")
		}
		changes = append(changes, func(key *auth.Key) {
			preferred.DataPolicy = key.Providers.DataPolicy
			key.Providers = preferred
		})
	}
	return changes, nil
}

// preferenceFacts are a key's data policy and preferred providers, for people.
func preferenceFacts(key *auth.Key) (dataPolicy, providers string) {
	preferred := key.Providers
	preferred.DataPolicy = preferences.DataPolicyUnknown
	return shownPolicy(key.Providers.DataPolicy), preferred.String()
}
