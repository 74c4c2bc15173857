package caddymodule

import (
	"context"
	"sync"
	"time"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/internal/upstream"
)

// leavingRules say what becomes of a provider's answer whose client has left.
type leavingRules struct {
	policy auth.OnDisconnect
	time   time.Duration // for which an answer is drained
	bytes  int64         // that are drained of it
}

// drains are the answers of the process that are read on although nobody waits for them
// any more. They go on when the configuration is replaced, as requests do.
type drains struct {
	mutex   sync.Mutex
	running map[*departure]struct{}
	ending  bool
	// ended is there while somebody waits, and closed when none is left.
	ended chan struct{}
}

// begin takes a place among most; false if there is none, or the process ends.
func (d *drains) begin(of *departure, most int) bool {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.ending || len(d.running) >= most {
		return false
	}
	if d.running == nil {
		d.running = make(map[*departure]struct{})
	}
	d.running[of] = struct{}{}
	return true
}

func (d *drains) done(of *departure) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	delete(d.running, of) // the only time, or once more
	if len(d.running) == 0 && d.ended != nil {
		close(d.ended)
		d.ended = nil
	}
}

// number is how many there are now.
func (d *drains) number() int {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	return len(d.running)
}

// end makes all of them settle with what was read, and waits for that until patience is
// over. There are no others from then on.
func (d *drains) end(patience time.Duration) {
	d.mutex.Lock()
	d.ending = true
	if len(d.running) == 0 {
		d.mutex.Unlock()
		return
	}
	ended := make(chan struct{})
	d.ended = ended
	for of := range d.running {
		of.cancel()
	}
	d.mutex.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-ended:
	case <-timer.C:
	}
}

// departure is what becomes of a provider's request when its client leaves: it is ended
// at once, or read to its end within bounds. The provider's request has a life of its
// own, which the end of the client's does not end.
type departure struct {
	cancel       context.CancelFunc // ends the provider's request
	drains       *drains            // nil: it is ended at once
	rules        leavingRules
	most         int // drains at once
	stopWatching func() bool

	mutex    sync.Mutex
	happened bool
	draining bool
	over     bool
	timer    *time.Timer
}

// watchClient waits for the client to leave while the provider's request runs, until
// stop is called.
func (ex *Exchange) watchClient(provider *upstream.Provider, cancel context.CancelFunc) *departure {
	d := &departure{cancel: cancel, rules: ex.app.leaving[provider], most: ex.app.mostDrains()}
	policy := d.rules.policy
	if ex.principal.OnDisconnect != auth.OnDisconnectDefault {
		policy = ex.principal.OnDisconnect
	}
	if policy == auth.OnDisconnectDrain || policy == auth.OnDisconnectDefault && ex.endCounts {
		d.drains = &ex.runtime.drains
	}
	d.stopWatching = context.AfterFunc(ex.client, func() { d.happen() })
	return d
}

// happen is told that the client has left, once or more. It tells whether the answer is
// drained; else the provider's request is cancelled.
func (d *departure) happen() (drained bool) {
	d.mutex.Lock()
	defer d.mutex.Unlock()
	if d.over || d.happened {
		return d.draining
	}
	d.happened = true
	if d.drains == nil || !d.drains.begin(d, d.most) {
		d.cancel()
		return false
	}
	d.draining = true
	d.timer = time.AfterFunc(d.rules.time, d.expire)
	return true
}

// expire ends what was drained for long enough.
func (d *departure) expire() {
	d.cancel()
	d.drains.done(d)
}

// stop ends the watch: the provider's request is over.
func (d *departure) stop() {
	d.stopWatching()
	d.mutex.Lock()
	defer d.mutex.Unlock()
	d.over = true
	if d.draining {
		d.draining = false
		d.timer.Stop()
		d.drains.done(d)
	}
}

// mostDrains is how many answers may be drained at once.
func (a *App) mostDrains() int {
	if a.Drains == 0 {
		return defaultDrains
	}
	return a.Drains
}
