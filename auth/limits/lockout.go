package limits

import (
	"fmt"
	"hash/maphash"
	"io"
	"net/netip"
	"time"
)

// LockoutOptions tunes a Lockout; the zero value suits every server.
type LockoutOptions struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Failures is how many wrong keys lock an address; 0 is 10. They add up as long
	// as each comes within Window after the one before.
	Failures int
	// Window is how long no wrong key must come for the count to begin anew; 0 is a
	// minute.
	Window time.Duration
	// First is how long the first lock lasts; 0 is ten seconds. Each further lock
	// lasts twice as long as the one before.
	First time.Duration
	// Longest bounds that, and is how long no wrong key must come after a lock for
	// the next one to be short again; 0 is 15 minutes.
	Longest time.Duration
	// Addresses bounds how many are in memory; 0 is 65536. One takes some 250 bytes, and
	// one from which 64 keys or more are used takes 512 more: 50 MB at most in all.
	Addresses int
	// Observe is told of each lock, and how long it lasts; nil tells nobody. It must be
	// quick.
	Observe func(time.Duration)
}

func (o LockoutOptions) withDefaults() LockoutOptions {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Failures <= 0 {
		o.Failures = 10
	}
	if o.Window <= 0 {
		o.Window = time.Minute
	}
	if o.First <= 0 {
		o.First = 10 * time.Second
	}
	if o.Longest <= 0 {
		o.Longest = 15 * time.Minute
	}
	if o.Addresses <= 0 {
		o.Addresses = 65536
	}
	return o
}

// Lockout counts wrong keys per address. It may be used by many goroutines at once.
// An address that is not valid is never locked.
//
// It bounds attempts that follow each other. Those that run at the same moment have
// all been let in before the first of them fails; the Verifier's cap on look-ups
// bounds them.
type Lockout struct {
	options  LockoutOptions
	seed     maphash.Seed
	suspects *table[network, *suspect]
}

// NewLockout makes a Lockout.
func NewLockout(options LockoutOptions) *Lockout {
	options = options.withDefaults()
	return &Lockout{options: options, seed: maphash.MakeSeed(), suspects: newTable[network, *suspect](options.Addresses)}
}

// Format prints no address under any verb.
func (l *Lockout) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "lockout") }

// Check says how long the address must wait before this key is looked up; 0 is not
// at all. It is the same for good and bad keys, except for the 64 that were used from
// the address last.
func (l *Lockout) Check(address netip.Addr, secret string) time.Duration {
	if !address.IsValid() {
		return 0
	}
	s, now := l.open(address)
	defer s.lock.Unlock()
	found, ok := s.records.Get(networkOf(address))
	if !ok || !now.Before(found.until) || found.uses(l.tag(secret)) {
		return 0
	}
	return found.until.Sub(now)
}

// Fail counts a wrong key and returns how long the address is locked from now on; 0
// if it is not. Only a key that is malformed, unknown, revoked or expired is wrong:
// what could not be looked up is not.
func (l *Lockout) Fail(address netip.Addr, secret string) time.Duration {
	if !address.IsValid() {
		return 0
	}
	s, now := l.open(address)
	defer s.lock.Unlock()
	found := l.remember(s, address, now)
	if found == nil {
		return 0
	}
	found.forget(l.tag(secret)) // a key that was revoked meanwhile
	if now.Before(found.until) {
		return found.until.Sub(now) // it was let in before the lock
	}
	found.calm(now)
	found.failures++
	found.last = now
	if found.failures < l.options.Failures {
		return 0
	}
	wait := found.nextLock
	found.failures = 0
	found.nextLock = min(2*wait, l.options.Longest)
	found.locked, found.until = true, now.Add(wait)
	if l.options.Observe != nil {
		l.options.Observe(wait)
	}
	return wait
}

// Succeed notes that a key was good. It forgives no failure and ends no lock; it only
// lets this key go on while the address is locked.
func (l *Lockout) Succeed(address netip.Addr, secret string) {
	if !address.IsValid() {
		return
	}
	s, now := l.open(address)
	defer s.lock.Unlock()
	if found := l.remember(s, address, now); found != nil {
		found.use(l.tag(secret))
	}
}

// Stats says how many addresses are in memory, and how often there was no room for
// one: then it was not counted.
func (l *Lockout) Stats() (addresses int, crowded uint64) { return l.suspects.count() }

// tag stands for a key in memory; it says nothing about it.
func (l *Lockout) tag(secret string) uint64 { return maphash.String(l.seed, secret) }

// open locks the shard of an address.
func (l *Lockout) open(address netip.Addr) (*shard[network, *suspect], time.Time) {
	now := l.options.Now()
	s := l.suspects.shard(networkOf(address))
	s.lock.Lock()
	return s, s.advance(now)
}

// remember finds or makes the record of an address, or returns nil if there is no
// room: only a flood from very many addresses can fill the table with locks, and
// locking out everybody who comes new would be its success.
func (l *Lockout) remember(s *shard[network, *suspect], address netip.Addr, now time.Time) *suspect {
	name := networkOf(address)
	found, ok := s.records.Get(name)
	if !ok {
		if !s.makeRoom(now) {
			return nil
		}
		found = &suspect{options: &l.options, nextLock: l.options.First}
		s.records.Add(name, found)
	}
	found.seen = now
	return found
}
