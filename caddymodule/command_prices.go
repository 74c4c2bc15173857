package caddymodule

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// priceJSON is what a model costs at one moment.
type priceJSON struct {
	Provider      string   `json:"provider"`
	Model         string   `json:"model"`
	Aliases       []string `json:"aliases,omitempty"`
	ContextLength int64    `json:"context_length,omitempty"`
	// InputModalities are the kinds of input that the model takes, where that is known.
	InputModalities []string `json:"input_modalities,omitempty"`
	InputLimit      int64    `json:"input_limit,omitempty"`
	OutputLimit     int64    `json:"output_limit,omitempty"`
	At              instant  `json:"at"`
	PriceVersion    string   `json:"price_version"`
	// Origin is where the price is from. Like Prices it is left out before the first
	// price begins.
	Origin *originJSON `json:"origin,omitempty"`
	// Prices are dollars per million tokens by class, and per unit, at the standard
	// tier and for short prompts.
	Prices *classPrices `json:"prices,omitempty"`
	// Explanation says in words also what long prompts, tiers and speeds change.
	Explanation []string `json:"explanation"`
	// Calculation is what a usage costs, if one was given.
	Calculation *price.Calculation `json:"calculation,omitempty"`
}

type originJSON struct {
	price.Origin
	// SourceIs says what the name of the source stands for.
	SourceIs string `json:"source_is,omitempty"`
}

// classPrices is the price of a million tokens of each class, and of units.
type classPrices struct {
	Input          metering.Nanos `json:"input"`
	CacheRead      metering.Nanos `json:"cache_read"`
	CacheWrite     metering.Nanos `json:"cache_write"`
	CacheWrite5m   metering.Nanos `json:"cache_write_5m"`
	CacheWrite1h   metering.Nanos `json:"cache_write_1h"`
	InputAudio     metering.Nanos `json:"input_audio"`
	InputImage     metering.Nanos `json:"input_image"`
	InputVideo     metering.Nanos `json:"input_video"`
	CacheReadAudio metering.Nanos `json:"cache_read_audio"`
	CacheReadImage metering.Nanos `json:"cache_read_image"`
	CacheReadVideo metering.Nanos `json:"cache_read_video"`
	Output         metering.Nanos `json:"output"`
	OutputAudio    metering.Nanos `json:"output_audio"`
	OutputImage    metering.Nanos `json:"output_image"`
	OutputVideo    metering.Nanos `json:"output_video"`
	// Units are dollars for one of a unit or a kind of it ("0.01"), or for as many as
	// are behind the slash ("0.36/3600000").
	Units map[string]string `json:"units,omitempty"`
}

// pricedByPiece stands in place of the prices for tokens.
const pricedByPiece = "by piece"

// byPiece tells whether pieces have prices, and tokens have none.
func (p *classPrices) byPiece() bool { return len(p.Units) > 0 && p.Input == 0 && p.Output == 0 }

// pricesOf asks the rates what a million tokens of each class cost: what a request
// would be charged, with the prices that stand in for those not stated.
func pricesOf(rates *price.Rates) classPrices {
	const million = 1_000_000
	fee := rates.Cost(usage.Usage{Input: -1}, price.Conditions{}) // for a request, whatever it uses
	cost := func(u usage.Usage) metering.Nanos {
		// The total decides whether a prompt is long; it adds nothing to the classes
		// unless it is more than they are.
		u.InputTotal = 1
		return rates.Cost(u, price.Conditions{}) - fee
	}
	p := classPrices{
		Input: cost(usage.Usage{Input: million}), CacheRead: cost(usage.Usage{CacheRead: million}),
		CacheWrite: cost(usage.Usage{CacheWrite: million}), CacheWrite5m: cost(usage.Usage{CacheWrite5m: million}),
		CacheWrite1h: cost(usage.Usage{CacheWrite1h: million}), InputAudio: cost(usage.Usage{InputAudio: million}),
		InputImage: cost(usage.Usage{InputImage: million}), InputVideo: cost(usage.Usage{InputVideo: million}),
		CacheReadAudio: cost(usage.Usage{CacheReadAudio: million}), CacheReadImage: cost(usage.Usage{CacheReadImage: million}),
		CacheReadVideo: cost(usage.Usage{CacheReadVideo: million}),
	}
	p.Output = rates.Cost(usage.Usage{Output: million}, price.Conditions{}) - fee
	p.OutputAudio = rates.Cost(usage.Usage{OutputAudio: million}, price.Conditions{}) - fee
	p.OutputImage = rates.Cost(usage.Usage{OutputImage: million}, price.Conditions{}) - fee
	p.OutputVideo = rates.Cost(usage.Usage{OutputVideo: million}, price.Conditions{}) - fee
	p.Units = rates.UnitPrices()
	return p
}

