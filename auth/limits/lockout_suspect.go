package limits

import (
	"slices"
	"time"
)

// usedKeys is how many good keys of an address go on while it is locked: those of an
// office whose clients all have one address. Each that was used takes eight bytes.
const usedKeys = 64

// suspect is what is known of an address that sent keys. Its shard's lock guards it.
type suspect struct {
	options  *LockoutOptions
	failures int           // since the last lock, or the last quiet window
	nextLock time.Duration // how long the next lock will last
	locked   bool          // there was a lock that is not forgiven yet
	last     time.Time     // the last failure
	until    time.Time     // the end of the last lock
	seen     time.Time
	used     []uint64 // tags of good keys, the newest first; usedKeys at most
}

func (s *suspect) lastSeen() time.Time { return s.seen }

// worth tells what would be forgotten: a lock never is, a count below one may be.
func (s *suspect) worth(now time.Time) worth {
	s.calm(now)
	switch {
	case s.locked:
		return needed
	case s.failures > 0:
		return slight
	}
	return worthless
}

// calm forgives what is long enough ago.
func (s *suspect) calm(now time.Time) {
	if s.failures > 0 && now.Sub(s.last) >= s.options.Window {
		s.failures = 0
	}
	if s.locked && now.Sub(s.until) >= s.options.Longest && now.Sub(s.last) >= s.options.Longest {
		s.locked, s.nextLock = false, s.options.First
	}
}

func (s *suspect) uses(tag uint64) bool { return slices.Contains(s.used, tag) }

// use moves a key to the front. The key that was not used for longest falls off.
func (s *suspect) use(tag uint64) {
	place := slices.Index(s.used, tag)
	if place < 0 {
		if len(s.used) < usedKeys {
			s.used = append(s.used, tag)
		}
		place = len(s.used) - 1
	}
	copy(s.used[1:place+1], s.used[:place])
	s.used[0] = tag
}

func (s *suspect) forget(tag uint64) {
	if place := slices.Index(s.used, tag); place >= 0 {
		s.used = slices.Delete(s.used, place, place+1)
	}
}
