package caddymodule

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// errDifferences says that the ledger does not add up.
var errDifferences = errors.New("the ledger does not add up: stop the server, keep a copy of the store, and report this")

// verificationJSON is the outcome of adding the ledger up again.
type verificationJSON struct {
	OK          bool             `json:"ok"`
	Accounts    int64            `json:"accounts"`
	Records     int64            `json:"records"`
	Transfers   int64            `json:"transfers"`
	Balance     metering.Nanos   `json:"balance"`
	Differences []differenceJSON `json:"differences"`
}

type differenceJSON struct {
	Check    string         `json:"check"`
	Subject  string         `json:"subject"`
	Stored   metering.Nanos `json:"stored"`
	Computed metering.Nanos `json:"computed"`
}

func (c *commandLine) verifyCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "verify",
		Short: "Add the whole ledger up again; fail on any difference",
		Long:  "Adds all transfers and usage records up again and compares the sums with what is stored. It fails on one nano-dollar of difference.",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				report, err := books.Verify(cmd.Context())
				if err != nil {
					return err
				}
				answer, facts := verification(report)
				found.facts(answer, facts...)
				if len(report.Differences) > 0 {
					return fmt.Errorf("%s: %w", counted(len(report.Differences), "difference"), errDifferences)
				}
				return nil
			})
		},
	}
}

// verification is a report for scripts, and for people.
func verification(report *store.Report) (answer verificationJSON, facts []string) {
	answer = verificationJSON{
		OK: len(report.Differences) == 0, Accounts: report.Accounts, Records: report.Records,
		Transfers: report.Transfers, Balance: report.Balance, Differences: []differenceJSON{},
	}
	outcome := "no difference"
	if !answer.OK {
		outcome = counted(len(report.Differences), "difference")
	}
	facts = []string{
		"accounts", count(report.Accounts), "usage records", count(report.Records), "transfers", count(report.Transfers),
		"all balances", dollars(report.Balance), "outcome", outcome,
	}
	for _, d := range report.Differences {
		answer.Differences = append(answer.Differences, differenceJSON(d))
		facts = append(facts, "difference", d.String())
	}
	return answer, facts
}
