package store

import (
	"context"
	"slices"
	"sync"
)

// turns are those of the writers of this process at the one connection that writes:
// settlements and leases, which others wait for and time out with, before all else, and each
// kind as it has come. database/sql gives a connection to anybody of those who wait
// (sql.go, connRequestSet.TakeRandom): among a thousand grants a settlement would wait for most.
type turns struct {
	mutex  sync.Mutex
	taken  bool
	urgent []chan struct{} // who waits, the oldest first
	others []chan struct{}
}

// take waits for a turn, which done ends.
func (t *turns) take(ctx context.Context, isUrgent bool) error {
	queue := &t.others
	if isUrgent {
		queue = &t.urgent
	}
	t.mutex.Lock()
	if !t.taken {
		t.taken = true
		t.mutex.Unlock()
		return nil
	}
	turn := make(chan struct{})
	*queue = append(*queue, turn)
	t.mutex.Unlock()
	select {
	case <-turn:
		return nil
	case <-ctx.Done():
	}
	t.mutex.Lock()
	defer t.mutex.Unlock()
	if i := slices.Index(*queue, turn); i >= 0 {
		*queue = slices.Delete(*queue, i, i+1)
	} else {
		t.next() // it has come meanwhile
	}
	return ctx.Err()
}

func (t *turns) done() {
	t.mutex.Lock()
	defer t.mutex.Unlock()
	t.next()
}

// next gives the turn to who is to have it. The caller has the mutex.
func (t *turns) next() {
	for _, queue := range [...]*[]chan struct{}{&t.urgent, &t.others} {
		if len(*queue) > 0 {
			close((*queue)[0])
			*queue = slices.Delete(*queue, 0, 1)
			return
		}
	}
	t.taken = false
}
