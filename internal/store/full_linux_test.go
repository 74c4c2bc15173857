package store_test

import (
	"errors"
	"os"
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

// The disk is really full here: the ballast pays for what runs.
func TestRunningRequestsSettleOnAFullDisk(t *testing.T) {
	directory := storetest.SmallDisk(t, 160)
	path := filepath.Join(directory, "faregate.db")
	s := openFile(t, path)
	unlock, err := s.Lock()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = unlock() }()
	if !s.HasRoom() {
		t.Error("without a server nobody needs a ballast")
	}
	if err := s.KeepRoom(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path + ".ballast")
	if err != nil || info.Size() < 1<<20 || info.Mode().Perm() != 0o600 {
		t.Fatalf("the ballast: %v, %v", info, err)
	}
	customer := storetest.NewCustomer(t, s, metering.Dollar)
	l := storetest.OpenLedger(t, s, ledger.Options{})
	const running = 400
	holds := make([]*ledger.Hold, running)
	for i := range holds {
		if holds[i], err = l.Hold(t.Context(), customer.AccountID, 10); err != nil {
			t.Fatal(err)
		}
	}
	empty := storetest.FillDisk(t, directory)
	command := openOnly(t, path)
	settle := func(hold *ledger.Hold) error { return hold.Settle(t.Context(), customer.Record(7)) }
	// One by one, as each is a commit of its own: hundreds of them fit.
	for _, hold := range holds[:200] {
		if err := settle(hold); err != nil {
			t.Fatalf("on a full disk: %v", err)
		}
	}
	if s.HasRoom() {
		t.Error("there is room on a full disk")
	}
	if _, err := os.Stat(path + ".ballast"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the ballast is there: %v", err)
	}
	if err := s.KeepRoom(); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), directory) {
		t.Errorf("a new ballast on a full disk: %v", err)
	}
	var group sync.WaitGroup
	for _, hold := range holds[200:] {
		group.Go(func() {
			if err := settle(hold); err != nil {
				t.Errorf("together on a full disk: %v", err)
			}
		})
	}
	group.Wait()
	storetest.MustVerify(t, s)

	empty()
	if err := s.KeepRoom(); err != nil || !s.HasRoom() {
		t.Errorf("with room again: %v", err)
	}
	storetest.MustDeposit(t, command, customer.AccountID, 5)
	report := storetest.MustVerify(t, s)
	if want := metering.Dollar - running*7 + 5; report.Records != running || report.Balance != want {
		t.Errorf("%d records and %s; want %d and %s", report.Records, report.Balance, running, want)
	}
}

// Requests of many accounts run when the disk becomes full: each account's records, sums and
// grants are on pages of their own, and the log is new, so that it has yet to grow.
func TestRequestsOfManyAccountsSettleOnAFullDisk(t *testing.T) {
	for name, crowd := range map[string]int{"one by one": 0, "many at once": 5} {
		t.Run(name, func(t *testing.T) { settleManyOnAFullDisk(t, crowd) })
	}
}

