package limits

import (
	"hash/maphash"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
)

const (
	// shards is how many parts a table has, each with its own lock. A power of two.
	shards = 32
	// looks is how many records an insertion into a full shard examines at most, and
	// enoughLooks how many if one of them is of slight worth.
	looks       = 8
	enoughLooks = 3
	// memory is how long a record stays that has nothing to say. It goes with a
	// later insertion.
	memory = 10 * time.Minute
)

// worth is what would be lost with a record.
type worth uint8

const (
	worthless worth = iota // nothing: a new record would be the same
	slight                 // little: it may go where room is needed badly
	needed                 // it stays
)

type record interface {
	comparable
	worth(now time.Time) worth
	lastSeen() time.Time
}

// guard is the lock of a shard and its clock, which never goes back: times are read
// before the lock is taken, and so may come in another order.
type guard struct {
	lock   sync.Mutex
	latest time.Time
}

func (g *guard) advance(now time.Time) time.Time {
	if now.Before(g.latest) {
		return g.latest
	}
	g.latest = now
	return now
}

// table keeps a bounded number of records.
type table[K comparable, R record] struct {
	seed   maphash.Seed
	shards [shards]shard[K, R]
}

type shard[K comparable, R record] struct {
	guard
	size    int
	records *simplelru.LRU[K, R]
	// overflow is what the names share for which there is no room.
	overflow R
	// crowded counts how often a name found no room.
	crowded uint64
	_       [64]byte // keeps neighbours' locks out of one cache line
}

func newTable[K comparable, R record](size int) *table[K, R] {
	t := &table[K, R]{seed: maphash.MakeSeed()}
	for i := range t.shards {
		s := &t.shards[i]
		s.size = max(1, size/shards)
		records, err := simplelru.NewLRU[K, R](s.size, nil)
		if err != nil {
			panic(err) // only for a size of zero or less
		}
		s.records = records
	}
	return t
}

func (t *table[K, R]) shard(name K) *shard[K, R] {
	return &t.shards[maphash.Comparable(t.seed, name)%shards]
}

// makeRoom tells whether a record can be added, and gives up others for it.
func (s *shard[K, R]) makeRoom(now time.Time) bool {
	for range 2 { // twice as many go as come
		name, oldest, found := s.records.GetOldest()
		if !found || now.Sub(oldest.lastSeen()) < memory || oldest.worth(now) != worthless {
			break
		}
		s.records.Remove(name)
	}
	if s.records.Len() < s.size {
		return true
	}
	var candidate K
	some := false
	for looked := 0; looked < min(looks, s.size) && (!some || looked < enoughLooks); looked++ {
		name, oldest, _ := s.records.GetOldest()
		switch oldest.worth(now) {
		case worthless:
			s.records.Remove(name)
			return true
		case slight:
			if !some {
				candidate, some = name, true
			}
		case needed:
		}
		s.records.Get(name) // the next insertion looks at others
	}
	if some {
		s.records.Remove(candidate)
		return true
	}
	s.crowded++
	return false
}

// count returns how many records there are and how often there was no room.
func (t *table[K, R]) count() (records int, crowded uint64) {
	for i := range t.shards {
		s := &t.shards[i]
		s.lock.Lock()
		records += s.records.Len()
		crowded += s.crowded
		s.lock.Unlock()
	}
	return records, crowded
}
