package caddymodule

import (
	"context"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
)

// A year passes in the bubble of the test while a real store loses its oldest records.
func TestOldRecordsAreDeleted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		books, err := store.Open("sqlite:" + filepath.Join(t.TempDir(), "faregate.db"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = books.Close() }()
		if err := books.Migrate(t.Context()); err != nil {
			t.Fatal(err)
		}
		customer := storetest.NewCustomer(t, books, metering.Dollar)
		lease, _, err := books.Join(t.Context(), "a", time.Hour)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := books.Draw(t.Context(), lease, ledger.Draw{Number: 1, AccountID: customer.AccountID, Account: ledger.Wish{Most: ledger.Everything}}); err != nil {
			t.Fatal(err)
		}
		// More than one batch on each of the first two days, one record on the third.
		const day = 24 * time.Hour
		began := time.Now()
		for number, records := range []int{purgeBatch + 1, purgeBatch + 2, 1} {
			var batch []*ledger.Settlement
			for range records {
				record := customer.Record(1)
				record.StartedAt = began.Add(time.Duration(number) * day)
				batch = append(batch, &ledger.Settlement{Record: *record, Debit: 1})
			}
			if err := books.Settle(t.Context(), lease, batch); err != nil {
				t.Fatal(err)
			}
		}
		left := func() int64 {
			t.Helper()
			return storetest.MustVerify(t, books).Records
		}

		core, logged := observer.New(zapcore.DebugLevel)
		var kept retentions
		purging := purger{records: books, retention: kept.longest, now: time.Now, logger: func() *zap.Logger { return zap.New(core) }}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { purging.run(ctx); close(ended) }()
		old, next := new(App), new(App)
		kept.join(old, 0)
		kept.join(next, 10*day)
		time.Sleep(30 * day)
		synctest.Wait()
		if n := left(); n != 2*purgeBatch+4 {
			t.Errorf("%d records are left, though one configuration keeps all", n)
		}
		kept.leave(next) // it failed
		kept.leave(old)
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		if n := left(); n != 2*purgeBatch+4 {
			t.Errorf("%d records are left, though nobody says for how long they are kept", n)
		}
		kept.join(old, 31*day)
		kept.join(next, 10*day)
		// The first day has ended more than 31 days ago when another 2 have passed.
		time.Sleep(2 * day)
		synctest.Wait()
		if n := left(); n != purgeBatch+3 {
			t.Errorf("%d records are left, want those of two days", n)
		}
		kept.leave(old)
		time.Sleep(purgeInterval + time.Minute)
		synctest.Wait()
		if n := left(); n != 0 {
			t.Errorf("%d records are left", n)
		}
		stop()
		<-ended
		lines := logged.TakeAll()
		if len(lines) != 2 || lines[0].ContextMap()["records"] != int64(purgeBatch+1) || lines[1].ContextMap()["records"] != int64(purgeBatch+3) {
			t.Errorf("logged %v", lines)
		}
		for _, line := range lines {
			if len(line.Context) != 2 || strings.Contains(line.Message, customer.AccountID) {
				t.Errorf("logged %v: numbers only", line)
			}
		}
	})
}

type failingPurge struct{ calls int }

func (f *failingPurge) Purge(context.Context, time.Time, int) (int, error) {
	f.calls++
	return 0, errors.New("out of reach")
}

// endlessPurge always finds something to delete.
type endlessPurge struct{ times int }

func (e *endlessPurge) Purge(context.Context, time.Time, int) (int, error) {
	e.times++
	return purgeBatch, nil
}

// A configuration that keeps records for longer saves those that are not deleted yet.
func TestAPurgeEndsWhereRecordsAreToStay(t *testing.T) {
	for name, next := range map[string]time.Duration{"for ever": 0, "longer": 60 * leastRetention} {
		synctest.Test(t, func(t *testing.T) {
			keep, records := []time.Duration{30 * leastRetention, 30 * leastRetention, next}, new(endlessPurge)
			purging := purger{records: records, now: time.Now, logger: zap.NewNop, retention: func() time.Duration {
				first := keep[0]
				keep = keep[1:]
				return first
			}}
			purging.purge(t.Context())
			if records.times != 2 {
				t.Errorf("%s: records were deleted %d times", name, records.times)
			}
		})
	}
}

func TestPurgingGoesOnAfterAnError(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		core, logged := observer.New(zapcore.WarnLevel)
		records := new(failingPurge)
		purging := purger{records: records, retention: func() time.Duration { return defaultRetention }, now: time.Now, logger: func() *zap.Logger { return zap.New(core) }}
		ctx, stop := context.WithTimeout(t.Context(), firstPurge+2*purgeInterval+time.Second)
		defer stop()
		purging.run(ctx)
		if records.calls != 3 || logged.Len() != 3 {
			t.Errorf("%d calls, %d lines; want 3", records.calls, logged.Len())
		}
	})
}

func TestTheConfigurationSaysHowLongRecordsAreKept(t *testing.T) {
	for extra, want := range map[string]time.Duration{
		"": 400 * 24 * time.Hour, "retention 9500h": 9500 * time.Hour, "retention 0": 0, "retention forever": 0,
	} {
		g := startGateway(t, gatewayOptions{extra: extra})
		value, _ := runtimes.LoadOrStore(g.address, nil)
		if got := value.(*runtime).retentions.longest(); got != want {
			t.Errorf("%q keeps records for %v, want %v", extra, got, want)
		}
		if _, err := runtimes.Delete(g.address); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Stop(); err != nil {
			t.Fatal(err)
		}
	}
}
