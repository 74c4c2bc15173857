package caddymodule

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/usage"
)

// recordJSON is a usage record as scripts see it. All fields are always there;
// only classes of usage that are zero are left out.
type recordJSON struct {
	ID             string          `json:"id"`
	AccountID      string          `json:"account_id"`
	KeyID          string          `json:"key_id"`
	StartedAt      instant         `json:"started_at"`
	DurationMS     int64           `json:"duration_ms"`
	TTFTMS         int64           `json:"ttft_ms"`
	Operation      string          `json:"operation"`
	Dialect        string          `json:"dialect"`
	Provider       string          `json:"provider"`
	ModelRequested string          `json:"model_requested"`
	ModelServed    string          `json:"model_served"`
	Attempts       int             `json:"attempts"`
	Status         metering.Status `json:"status"`
	HTTPStatus     int             `json:"http_status"`
	Streamed       bool            `json:"streamed"`
	FinishReason   string          `json:"finish_reason"`
	ServiceTier    string          `json:"service_tier"`
	Basis          metering.Basis  `json:"basis"`
	Usage          usage.Usage     `json:"usage"`
	Cost           metering.Nanos  `json:"cost"`
	Shortfall      metering.Nanos  `json:"shortfall"`
	PriceVersion   string          `json:"price_version"`
}

func recordForJSON(r *metering.Record) recordJSON {
	return recordJSON{
		ID: r.ID, AccountID: r.AccountID, KeyID: r.KeyID, StartedAt: instant(r.StartedAt),
		DurationMS: r.Duration.Milliseconds(), TTFTMS: r.TimeToFirstToken.Milliseconds(),
		Operation: r.Operation, Dialect: r.Dialect, Provider: r.Provider,
		ModelRequested: r.ModelRequested, ModelServed: r.ModelServed, Attempts: r.Attempts,
		Status: r.Status, HTTPStatus: r.HTTPStatus, Streamed: r.Streamed, FinishReason: r.FinishReason,
		ServiceTier: r.ServiceTier, Basis: r.Basis, Usage: r.Usage, Cost: r.Cost, Shortfall: r.Shortfall, PriceVersion: r.PriceVersion,
	}
}

func (c *commandLine) usageCommand() *cobra.Command {
	var account, key, since, until string
	list := &cobra.Command{
		Use:   "usage [--account ACCOUNT] [--key KEY] [--since T] [--until T]",
		Short: "List usage records, oldest first",
		Long: "Lists usage records, oldest first: from --since on, up to but without --until. " +
			"Both take a moment like 2026-11-23T08:00:00Z, a day (UTC) like 2026-11-23, or how long ago like 24h or 7d.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			filter, err := c.newFilter(key, since, until)
			if err != nil {
				return err
			}
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				if account != "" {
					holder, err := findAccount(cmd, books, account)
					if err != nil {
						return err
					}
					filter.AccountID = holder.ID
				}
				found.header("STARTED", "ID", "MODEL", "STATUS", "BASIS", "INPUT", "OUTPUT", "COST USD", "MS")
				for record, err := range books.Records(cmd.Context(), filter) {
					if err != nil {
						return err
					}
					found.row(recordForJSON(record), shown(record.StartedAt), record.ID, record.ModelRequested, string(record.Status), string(record.Basis),
						count(record.Usage.InputTotal), count(record.Usage.OutputTotal), record.Cost.String(), count(record.Duration.Milliseconds()))
				}
				return nil
			})
		},
	}
	list.Flags().StringVar(&account, "account", "", "only of this account: id, e-mail address or username")
	list.Flags().StringVar(&key, "key", "", "only of the key with this id")
	list.Flags().StringVar(&since, "since", "", "from then on: a moment, a day, or how long ago")
	list.Flags().StringVar(&until, "until", "", "up to but without: a moment, a day, or how long ago")
	return list
}

func count(n int64) string { return strconv.FormatInt(n, 10) }

