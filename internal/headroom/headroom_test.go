package headroom

import (
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"testing"
	"time"
)

const mebibyte = 1 << 20

func TestMain(m *testing.M) {
	// Whoever runs the tests may have set it for the compiler's sake.
	if err := os.Unsetenv("GOGC"); err != nil {
		panic(err)
	}
	debug.SetGCPercent(defaultPercent)
	os.Exit(m.Run())
}

func TestSmallHeapIsCollectedSeldom(t *testing.T) {
	before := collections(t)
	Join(t, 32*mebibyte)
	t.Cleanup(func() { Leave(t) })
	if with := collections(t); with > before/3 || with == 0 {
		t.Errorf("%d collections with a headroom, %d without", with, before)
	}
}

func TestLargeHeapIsCollectedAsEver(t *testing.T) {
	Join(t, 32*mebibyte)
	t.Cleanup(func() { Leave(t) })
	small := func(now int) bool { return now >= 2*defaultPercent }
	runtime.GC()
	awaitPercent(t, "a small heap", small)
	live := make([]byte, 48*mebibyte)
	runtime.GC()
	awaitPercent(t, "a large heap", func(now int) bool { return now == defaultPercent })
	runtime.KeepAlive(live)
	runtime.GC()
	awaitPercent(t, "a heap that is small again", small)
}

func TestMemoryLimitKeepsItsForce(t *testing.T) {
	Join(t, 256*mebibyte)
	t.Cleanup(func() { Leave(t) })
	without := collections(t)
	total := []metrics.Sample{{Name: "/memory/classes/total:bytes"}, {Name: "/memory/classes/heap/released:bytes"}}
	debug.FreeOSMemory()
	metrics.Read(total)
	used := int64(total[0].Value.Uint64() - total[1].Value.Uint64())
	previous := debug.SetMemoryLimit(used + 16*mebibyte)
	t.Cleanup(func() { debug.SetMemoryLimit(previous) })
	if with := collections(t); with < without+5 {
		t.Errorf("%d collections with a memory limit, %d without", with, without)
	}
}

func TestOperatorsSettingIsLeftAlone(t *testing.T) {
	for _, setting := range []string{"100", "50", "off"} {
		t.Setenv("GOGC", setting)
		Join(t, 32*mebibyte)
		if now := presentPercent(); now != defaultPercent {
			t.Errorf("with GOGC=%s it is now %d percent", setting, now)
		}
		Leave(t)
	}
}

func TestNoHeadroom(t *testing.T) {
	Join(t, 0)
	t.Cleanup(func() { Leave(t) })
	if now := presentPercent(); now != defaultPercent {
		t.Errorf("%d percent", now)
	}
}

// A server that reloads has two configurations for a time, and none at its end.
func TestSettingIsRestored(t *testing.T) {
	debug.SetGCPercent(123)
	t.Cleanup(func() { debug.SetGCPercent(defaultPercent) })
	Join("old", 32*mebibyte)
	Join("new", 64*mebibyte)
	larger := presentPercent()
	Leave("old")
	if now := presentPercent(); now < larger-larger/10 {
		t.Errorf("%d percent when the first has left, %d before", now, larger)
	}
	Join("newer", 24*mebibyte)
	Leave("new")
	if now := presentPercent(); now > larger/2 || now <= defaultPercent {
		t.Errorf("%d percent for the smaller headroom that is left, %d for the larger", now, larger)
	}
	Leave("newer")
	Leave("newer")
	Leave("stranger")
	if now := presentPercent(); now != 123 {
		t.Errorf("%d percent when all have left", now)
	}
	runtime.GC()
	time.Sleep(2 * interval)
	if now := presentPercent(); now != 123 {
		t.Errorf("%d percent after a collection when all have left", now)
	}
}

func TestPercent(t *testing.T) {
	for _, test := range []struct {
		headroom, heap int64
		want           int
	}{
		{48 * mebibyte, 0, 1200},
		{48 * mebibyte, leastHeap, 1200},
		{48 * mebibyte, 12 * mebibyte, 400},
		{48 * mebibyte, 40 * mebibyte, 120},
		{48 * mebibyte, 48 * mebibyte, 100},
		{48 * mebibyte, 1 << 40, 100},
		{1 << 40, leastHeap, 26214400},
	} {
		if got := percent(test.headroom, test.heap); got != test.want {
			t.Errorf("%d percent for a headroom of %d and a heap of %d, want %d", got, test.headroom, test.heap, test.want)
		}
	}
}

var garbage []byte

// collections counts how often the heap is collected while 256 MiB of garbage are made,
// with pauses: what is allocated during a collection outlives it.
func collections(t *testing.T) uint64 {
	t.Helper()
	runtime.GC()
	cycles := []metrics.Sample{{Name: "/gc/cycles/total:gc-cycles"}}
	metrics.Read(cycles)
	before := cycles[0].Value.Uint64()
	for range 256 {
		for range 16 {
			garbage = make([]byte, mebibyte/16)
		}
		time.Sleep(time.Millisecond)
	}
	garbage = nil
	metrics.Read(cycles)
	return cycles[0].Value.Uint64() - before
}

func presentPercent() int {
	setting := []metrics.Sample{{Name: "/gc/gogc:percent"}}
	metrics.Read(setting)
	return int(setting[0].Value.Uint64())
}

func awaitPercent(t *testing.T, what string, suits func(int) bool) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); !suits(presentPercent()); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d percent for %s", presentPercent(), what)
		}
	}
}
