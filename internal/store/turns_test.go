package store_test

import (
	"context"
	"database/sql"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/store/storetest"
)

// occupy has another process write, until the returned function is called.
func occupy(t *testing.T, s *serving) (end func()) {
	t.Helper()
	file, err := sql.Open("sqlite", s.path)
	if err != nil {
		t.Fatal(err)
	}
	other, err := file.Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := other.ExecContext(t.Context(), `BEGIN IMMEDIATE`); err != nil {
		t.Fatal(err)
	}
	return func() {
		if _, err := other.ExecContext(t.Context(), `ROLLBACK`); err != nil {
			t.Error(err)
		}
		_, _ = other.Close(), file.Close()
	}
}

func untilQueued(t *testing.T, s *store.Store, n int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); s.Queued() != n; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d writers wait, want %d", s.Queued(), n)
		}
	}
}

// Many write when something is to settle: it does not wait for all of them.
func TestSettlementsGoBeforeOtherWrites(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	end := occupy(t, s)
	const writers = 200
	var written atomic.Int64
	var group sync.WaitGroup
	for range writers {
		group.Go(func() {
			if err := s.limitAgain(t); err != nil {
				t.Error(err)
			}
			written.Add(1)
		})
	}
	untilQueued(t, s.Store, writers-1)
	var before int64
	group.Go(func() {
		s.settle(t, s.settlement(1))
		before = written.Load()
	})
	untilQueued(t, s.Store, writers)
	end()
	group.Wait()
	if before > writers/10 { // some are counted while the settlement returns
		t.Errorf("%d writes went before the settlement", before)
	}
	storetest.MustVerify(t, s)
}

// Who gives up waiting leaves its turn to the others.
func TestAWriterGivesUpItsTurn(t *testing.T) {
	t.Parallel()
	s := newServing(t)
	end := occupy(t, s)
	var group sync.WaitGroup
	group.Go(func() {
		if err := s.limitAgain(t); err != nil {
			t.Error(err)
		}
	})
	impatient, giveUp := context.WithCancel(t.Context())
	for range 20 {
		group.Go(func() {
			if err := s.SetKeyLimit(impatient, s.customer.KeyID, nil); !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
	untilQueued(t, s.Store, 20)
	giveUp()
	untilQueued(t, s.Store, 0)
	end()
	group.Wait()
	if err := s.limitAgain(t); err != nil {
		t.Error(err)
	}
}
