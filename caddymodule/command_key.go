package caddymodule

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// keyJSON is a key as scripts see it. Only the answer to its creation has the secret.
type keyJSON struct {
	ID        string   `json:"id"`
	Secret    string   `json:"secret,omitempty"`
	AccountID string   `json:"account_id"`
	Name      string   `json:"name"`
	Status    string   `json:"status"`
	Models    []string `json:"models"`
	// SpendLimit, Spent and Per are there for a key with a limit. Spent is that of the
	// present period.
	SpendLimit *metering.Nanos `json:"spend_limit,omitempty"`
	Spent      *metering.Nanos `json:"spent,omitempty"`
	Per        ledger.Period   `json:"per,omitempty"`
	ExactCaps  bool            `json:"exact_caps"`
	// RPM, TPM, Concurrency and CIDR are there where the key has such a limit of its own.
	RPM         int64    `json:"rpm,omitempty"`
	TPM         int64    `json:"tpm,omitempty"`
	Concurrency int64    `json:"concurrency,omitempty"`
	CIDR        []string `json:"cidr,omitempty"`
	// OnDisconnect is there where the key has a policy of its own.
	OnDisconnect auth.OnDisconnect `json:"on_disconnect,omitempty"`
	// DataPolicy and Providers are there where the key has a policy and preferences.
	DataPolicy string  `json:"data_policy,omitempty"`
	Providers  string  `json:"providers,omitempty"`
	CreatedAt  instant `json:"created_at"`
	// RotatedAt is there for a key that has another secret than at first, FormerUntil
	// while a former one still works.
	RotatedAt   instant `json:"rotated_at,omitzero"`
	FormerUntil instant `json:"former_until,omitzero"`
	ExpiresAt   instant `json:"expires_at,omitzero"`
	RevokedAt   instant `json:"revoked_at,omitzero"`
}

// revokedJSON is the answer to a revocation.
type revokedJSON struct {
	ID     string `json:"id"`
	Status string `json:"status"`
}

func (c *commandLine) keyForJSON(k *store.LimitedKey) keyJSON {
	models := k.Models
	if models == nil {
		models = []string{} // a list in every answer, not null
	}
	answer := keyJSON{
		ID: k.ID, AccountID: k.AccountID, Name: k.Name, Status: c.keyStatus(k), Models: models, ExactCaps: k.ExactCaps,
		RPM: k.Rates.RequestsPerMinute, TPM: k.Rates.TokensPerMinute, Concurrency: k.Rates.Concurrency, CIDR: addressesForJSON(k), OnDisconnect: k.OnDisconnect,
		CreatedAt: instant(k.CreatedAt), RotatedAt: instant(k.RotatedAt), FormerUntil: instant(c.formerUntil(k)), ExpiresAt: instant(k.ExpiresAt), RevokedAt: instant(k.RevokedAt),
	}
	answer.DataPolicy, answer.Providers = preferenceFacts(&k.Key)
	if k.Limit != nil {
		answer.SpendLimit, answer.Spent, answer.Per = &k.Limit.Amount, &k.Spent, k.Limit.Period
	}
	return answer
}

// limitFacts are a key's limit, what is spent of it and its period, for people; empty
// without a limit.
func limitFacts(k *store.LimitedKey) (limit, spent, per string) {
	if k.Limit == nil {
		return "", "", ""
	}
	return k.Limit.Amount.String(), k.Spent.String(), string(k.Limit.Period)
}

// capsFact says what becomes of an output cap that the credit does not cover.
func capsFact(k *store.LimitedKey) string {
	if k.ExactCaps {
		return "exact"
	}
	return ""
}

// formerUntil is until when former secrets of the key work; zero if none does.
func (c *commandLine) formerUntil(k *store.LimitedKey) time.Time {
	if k.Revoked() || !c.now().Before(k.FormerUntil) {
		return time.Time{}
	}
	return k.FormerUntil
}

