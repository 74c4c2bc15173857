package caddymodule

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/store"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering/ledger"
)

// runtimes holds one runtime per store, by the store's address and nothing else:
// what a configuration says about providers, prices or logs must not outlive it.
var runtimes = caddy.NewUsagePool()

const (
	// pollInterval is how often the store is asked for changes made by other
	// processes; a revoked key must stop working within a second.
	pollInterval = 500 * time.Millisecond
	// stopPatience is how long a final stop waits for running requests after
	// Caddy's own grace period has ended.
	stopPatience = 2 * time.Second
	// drainStopPatience is how long answers that nobody waits for may then take to settle.
	drainStopPatience = time.Second
	// closePatience bounds the last writes of a stop.
	closePatience = 5 * time.Second
)

// runtime is what configurations on the same store share across reloads: the
// store, the ledger and the key cache. Requests refer to it too, as Caddy cleans
// an old configuration up while its requests still run (caddy.go, unsyncedStop).
type runtime struct {
	address string
	logger  atomic.Pointer[zap.Logger] // of the latest configuration that has begun

	startOnce sync.Once
	startErr  error
	closeOnce func() error
	store     *store.Store
	unlock    func() error
	node      string // what this gateway is called on the store
	ledger    *ledger.Ledger
	verifier  *auth.Verifier
	stopPoll  context.CancelFunc // ends what polls
	polling   sync.WaitGroup

	// silent tells that the store did not answer when it was last asked.
	silent atomic.Bool

	// What callers do is counted across reloads, too.
	limiter *limits.Limiter
	lockout *limits.Lockout

	// health is what was learnt of the providers since the process began.
	health       *upstream.Health
	load         load
	emptyAnswers *emptyAnswers
	retentions   retentions
	overruns     overruns
	doubts       doubts
	drains       drains
	notices      *notices
	spending     *spending
	listeners    listeners
	// serving ends when the process is about to, and with it every wait for credit.
	serving     context.Context
	stopServing context.CancelFunc

	mutex    sync.Mutex
	opened   bool // the store and the ledger are there
	live     map[*settlement]struct{}
	idle     chan struct{} // closed when closing and nothing is live
	awaited  bool          // somebody closes the runtime when it is idle
	closing  bool
	requests int // requests between acquire and release, and settlements not yet made
}

// openRuntime returns the runtime of a store's address. It has no side effects:
// Caddy provisions configurations only to validate them (caddy.go, Validate).
func openRuntime(address string, logger *zap.Logger) (*runtime, error) {
	value, _, err := runtimes.LoadOrNew(address, func() (caddy.Destructor, error) {
		if rt := revive(address); rt != nil {
			return rt, nil
		}
		rt := &runtime{
			address: address, idle: make(chan struct{}),
			live: make(map[*settlement]struct{}), emptyAnswers: newEmptyAnswers(),
			limiter: limits.New(limits.Options{}),
		}
		rt.notices = newNotices(rt.logger.Load)
		rt.spending = newSpending(rt.logger.Load, rt.notices.tell)
		rt.listeners.follow = rt.listenTo
		rt.lockout = limits.NewLockout(limits.LockoutOptions{Observe: rt.notices.locked})
		rt.health = upstream.NewHealth(upstream.HealthOptions{Observe: rt.noteHealth})
		rt.serving, rt.stopServing = context.WithCancel(context.Background())
		rt.closeOnce = sync.OnceValue(rt.closeStore)
		return rt, nil
	})
	if err != nil {
		return nil, err
	}
	rt := value.(*runtime)
	// While another configuration runs, this one may yet fail.
	rt.listeners.unlessAny(func() { rt.logger.Store(logger) })
	return rt, nil
}

// leaving holds the runtimes that no configuration uses any more, but requests
// still do. A configuration that comes back to the same store must get the same
// one: another would claim the store's lease and take the running requests' holds
// away.
var leaving = struct {
	sync.Mutex
	byAddress map[string]*runtime
}{byAddress: make(map[string]*runtime)}

// revive returns the runtime that is leaving a store, or nil.
func revive(address string) *runtime {
	leaving.Lock()
	defer leaving.Unlock()
	rt := leaving.byAddress[address]
	if rt == nil {
		return nil
	}
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	if rt.requests == 0 {
		return nil // it closes already
	}
	delete(leaving.byAddress, address)
	rt.closing = false
	return rt
}

// start opens the store, claims the node's lease and begins to watch for changes, at
// the first call. Each call makes a configuration's wishes known.
func (rt *runtime) start(a *App) error {
	rt.startOnce.Do(func() { rt.startErr = rt.open(a.node) })
	if rt.startErr != nil {
		return rt.startErr
	}
	if a.node != "" && a.node != rt.node {
		a.logger.Warn("another name of this node counts from the next start of the process on", zap.String("node", rt.node), zap.String("next", a.node))
	}
	rt.retentions.join(a, a.retention())
	rt.listeners.join(a)
	return nil
}

