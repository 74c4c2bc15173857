package caddymodule

import (
	"errors"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
	"github.com/faregate/faregate/metering"
)

// What another process changes in the store is known here within a second, as documented:
// of the bubble's time, in which work takes none, so that a busy machine proves the same.
func TestChangesAreNoticedWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		address := "sqlite:" + filepath.Join(t.TempDir(), "faregate.db")
		rt, err := openRuntime(address, zap.NewNop())
		if err != nil {
			t.Fatal(err)
		}
		defer func() {
			if _, err := runtimes.Delete(address); err != nil {
				t.Error(err)
			}
			if err := rt.closeOnce(); err != nil {
				t.Error(err)
			}
		}()
		if err := rt.open(""); err != nil {
			t.Fatal(err)
		}
		elsewhere, err := store.Open(address)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = elsewhere.Close() }()

		account := storetest.NewCustomer(t, elsewhere, metering.Dollar).AccountID
		secret := newSecret(t)
		hash, err := auth.HashSecret(secret)
		if err != nil {
			t.Fatal(err)
		}
		key := storetest.NewID()
		if err := elsewhere.CreateKey(t.Context(), &auth.Key{ID: key, AccountID: account, Name: "test", Hash: hash, CreatedAt: time.Now()}); err != nil {
			t.Fatal(err)
		}
		setStatus := func(status auth.Status) func() error {
			return func() error { return elsewhere.SetAccountStatus(t.Context(), account, status, "a test") }
		}
		verified := func(want error) func() bool {
			return func() bool {
				_, err := rt.verifier.Verify(t.Context(), secret)
				return errors.Is(err, want)
			}
		}
		available := func(want metering.Nanos) func() bool {
			return func() bool {
				got, err := rt.ledger.Available(t.Context(), account)
				return err == nil && got == want
			}
		}
		time.Sleep(time.Second) // what was changed to begin with is noticed, too
		synctest.Wait()
		if !verified(nil)() || !available(metering.Dollar)() { // both are in memory from now on
			t.Fatal("the account cannot be used")
		}
		for _, change := range []struct {
			name    string
			do      func() error
			noticed func() bool
		}{
			{"suspend", setStatus(auth.StatusSuspended), verified(auth.ErrSuspended)},
			{"resume", setStatus(auth.StatusActive), verified(nil)},
			{"deposit", func() error {
				storetest.MustDeposit(t, elsewhere, account, metering.Dollar)
				return nil
			}, available(2 * metering.Dollar)},
			{"revoke", func() error { return elsewhere.RevokeKey(t.Context(), key, time.Now()) }, verified(auth.ErrUnknownKey)},
		} {
			// The change before was noticed a moment ago, so that this one waits longest.
			if err := change.do(); err != nil {
				t.Fatal(err)
			}
			if change.noticed() {
				t.Errorf("%s: known before anybody could tell, which proves nothing", change.name)
			}
			began := time.Now()
			for !change.noticed() && time.Since(began) < time.Minute {
				time.Sleep(10 * time.Millisecond)
				synctest.Wait()
			}
			if took := time.Since(began); took > time.Second {
				t.Errorf("%s: noticed after %s", change.name, took)
			}
		}
	})
}
