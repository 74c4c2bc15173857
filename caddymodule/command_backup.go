package caddymodule

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
)

// backupJSON is a copy as scripts see it.
type backupJSON struct {
	File string `json:"file"`
	verificationJSON
}

func (c *commandLine) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the SQLite store to a new file while the server runs, and verify the copy",
		Long: "Writes a consistent copy of the SQLite store to a new file that only its owner can read, also while the server runs, and adds the copy's ledger up. " +
			"The copy is a store like any other: put it in the place of a lost one, or look at it with --store sqlite:FILE.",
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) (err error) {
				if err := books.Backup(cmd.Context(), args[0]); err != nil {
					return err
				}
				backup, err := store.OpenReadOnly("sqlite:" + args[0])
				if err != nil {
					return err
				}
				defer func() { err = errors.Join(err, backup.Close()) }()
				report, err := backup.Verify(cmd.Context())
				if err != nil {
					return err
				}
				answer, facts := verification(report)
				found.facts(backupJSON{args[0], answer}, append([]string{"copy", args[0]}, facts...)...)
				if !answer.OK {
					return fmt.Errorf("%s: %w", counted(len(report.Differences), "difference"), errDifferences)
				}
				return nil
			})
		},
	}
}
