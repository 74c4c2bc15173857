package caddymodule

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/google/uuid"
	"github.com/spf13/cobra"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
)

// accountJSON is an account as scripts see it.
type accountJSON struct {
	ID              string      `json:"id"`
	Email           string      `json:"email"`
	Username        string      `json:"username"`
	Group           string      `json:"group"`
	Status          auth.Status `json:"status"`
	SuspendedReason string      `json:"suspended_reason,omitempty"`
	// DataPolicy is there where the account requires one of providers.
	DataPolicy string  `json:"data_policy,omitempty"`
	CreatedAt  instant `json:"created_at"`
	// Receivable is what the account owes; only account show tells it here.
	Receivable metering.Nanos `json:"receivable,omitzero"`
}

func accountForJSON(a *auth.Account) accountJSON {
	return accountJSON{
		ID: a.ID, Email: a.Email, Username: a.Username, Group: a.Group,
		Status: a.Status, SuspendedReason: a.SuspendedReason, DataPolicy: shownPolicy(a.DataPolicy), CreatedAt: instant(a.CreatedAt),
	}
}

func printAccount(found *output, a *auth.Account) { printAccountAndOwed(found, a, 0) }

func printAccountAndOwed(found *output, a *auth.Account, owed metering.Nanos) {
	answer := accountForJSON(a)
	answer.Receivable = owed
	found.facts(answer,
		"id", a.ID, "e-mail", a.Email, "username", a.Username, "group", a.Group,
		"status", string(a.Status), "reason", a.SuspendedReason, "data policy", shownPolicy(a.DataPolicy), "created", shown(a.CreatedAt), "owed after a charge-back", someDollars(owed))
}

func (c *commandLine) accountCommand() *cobra.Command {
	account := &cobra.Command{Use: "account", Short: "Create, show, edit, suspend, export and erase accounts"}
	onlyCommands(account)
	account.AddCommand(c.accountCreateCommand(), c.accountListCommand(), c.accountShowCommand(), c.accountEditCommand(),
		c.accountSuspendCommand(), c.accountResumeCommand(), c.accountExportCommand(), c.accountEraseCommand())
	return account
}

func (c *commandLine) accountCreateCommand() *cobra.Command {
	var email, username, group, dataPolicy string
	var passwordFromInput bool
	create := &cobra.Command{
		Use:   "create --email E --username U [--group G] [--data-policy zdr|no_training|retains] [--password-stdin]",
		Short: "Create an account",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			account, err := c.newAccount(email, username, group)
			if err != nil {
				return err
			}
			if dataPolicy != "" {
				if account.DataPolicy, err = readDataPolicy(dataPolicy); err != nil {
					return err
				}
			}
			if passwordFromInput {
				if account.PasswordHash, err = c.readPassword(cmd.InOrStdin()); err != nil {
					return err
				}
			}
			return c.withStore(cmd, func(books *store.Store, found *output) error {
				err := books.CreateAccount(cmd.Context(), account)
				if errors.Is(err, store.ErrTaken) {
					return fmt.Errorf("%w by another account: account show tells which", err)
				}
				if err != nil {
					return err
				}
				printAccount(found, account)
				c.warnOfGroup(cmd, account.Group)
				return nil
			})
		},
	}
	create.Flags().StringVar(&email, "email", "", "the holder's e-mail address")
	create.Flags().StringVar(&username, "username", "", "a short name, 2 to 32 of a-z, 0-9, '.', '_' and '-'")
	create.Flags().StringVar(&group, "group", "", "the price group; the default group if not given")
	create.Flags().StringVar(&dataPolicy, "data-policy", "", dataPolicyUsage)
	create.Flags().BoolVar(&passwordFromInput, "password-stdin", false, "read a password for signing in, one line of standard input")
	return requires(create, "email", "username")
}