func settleManyOnAFullDisk(t *testing.T, crowd int) {
	const accounts, days, batch = 1100, 16, 128
	directory := storetest.SmallDisk(t, 200)
	path := filepath.Join(directory, "faregate.db")
	s := openFile(t, path)
	customers := make([]storetest.Customer, accounts)
	for i := range customers {
		customers[i] = storetest.NewCustomer(t, s, 1000)
	}
	join := func() ledger.Lease {
		lease, _, err := s.Join(t.Context(), "main", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		for i, customer := range customers {
			if _, err := s.Draw(t.Context(), lease, ledger.Draw{
				Number: int64(i + 1), AccountID: customer.AccountID, Account: ledger.Wish{Most: ledger.Everything},
			}); err != nil {
				t.Fatal(err)
			}
		}
		return lease
	}
	lease := join()
	settled := 0
	settle := func(count int) error {
		var settlements []*ledger.Settlement
		for i := settled; i < settled+count; i++ {
			record := customers[i%accounts].Record(1)
			record.StartedAt = record.StartedAt.AddDate(0, 0, i/accounts)
			settlements = append(settlements, &ledger.Settlement{Record: *record, Debit: 1})
		}
		err := s.Settle(t.Context(), lease, settlements)
		if err == nil {
			settled += count
		}
		return err
	}
	for settled < accounts*days {
		if err := settle(min(batch, accounts*days-settled)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = openOnly(t, path)
	lease = join()
	if err := s.KeepRoom(); err != nil {
		t.Fatal(err)
	}
	for range 499 {
		if err := settle(1); err != nil {
			t.Fatal(err)
		}
	}
	empty := storetest.FillDisk(t, directory)
	for range crowd {
		if err := settle(batch); err != nil {
			t.Fatalf("many at once on a full disk: %v", err)
		}
	}
	for range accounts {
		if err := settle(1); err != nil {
			t.Fatalf("one on a full disk: %v", err)
		}
	}
	// It is written over from its beginning once 6 MiB of it are used, and before that one
	// posting may follow. Of all these accounts' records together that would be 4 MiB.
	if log, err := os.Stat(path + "-wal"); err != nil || log.Size() > 9<<20 {
		t.Errorf("the log has grown to %d KiB, %v", log.Size()>>10, err)
	}
	empty()
	report := storetest.MustVerify(t, s)
	if want := metering.Nanos(accounts*1000 - settled); report.Balance != want || report.Records != int64(settled) {
		t.Errorf("%d records and %s; want %d and %s", report.Records, report.Balance, settled, want)
	}
}

// A command finds the disk full: it must not give up what the server keeps.
func TestCommandsLeaveTheBallastAlone(t *testing.T) {
	directory := storetest.SmallDisk(t, 160)
	path := filepath.Join(directory, "faregate.db")
	s := openFile(t, path)
	if err := s.KeepRoom(); err != nil {
		t.Fatal(err)
	}
	customer := storetest.NewCustomer(t, s, 1)
	empty := storetest.FillDisk(t, directory)
	command := openOnly(t, path)
	var err error
	for range 2000 { // until the log's last page is used up
		if err = command.SetAccountStatus(t.Context(), customer.AccountID, "active", strings.Repeat("x", 5000)); err != nil {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), "the disk is full") {
		t.Errorf("a command on a full disk: %v", err)
	}
	if _, err := os.Stat(path + ".ballast"); err != nil || !s.HasRoom() {
		t.Errorf("the ballast is gone: %v", err)
	}
	empty()
	if err := command.SetAccountStatus(t.Context(), customer.AccountID, "active", ""); err != nil {
		t.Errorf("with room again: %v", err)
	}
	storetest.MustVerify(t, s)
}

// A server that starts on a full disk uses the ballast of its earlier life.
func TestAServerStartsOnAFullDisk(t *testing.T) {
	directory := storetest.SmallDisk(t, 160)
	path := filepath.Join(directory, "faregate.db")
	s := openFile(t, path)
	customer := storetest.NewCustomer(t, s, 100)
	if err := errors.Join(s.KeepRoom(), s.Close()); err != nil {
		t.Fatal(err)
	}
	empty := storetest.FillDisk(t, directory)
	s = openOnly(t, path)
	if err := s.KeepRoom(); err != nil {
		t.Fatalf("the ballast of before: %v", err)
	}
	if err := s.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	l := storetest.OpenLedger(t, s, ledger.Options{})
	if hold, err := l.Hold(t.Context(), customer.AccountID, 10); err != nil {
		t.Error(err)
	} else if err := hold.Settle(t.Context(), customer.Record(7)); err != nil {
		t.Error(err)
	}
	if s.HasRoom() {
		t.Error("there is room on a full disk")
	}
	empty()
	if err := s.KeepRoom(); err != nil || !s.HasRoom() {
		t.Errorf("with room again: %v", err)
	}
	storetest.MustVerify(t, s)
}
