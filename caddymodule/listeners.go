package caddymodule

import (
	"slices"
	"sync"
)

// listeners are the configurations that use a runtime: two while a server reloads. The
// latest one says what is told, where it is logged and what provider keys may be asked,
// and has the handlers; should its start fail, that is the one before again.
type listeners struct {
	follow func(latest *App) // nil: there is none
	mutex  sync.Mutex
	apps   []*App
}

func (l *listeners) join(a *App) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	l.apps = append(l.apps, a)
	l.follow(a)
}

// leave also takes one that never joined, as Caddy starts apps in random order: what fails
// may come before.
func (l *listeners) leave(a *App) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	before := l.latest()
	l.apps = slices.DeleteFunc(l.apps, func(other *App) bool { return other == a })
	// One that goes on being the latest is not to begin anew: keys that were refused since
	// it began would be tried again.
	if latest := l.latest(); latest != before {
		l.follow(latest)
	}
}

// latest is the one to follow, or nil. The mutex is held.
func (l *listeners) latest() *App {
	if len(l.apps) == 0 {
		return nil
	}
	return l.apps[len(l.apps)-1]
}

// unlessAny calls the function if no configuration uses the runtime.
func (l *listeners) unlessAny(call func()) {
	l.mutex.Lock()
	defer l.mutex.Unlock()
	if len(l.apps) == 0 {
		call()
	}
}

func (rt *runtime) listenTo(latest *App) {
	rt.notices.app.Store(latest)
	if latest == nil {
		rt.spending.watching.Store(new(watching))
		return
	}
	rt.spending.watching.Store(&latest.watching)
	rt.logger.Store(latest.logger) // another one's may write to a file that is closed
	latest.adoptCatalogue()
}
