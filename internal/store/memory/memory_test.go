package memory_test

import (
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/store/memory"
	"github.com/faregate/faregate/internal/store/storetest"
)

func open(testing.TB) storetest.Store { return memory.New(time.Now) }

func TestConformance(t *testing.T) { storetest.Run(t, open) }

func TestLedger(t *testing.T) { storetest.RunLedger(t, open) }

func TestShared(t *testing.T) {
	storetest.RunShared(t, func(t testing.TB) storetest.Bench {
		var ahead atomic.Int64
		now := func() time.Time { return time.Now().Add(time.Duration(ahead.Load())) }
		return storetest.NewBench(t, memory.New(now), func(by time.Duration) { ahead.Add(int64(by)) })
	})
}
