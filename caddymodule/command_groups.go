package caddymodule

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
)

// groupJSON is what accounts of a group pay and may do.
type groupJSON struct {
	Group    string `json:"group"`
	Multiply string `json:"multiply"`
	// RPM, TPM and Concurrency are there where they are limited.
	RPM         int64 `json:"rpm,omitempty"`
	TPM         int64 `json:"tpm,omitempty"`
	Concurrency int64 `json:"concurrency,omitempty"`
}

func (c *commandLine) groupsCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "groups",
		Short: "List the groups as configured: what their accounts pay and may do",
		Long: "Lists the groups as configured: what the prices of their accounts are multiplied by, and what each account may do at most. " +
			"The group default is that of accounts that have none, or one that is not configured.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			app, err := c.loadApp(cmd)
			if err != nil {
				return err
			}
			groups, err := groupsOf(app)
			if err != nil {
				return fmt.Errorf("%s: %w", c.configFile, err)
			}
			found := c.output(cmd)
			found.header("GROUP", "MULTIPLY", "RPM", "TPM", "AT ONCE")
			for _, group := range groups {
				printed := groupJSON{group.Name, group.Multiply, group.RequestsPerMinute, group.TokensPerMinute, group.Concurrency}
				found.row(printed, printed.Group, printed.Multiply, countOrNothing(printed.RPM), countOrNothing(printed.TPM), countOrNothing(printed.Concurrency))
			}
			return found.close()
		},
	}
}

// groupsOf reads the groups of a configuration, by name, that of all others first.
func groupsOf(app json.RawMessage) ([]Group, error) {
	loaded := new(App)
	if err := json.Unmarshal(app, loaded); err != nil {
		return nil, fmt.Errorf("read the faregate app: %w", err)
	}
	if err := loaded.checkLimits(); err != nil {
		return nil, err
	}
	groups := slices.Clone(loaded.Groups)
	if !slices.ContainsFunc(groups, isDefault) {
		groups = append(groups, Group{Name: defaultGroup})
	}
	for i := range groups {
		if groups[i].Multiply == "" {
			groups[i].Multiply = "1"
		}
	}
	slices.SortStableFunc(groups, func(a, b Group) int {
		switch {
		case isDefault(a) == isDefault(b):
			return strings.Compare(a.Name, b.Name)
		case isDefault(a):
			return -1
		}
		return 1
	})
	return groups, nil
}

func isDefault(group Group) bool { return group.Name == defaultGroup }

// warnOfGroup says on standard error that a group is not configured: nothing is wrong with
// that, but mostly its name is. Where only the store is known, nobody can say.
func (c *commandLine) warnOfGroup(cmd *cobra.Command, group string) {
	if group == "" || cmd.Flags().Changed("store") || c.configFile == "-" { // which is read once
		return
	}
	app, err := c.loadApp(cmd)
	if err != nil {
		return // the command itself says so
	}
	groups, err := groupsOf(app)
	if err != nil || slices.ContainsFunc(groups, func(g Group) bool { return g.Name == group }) {
		return
	}
	var names []string
	for _, known := range groups {
		names = append(names, strconv.Quote(known.Name))
	}
	fmt.Fprintf(cmd.ErrOrStderr(), "Warning: %s does not configure the group %q: until it does, the group default applies. It knows %s.\n",
		c.configFile, group, strings.Join(names, ", "))
}
