package caddymodule

import (
	"strings"
	"testing"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

func TestNodesCommand(t *testing.T) {
	term, books := newTerminal(t)
	if printed := term.must("nodes", "--json"); printed != "" {
		t.Errorf("before a server has started: %s", printed)
	}
	ada := term.account("ada")
	term.must("deposit", "--account", "ada", "--amount", "5.00", "--ref", "r1")
	lease, _, err := books.Join(t.Context(), "gateway-1", 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: ada, Account: ledger.Wish{Most: metering.Dollar}}); err != nil {
		t.Fatal(err)
	}
	ended, _, err := books.Join(t.Context(), "gateway-2", time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	if err := books.End(t.Context(), ended); err != nil {
		t.Fatal(err)
	}
	nodes, err := books.Nodes(t.Context())
	if err != nil || len(nodes) != 2 {
		t.Fatal(nodes, err)
	}
	names := []string{
		"{since1}", shown(nodes[0].ClaimedAt), "{until1}", shown(nodes[0].ExpiresAt),
		"{since2}", shown(nodes[1].ClaimedAt), "{until2}", shown(nodes[1].ExpiresAt),
	}
	const table = `NODE       EPOCH  STATE  SINCE                 HEARTBEAT             EXPIRES               CREDIT USD  ACCOUNTS
gateway-1  1      live   {since1}  {since1}  {until1}  1.00        1
gateway-2  1      ended  {since2}  {since2}  {until2}  0.00        0
`
	term.now = nodes[0].ClaimedAt
	wantText(t, term.must("nodes"), table, names...)
	term.now = nodes[0].ExpiresAt.Add(time.Second)
	printed := term.must("nodes", "--json")
	if lines := strings.Split(printed, "\n"); len(lines) != 3 || lines[2] != "" ||
		!strings.HasPrefix(lines[0], `{"name":"gateway-1","epoch":1,"state":"expired","claimed_at":"20`) ||
		!strings.HasSuffix(lines[0], `,"granted":"1.00","accounts":1}`) || !strings.Contains(lines[1], `"state":"ended"`) {
		t.Errorf("the list:\n%s", printed)
	}
}
