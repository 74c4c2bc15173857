package e2e

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// run runs a command of the gateway's, as its operator does, and returns the lines
// of JSON that it prints.
func (g *gateway) run(arguments ...string) []json.RawMessage {
	g.t.Helper()
	out, err := g.try(arguments...)
	if err != nil {
		g.t.Fatalf("faregate %s: %v", strings.Join(arguments, " "), err)
	}
	var values []json.RawMessage
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			g.t.Fatalf("faregate %s printed %q: %v", strings.Join(arguments, " "), out, err)
		}
		values = append(values, value)
	}
	return values
}

func (g *gateway) try(arguments ...string) ([]byte, error) {
	g.t.Helper()
	arguments = slices.Concat([]string{"faregate"}, arguments, []string{"--config", "Caddyfile", "--adapter", "caddyfile", "--json"})
	command := exec.CommandContext(deadline(g.t), g.caddy, arguments...)
	var complaint bytes.Buffer
	command.Dir, command.Env, command.Stderr = g.dir, g.environment(), &complaint
	out, err := command.Output()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, complaint.String())
	}
	return out, err
}

// one runs a command that prints one value.
func (g *gateway) one(into any, arguments ...string) {
	g.t.Helper()
	values := g.run(arguments...)
	if len(values) != 1 {
		g.t.Fatalf("faregate %s printed %d values, want 1", strings.Join(arguments, " "), len(values))
	}
	if err := json.Unmarshal(values[0], into); err != nil {
		g.t.Fatalf("faregate %s printed %s: %v", strings.Join(arguments, " "), values[0], err)
	}
}

// customer is an account with a key, and what the test expects of its books.
type customer struct {
	*gateway
	name          string
	account       string
	keyID, secret string
	deposited     *big.Rat
	deposits      int
}

// newCustomer makes an account with this many dollars and a key, by the flags of
// key create.
func (g *gateway) newCustomer(name, dollars string, flags ...string) *customer {
	g.t.Helper()
	var made struct{ ID string }
	g.one(&made, "account", "create", "--email", name+"@example.com", "--username", name)
	c := &customer{gateway: g, name: name, account: made.ID, deposited: new(big.Rat)}
	if dollars != "0" {
		c.deposit(dollars)
	}
	c.keyID, c.secret = c.newKey(flags...)
	return c
}

func (c *customer) newKey(flags ...string) (id, secret string) {
	c.t.Helper()
	var made struct{ ID, Secret string }
	c.one(&made, append([]string{"key", "create", "--account", c.name, "--name", "e2e"}, flags...)...)
	return made.ID, made.Secret
}

func (c *customer) deposit(dollars string) {
	c.t.Helper()
	c.deposits++
	c.run("deposit", "--account", c.name, "--amount", dollars, "--ref", fmt.Sprintf("%s-%d", c.name, c.deposits))
	c.deposited.Add(c.deposited, amount(c.t, dollars))
}

// record is a usage record as the command line prints it.
type record struct {
	ID             string `json:"id"`
	AccountID      string `json:"account_id"`
	KeyID          string `json:"key_id"`
	Operation      string `json:"operation"`
	Dialect        string `json:"dialect"`
	Provider       string `json:"provider"`
	ModelRequested string `json:"model_requested"`
	ModelServed    string `json:"model_served"`
	Attempts       int    `json:"attempts"`
	Status         string `json:"status"`
	HTTPStatus     int    `json:"http_status"`
	Streamed       bool   `json:"streamed"`
	FinishReason   string `json:"finish_reason"`
	Basis          string `json:"basis"`
	Usage          counts `json:"usage"`
	Cost           string `json:"cost"`
	Shortfall      string `json:"shortfall"`
}

// records are the customer's, oldest first, once there are n of them: a refusal is
// recorded after it is answered.
func (c *customer) records(n int) []record {
	c.t.Helper()
	var records []record
	within(c.t, patience, fmt.Sprintf("%d usage records of %s", n, c.name), func() bool {
		records = nil
		for _, value := range c.run("usage", "--account", c.name) {
			var r record
			if err := json.Unmarshal(value, &r); err != nil {
				c.t.Fatal(err)
			}
			records = append(records, r)
		}
		return len(records) >= n
	})
	if len(records) != n {
		c.t.Fatalf("%d usage records of %s, want %d", len(records), c.name, n)
	}
	return records
}

// request is the record of one request, by its id.
func (g *gateway) request(id string) record {
	g.t.Helper()
	var r record
	g.one(&r, "request", id)
	return r
}

// expectSpent fails unless exactly this much has left the account, and the ledger
// adds up.
func (c *customer) expectSpent(spent *big.Rat) {
	c.t.Helper()
	var has struct{ Balance string }
	c.one(&has, "balance", c.name)
	want := new(big.Rat).Sub(c.deposited, spent)
	if got := amount(c.t, has.Balance); got.Cmp(want) != 0 {
		c.t.Errorf("%s has %s, want %s of %s", c.name, got.FloatString(9), want.FloatString(9), c.deposited.FloatString(9))
	}
	c.run("verify")
}

func amount(t *testing.T, dollars string) *big.Rat {
	t.Helper()
	value, ok := new(big.Rat).SetString(dollars)
	if !ok {
		t.Fatalf("%q is no amount", dollars)
	}
	return value
}
