// Package headroom spares a process with a small heap most of its garbage collections.
//
// Go collects when the heap has doubled. A heap of some 10 MB out of which thousands of
// requests a second are served doubles ten times a second, and all that lives in it is
// marked each time. With a headroom the next collection comes when the heap has doubled
// or has grown by that much, whichever is later: a small heap takes some more memory, a
// large one is collected as ever. A memory limit (GOMEMLIMIT) keeps its force: Go takes
// the lower of the two goals (https://go.dev/doc/gc-guide#Memory_limit).
package headroom

import (
	"context"
	"maps"
	"os"
	"runtime/debug"
	"runtime/metrics"
	"slices"
	"sync"
	"time"
)

const (
	// defaultPercent is Go's own: the heap may double.
	defaultPercent = 100
	// leastHeap is what Go takes the heap for, at least, when it applies a percent
	// (runtime/mgcpacer.go, defaultHeapMinimum).
	leastHeap = 4 << 20
	// interval is how often the heap is looked at. Go tells nobody of a collection's end:
	// a cleanup of an object that nothing refers to is seen to run half a second late in
	// a busy process, and not at all after a collection that has begun before it is set.
	// Until the percent is put right, a heap that has become large has too much room.
	interval = 100 * time.Millisecond
)

// process is what is wanted of the process's one collector.
var process = struct {
	mutex    sync.Mutex
	wishes   map[any]int64 // bytes, by who wants them
	previous int           // the percent before the first wish
	stop     func()        // ends the following of the heap
}{wishes: make(map[any]int64)}

// Join makes the collector leave the heap so many bytes to grow, until the holder
// leaves. Of several wishes the largest counts. Nothing happens for a wish of none, nor
// where the operator has decided about the collector with the variable GOGC.
func Join(holder any, bytes int64) {
	if bytes <= 0 || os.Getenv("GOGC") != "" {
		return
	}
	process.mutex.Lock()
	defer process.mutex.Unlock()
	process.wishes[holder] = bytes
	previous := apply()
	if process.stop == nil {
		process.previous = previous
		process.stop = follow()
	}
}

// Leave takes a holder's wish back, if there is one. With the last one the collector is
// again as it was before.
func Leave(holder any) {
	if stop := leave(holder); stop != nil {
		stop()
	}
}

// leave returns what is to be called without the mutex, or nil.
func leave(holder any) (stop func()) {
	process.mutex.Lock()
	defer process.mutex.Unlock()
	if _, joined := process.wishes[holder]; !joined {
		return nil
	}
	delete(process.wishes, holder)
	if len(process.wishes) > 0 {
		apply()
		return nil
	}
	debug.SetGCPercent(process.previous)
	stop, process.stop = process.stop, nil
	return stop
}

// follow keeps the percent right until it is stopped, which must be without the mutex.
func follow() (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	var following sync.WaitGroup
	following.Go(func() {
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
			}
			process.mutex.Lock()
			if len(process.wishes) > 0 {
				apply()
			}
			process.mutex.Unlock()
		}
	})
	return func() {
		cancel()
		following.Wait()
	}
}

// apply sets the percent that suits the heap as the last collection has left it, and
// returns the one before. That takes a lock, but does not stop the world
// (runtime/mgcpacer.go, setGCPercent). The caller has the mutex.
func apply() int {
	return debug.SetGCPercent(percent(slices.Max(slices.Collect(maps.Values(process.wishes))), marked()))
}

// percent is by how much Go shall let a heap grow for it to grow by the headroom.
func percent(headroom, heap int64) int {
	return int(max(defaultPercent, headroom*100/max(heap, leastHeap)))
}

// marked is what Go applies its percent to: what lived at the last collection, and the
// roots that it began from (https://go.dev/doc/gc-guide#GOGC).
func marked() int64 {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/scan/stack:bytes"}, {Name: "/gc/scan/globals:bytes"}}
	metrics.Read(samples)
	var sum int64
	for _, sample := range samples {
		sum += int64(sample.Value.Uint64())
	}
	return sum
}
