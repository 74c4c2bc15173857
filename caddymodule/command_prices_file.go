package caddymodule

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/metering/price"
)

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
		Short: "Check a price file of your own; fail if it has mistakes",
		Long: "Checks a price file as the configuration would use it, laid over the price book inside this program. Mistakes are shown with their lines, " +
			"their places and what to do; what cannot be read at all comes first, and hides others.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			data, err := os.ReadFile(args[0])
			if err != nil {
				return fmt.Errorf("read the price book: %w", err)
			}
			answer := checkJSON{Problems: []problemJSON{}}
			facts := []string{}
			for _, problem := range price.CheckOver(price.Embedded(), data) {
				answer.Problems = append(answer.Problems, problemJSON{problem.Line, problem.Place, problem.Text})
				text := problem.Text
				if problem.Place != "" {
					text = problem.Place + ": " + text
				}
				facts = append(facts, fmt.Sprintf("line %d", problem.Line), text)
			}
			if answer.OK = len(answer.Problems) == 0; answer.OK {
				book, err := price.Over(price.Embedded(), data)
				if err != nil {
					return err
				}
				answer.Version = book.Version()
				facts = []string{"ok", "price book " + book.Version()}
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

func (c *commandLine) pricesExportCommand() *cobra.Command {
	var file string
	export := &cobra.Command{
		Use:   "export",
		Short: "Print the price book as a price file",
		Long: "Prints the price book as JSON, as a price file has it: to keep, to compare, or to begin a file of your own with. " +
			"What a file does not have is the price of the book below it, so that it needs no more than what differs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			book, err := c.priceBook(cmd, file)
			if err != nil {
				return err
			}
			data, err := book.Export()
			if err != nil {
				return fmt.Errorf("write the price book: %w", err)
			}
			_, err = cmd.OutOrStdout().Write(data)
			return err
		},
	}
	export.Flags().StringVar(&file, "file", "", priceFileFlag)
	return export
}
