package upstream

import (
	"sync/atomic"
	"time"
)

// pace keeps a rate: a minute's worth at once, and then evenly, as providers do (the
// generic cell rate algorithm, ITU-T I.371). The zero value keeps none. It is safe for
// concurrent use and has no lock.
type pace struct {
	// interval is what one costs, in nanoseconds; 0 for no limit.
	interval atomic.Int64
	// used is until when what was taken lasts, by the Health's clock.
	used atomic.Int64
}

// paceWindow is how much can be taken at once.
const paceWindow = int64(time.Minute)

// setLimit changes the rate, in pieces a minute; 0 for no limit.
func (p *pace) setLimit(perMinute int64) {
	if perMinute <= 0 {
		p.interval.Store(0)
		return
	}
	p.interval.Store((paceWindow + perMinute - 1) / perMinute)
}

// until is when there is room for one more; 0 if there is now.
func (p *pace) until(now int64) int64 {
	interval := p.interval.Load()
	if interval == 0 {
		return 0
	}
	if at := p.used.Load() + interval - paceWindow; at > now {
		return at
	}
	return 0
}

// take takes one if there is room.
func (p *pace) take(now int64) bool {
	interval := p.interval.Load()
	for interval > 0 {
		used := p.used.Load()
		next := max(used, now) + interval
		if next-paceWindow > now {
			return false
		}
		if p.used.CompareAndSwap(used, next) {
			break
		}
	}
	return true
}

// add takes many, room or not: what is too much is waited for afterwards.
func (p *pace) add(now, many int64) {
	interval := p.interval.Load()
	for interval > 0 && many > 0 {
		used := p.used.Load()
		if p.used.CompareAndSwap(used, max(used, now)+min(many, longestDebt/interval)*interval) {
			return
		}
	}
}

// longestDebt bounds what one answer can put on a key.
const longestDebt = 10 * paceWindow