func (rt *runtime) open(node string) (err error) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	opened, err := store.Open(rt.address)
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, opened.Close())
		}
	}()
	unlock, err := opened.Lock()
	if err != nil {
		return fmt.Errorf("opening the store: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, unlock())
		}
	}()
	// Before the first write, as the disk may be full already.
	if err := opened.KeepRoom(); err != nil {
		rt.logger.Load().Error(noRoomText, zap.Error(err))
	}
	if err := opened.Migrate(ctx); err != nil {
		return fmt.Errorf("preparing the store: %w", err)
	}
	changes, err := opened.LastChange(ctx)
	if err != nil {
		return fmt.Errorf("reading the store: %w", err)
	}
	if node == "" {
		node = opened.NodeName()
	}
	books, err := ledger.Open(ctx, opened, ledger.Options{Node: node})
	if err != nil {
		return fmt.Errorf("opening the ledger: %w", err)
	}
	rt.node = node
	rt.store, rt.unlock, rt.ledger = opened, unlock, books
	rt.mutex.Lock()
	rt.opened = true
	rt.mutex.Unlock()
	rt.verifier = auth.NewVerifier(opened, auth.VerifierOptions{})
	poll, stop := context.WithCancel(context.Background())
	rt.stopPoll = stop
	rt.polling.Go(func() { rt.watch(poll, changes) })
	rt.polling.Go(func() { rt.keepRoom(poll) })
	rt.spending.store = opened
	rt.polling.Go(func() { rt.spending.run(poll) })
	go rt.notices.run(poll) // closeStore waits for it, but not for ever
	purging := purger{records: opened, retention: rt.retentions.longest, now: time.Now, logger: rt.logger.Load}
	rt.polling.Go(func() { purging.run(poll) })
	return nil
}

// acquire keeps the runtime open for one request; false if it is closing.
func (rt *runtime) acquire() bool {
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	if rt.closing {
		return false
	}
	rt.requests++
	return true
}

// release ends what acquire began.
func (rt *runtime) release() {
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	rt.leave()
}

// enter makes a settlement known, so that a stop can interrupt it.
func (rt *runtime) enter(s *settlement) {
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	rt.requests++
	rt.live[s] = struct{}{}
}

// figures are the present counts; false before the store is open.
func (rt *runtime) figures() (holds int, figures ledger.Figures, ok bool) {
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	if !rt.opened {
		return 0, ledger.Figures{}, false
	}
	return len(rt.live), rt.ledger.Figures(), true
}

// settled ends what enter began.
func (rt *runtime) settled(s *settlement) {
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	delete(rt.live, s)
	rt.leave()
}

func (rt *runtime) leave() {
	rt.requests--
	if rt.closing && rt.requests == 0 {
		close(rt.idle)
	}
}

// Destruct is called when no configuration uses the runtime any more. On a
// reload to another store it returns at once, as it holds Caddy's configuration
// lock, and the running requests keep the store open until they have ended. When
// the process is about to end it waits shortly, and then records what still runs
// as interrupted.
func (rt *runtime) Destruct() error {
	// A start that a request has asked for may be under way, or come late.
	rt.startOnce.Do(func() { rt.startErr = errShuttingDown })
	if rt.ledger == nil {
		return nil // never started
	}
	if !caddy.Exiting() {
		rt.closeWhenIdle()
		return nil
	}
	rt.mutex.Lock()
	rt.beginClosing()
	rt.mutex.Unlock()
	return rt.stop()
}

// stop ends a closing runtime together with the process.
func (rt *runtime) stop() error {
	rt.stopServing()
	select {
	case <-rt.idle:
	case <-time.After(stopPatience):
		rt.drains.end(drainStopPatience)
		rt.interruptLive()
	}
	return rt.closeOnce()
}

// beginClosing refuses new requests. The caller has the mutex.
func (rt *runtime) beginClosing() {
	rt.closing = true
	if rt.requests == 0 {
		close(rt.idle)
	}
}

// closeWhenIdle lets the running requests end first, unless a configuration comes
// back to the store meanwhile.
func (rt *runtime) closeWhenIdle() {
	leaving.Lock()
	defer leaving.Unlock()
	leaving.byAddress[rt.address] = rt
	rt.mutex.Lock()
	defer rt.mutex.Unlock()
	rt.beginClosing()
	if rt.awaited {
		return // it has left before, and was revived
	}
	rt.awaited = true
	go func() {
		<-rt.idle
		leaving.Lock()
		if leaving.byAddress[rt.address] == rt {
			delete(leaving.byAddress, rt.address)
		}
		leaving.Unlock()
		if err := rt.closeOnce(); err != nil {
			rt.logger.Load().Error("closing the store", zap.Error(err))
		}
	}()
}

// interruptLive settles all that still runs, without a charge.
func (rt *runtime) interruptLive() {
	rt.mutex.Lock()
	live := make([]*settlement, 0, len(rt.live))
	for s := range rt.live {
		live = append(live, s)
	}
	rt.mutex.Unlock()
	var done sync.WaitGroup
	for _, s := range live {
		done.Go(func() {
			// Whoever settled it first has written its record.
			if err := s.interrupt(); err != nil && !errors.Is(err, errSettled) {
				rt.logger.Load().Error("recording an interrupted request", zap.Error(err))
			}
		})
	}
	done.Wait()
	rt.logger.Load().Warn("stopped with requests running; they are recorded as interrupted and not charged", zap.Int("requests", len(live)))
}

func (rt *runtime) closeStore() error {
	rt.stopServing()
	rt.stopPoll()
	rt.polling.Wait()
	rt.notices.await()
	ctx, cancel := context.WithTimeout(context.Background(), closePatience)
	defer cancel()
	return errors.Join(rt.ledger.Close(ctx), rt.store.Close(), rt.unlock())
}

// Interface guards
var _ caddy.Destructor = (*runtime)(nil)
