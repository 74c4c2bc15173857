package store_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// The test binary runs itself as the other process: variables say what it does.
const (
	roleVariable  = "STORE_TEST_ROLE"
	storeVariable = "STORE_TEST_ADDRESS"
	otherVariable = "STORE_TEST_CUSTOMER"
)

func TestMain(m *testing.M) {
	role := os.Getenv(roleVariable)
	if role == "" {
		code := m.Run()
		cluster.Remove()
		os.Exit(code)
	}
	s, err := store.Open(os.Getenv(storeVariable))
	if err == nil {
		accountID, keyID, _ := strings.Cut(os.Getenv(otherVariable), " ")
		err = map[string]func(context.Context, *store.Store, storetest.Customer) error{
			"settle": settleForever, "deposit": depositOnce, "lock": lockOnce, "migrate": migrateOnce,
		}[role](context.Background(), s, storetest.Customer{AccountID: accountID, KeyID: keyID})
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(0)
}

// process starts this binary in a role; it is killed with the test at the latest.
func process(t *testing.T, role, address string, customer storetest.Customer) *exec.Cmd {
	t.Helper()
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), roleVariable+"="+role, storeVariable+"="+address, otherVariable+"="+customer.AccountID+" "+customer.KeyID)
	return command
}

// settleForever reports every settlement on standard output once Settle has returned.
func settleForever(ctx context.Context, s *store.Store, customer storetest.Customer) error {
	l, err := ledger.Open(ctx, s, ledger.Options{Node: s.NodeName()})
	if err != nil {
		return err
	}
	failed := make(chan error)
	for range 8 {
		go func() {
			for {
				record := customer.Record(3)
				hold, err := l.Hold(ctx, customer.AccountID, 5)
				if err == nil {
					err = hold.Settle(ctx, record)
				}
				if err != nil {
					failed <- err
					return
				}
				fmt.Println(record.ID)
			}
		}()
	}
	return <-failed
}

func TestKilledProcessLosesNothingItReported(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faregate.db")
	killProcesses(t, openFile(t, path), "sqlite:"+path)
}

func TestKilledNodeLosesNothingItReported(t *testing.T) {
	t.Parallel()
	s, address := openPostgres(t)
	killProcesses(t, s, address)
}

func killProcesses(t *testing.T, s *store.Store, address string) {
	customer := storetest.NewCustomer(t, s, metering.Dollar)
	reported := 0
	for round := range 3 {
		child := process(t, "settle", address, customer)
		child.Stderr = os.Stderr
		output, err := child.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := child.Start(); err != nil {
			t.Fatal(err)
		}
		var ids []string
		lines := bufio.NewScanner(output)
		for lines.Scan() {
			ids = append(ids, lines.Text())
			if len(ids) == 100+70*round {
				if err := child.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = child.Wait() // it was killed
		reported += len(ids)
		if len(ids) < 100 {
			t.Fatalf("round %d: only %d settlements", round, len(ids))
		}
		// What the killed node held comes back when its lease has expired.
		s.Advance(time.Hour)
		if _, err := s.Reclaim(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, id := range ids {
			if record, err := s.Record(t.Context(), id); err != nil || record.Cost != 3 {
				t.Fatalf("round %d: the settlement %s was reported: %+v, %v", round, id, record, err)
			}
		}
		storetest.MustVerify(t, s)
	}
	report := storetest.MustVerify(t, s)
	if report.Records < int64(reported) || report.Balance != metering.Dollar-3*metering.Nanos(report.Records) {
		t.Errorf("%d settlements were reported, %d are there, the balance is %s", reported, report.Records, report.Balance)
	}
	l := storetest.OpenLedger(t, s, ledger.Options{})
	if available, err := l.Available(t.Context(), customer.AccountID); err != nil || available != report.Balance {
		t.Errorf("%s is available, %v; want all of %s", available, err, report.Balance)
	}
}

func depositOnce(ctx context.Context, s *store.Store, customer storetest.Customer) error {
	_, err := s.Deposit(ctx, store.Deposit{AccountID: customer.AccountID, Amount: 40, Ref: "other process", At: time.Now()})
	return err
}

func TestDepositByAnotherProcessIsNoticed(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faregate.db")
	s := openFile(t, path)
	customer := storetest.NewCustomer(t, s, 2)
	l := storetest.OpenLedger(t, s, ledger.Options{})
	if available, err := l.Available(t.Context(), customer.AccountID); err != nil || available != 2 {
		t.Fatalf("%s is available, %v", available, err)
	}
	last, err := s.LastChange(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if output, err := process(t, "deposit", "sqlite:"+path, customer).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, output)
	}
	changes, err := s.Changes(t.Context(), last)
	want := store.Change{Sequence: last + 1, Kind: store.KindWallet, ID: customer.AccountID}
	if err != nil || len(changes) != 1 || changes[0] != want {
		t.Fatalf("changes %+v, %v; want %+v", changes, err, want)
	}
	l.Refresh(changes[0].ID)
	if available, err := l.Available(t.Context(), customer.AccountID); err != nil || available != 42 {
		t.Errorf("%s is available, %v; want 42", available, err)
	}
}

func lockOnce(_ context.Context, s *store.Store, _ storetest.Customer) error {
	_, err := s.Lock()
	return err
}

func TestOneServerPerFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "faregate.db")
	s, other := openFile(t, path), openFile(t, path)
	tryOther := func() (string, error) {
		output, err := process(t, "lock", "sqlite:"+path, storetest.Customer{}).CombinedOutput()
		return string(output), err
	}
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	// A reload: the new configuration locks before the old one unlocks.
	unlockReloaded, err := other.Lock()
	if err != nil {
		t.Fatalf("second lock in the same process: %v", err)
	}
	for range 2 { // unlocking twice counts once
		if err := unlock(); err != nil {
			t.Fatal(err)
		}
	}
	if output, err := tryOther(); err == nil || !strings.Contains(output, store.ErrLocked.Error()) {
		t.Errorf("the other process locked too: %v, %q", err, output)
	}
	// Commands need no lock.
	customer := storetest.NewCustomer(t, s, 1)
	if output, err := process(t, "deposit", "sqlite:"+path, customer).CombinedOutput(); err != nil {
		t.Errorf("a command beside the server: %v, %q", err, output)
	}
	if err := unlockReloaded(); err != nil {
		t.Fatal(err)
	}
	if output, err := tryOther(); err != nil {
		t.Errorf("after the last unlock: %v, %q", err, output)
	}
}

func migrateOnce(ctx context.Context, s *store.Store, _ storetest.Customer) error {
	return errors.Join(s.Migrate(ctx), s.Close())
}

func TestProcessesMigrateAtOnce(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "new", "faregate.db")
	var group sync.WaitGroup
	for range 4 {
		group.Go(func() {
			if output, err := process(t, "migrate", "sqlite:"+path, storetest.Customer{}).CombinedOutput(); err != nil {
				t.Errorf("migrate: %v, %s", err, output)
			}
		})
	}
	group.Wait()
	storetest.MustVerify(t, openFile(t, path))
}
