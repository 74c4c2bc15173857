package caddymodule

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// transferJSON is a transfer as scripts see it.
type transferJSON struct {
	At     instant        `json:"at"`
	Kind   string         `json:"kind"`
	Ref    string         `json:"ref"`
	Debit  string         `json:"debit_account"`  // which the amount left
	Credit string         `json:"credit_account"` // which it reached
	Amount metering.Nanos `json:"amount"`
	Actor  string         `json:"actor"`
	Note   string         `json:"note"`
}

func transferForJSON(t *store.Transfer) transferJSON {
	return transferJSON{instant(t.At), t.Kind, t.Ref, t.Debit, t.Credit, t.Amount, t.Actor, t.Note}
}

func (c *commandLine) transfersCommand() *cobra.Command {
	var account, kind, since, until string
	list := &cobra.Command{
		Use:   "transfers [--account ACCOUNT] [--kind KIND] [--since T] [--until T]",
		Short: "List deposits and all other transfers, newest last",
		Long: "Lists what moved between accounts and the house, newest last: from --since on, up to but without --until, as for usage. " +
			"Usage is not transferred: each usage record is itself a debit. The kinds are " + strings.Join(store.TransferKinds, ", ") + ".",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			times, err := c.newFilter("", since, until)
			if err != nil {
				return err
			}
			if kind != "" && !slices.Contains(store.TransferKinds, kind) {
				return fmt.Errorf("--kind %q: use one of %s", kind, strings.Join(store.TransferKinds, ", "))
			}
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				filter := store.TransferFilter{Kind: kind, Since: times.Since, Until: times.Until}
				if account != "" {
					holder, err := findAccount(cmd, books, account)
					if err != nil {
						return err
					}
					filter.AccountID = holder.ID
				}
				found.header("AT", "KIND", "REF", "FROM", "TO", "AMOUNT USD", "ACTOR", "NOTE")
				for t, err := range books.Transfers(cmd.Context(), filter) {
					if err != nil {
						return err
					}
					found.row(transferForJSON(t), shown(t.At), t.Kind, t.Ref, t.Debit, t.Credit, t.Amount.String(), t.Actor, t.Note)
				}
				return nil
			})
		},
	}
	list.Flags().StringVar(&account, "account", "", "only what this account got, gave and owes: id, e-mail address or username")
	list.Flags().StringVar(&kind, "kind", "", "only of this kind")
	list.Flags().StringVar(&since, "since", "", "from then on: a moment, a day, or how long ago")
	list.Flags().StringVar(&until, "until", "", "up to but without: a moment, a day, or how long ago")
	return list
}
