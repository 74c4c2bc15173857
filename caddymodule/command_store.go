package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
)

// withStore runs a command's work on the store.
func (c *commandLine) withStore(cmd *cobra.Command, work func(*store.Store, *output) error) error {
	return c.openStore(cmd, store.Open, work)
}

// readStore is withStore for work that writes nothing: it needs no right to.
func (c *commandLine) readStore(cmd *cobra.Command, work func(*store.Store, *output) error) error {
	return c.openStore(cmd, store.OpenReadOnly, work)
}

func (c *commandLine) openStore(cmd *cobra.Command, open func(string) (*store.Store, error), work func(*store.Store, *output) error) (err error) {
	address, err := c.findStore(cmd)
	if err != nil {
		return err
	}
	if path, isFile := strings.CutPrefix(address, "sqlite:"); isFile {
		// Opening would make an empty file, in a wrong place if the path is wrong.
		if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("there is no store at %s yet: start the server once (caddy run), which makes it. "+
				"If the server runs as another user or elsewhere, run this as that user, or say --store sqlite:/path/to/file.db", path)
		} else if err != nil {
			return fmt.Errorf("the store cannot be reached; run this as the user that the server runs as: %w", err)
		}
	}
	opened, err := open(address)
	if err != nil {
		return fmt.Errorf("open the store: %w", err)
	}
	defer func() { err = errors.Join(err, opened.Close()) }()
	if err := opened.RefuseNewer(cmd.Context()); err != nil {
		return err
	}
	found := c.output(cmd)
	defer func() { err = errors.Join(err, found.close()) }()
	return work(opened, found)
}

// findAccount returns the account that an operator names.
func findAccount(cmd *cobra.Command, books *store.Store, name string) (*auth.Account, error) {
	account, err := books.FindAccount(cmd.Context(), name)
	if errors.Is(err, store.ErrNotFound) {
		return nil, fmt.Errorf("there is no account %q: name it by its id, e-mail address or username (account list shows all): %w", name, err)
	}
	return account, err
}

// findStore returns the store's address from --store or from the configuration.
func (c *commandLine) findStore(cmd *cobra.Command) (string, error) {
	if cmd.Flags().Changed("store") {
		address, err := resolveStoreURL(c.storeAddress)
		if err != nil {
			return "", fmt.Errorf("--store: %w", err)
		}
		return address, nil
	}
	app, err := c.loadApp(cmd)
	if err != nil {
		return "", err
	}
	var configured struct {
		Store string `json:"store"`
	}
	if err := json.Unmarshal(app, &configured); err != nil {
		return "", fmt.Errorf("read the faregate app in %s: %w", c.configFile, err)
	}
	address, err := resolveStoreURL(configured.Store)
	if err != nil {
		return "", fmt.Errorf("%s: %w", c.configFile, err)
	}
	return address, nil
}

// loadApp returns the JSON of the app faregate in the configuration.
func (c *commandLine) loadApp(cmd *cobra.Command) (json.RawMessage, error) {
	config, err := c.readConfig(cmd)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no %s here: say --config and the server's configuration, or --store and where the store is", c.configFile)
	}
	if err != nil {
		return nil, err
	}
	var parsed struct {
		Apps struct {
			Faregate json.RawMessage `json:"faregate"`
		} `json:"apps"`
	}
	if err := json.Unmarshal(config, &parsed); err != nil {
		return nil, fmt.Errorf("%s is not a Caddy configuration in JSON (say --adapter if it is another format): %w", c.configFile, err)
	}
	if parsed.Apps.Faregate == nil {
		return nil, fmt.Errorf("%s does not configure Faregate: add the global option faregate { … }, or say --config and the right file", c.configFile)
	}
	return parsed.Apps.Faregate, nil
}

// readConfig reads the configuration as JSON. It goes by names as caddy run does
// (Caddy's cmd/main.go, isCaddyfile), but without its log lines.
func (c *commandLine) readConfig(cmd *cobra.Command) ([]byte, error) {
	var (
		config []byte
		err    error
	)
	if c.configFile == "-" {
		config, err = io.ReadAll(cmd.InOrStdin())
	} else {
		config, err = os.ReadFile(c.configFile)
	}
	if err != nil {
		return nil, fmt.Errorf("read the configuration: %w", err)
	}
	name := c.configAdapter
	base := strings.ToLower(filepath.Base(c.configFile))
	if name == "" && filepath.Ext(base) != ".json" && (strings.HasPrefix(base, "caddyfile") || strings.HasSuffix(base, ".caddyfile")) {
		name = "caddyfile"
	}
	if name == "" {
		return config, nil
	}
	adapter := caddyconfig.GetAdapter(name)
	if adapter == nil {
		return nil, fmt.Errorf("--adapter %q: this build has no such adapter", name)
	}
	adapted, _, err := adapter.Adapt(config, map[string]any{"filename": c.configFile})
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", c.configFile, err)
	}
	return adapted, nil
}