func (c *commandLine) keyStatus(k *store.LimitedKey) string {
	switch {
	case k.Revoked():
		return "revoked"
	case k.Expired(c.now()):
		return "expired"
	}
	return "active"
}

func (c *commandLine) keyCommand() *cobra.Command {
	key := &cobra.Command{Use: "key", Short: "Create, list, change, rotate and revoke keys"}
	onlyCommands(key)
	key.AddCommand(c.keyCreateCommand(), c.keyListCommand(), c.keyEditCommand(), c.keyRotateCommand(), c.keyRevokeCommand())
	return key
}

func (c *commandLine) keyCreateCommand() *cobra.Command {
	var account, name, expires, limit, per string
	var models []string
	var exactCaps bool
	create := &cobra.Command{
		Use: "create --account ACCOUNT --name NAME [--expires 720h|never] [--models a,b*] [--spend-limit 10.00|none] [--per day|week|month|total] [--exact-caps] " +
			"[--rpm N] [--tpm N] [--concurrency N] [--cidr 203.0.113.0/24,...] [--data-policy zdr|no_training|retains] [--providers 'order=a|b, ignore=c'] [--on-disconnect cancel|drain|default]",
		Short: "Create a key; its secret is shown this once",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			key, err := c.newKey(name, expires, models)
			if err != nil {
				return err
			}
			if limit == noLimit {
				limit = ""
			}
			if key.Limit, err = newKeyLimit(limit, per); err != nil {
				return err
			}
			key.ExactCaps = exactCaps
			restrict, err := readKeyLimits(cmd)
			if err != nil {
				return err
			}
			restrict(&key.Key)
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, account)
				if err != nil {
					return err
				}
				key.AccountID = holder.ID
				secret, err := auth.NewSecret(c.random)
				if err != nil {
					return err
				}
				if key.Hash, err = auth.HashSecret(secret.Reveal()); err != nil {
					return err
				}
				if err := books.CreateLimitedKey(cmd.Context(), key); err != nil {
					return err
				}
				answer := c.keyForJSON(key)
				answer.Secret = secret.Reveal()
				limit, _, per := limitFacts(key)
				rpm, tpm, concurrency := rateFacts(key)
				dataPolicy, providers := preferenceFacts(&key.Key)
				found.facts(answer, "id", key.ID, "name", key.Name, "account", holder.Username,
					"models", strings.Join(key.Models, ","), "spend limit USD", limit, "per", per, "output caps", capsFact(key),
					"requests per minute", rpm, "tokens per minute", tpm, "requests at once", concurrency, "usable from", key.Addresses.String(),
					"data policy", dataPolicy, "providers", providers, "on disconnect", string(key.OnDisconnect), "expires", shown(key.ExpiresAt),
					"secret", secret.Reveal(), "", "This is the only time that the secret is shown: keep it now.")
				return nil
			})
		},
	}
	create.Flags().StringVar(&account, "account", "", "the account: id, e-mail address or username")
	create.Flags().StringVar(&name, "name", "", "what the key is for, like laptop or ci")
	create.Flags().StringVar(&expires, "expires", "", "how long the key works, like 720h or 30d; never, as if not given, for a key without an end")
	create.Flags().StringSliceVar(&models, "models", nil, "the models that the key may call, * at the end for all that begin so; all if not given")
	create.Flags().StringVar(&limit, "spend-limit", "", "dollars that the key may spend, like 10.00; none, as if not given, for as much as the account has")
	create.Flags().StringVar(&per, "per", "", "how often the spend limit starts afresh: day, week or month, in UTC; or total, as if not given, for never")
	create.Flags().BoolVar(&exactCaps, "exact-caps", false, exactCapsUsage)
	addKeyLimitFlags(create)
	return requires(create, "account", "name")
}

