package caddymodule

import (
	"crypto/rand"
	"fmt"
	"io"
	"strings"
	"time"

	caddycmd "github.com/caddyserver/caddy/v2/cmd"
	"github.com/spf13/cobra"
)

func init() {
	caddycmd.RegisterCommand(caddycmd.Command{
		Name:  "faregate",
		Usage: "<command>",
		Short: "Accounts, keys, credit and usage of the Faregate gateway",
		Long: `
Looks after the accounts of a Faregate gateway: who may use it, with which keys
and how much credit, and what they used.

The commands work on the store itself, also while the server runs; it notices
changes within a second. They find the store by the server's configuration
(--config, ./Caddyfile by default) or are told where it is (--store).

An account is named by its id, e-mail address or username.`,
		CobraFunc: func(faregate *cobra.Command) {
			(&commandLine{now: time.Now, random: rand.Reader, user: systemUser}).attach(faregate)
		},
	})
}

// commandLine is what all commands share: the flags, and what a test replaces.
type commandLine struct {
	now    func() time.Time
	random io.Reader
	user   func() string // who runs the command

	configFile    string
	configAdapter string
	storeAddress  string
	asJSON        bool
}

func (c *commandLine) attach(faregate *cobra.Command) {
	flags := faregate.PersistentFlags()
	flags.StringVarP(&c.configFile, "config", "c", "Caddyfile", "the server's configuration, which says where the store is")
	flags.StringVarP(&c.configAdapter, "adapter", "a", "", "the configuration's adapter, where its name does not tell")
	flags.StringVar(&c.storeAddress, "store", "", "the store itself instead of a configuration: sqlite, sqlite:/path/to/file.db, or postgres:{env.DATABASE_URL}")
	flags.BoolVar(&c.asJSON, "json", false, "print JSON: one value, or for lists one value per line")
	faregate.PersistentPreRunE = refuseFlags
	faregate.SetFlagErrorFunc(explainFlag)
	onlyCommands(faregate)
	faregate.AddCommand(
		c.accountCommand(),
		c.keyCommand(),
		c.depositCommand(),
		c.refundCommand(),
		c.adjustCommand(),
		c.chargeBackCommand(),
		c.voucherCommand(),
		c.transfersCommand(),
		c.balanceCommand(),
		c.usageCommand(),
		c.requestCommand(),
		c.verifyCommand(),
		c.pricesCommand(),
		c.modelsCommand(),
		c.groupsCommand(),
		c.nodesCommand(),
		c.backupCommand(),
	)
	explainArguments(faregate)
}

// onlyCommands makes a command that only holds others fail on a name that it does
// not know; cobra alone would print help and report success to a script.
func onlyCommands(parent *cobra.Command) {
	parent.Args = cobra.ArbitraryArgs
	parent.RunE = func(cmd *cobra.Command, args []string) error {
		var names []string
		for _, child := range cmd.Commands() {
			if child.IsAvailableCommand() {
				names = append(names, child.Name())
			}
		}
		if len(args) == 0 {
			return fmt.Errorf("say which command of %q: %s (--help tells more)", cmd.CommandPath(), strings.Join(names, ", "))
		}
		return fmt.Errorf("%q has no command %q: use one of %s", cmd.CommandPath(), args[0], strings.Join(names, ", "))
	}
}
