package ledger

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// greatestBatch bounds one transaction, and with it how long others wait for the store
	// and how much room it needs on a disk that is full.
	greatestBatch = 128
	// The pauses between attempts while the store cannot write.
	firstPause, longestPause = 20 * time.Millisecond, 500 * time.Millisecond
	// hanging is how many times AskFor a commit takes for the store to count as away. A disk
	// or a processor that is busy with something else makes one take a second or two, and
	// then there is no reason to refuse anybody.
	hanging = 3
	// beforeDue is how many commits may be made before they are due at the pace, four times as
	// many of one or two records. Some hundred that come by chance in a second wait for nobody then.
	beforeDue = 3
	// worthPace is how many a commit must have for the next to be so long after it: fewer
	// come too slowly for a wait to bring many together.
	worthPace = 3
	// enough is how many that wait are reason to write at once, and enoughOfAll where no
	// other request is under way: shared by so many a commit costs each of them little.
	enough, enoughOfAll = 128, 16
)

// errHangs is why the store counts as away that has neither done what it was asked to nor failed.
var errHangs = errors.New("it does not end what it began")

// committer is the one goroutine that settles. What arrives while a commit is
// under way forms the next one, so that batches grow with the load by themselves
// and a lone settlement waits for nobody.
type committer struct {
	store   Store
	options Options

	mu     sync.Mutex
	queue  []*entry
	closed bool
	work   []*entry // of the attempt under way; nil without one

	hung *time.Timer // runs answerOverdue while an attempt takes long

	expected atomic.Int64 // open holds: what may be to settle soon

	due     time.Time     // of the next commit, at the pace; run's own
	wake    chan struct{} // one token: the queue has grown, or closed is set
	ended   chan struct{}
	context context.Context // ends when waiting for the store is given up
	giveUp  context.CancelFunc

	failing                        atomic.Bool  // the last attempt failed
	began                          atomic.Int64 // when the present attempt began, in Unix nanoseconds; 0 without one
	commits, settlements, failures atomic.Int64
}

func newCommitter(store Store, options Options) *committer {
	c := &committer{store: store, options: options, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	c.context, c.giveUp = context.WithCancel(context.Background())
	c.hung = time.AfterFunc(options.AskFor, c.answerOverdue) // finds no attempt
	go c.run()
	return c
}

// submit hands an entry over; its outcome comes by entry.wait.
func (c *committer) submit(e *entry) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return ErrClosed
	}
	c.queue = append(c.queue, e)
	first, crowded := len(c.queue) == 1, c.isCrowded()
	c.mu.Unlock()
	if first || crowded { // else the first one has woken it
		c.nudge()
	}
	return nil
}

// unavailable tells whether the store cannot write, or hangs.
func (c *committer) unavailable() bool {
	if c.failing.Load() {
		return true
	}
	began := c.began.Load()
	return began != 0 && c.options.Now().UnixNano()-began > int64(hanging*c.options.AskFor)
}

func (c *committer) nudge() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// close takes no more entries and waits until all are durable, or ctx ends. A store that does
// not end what it is told to give up is left alone: run ends when it does.
func (c *committer) close(ctx context.Context) error {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.nudge()
	select {
	case <-c.ended:
	case <-ctx.Done():
		c.giveUp()
		select {
		case <-c.ended:
		case <-time.After(c.options.AskFor):
		}
	}
	if c.context.Err() != nil {
		return fmt.Errorf("wait for settlements under way: %w", context.Cause(ctx))
	}
	c.giveUp()
	return nil
}

// take adds what has arrived to the work.
func (c *committer) take(work []*entry) (all []*entry, closed bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	work, c.queue = append(work, c.queue...), nil
	return work, c.closed
}

func (c *committer) run() {
	defer close(c.ended)
	var work []*entry // what could not be written yet, oldest first
	pause := firstPause
	for {
		if len(work) == 0 {
			<-c.wake
			// With one processor the goroutines that this commit could serve have not
			// run yet: without letting them, every commit would carry one entry.
			runtime.Gosched()
			c.keepPace()
		}
		var closed bool
		work, closed = c.take(work)
		c.attempts(work)
		var err error
		work, err = c.attempt(work)
		c.attempts(nil)
		if err == nil {
			pause = firstPause
			if closed {
				return
			}
			continue
		}
		c.failing.Store(true)
		c.failures.Add(1)
		c.expire(work, err)
		if !c.rest(&pause) {
			// What arrived during the last attempt has nobody else to answer it; nothing
			// more can arrive, as giving up comes after closing.
			work, _ = c.take(work)
			for _, e := range work {
				e.answer(fmt.Errorf("settle %s: %w: %w", e.id, ErrUnavailable, err))
			}
			return
		}
	}
}

// attempts notes what an attempt is about, or that it is over, and has the time watched: a
// store can hang where it does not look for the end of a context, as SQLite does while it
// waits for the disk.
func (c *committer) attempts(work []*entry) {
	c.mu.Lock()
	c.work = work
	c.mu.Unlock()
	if work != nil {
		c.hung.Reset(c.options.AskFor)
	} else {
		c.hung.Stop()
	}
}

// answerOverdue tells those who have waited for a hanging attempt longer than it may take that
// the store is away. What is in the attempt may be written yet; what waits for it will be
// without its charge.
func (c *committer) answerOverdue() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.work == nil {
		return
	}
	now := c.options.Now()
	for _, entries := range [...][]*entry{c.work, c.queue} {
		for _, e := range entries {
			if now.Sub(e.deadline) >= c.options.AskFor {
				e.answer(fmt.Errorf("settle %s: %w: %w", e.id, ErrUnavailable, errHangs))
			}
		}
	}
	c.hung.Reset(c.options.AskFor)
}

