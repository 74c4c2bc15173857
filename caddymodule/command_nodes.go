package caddymodule

import (
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// nodeJSON is a gateway as scripts see it. Granted is the credit in its hands.
type nodeJSON struct {
	Name      string         `json:"name"`
	Epoch     int64          `json:"epoch"`
	State     string         `json:"state"`
	ClaimedAt instant        `json:"claimed_at"`
	RenewedAt instant        `json:"renewed_at"`
	ExpiresAt instant        `json:"expires_at"`
	Granted   metering.Nanos `json:"granted"`
	Accounts  int            `json:"accounts"`
}

// nodeState tells a gateway that works from one that does not renew its lease, whose
// credit another gateway is about to return, and from one that has ended.
func nodeState(node ledger.Node, now time.Time) string {
	switch {
	case !node.Live:
		return "ended"
	case now.After(node.ExpiresAt):
		return "expired"
	}
	return "live"
}

func (c *commandLine) nodesCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "nodes",
		Short: "List the gateways on the store, their leases, and the credit in their hands",
		Long: "Lists the gateways that work on the store, or did within the last day: since when, when each last said that it lives, and when its lease " +
			"expires if it does not say so again. What an expired one has in hand returns to the accounts as soon as another gateway, or its own next start, notices.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.readStore(cmd, func(books *store.Store, found *output) error {
				nodes, err := books.Nodes(cmd.Context())
				if err != nil {
					return err
				}
				found.header("NODE", "EPOCH", "STATE", "SINCE", "HEARTBEAT", "EXPIRES", "CREDIT USD", "ACCOUNTS")
				for _, n := range nodes {
					state := nodeState(n, c.now())
					found.row(nodeJSON{n.Name, n.Epoch, state, instant(n.ClaimedAt), instant(n.RenewedAt), instant(n.ExpiresAt), n.Granted, n.Accounts},
						n.Name, count(n.Epoch), state, shown(n.ClaimedAt), shown(n.RenewedAt), shown(n.ExpiresAt), n.Granted.String(), strconv.Itoa(n.Accounts))
				}
				return nil
			})
		},
	}
}
