package caddymodule

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/upstream"
)

// modelJSON is a model that clients may call.
type modelJSON struct {
	Model         string       `json:"model"`
	Provider      string       `json:"provider"`
	Dialects      []string     `json:"dialects"`
	ContextLength int64        `json:"context_length,omitempty"`
	OutputLimit   int64        `json:"output_limit,omitempty"`
	PriceVersion  string       `json:"price_version,omitempty"`
	Prices        *classPrices `json:"prices,omitempty"`
}

func (c *commandLine) modelsCommand() *cobra.Command {
	var key string
	models := &cobra.Command{
		Use:   "models [--key KEY]",
		Short: "List the models that the configuration serves, with their prices per million tokens",
		Long: "Lists the models that the configuration serves, with their prices in dollars per million tokens. Providers whose keys are unset " +
			"in this environment are left out, as the server would leave them out. With --key, only what that key may call: by its models, and by " +
			"the data policies that are required.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			app, err := c.loadApp(cmd)
			if err != nil {
				return err
			}
			loaded, err := appOfConfiguration(app, cmd.ErrOrStderr())
			if err != nil {
				return fmt.Errorf("%s: %w", c.configFile, err)
			}
			if key == "" {
				found := c.output(cmd)
				c.listModels(found, loaded, func(*upstream.Model) bool { return true })
				return found.close()
			}
			id, err := keyID(key)
			if err != nil {
				return err
			}
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				limited, holder, err := books.LimitedKey(cmd.Context(), id)
				if err := noSuchKey(key, err); err != nil {
					return err
				}
				c.listModels(found, loaded, callableWith(loaded, limited, holder))
				return nil
			})
		},
	}
	models.Flags().StringVar(&key, "key", "", "only the models that this key may call: its id, as key list shows it")
	return models
}

// callableWith tells which models a key may call.
func callableWith(app *App, key *store.LimitedKey, holder *auth.Account) func(*upstream.Model) bool {
	principal := &auth.Principal{Models: key.Models}
	required := preferences.Strictest(app.dataPolicy, holder.DataPolicy, key.Providers.DataPolicy)
	return func(model *upstream.Model) bool {
		allowed := principal.AllowsModel(model.Name)
		if prefix, many := strings.CutSuffix(model.Name, anyModel); many {
			// Some of many are enough.
			allowed = allowed || slices.ContainsFunc(key.Models, func(pattern string) bool { return strings.HasPrefix(pattern, prefix) })
		}
		return allowed && model.Promised(required)
	}
}

func (c *commandLine) listModels(found *output, app *App, shown func(*upstream.Model) bool) {
	catalogue := app.catalogue()
	found.header("MODEL", "PROVIDER", "DIALECTS", "INPUT", "OUTPUT", "CONTEXT")
	for _, model := range slices.Concat(catalogue.Models(), catalogue.Many()) {
		if !shown(model) {
			continue
		}
		printed := modelJSON{Model: model.Name, Provider: model.Owner, ContextLength: model.ContextLength, OutputLimit: model.OutputLimit}
		for _, spoken := range model.Dialects() {
			printed.Dialects = append(printed.Dialects, spoken.String())
		}
		input, output := "", ""
		if !strings.HasSuffix(model.Name, anyModel) {
			input = "none yet"
		}
		if rates, version, ok := model.Rates(c.now()); ok {
			prices := pricesOf(rates)
			printed.Prices, printed.PriceVersion = &prices, version
			input, output = prices.Input.String(), prices.Output.String()
			if prices.byPiece() {
				input, output = pricedByPiece, ""
			}
		}
		found.row(printed, model.Name, model.Owner, strings.Join(printed.Dialects, ","), input, output, countOrNothing(model.ContextLength))
	}
}

// appOfConfiguration makes the app and its catalogue as the server does, and writes the
// server's warnings (a provider left out, a model without a price) to warnings.
func appOfConfiguration(app json.RawMessage, warnings io.Writer) (*App, error) {
	encoder := zapcore.NewConsoleEncoder(zapcore.EncoderConfig{MessageKey: "message"})
	loaded := &App{logger: zap.New(zapcore.NewCore(encoder, zapcore.AddSync(warnings), zapcore.WarnLevel))}
	if err := json.Unmarshal(app, loaded); err != nil {
		return nil, fmt.Errorf("read the faregate app: %w", err)
	}
	if err := loaded.check(); err != nil {
		return nil, err
	}
	if err := loaded.buildCatalogue(); err != nil {
		return nil, err
	}
	return loaded, nil
}