func (c *commandLine) newFilter(key, since, until string) (store.Filter, error) {
	now := c.now()
	filter := store.Filter{}
	if key != "" {
		id, err := uuid.Parse(key)
		if err != nil {
			return filter, errors.New("--key: name the key by its id, as key list shows it")
		}
		filter.KeyID = id.String()
	}
	var err error
	if filter.Since, err = parseMoment("since", since, now); err != nil {
		return filter, err
	}
	if filter.Until, err = parseMoment("until", until, now); err != nil {
		return filter, err
	}
	if !filter.Since.IsZero() && !filter.Until.IsZero() && !filter.Since.Before(filter.Until) {
		return filter, errors.New("--since must be before --until")
	}
	return filter, nil
}

func (c *commandLine) requestCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "request ID",
		Short: "Show the record of one request, by the id in its Faregate-Request-Id header",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			id, err := uuid.Parse(strings.TrimSpace(args[0]))
			if err != nil {
				return errors.New("that is no request id: take it from the answer's Faregate-Request-Id header")
			}
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				record, err := books.Record(cmd.Context(), id.String())
				if errors.Is(err, store.ErrNotFound) {
					return fmt.Errorf("there is no record of request %s: one that still runs has none yet, and one has none that was refused for its key, address or account, "+
						"asked for no model's answer (a list of models, a count of tokens, an unknown address), was under way when the server crashed, or is older than records are kept: %w", id, err)
				}
				if err != nil {
					return err
				}
				printRecord(found, record)
				return nil
			})
		},
	}
}

func printRecord(found *output, r *metering.Record) {
	facts := []string{
		"id", r.ID, "account", r.AccountID, "key", r.KeyID, "started", shown(r.StartedAt),
		"duration", r.Duration.String(), "operation", r.Operation, "dialect", r.Dialect, "provider", r.Provider,
		"model requested", r.ModelRequested, "model served", r.ModelServed, "attempts", strconv.Itoa(r.Attempts),
		"status", string(r.Status), "HTTP status", strconv.Itoa(r.HTTPStatus), "streamed", strconv.FormatBool(r.Streamed),
		"finish reason", r.FinishReason, "service tier", r.ServiceTier, "basis", string(r.Basis),
	}
	if r.TimeToFirstToken > 0 {
		facts = append(facts, "time to first token", r.TimeToFirstToken.String())
	}
	facts = append(facts, usageFacts(r.Usage)...)
	facts = append(facts, "cost", dollars(r.Cost))
	if r.Shortfall > 0 {
		facts = append(facts, "not paid (shortfall)", dollars(r.Shortfall))
	}
	found.facts(recordForJSON(r), append(facts, "price version", r.PriceVersion)...)
}

// usageFacts names the totals, and the classes that are not zero.
func usageFacts(u usage.Usage) []string {
	facts := []string{"input tokens", count(u.InputTotal), "output tokens", count(u.OutputTotal)}
	for _, class := range []struct {
		name  string
		count int64
	}{
		{"  input", u.Input}, {"  cache read", u.CacheRead}, {"  cache write", u.CacheWrite},
		{"  cache write, 5 minutes", u.CacheWrite5m}, {"  cache write, 1 hour", u.CacheWrite1h},
		{"  audio input", u.InputAudio}, {"  image input", u.InputImage}, {"  video input", u.InputVideo},
		{"  audio cache read", u.CacheReadAudio}, {"  image cache read", u.CacheReadImage}, {"  video cache read", u.CacheReadVideo},
		{"  output", u.Output}, {"    of it reasoning", u.Reasoning}, {"  audio output", u.OutputAudio}, {"  image output", u.OutputImage}, {"  video output", u.OutputVideo},
		{"web searches", u.Units.WebSearch}, {"web fetches", u.Units.WebFetch}, {"searches of X", u.Units.XSearch},
		{"file searches", u.Units.FileSearch}, {"code containers", u.Units.CodeInterpreter}, {"images", u.Units.Images},
		{"characters", u.Units.Characters}, {"milliseconds of audio", u.Units.Milliseconds}, {"pages", u.Units.Pages},
	} {
		if class.count != 0 {
			facts = append(facts, class.name, count(class.count))
		}
	}
	return facts
}