// keepPace lets some time go by between commits, so that under load more settlements
// share one: most of what a commit costs is the same for one and for twenty. Those that
// come now and then wait for nobody, also where some of them come together.
func (c *committer) keepPace() {
	pace := c.options.Pace
	if pace < 0 {
		return
	}
	now := time.Now()
	if wait := c.due.Add(-beforeDue * pace).Sub(now); wait > 0 {
		c.awaitMore(wait)
		now = time.Now()
	}
	step := pace
	if c.waiting() < worthPace {
		step /= 4
	}
	c.due = c.due.Add(step)
	if earliest, latest := now.Add(step), now.Add((beforeDue+1)*pace); c.due.Before(earliest) {
		c.due = earliest
	} else if c.due.After(latest) { // after a crowd, whose commits do not wait
		c.due = latest
	}
}

func (c *committer) waiting() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.queue)
}

// awaitMore waits, but for no longer than there is a reason to.
func (c *committer) awaitMore(wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	for !c.crowded() {
		select {
		case <-timer.C:
			return
		case <-c.wake:
		}
	}
}

func (c *committer) crowded() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.isCrowded()
}

// isCrowded tells whether there is no reason to wait for more: there are many, or some
// and no other request is under way. The lock must be held.
func (c *committer) isCrowded() bool {
	waiting := len(c.queue)
	return c.closed || waiting >= enough || waiting >= enoughOfAll && c.expected.Load() <= 0
}

// rest waits before the next attempt; false means that there shall be none.
func (c *committer) rest(pause *time.Duration) bool {
	timer := time.NewTimer(*pause)
	defer timer.Stop()
	*pause = min(2**pause, longestPause)
	select {
	case <-timer.C:
		return true
	case <-c.context.Done():
		return false
	}
}

func (c *committer) expire(work []*entry, cause error) {
	now := c.options.Now()
	for _, e := range work {
		if !now.Before(e.deadline) {
			e.expire(cause)
		}
	}
}

// attempt writes the entries and returns those that must be tried again, with the reason.
func (c *committer) attempt(work []*entry) (left []*entry, err error) {
	for len(work) > 0 {
		batch, tenure := c.batch(work)
		if left, err = c.commit(batch, tenure); err != nil {
			return append(left, work[len(batch):]...), err
		}
		// What was fenced comes again first, without its charge.
		work = append(left, work[len(batch):]...)
	}
	return nil, nil
}

// batch returns the first entries that fit under one lease, nil if they need none.
func (c *committer) batch(work []*entry) (batch []*entry, tenure *tenure) {
	for i, e := range work[:min(len(work), greatestBatch)] {
		if e.tenure != nil && e.tenure.fenced.Load() {
			e.fence(ErrFenced)
		}
		if e.answered.Load() { // while another batch hung
			e.void()
		}
		switch {
		case e.tenure == nil || e.tenure == tenure:
		case tenure == nil:
			tenure = e.tenure
		default:
			return work[:i], tenure
		}
	}
	return work[:min(len(work), greatestBatch)], tenure
}

// commit writes entries of one tenure. All are ended but those that it returns: with an
// error to be tried after a pause, without one at once.
func (c *committer) commit(batch []*entry, tenure *tenure) (left []*entry, err error) {
	var lease Lease
	if tenure != nil {
		lease = tenure.lease
	}
	switch err = c.settle(lease, batch); {
	case err == nil:
		c.failing.Store(false) // before the answers: who gets one may hold again at once
		c.commits.Add(1)
		c.settlements.Add(int64(len(batch)))
		now := c.options.Now()
		for _, e := range batch {
			e.written(now)
		}
	case errors.Is(err, ErrFenced) && tenure != nil:
		tenure.lose()
		for _, e := range batch {
			if e.tenure != nil {
				e.fence(err)
			}
		}
		return slices.Clone(batch), nil
	case errors.Is(err, ErrRejected) && len(batch) == 1:
		c.failing.Store(false) // it was there to reject
		batch[0].end(0, fmt.Errorf("settle %s: %w", batch[0].id, err), c.options.Now())
	case errors.Is(err, ErrRejected):
		// One record must not harm the others that happen to share its commit.
		half := len(batch) / 2
		first, err := c.commit(batch[:half], tenure)
		if err != nil {
			return append(first, batch[half:]...), err
		}
		second, err := c.commit(batch[half:], tenure)
		return append(first, second...), err
	default:
		for _, e := range batch {
			e.tried = true
		}
		// A copy: the caller appends to it, and batch is a part of the caller's slice.
		return slices.Clone(batch), err
	}
	return nil, nil
}

// settle is one attempt. It ends early enough for the first caller in the batch to
// be answered about when its time is over.
func (c *committer) settle(lease Lease, batch []*entry) error {
	settlements := make([]*Settlement, len(batch))
	limit, now := c.options.RetryFor/2, c.options.Now()
	for i, e := range batch {
		settlements[i] = &e.settlement
		if !e.answered.Load() {
			limit = min(limit, e.deadline.Sub(now))
		}
	}
	ctx, cancel := context.WithTimeout(c.context, max(limit, c.options.RetryFor/10))
	defer cancel()
	c.began.Store(now.UnixNano())
	defer c.began.Store(0)
	return c.store.Settle(ctx, lease, settlements)
}
