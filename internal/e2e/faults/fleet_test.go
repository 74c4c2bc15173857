package faults

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/simulator"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/postgrestest"
	"github.com/faregate/faregate/metering"
)

// providerKey is what gateways must show the provider.
const providerKey = "provider-key-of-the-operator"

// fleet is a store, a provider, and the gateways that serve the one with the other.
type fleet struct {
	t         *testing.T
	directory string
	address   string // of the store
	provider  *simulator.Server
	options   string // more of the gateways' configuration
	gateways  int
}

// onSQLite makes a fleet on a new file.
func onSQLite(t *testing.T) *fleet { return newFleet(t, "") }

// onPostgres makes a fleet on a new database of a cluster.
func onPostgres(t *testing.T, c *postgrestest.Cluster) *fleet { return newFleet(t, c.NewDatabase(t)) }

func newFleet(t *testing.T, address string) *fleet {
	t.Helper()
	f := &fleet{t: t, directory: t.TempDir(), address: address}
	if address == "" {
		f.address = "sqlite:" + filepath.Join(f.directory, "faregate.db")
	}
	var err error
	f.provider, err = simulator.Start("127.0.0.1:0", simulator.Options{Key: providerKey, Record: true, Delay: time.Millisecond}, nil)
	must(t, err)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := f.provider.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	must(t, os.WriteFile(filepath.Join(f.directory, "provider-key"), []byte(providerKey+"\n"), 0o600))
	f.withStore(func(s *store.Store) { must(t, s.Migrate(t.Context())) })
	return f
}

// withStore opens the store, as a command does, and closes it again: a file that
// nobody has open is what a server that was killed leaves.
func (f *fleet) withStore(do func(*store.Store)) {
	f.t.Helper()
	s, err := store.Open(f.address)
	must(f.t, err)
	defer func() { must(f.t, s.Close()) }()
	do(s)
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// customer is an account with a key.
type customer struct {
	account, keyID, secret string
	credit                 metering.Nanos
}

// newCustomer makes an account with this credit, and its key.
func (f *fleet) newCustomer(credit metering.Nanos) *customer {
	f.t.Helper()
	c := &customer{account: uuid.Must(uuid.NewV7()).String(), keyID: uuid.Must(uuid.NewV7()).String(), credit: credit}
	made, err := auth.NewSecret(rand.Reader)
	must(f.t, err)
	c.secret = made.Reveal()
	hash, err := auth.HashSecret(c.secret)
	must(f.t, err)
	f.withStore(func(s *store.Store) {
		must(f.t, s.CreateAccount(f.t.Context(), &auth.Account{
			ID: c.account, Email: c.account + "@example.com", Username: "u" + strings.ReplaceAll(c.account, "-", "")[12:], Status: auth.StatusActive, CreatedAt: time.Now(),
		}))
		_, err := s.Deposit(f.t.Context(), store.Deposit{AccountID: c.account, Amount: credit, Ref: c.account, Actor: "test", At: time.Now()})
		must(f.t, err)
		must(f.t, s.CreateKey(f.t.Context(), &auth.Key{ID: c.keyID, AccountID: c.account, Name: "test", Hash: hash, CreatedAt: time.Now()}))
	})
	return c
}

// deposit adds to what the customer has.
func (b *books) deposit(amount metering.Nanos, ref string) (err error) {
	b.customer.credit += amount
	b.withStore(func(s *store.Store) {
		_, err = s.Deposit(b.t.Context(), store.Deposit{AccountID: b.customer.account, Amount: amount, Ref: ref, Actor: "test", At: time.Now()})
	})
	return err
}

// hold calls a gateway and returns when the answer waits at the gate, in the midst of its
// content.
func (f *fleet) hold(l *load, g *gateway, c *customer, gate *simulator.Gate, then func(*call)) {
	f.t.Helper()
	const middle = 900 // bytes
	at := simulator.NewGate()
	f.provider.Add(simulator.Step{Model: heldModel, Response: simulator.Response{
		Pauses: []simulator.Pause{{At: middle, Gate: at}, {At: middle, Gate: gate}},
	}})
	l.running.Go(func() { then(l.call(newClient(), g, c, heldStream)) })
	select {
	case <-at.Reached():
	case <-time.After(patience):
		f.t.Fatal("the answer does not come to the gate")
	}
	at.Open()
}

// records returns the customer's usage records since then.
func (f *fleet) records(c *customer, since time.Time) (records []*metering.Record) {
	f.t.Helper()
	f.withStore(func(s *store.Store) {
		for record, err := range s.Records(f.t.Context(), store.Filter{AccountID: c.account, Since: since}) {
			must(f.t, err)
			records = append(records, record)
		}
	})
	return records
}

// expectSpent fails unless exactly this much has left the account, and the ledger adds up.
func (f *fleet) expectSpent(c *customer, spent metering.Nanos) {
	f.t.Helper()
	f.withStore(func(s *store.Store) {
		balance, err := s.Balance(f.t.Context(), c.account)
		must(f.t, err)
		if want := c.credit - spent; balance.Balance != want {
			f.t.Errorf("the balance is %s, want %s less %s", balance.Balance, c.credit, spent)
		}
		if balance.Balance < 0 || balance.Granted < 0 || balance.Granted > balance.Balance {
			f.t.Errorf("the balance is %+v", balance)
		}
		report, err := s.Verify(f.t.Context())
		must(f.t, err)
		for _, difference := range report.Differences {
			f.t.Errorf("verify: %s", difference)
		}
	})
}

// notAlone makes gateways believe that there is another one, which has no use for
// credit: they then take slices of an account, and one that is killed takes no more
// than that with it.
func (f *fleet) notAlone() {
	f.t.Helper()
	f.withStore(func(s *store.Store) {
		_, _, err := s.Join(f.t.Context(), "another", 24*time.Hour)
		must(f.t, err)
	})
}

// nodesGone waits until nothing of a killed gateway's is under way in the database: a
// server there ends only when it has read all that was sent to it.
func (f *fleet) nodesGone(c *postgrestest.Cluster) {
	f.t.Helper()
	name := postgrestest.Name(f.address)
	within(f.t, "the database notices the death of its client", func() bool {
		return c.Execute(f.t, "postgres", `SELECT 1 FROM pg_stat_activity WHERE datname = $1`, name) == 0
	})
}

// within polls until the condition holds.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// configuration of a gateway at this address.
func (f *fleet) configuration(url, grace string) string {
	where := f.address
	if path, isFile := strings.CutPrefix(f.address, "sqlite:"); isFile {
		where = "sqlite " + path
	}
	return fmt.Sprintf(`{
	admin off
	persist_config off
	grace_period %[5]s
	faregate {
		store %[1]s
		%[6]s
		provider openai {
			base_url %[2]s/v1
			api_key {file.%[3]s/provider-key}
		}
		provider anthropic {
			base_url %[2]s
			api_key {file.%[3]s/provider-key}
		}
		provider google {
			base_url %[2]s
			api_key {file.%[3]s/provider-key}
		}
	}
}
%[4]s {
	faregate
}
`, where, f.provider.URL, f.directory, url, grace, f.options)
}
