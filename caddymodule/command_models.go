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
	return &cobra.Command{
		Use:   "models",
		Short: "List the models that the configuration serves, with their prices per million tokens",
		Long: "Lists the models that the configuration serves, with their prices in dollars per million tokens. Providers whose keys are unset " +
			"in this environment are left out, as the server would leave them out.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			app, err := c.loadApp(cmd)
			if err != nil {
				return err
			}
			catalogue, err := catalogueOf(app, cmd.ErrOrStderr())
			if err != nil {
				return fmt.Errorf("%s: %w", c.configFile, err)
			}
			found := c.output(cmd)
			found.header("MODEL", "PROVIDER", "DIALECTS", "INPUT", "OUTPUT", "CONTEXT")
			for _, model := range slices.Concat(catalogue.Models(), catalogue.Many()) {
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
				}
				found.row(printed, model.Name, model.Owner, strings.Join(printed.Dialects, ","), input, output, countOrNothing(model.ContextLength))
			}
			return found.close()
		},
	}
}

// catalogueOf makes the catalogue as the server does, and writes the server's
// warnings (a provider left out, a model without a price) to warnings.
func catalogueOf(app json.RawMessage, warnings io.Writer) (*upstream.Catalogue, error) {
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
	return loaded.catalogue(), nil
}