func (c *commandLine) pricesCommand() *cobra.Command {
	var model, at, file string
	var asked askedUsage
	prices := &cobra.Command{
		Use:   "prices [--model MODEL] [--at T] [--input N --output N …]",
		Short: "Show the price book, in dollars per million tokens",
		Long: "Shows what the models of the price book cost, in dollars per million tokens, now or at a moment like 2026-11-23T08:00:00Z or 2026-11-23. " +
			"With --model it explains the price step by step and, if numbers of tokens or units are given, what these cost.\n\n" +
			"The book is the one that the configuration uses, if there is one, else the one inside this program.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			moment, err := parseMoment("at", at, c.now())
			if err != nil {
				return err
			}
			if at == "" {
				moment = c.now()
			}
			if err := asked.read(cmd); err != nil {
				return err
			}
			if asked.given && model == "" {
				return errors.New("--model is missing: say which model the usage is of")
			}
			book, err := c.priceBook(cmd, file)
			if err != nil {
				return err
			}
			if model != "" {
				return c.explainPrice(cmd, book, model, moment, &asked)
			}
			return c.listPrices(cmd, book, moment)
		},
	}
	prices.Flags().StringVar(&model, "model", "", "explain the price of this model: its name, or provider/name")
	prices.Flags().StringVar(&at, "at", "", "the moment that the prices are for; now if not given")
	prices.Flags().StringVar(&file, "file", "", priceFileFlag)
	asked.addFlags(prices.Flags())
	prices.AddCommand(c.pricesCheckCommand(), c.pricesExportCommand())
	return prices
}

const priceFileFlag = "a price file, used as a line prices FILE of the configuration would use it"

// priceBook is the price book of a file, or as the configuration has it. Without
// either it is the embedded one: prices can be looked up before there is a
// configuration.
func (c *commandLine) priceBook(cmd *cobra.Command, file string) (*price.Book, error) {
	if file != "" {
		return price.Load(price.Embedded(), file)
	}
	app, err := c.loadApp(cmd)
	if err != nil {
		if cmd.Flags().Changed("config") {
			return nil, err
		}
		return price.Embedded(), nil
	}
	var configured struct {
		Prices string `json:"prices"`
	}
	if err := json.Unmarshal(app, &configured); err != nil {
		return nil, fmt.Errorf("read the faregate app: %w", err)
	}
	if configured.Prices == "" {
		return price.Embedded(), nil
	}
	return price.Load(price.Embedded(), configured.Prices)
}

func (c *commandLine) listPrices(cmd *cobra.Command, book *price.Book, at time.Time) error {
	found := c.output(cmd)
	found.header("PROVIDER", "MODEL", "INPUT", "CACHE READ", "OUTPUT", "CONTEXT")
	for _, provider := range book.Providers() {
		for model := range book.Models(provider) {
			printed := priceForJSON(book, model, at, nil)
			input, cached, output := "none yet", "", ""
			if printed.Prices != nil {
				input, cached, output = printed.Prices.Input.String(), printed.Prices.CacheRead.String(), printed.Prices.Output.String()
				if printed.Prices.byPiece() {
					input, cached, output = pricedByPiece, "", ""
				}
			}
			found.row(printed, provider, model.Name, input, cached, output, countOrNothing(model.ContextLength))
		}
	}
	return found.close()
}

func countOrNothing(n int64) string {
	if n == 0 {
		return ""
	}
	return count(n)
}

func (c *commandLine) explainPrice(cmd *cobra.Command, book *price.Book, name string, at time.Time, asked *askedUsage) error {
	models := modelsNamed(book, name)
	if len(models) == 0 {
		return fmt.Errorf("--model: the price book has no model %q: caddy faregate prices lists all. Names and prices "+
			"of the configuration's own model blocks are none of the price book: caddy faregate models shows them", name)
	}
	found := c.output(cmd)
	for _, model := range models {
		printed := priceForJSON(book, model, at, asked)
		lines := printed.Explanation
		if printed.Origin != nil && printed.Origin.SourceIs != "" {
			lines = append(lines, fmt.Sprintf("%s is %s", printed.Origin.Source, printed.Origin.SourceIs))
		}
		lines = append(lines, "price book "+printed.PriceVersion)
		if printed.Calculation != nil {
			lines = append(append(lines, "", "what was asked for costs:"), printed.Calculation.Steps()...)
		}
		found.row(printed, strings.Join(lines, "\n")+"\n")
	}
	return found.close()
}

// modelsNamed finds a model with every provider that has one of this name, or with
// the provider that the name begins with.
func modelsNamed(book *price.Book, name string) []*price.Model {
	var models []*price.Model
	for _, provider := range book.Providers() {
		if model, ok := book.Find(provider, name); ok {
			models = append(models, model)
		} else if rest, cut := strings.CutPrefix(name, provider+"/"); cut {
			if model, ok := book.Find(provider, rest); ok {
				models = append(models, model)
			}
		}
	}
	return models
}

func priceForJSON(book *price.Book, model *price.Model, at time.Time, asked *askedUsage) priceJSON {
	printed := priceJSON{
		Provider: model.Provider, Model: model.Name, Aliases: model.Aliases, ContextLength: model.ContextLength, InputModalities: model.InputModalities,
		InputLimit: model.InputLimit, OutputLimit: model.OutputLimit, At: instant(at), PriceVersion: book.Version(),
		Explanation: model.Explain(at),
	}
	if rates, ok := model.At(at); ok {
		prices := pricesOf(rates)
		printed.Prices = &prices
		if asked != nil && asked.given {
			calculation := rates.Calculate(asked.usage, asked.conditions)
			printed.Calculation = &calculation
		}
	}
	if origin, ok := model.Origin(at); ok {
		printed.Origin = &originJSON{Origin: origin}
		if text := book.Source(origin.Source); text != origin.Source {
			printed.Origin.SourceIs = text
		}
	}
	return printed
}
