package auth

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

// entry is what one look-up said. It is never changed after it was made.
type entry struct {
	principal *Principal // nil if unknown
	unknown   bool
	suspended bool
	expires   time.Time // zero: never
	replaced  time.Time // from then on the secret is unknown; zero: it is the present one
	until     time.Time // the directory must be asked again from then on
}

// judge answers a verification from an entry that is still valid. The ends of
// the key and of its secret are checked every time, as they may come while the entry is cached.
func (e *entry) judge(now time.Time) (*Principal, error) {
	switch {
	case e.unknown, !e.replaced.IsZero() && !now.Before(e.replaced):
		return nil, ErrUnknownKey
	case !e.expires.IsZero() && !now.Before(e.expires):
		return nil, ErrExpiredKey
	case e.suspended:
		return nil, ErrSuspended
	}
	return e.principal, nil
}

// shards is how many parts the cache has, each with its own lock: an LRU moves
// entries on every hit, so one lock would be taken by every request. A power of two.
const shards = 32

// cache keeps known and unknown keys apart, so that a flood of invented keys cannot
// displace the real ones.
type cache struct {
	// generation counts calls of forget. A look-up that began in an earlier
	// generation leaves no entry, as it may have read the state before the change.
	generation atomic.Uint64
	shards     [shards]shard
}

type shard struct {
	lock           sync.Mutex
	known, unknown *simplelru.LRU[Hash, *entry]
	_              [40]byte // keeps neighbours' locks out of one cache line
}

func newCache(knownSize, unknownSize int) *cache {
	c := new(cache)
	for i := range c.shards {
		c.shards[i].known = newLRU(knownSize)
		c.shards[i].unknown = newLRU(unknownSize)
	}
	return c
}

func newLRU(size int) *simplelru.LRU[Hash, *entry] {
	lru, err := simplelru.NewLRU[Hash, *entry]((size+shards-1)/shards, nil)
	if err != nil {
		panic(err) // only for a size of zero or less, which withDefaults rules out
	}
	return lru
}

func (c *cache) shard(hash *Hash) *shard { return &c.shards[hash[0]%shards] }

func (c *cache) get(hash *Hash, now time.Time) (*entry, bool) {
	s := c.shard(hash)
	s.lock.Lock()
	defer s.lock.Unlock()
	for _, lru := range [...]*simplelru.LRU[Hash, *entry]{s.known, s.unknown} {
		if found, ok := lru.Get(*hash); ok {
			if now.Before(found.until) {
				return found, true
			}
			lru.Remove(*hash)
		}
	}
	return nil, false
}

// put keeps an entry unless something was forgotten since the generation given.
// The check and the insertion share the shard's lock with forget, which counts first
// and locks then: either the entry is not put, or forget finds it.
func (c *cache) put(hash Hash, found *entry, generation uint64) {
	s := c.shard(&hash)
	s.lock.Lock()
	defer s.lock.Unlock()
	if c.generation.Load() != generation {
		return
	}
	if found.unknown {
		s.known.Remove(hash)
		s.unknown.Add(hash, found)
		return
	}
	s.unknown.Remove(hash)
	s.known.Add(hash, found)
}

// forget drops the known entries that match. Unknown keys stay: a key that comes
// to be has a secret that nobody can have tried before.
func (c *cache) forget(matches func(*Principal) bool) {
	c.generation.Add(1)
	for i := range c.shards {
		s := &c.shards[i]
		s.lock.Lock()
		for _, hash := range s.known.Keys() {
			if found, ok := s.known.Peek(hash); ok && matches(found.principal) {
				s.known.Remove(hash)
			}
		}
		s.lock.Unlock()
	}
}
