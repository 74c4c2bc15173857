package limits

import (
	"fmt"
	"net/netip"
	"sync"
	"testing"
	"time"
)

func newLockout(c *clock) *Lockout { return NewLockout(LockoutOptions{Now: c.now}) }

// guess tries wrong keys until the address is locked, and tells how many that took.
func guess(t testing.TB, l *Lockout, from netip.Addr, gap func()) (tries int, wait time.Duration) {
	t.Helper()
	for tries = 1; tries <= 1000; tries++ {
		secret := fmt.Sprint("wrong", tries)
		if l.Check(from, secret) > 0 {
			t.Fatalf("locked before try %d", tries)
		}
		if wait = l.Fail(from, secret); wait > 0 {
			return tries, wait
		}
		gap()
	}
	return tries, 0
}

func TestLocksGrow(t *testing.T) {
	c := newClock()
	l := newLockout(c)
	from := address(1)
	for _, want := range []time.Duration{10, 20, 40, 80, 160, 320, 640, 900, 900, 900} {
		tries, wait := guess(t, l, from, func() { c.pass(time.Second) })
		if tries != 10 || wait != want*time.Second {
			t.Fatalf("after %d tries locked for %s, want %s", tries, wait, want*time.Second)
		}
		if got := l.Check(from, "other"); got != wait {
			t.Fatalf("told to wait %s of %s", got, wait)
		}
		if got := l.Fail(from, "late"); got != wait { // it was let in before
			t.Fatalf("a failure under way changed the lock to %s", got)
		}
		if l.Check(address(2), "other") != 0 {
			t.Fatal("another address is locked")
		}
		c.pass(wait - 1)
		if got := l.Check(from, "other"); got != 1 {
			t.Fatalf("%s left", got)
		}
		c.pass(1)
	}
	// Quiet for as long as the longest lock: the next one is short again.
	c.pass(15*time.Minute - 1)
	if l.Fail(from, "wrong"); l.Check(from, "other") != 0 {
		t.Fatal("locked")
	}
	c.pass(15*time.Minute - 1) // a failure in between begins the time anew
	if _, wait := guess(t, l, from, func() {}); wait != 15*time.Minute {
		t.Fatalf("locked for %s", wait)
	}
	c.pass(30 * time.Minute)
	if _, wait := guess(t, l, from, func() {}); wait != 10*time.Second {
		t.Fatalf("locked for %s", wait)
	}
}

func TestFailuresAddUpWithoutAQuietWindow(t *testing.T) {
	c := newClock()
	l := newLockout(c)
	if tries, _ := guess(t, l, address(1), func() { c.pass(time.Minute - 1) }); tries != 10 {
		t.Errorf("locked after %d", tries)
	}
	if tries, wait := guess(t, l, address(2), func() { c.pass(time.Minute) }); wait != 0 {
		t.Errorf("locked after %d with a quiet window after each", tries)
	}
}

// One who has a good key cannot go on guessing by using it in between, and those who
// share the address with a guesser go on working.
func TestSuccessForgivesNothing(t *testing.T) {
	c := newClock()
	l := newLockout(c)
	from := address(1)
	l.Succeed(from, "colleague")
	tries, wait := guess(t, l, from, func() { l.Succeed(from, "own") })
	if tries != 10 {
		t.Fatalf("locked after %d", tries)
	}
	l.Succeed(from, "own")
	for secret, want := range map[string]time.Duration{"own": 0, "colleague": 0, "guess": wait, "": wait} {
		if got := l.Check(from, secret); got != want {
			t.Errorf("%q must wait %s, want %s", secret, got, want)
		}
	}
	if got := l.Check(address(2), "own"); got != 0 {
		t.Error("another address is locked")
	}
	// A key that was revoked meanwhile is as good as a guess.
	l.Fail(from, "colleague")
	if got := l.Check(from, "colleague"); got != wait {
		t.Errorf("a revoked key must wait %s", got)
	}
	if l.Check(from, "own") != 0 {
		t.Error("the other key was forgotten, too")
	}
	// Only so many keys are known; the one not used for longest is forgotten.
	for i := range usedKeys {
		l.Succeed(from, fmt.Sprint("key", i))
	}
	if l.Check(from, "own") == 0 || l.Check(from, "key0") != 0 {
		t.Error("the wrong key was forgotten")
	}
}

// However many keys one address uses, it takes no more memory than it may.
func TestUsedKeysAreBounded(t *testing.T) {
	l := newLockout(newClock())
	from := address(1)
	for i := range 10 * usedKeys {
		l.Succeed(from, fmt.Sprint("key", i))
		if i%7 == 0 {
			l.Fail(from, fmt.Sprint("key", i-3))
		}
	}
	s, _ := l.open(from)
	defer s.lock.Unlock()
	if found, ok := s.records.Get(networkOf(from)); !ok || len(found.used) > usedKeys || cap(found.used) > usedKeys {
		t.Errorf("%d keys are known, with room for %d", len(found.used), cap(found.used))
	}
}

func TestLockoutTakesNetworks(t *testing.T) {
	l := newLockout(newClock())
	guess(t, l, netip.MustParseAddr("2001:db8::1"), func() {})
	if l.Check(netip.MustParseAddr("2001:db8::ffff:2"), "") == 0 || l.Check(netip.MustParseAddr("2001:db8:0:1::1"), "") != 0 {
		t.Error("not counted by /64")
	}
	none := netip.Addr{}
	if _, wait := guess(t, l, none, func() { l.Succeed(none, "good") }); wait != 0 {
		t.Error("no address is locked")
	}
}

// A flood of other addresses ends no lock, fills no more memory than it may, and
// shuts out nobody who comes new.
func TestAFloodEndsNoLock(t *testing.T) {
	c := newClock()
	l := NewLockout(LockoutOptions{Now: c.now, Addresses: 512})
	for i := range 100 {
		guess(t, l, address(1<<24+i), func() {})
	}
	for i := range 50_000 {
		l.Fail(address(i), "wrong")
		l.Succeed(address(2<<24+i), "good")
	}
	for i := range 100 {
		if l.Check(address(1<<24+i), "wrong") == 0 {
			t.Fatal("a lock is forgotten")
		}
	}
	if addresses, _ := l.Stats(); addresses > 512 {
		t.Errorf("%d addresses in memory", addresses)
	}
	for i := range 5000 { // now every place is a lock
		for range 10 {
			l.Fail(address(3<<24+i), "wrong")
		}
	}
	addresses, crowded := l.Stats()
	if addresses > 512 || crowded == 0 {
		t.Errorf("%d addresses, %d found no room", addresses, crowded)
	}
	if l.Check(address(4<<24), "good") != 0 || l.Check(address(1<<24), "wrong") == 0 {
		t.Error("a newcomer is locked, or an old lock is forgotten")
	}
}

func TestLockoutTogether(t *testing.T) {
	l := NewLockout(LockoutOptions{Addresses: 64})
	var wait sync.WaitGroup
	for worker := range 8 {
		wait.Go(func() {
			for i := range 2000 {
				from := address(i * worker % 300)
				l.Check(from, "a")
				l.Fail(from, "a")
				l.Succeed(from, "b")
				l.Check(from, "b")
			}
		})
	}
	wait.Wait()
}
