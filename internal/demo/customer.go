package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strings"

	"github.com/faregate/faregate/metering"
)

const (
	username = "demo"
	credit   = "5.00"
)

// customer is the demo's account and key.
type customer struct {
	accountID string
	secret    string
	keyPath   string
	created   bool // the key was made in this run
}

// commands runs `caddy faregate …` as an operator would in a terminal.
type commands struct{ environment []string }

// run calls one command with --json and reads its answer into result.
func (c commands) run(ctx context.Context, result any, arguments ...string) error {
	arguments = append(append([]string{"faregate"}, arguments...), "--config", demoCaddyfile, "--json")
	command := exec.CommandContext(ctx, caddyBinary, arguments...)
	var stderr bytes.Buffer
	command.Env, command.Stderr = c.environment, &stderr
	output, err := command.Output()
	if err != nil {
		return fmt.Errorf("caddy %s: %w\n%s", strings.Join(arguments, " "), err, stderr.Bytes())
	}
	if result == nil {
		return nil
	}
	if err := json.Unmarshal(output, result); err != nil {
		return fmt.Errorf("reading the answer of caddy %s: %w", strings.Join(arguments, " "), err)
	}
	return nil
}

// prepareCustomer finds or makes the account, its credit and its key. Each step
// may be repeated, so that an interrupted first run is completed by the next.
func prepareCustomer(ctx context.Context, c commands, keyPath string) (*customer, error) {
	var account struct {
		ID string `json:"id"`
	}
	isNew := c.run(ctx, &account, "account", "show", username) != nil
	if isNew {
		if err := c.run(ctx, &account, "account", "create", "--email", "demo@example.com", "--username", username); err != nil {
			return nil, err
		}
	}
	// The reference makes it one deposit however often it is sent.
	if err := c.run(ctx, nil, "deposit", "--account", account.ID, "--amount", credit, "--ref", "demo-credit"); err != nil {
		return nil, err
	}
	result := &customer{accountID: account.ID, keyPath: keyPath}
	kept, err := os.ReadFile(keyPath)
	switch {
	case err == nil && !isNew: // a key of an account that is gone is worth nothing
		result.secret = strings.TrimSpace(string(kept))
		return result, nil
	case err != nil && !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	var key struct {
		Secret string `json:"secret"`
	}
	if err := c.run(ctx, &key, "key", "create", "--account", account.ID, "--name", "demo"); err != nil {
		return nil, err
	}
	// The gateway keeps only a hash; the demo keeps the secret for its next run.
	if err := os.WriteFile(keyPath, []byte(key.Secret+"\n"), 0o600); err != nil {
		return nil, err
	}
	result.secret, result.created = key.Secret, true
	return result, nil
}

func (c commands) balance(ctx context.Context, accountID string) (metering.Nanos, error) {
	var answer struct {
		Balance metering.Nanos `json:"balance"`
	}
	err := c.run(ctx, &answer, "balance", accountID)
	return answer.Balance, err
}

// usageRecord is the part of a usage record that the demo shows.
type usageRecord struct {
	Basis      string         `json:"basis"`
	Provider   string         `json:"provider"`
	DurationMS int64          `json:"duration_ms"`
	Cost       metering.Nanos `json:"cost"`
	Usage      struct {
		InputTotal  int64 `json:"input_total"`
		OutputTotal int64 `json:"output_total"`
	} `json:"usage"`
}

func (c commands) record(ctx context.Context, requestID string) (usageRecord, error) {
	var record usageRecord
	err := c.run(ctx, &record, "request", requestID)
	return record, err
}