func (c *commandLine) newKey(name, expires string, models []string) (*store.LimitedKey, error) {
	key := &store.LimitedKey{Key: auth.Key{CreatedAt: c.now()}}
	var err error
	if key.Name, err = auth.NormalizeKeyName(name); err != nil {
		return nil, fmt.Errorf("--name: %w", err)
	}
	if expires != "" && expires != noExpiry {
		if key.ExpiresAt, err = c.expiry(expires); err != nil {
			return nil, err
		}
	}
	if key.Models, err = parseModels(models); err != nil {
		return nil, err
	}
	key.ID, err = c.newID()
	return key, err
}

func (c *commandLine) expiry(text string) (time.Time, error) {
	life, err := caddy.ParseDuration(text)
	if err != nil || life < time.Second {
		return time.Time{}, fmt.Errorf("--expires %q: write how long the key shall work from now on, like 720h or 30d, and at most 290 years", text)
	}
	return c.now().Add(life), nil
}

func parseModels(patterns []string) (models []string, err error) {
	for _, pattern := range patterns {
		pattern = strings.TrimSpace(pattern)
		if err := auth.ValidateModelPattern(pattern); err != nil {
			return nil, fmt.Errorf("--models: %w", err)
		}
		if !slices.Contains(models, pattern) {
			models = append(models, pattern)
		}
	}
	return models, nil
}

func (c *commandLine) keyListCommand() *cobra.Command {
	var account string
	list := &cobra.Command{
		Use:   "list --account ACCOUNT",
		Short: "List the keys of an account, oldest first, without their secrets",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				holder, err := findAccount(cmd, books, account)
				if err != nil {
					return err
				}
				keys, err := books.ListLimitedKeys(cmd.Context(), holder.ID)
				if err != nil {
					return err
				}
				found.header("ID", "NAME", "STATUS", "MODELS", "LIMIT USD", "SPENT USD", "PER", "CAPS", "RPM", "TPM", "AT ONCE", "FROM", "DATA POLICY", "PROVIDERS", "ON DISCONNECT", "CREATED", "ROTATED", "FORMER UNTIL", "EXPIRES", "REVOKED")
				for _, k := range keys {
					limit, spent, per := limitFacts(k)
					rpm, tpm, concurrency := rateFacts(k)
					dataPolicy, providers := preferenceFacts(&k.Key)
					found.row(c.keyForJSON(k), k.ID, k.Name, c.keyStatus(k), allowedModels(k), limit, spent, per, capsFact(k),
						rpm, tpm, concurrency, k.Addresses.String(), dataPolicy, providers, string(k.OnDisconnect), shown(k.CreatedAt), shown(k.RotatedAt), shown(c.formerUntil(k)), shown(k.ExpiresAt), shown(k.RevokedAt))
				}
				return nil
			})
		},
	}
	list.Flags().StringVar(&account, "account", "", "the account: id, e-mail address or username")
	return requires(list, "account")
}

func (c *commandLine) keyRevokeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "revoke KEY",
		Short: "End a key for good; the server refuses it within a second",
		Long:  "Ends a key for good; the server refuses it within a second. KEY is the id of the key, as key list shows it. Revoking it again changes nothing.",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := keyID(args[0])
			if err != nil {
				return err
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				if err := noSuchKey(args[0], books.RevokeKey(cmd.Context(), id, c.now())); err != nil {
					return err
				}
				found.facts(revokedJSON{id, "revoked"}, "id", id, "status", "revoked")
				return nil
			})
		},
	}
}

// keyID is the id of a key that an operator names.
func keyID(named string) (string, error) {
	if strings.HasPrefix(named, "sk-") {
		// It is in the shell's history and in the process list already.
		return "", errors.New("name the key by its id (key list shows it), not by its secret; treat a secret that was typed here as leaked")
	}
	return strings.ToLower(named), nil
}

func noSuchKey(named string, err error) error {
	if errors.Is(err, store.ErrNotFound) {
		return fmt.Errorf("there is no key %q: name it by its id, as key list shows it: %w", named, err)
	}
	return err
}
