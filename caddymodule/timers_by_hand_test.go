package caddymodule

import (
	"sync"
	"testing"
	"time"
)

// timersByHand are timers that fire when the test says so.
type timersByHand struct {
	mutex sync.Mutex
	live  map[*timerByHand]bool // true while it runs
}

type timerByHand struct {
	all  *timersByHand
	wait time.Duration
	do   func()
}

func (a *timersByHand) afterFunc(wait time.Duration, do func()) timer {
	t := &timerByHand{a, wait, do}
	a.mutex.Lock()
	defer a.mutex.Unlock()
	a.live[t] = true
	return t
}

// Stop implements timer.
func (t *timerByHand) Stop() bool { return t.set(false) }

// Reset implements timer.
func (t *timerByHand) Reset(time.Duration) bool { return t.set(true) }

func (t *timerByHand) set(runs bool) (ran bool) {
	t.all.mutex.Lock()
	defer t.all.mutex.Unlock()
	ran = t.all.live[t]
	if delete(t.all.live, t); runs {
		t.all.live[t] = true
	}
	return ran
}

// fire waits until a timer of this length runs, and lets it fire.
func (a *timersByHand) fire(t *testing.T, wait time.Duration) {
	t.Helper()
	waitFor(t, "a timer of "+wait.String(), func() bool {
		a.mutex.Lock()
		var found *timerByHand
		for one := range a.live {
			if one.wait == wait {
				found = one
			}
		}
		delete(a.live, found)
		a.mutex.Unlock()
		if found == nil {
			return false
		}
		found.do()
		return true
	})
}
