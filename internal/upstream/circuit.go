package upstream

import (
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// probePatience is how long a try after a cool-down keeps others from trying. A
	// reasoning model may need longer, but then another try does no harm.
	probePatience = time.Minute
	// longestRamp bounds how long after a cool-down the share grows.
	longestRamp = 30 * time.Second
	// fullShare is a share of all.
	fullShare = 1024
	// leastShare is where the share begins to grow, about 6 %.
	leastShare = fullShare / 16
)

// circuit is the health of one thing: an address, a key, or a key for a model. The
// zero value is healthy. Times are nanoseconds since 1970, by the Health's clock.
type circuit struct {
	// until is 0 for healthy; the end of a cool-down, after which one request may try;
	// or, negative, when it recovered, after which its share grows.
	until atomic.Int64
	// probe is until when a running try keeps others out; 0 if there is none.
	probe atomic.Int64
	// failures are those in a row that have not begun a cool-down.
	failures atomic.Int32
	result   atomic.Uint32 // Result that began the last cool-down
	// lastResorts is below how many outages those who have nobody else may still try.
	lastResorts atomic.Int32
	// coolDowns are those in a row, without a full recovery between, and outages those of
	// them, each with a try at its end, that no prompt can bring about.
	coolDowns, outages atomic.Int32
	// since is when the last cool-down began, ramp how long the share grows after it.
	since, ramp atomic.Int64

	mu sync.Mutex // of changes; readers take none
	// troubled counts, if it is not nil, circuits that are not plainly healthy.
	troubled *atomic.Int64
}

// set changes until, and counts. The mutex is held.
func (c *circuit) set(until int64) {
	before := c.until.Swap(until)
	if c.troubled == nil || (before == 0) == (until == 0) {
		return
	}
	if until == 0 {
		c.troubled.Add(-1)
	} else {
		c.troubled.Add(1)
	}
}

// standing is whether a circuit lets a request pass now.
type standing uint8

const (
	open    standing = iota
	probing          // it may try, if it gets hold of the probe
	cooling          // no, unless nobody else is left
	shut             // no
)

// at tells how the circuit stands, and at which share of its weight.
func (c *circuit) at(now int64) (standing, uint32) {
	until := c.until.Load()
	switch {
	case until == 0:
		return open, fullShare
	case until < 0:
		return open, c.recoveredShare(now + until)
	case now >= until && now >= c.probe.Load():
		return probing, fullShare
	case c.outages.Load() < c.lastResorts.Load():
		return cooling, fullShare
	}
	return shut, fullShare
}

func (c *circuit) recoveredShare(passed int64) uint32 {
	ramp := c.ramp.Load()
	if passed >= ramp || ramp <= 0 {
		return fullShare
	}
	return uint32(max(leastShare, passed*fullShare/ramp))
}

// startProbe takes the one try after a cool-down. The token gives it back.
func (c *circuit) startProbe(now int64) (token int64, ok bool) {
	before := c.probe.Load()
	if now < before {
		return 0, false
	}
	token = now + int64(probePatience)
	return token, c.probe.CompareAndSwap(before, token)
}

// giveUpProbe lets another request try.
func (c *circuit) giveUpProbe(token int64) {
	if token != 0 {
		c.probe.CompareAndSwap(token, 0)
	}
}

// succeed takes an answer to a request that began then. It tells whether that ended a
// cool-down.
func (c *circuit) succeed(now, began int64) bool {
	until := c.until.Load()
	if until == 0 {
		if c.failures.Load() != 0 {
			c.failures.Store(0)
		}
		return false
	}
	if until < 0 && now+until < c.ramp.Load() {
		c.failures.Store(0)
		return false
	}
	if began < c.since.Load() {
		return false // what began before the cool-down says nothing of now
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	until = c.until.Load()
	switch {
	case began < c.since.Load():
		return false
	case until > 0:
		c.ramp.Store(min(until-c.since.Load(), int64(longestRamp)))
		c.set(-now)
		c.probe.Store(0)
		c.failures.Store(0)
		return true
	case until < 0 && now+until >= c.ramp.Load():
		c.set(0)
		c.forgetCoolDowns()
	}
	c.failures.Store(0)
	return false
}

// fail takes a failure of a request that began then. It tells whether that began a
// cool-down, and until when. random spreads the ends of cool-downs.
func (c *circuit) fail(now, began int64, result Result, asked time.Duration, random uint64) (until int64, coolsDown bool) {
	f := &faults[result]
	asked = min(asked, f.mostAsked)
	c.mu.Lock()
	defer c.mu.Unlock()
	until = c.until.Load()
	if until > 0 && (began < c.since.Load() || now < until) {
		// One of many that failed together, or a last resort: nothing new, unless the
		// provider asks for longer.
		if end := now + int64(asked); asked > 0 && end > until {
			c.set(end)
			c.result.Store(uint32(result))
			c.lastResorts.Store(0) // it is no guess any more
		}
		return 0, false
	}
	healthy := until == 0
	if until < 0 && now+until >= c.ramp.Load() { // it had long recovered
		healthy = true
		c.forgetCoolDowns()
	}
	if until < 0 && f.prompts {
		// One who sends such prompts between the others' good ones must not end each recovery.
		healthy = true
	}
	if failures := c.failures.Add(1); healthy && failures < f.inRow && asked <= 0 {
		return 0, false
	}
	coolDowns := c.coolDowns.Add(1)
	if !f.prompts {
		c.outages.Add(1)
	}
	wait := min(f.base<<min(coolDowns-1, 20), f.most)
	until = now + int64(asked)
	if wait > asked {
		// Up to a quarter later. What the provider asks for is kept to the letter, as
		// callers may be told to come back then.
		late, _ := bits.Mul64(random, uint64(wait/4)+1)
		until = now + int64(wait) + int64(late)
	}
	c.result.Store(uint32(result))
	if asked > 0 {
		c.lastResorts.Store(0)
	} else {
		c.lastResorts.Store(f.lastResorts)
	}
	c.since.Store(now)
	c.failures.Store(0)
	c.set(until)
	c.probe.Store(0)
	return until, true
}

// forget makes the circuit healthy.
func (c *circuit) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.set(0)
	c.probe.Store(0)
	c.failures.Store(0)
	c.forgetCoolDowns()
}

func (c *circuit) forgetCoolDowns() {
	c.coolDowns.Store(0)
	c.outages.Store(0)
}

// tryNow ends a cool-down's wait: the next request may try.
func (c *circuit) tryNow(now int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.until.Load() > now {
		c.set(now)
	}
}