// requires marks flags as required.
func requires(cmd *cobra.Command, flags ...string) *cobra.Command {
	for _, flag := range flags {
		if err := cmd.MarkFlagRequired(flag); err != nil {
			panic(err) // only for a flag that does not exist
		}
	}
	return cmd
}

func (c *commandLine) newAccount(email, username, group string) (*auth.Account, error) {
	account := &auth.Account{Group: group, Status: auth.StatusActive, CreatedAt: c.now()}
	var err error
	if account.Email, err = auth.NormalizeEmail(email); err != nil {
		return nil, fmt.Errorf("--email: %w", err)
	}
	if account.Username, err = auth.NormalizeUsername(username); err != nil {
		return nil, fmt.Errorf("--username: %w", err)
	}
	if err := auth.ValidateGroup(group); err != nil {
		return nil, fmt.Errorf("--group: %w", err)
	}
	account.ID, err = c.newID()
	return account, err
}

func (c *commandLine) newID() (string, error) {
	id, err := uuid.NewV7FromReader(c.random)
	if err != nil {
		return "", fmt.Errorf("make an id: %w", err)
	}
	return id.String(), nil
}

// readPassword reads one line. A terminal is not asked twice, as the password is
// meant to come from a script or a password store.
func (c *commandLine) readPassword(input io.Reader) (auth.PasswordHash, error) {
	const most = 4096
	line, err := bufio.NewReader(io.LimitReader(input, most)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return "", fmt.Errorf("read the password from standard input: %w", err)
	}
	hash, err := auth.HashPassword(c.random, strings.TrimRight(line, "\r\n"))
	if err != nil {
		return "", fmt.Errorf("--password-stdin: %w", err)
	}
	return hash, nil
}

func (c *commandLine) accountListCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "list",
		Short: "List all accounts, oldest first",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				accounts, err := books.ListAccounts(cmd.Context())
				if err != nil {
					return err
				}
				found.header("ID", "E-MAIL", "USERNAME", "GROUP", "STATUS", "DATA POLICY", "CREATED")
				for _, a := range accounts {
					found.row(accountForJSON(a), a.ID, a.Email, a.Username, a.Group, string(a.Status), shownPolicy(a.DataPolicy), shown(a.CreatedAt))
				}
				return nil
			})
		},
	}
}

func (c *commandLine) accountShowCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "show ACCOUNT",
		Short: "Show one account",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				account, err := findAccount(cmd, books, args[0])
				if err != nil {
					return err
				}
				balance, err := books.Balance(cmd.Context(), account.ID)
				if err != nil {
					return err
				}
				printAccountAndOwed(found, account, balance.Owed)
				return nil
			})
		},
	}
}

func (c *commandLine) accountSuspendCommand() *cobra.Command {
	var reason string
	suspend := &cobra.Command{
		Use:   "suspend ACCOUNT --reason TEXT",
		Short: "Refuse all keys of an account until it is resumed",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			reason, err := plainText("reason", strings.TrimSpace(reason))
			if err != nil {
				return err
			}
			if reason == "" {
				return errors.New("--reason: say why, for those who look at the account later")
			}
			return c.setStatus(cmd, args[0], auth.StatusSuspended, reason)
		},
	}
	suspend.Flags().StringVar(&reason, "reason", "", "why, for those who look at the account later")
	return requires(suspend, "reason")
}

func (c *commandLine) accountResumeCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "resume ACCOUNT",
		Short: "Let a suspended account be used again",
		Args:  cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.setStatus(cmd, args[0], auth.StatusActive, "")
		},
	}
}

func (c *commandLine) setStatus(cmd *cobra.Command, name string, status auth.Status, reason string) error {
	return c.withStore(cmd, func(books *store.Store, found *output) error {
		account, err := findAccount(cmd, books, name)
		if err != nil {
			return err
		}
		if err := books.SetAccountStatus(cmd.Context(), account.ID, status, reason); err != nil {
			return err
		}
		account.Status, account.SuspendedReason = status, reason
		printAccount(found, account)
		return nil
	})
}
