package caddymodule

import (
	"fmt"
	"os"
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
	InputLimit    int64    `json:"input_limit,omitempty"`
	OutputLimit   int64    `json:"output_limit,omitempty"`
	At            instant  `json:"at"`
	PriceVersion  string   `json:"price_version"`
	// Prices are dollars per million tokens by class, and per unit, at the standard
	// tier and for short prompts. It is left out before the first price begins.
	Prices *classPrices `json:"prices,omitempty"`
	// Explanation says in words also what long prompts, tiers and speeds change.
	Explanation []string `json:"explanation"`
}

// classPrices is the price of a million tokens of each class, and of one unit.
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
	Units          struct {
		WebSearch metering.Nanos `json:"web_search"`
		WebFetch  metering.Nanos `json:"web_fetch"`
	} `json:"units"`
}

// pricesOf asks the rates what a million tokens of each class cost: what a request
// would be charged, with the prices that stand in for those not stated.
func pricesOf(rates *price.Rates) classPrices {
	const million = 1_000_000
	cost := func(u usage.Usage) metering.Nanos {
		// The total decides whether a prompt is long; it adds nothing to the classes
		// unless it is more than they are.
		u.InputTotal = 1
		return rates.Cost(u, price.Conditions{})
	}
	p := classPrices{
		Input: cost(usage.Usage{Input: million}), CacheRead: cost(usage.Usage{CacheRead: million}),
		CacheWrite: cost(usage.Usage{CacheWrite: million}), CacheWrite5m: cost(usage.Usage{CacheWrite5m: million}),
		CacheWrite1h: cost(usage.Usage{CacheWrite1h: million}), InputAudio: cost(usage.Usage{InputAudio: million}),
		InputImage: cost(usage.Usage{InputImage: million}), InputVideo: cost(usage.Usage{InputVideo: million}),
		CacheReadAudio: cost(usage.Usage{CacheReadAudio: million}), CacheReadImage: cost(usage.Usage{CacheReadImage: million}),
		CacheReadVideo: cost(usage.Usage{CacheReadVideo: million}),
	}
	p.Output = rates.Cost(usage.Usage{Output: million}, price.Conditions{})
	p.OutputAudio = rates.Cost(usage.Usage{OutputAudio: million}, price.Conditions{})
	p.OutputImage = rates.Cost(usage.Usage{OutputImage: million}, price.Conditions{})
	p.Units.WebSearch = rates.Cost(usage.Usage{Units: usage.Units{WebSearch: 1}}, price.Conditions{})
	p.Units.WebFetch = rates.Cost(usage.Usage{Units: usage.Units{WebFetch: 1}}, price.Conditions{})
	return p
}

func (c *commandLine) pricesCommand() *cobra.Command {
	var model, at string
	prices := &cobra.Command{
		Use:   "prices [--model MODEL] [--at T]",
		Short: "Show the price book, in dollars per million tokens",
		Long: "Shows what the models of the price book cost, in dollars per million tokens, now or at a moment like 2026-11-23T08:00:00Z or 2026-11-23. " +
			"With --model it explains the price step by step.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			moment, err := parseMoment("at", at, c.now())
			if err != nil {
				return err
			}
			if at == "" {
				moment = c.now()
			}
			book := price.Embedded()
			if model != "" {
				return c.explainPrice(cmd, book, model, moment)
			}
			return c.listPrices(cmd, book, moment)
		},
	}
	prices.Flags().StringVar(&model, "model", "", "explain the price of this model: its name, or provider/name")
	prices.Flags().StringVar(&at, "at", "", "the moment that the prices are for; now if not given")
	prices.AddCommand(c.pricesCheckCommand())
	return prices
}

func (c *commandLine) listPrices(cmd *cobra.Command, book *price.Book, at time.Time) error {
	found := c.output(cmd)
	found.header("PROVIDER", "MODEL", "INPUT", "CACHE READ", "OUTPUT", "CONTEXT")
	for _, provider := range book.Providers() {
		for model := range book.Models(provider) {
			printed := priceForJSON(book, model, at)
			input, cached, output := "none yet", "", ""
			if printed.Prices != nil {
				input, cached, output = printed.Prices.Input.String(), printed.Prices.CacheRead.String(), printed.Prices.Output.String()
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

func (c *commandLine) explainPrice(cmd *cobra.Command, book *price.Book, name string, at time.Time) error {
	models := modelsNamed(book, name)
	if len(models) == 0 {
		return fmt.Errorf("--model: the price book has no model %q: caddy faregate prices lists all; "+
			"a price line in the configuration gives a model its price", name)
	}
	found := c.output(cmd)
	for _, model := range models {
		printed := priceForJSON(book, model, at)
		found.row(printed, strings.Join(printed.Explanation, "\n")+"\n")
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

func priceForJSON(book *price.Book, model *price.Model, at time.Time) priceJSON {
	printed := priceJSON{
		Provider: model.Provider, Model: model.Name, Aliases: model.Aliases, ContextLength: model.ContextLength,
		InputLimit: model.InputLimit, OutputLimit: model.OutputLimit, At: instant(at), PriceVersion: book.Version(),
		Explanation: model.Explain(at),
	}
	if rates, ok := model.At(at); ok {
		prices := pricesOf(rates)
		printed.Prices = &prices
	}
	return printed
}

// checkJSON is the outcome of checking a price book.
type checkJSON struct {
	OK       bool          `json:"ok"`
	Version  string        `json:"version,omitempty"`
	Problems []problemJSON `json:"problems"`
}

type problemJSON struct {
	Line  int    `json:"line"`
	Place string `json:"place"`
	Text  string `json:"text"`
}

func (c *commandLine) pricesCheckCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE",
		Short: "Check a price book of your own; fail if it has mistakes",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read the price book: %w", err)
			}
			answer := checkJSON{Problems: []problemJSON{}}
			facts := []string{}
			for _, problem := range price.Check(data) {
				answer.Problems = append(answer.Problems, problemJSON{problem.Line, problem.Place, problem.Text})
				text := problem.Text
				if problem.Place != "" {
					text = problem.Place + ": " + text
				}
				facts = append(facts, fmt.Sprintf("line %d", problem.Line), text)
			}
			if answer.OK = len(answer.Problems) == 0; answer.OK {
				book, err := price.Parse(data)
				if err != nil {
					return err
				}
				answer.Version = book.Version()
				facts = []string{"ok", "price book of " + book.Version()}
			}
			found := c.output(cmd)
			found.facts(answer, facts...)
			if err := found.close(); err != nil {
				return err
			}
			if !answer.OK {
				return fmt.Errorf("%s has %s: %w", args[0], counted(len(answer.Problems), "mistake"), price.ErrBook)
			}
			return nil
		},
	}
}
