package simulation

import (
	"fmt"
	"slices"
	"sync"
	"time"
)

// trace is what happened in a run, in order: two runs of a seed have the same.
type trace struct {
	mu    sync.Mutex
	start time.Time
	lines []string
}

func (tr *trace) note(format string, values ...any) {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	tr.lines = append(tr.lines, fmt.Sprintf("%16.9f ", time.Since(tr.start).Seconds())+fmt.Sprintf(format, values...))
}

// sorted returns the lines in order of time, and those of one moment by their text.
func (tr *trace) sorted() []string {
	tr.mu.Lock()
	defer tr.mu.Unlock()
	return slices.Sorted(slices.Values(tr.lines))
}
