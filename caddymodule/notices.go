package caddymodule

import (
	"context"
	"runtime/debug"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/upstream"
)

// The events that Caddy's events app is told of; docs/monitoring.md says what each has.
const (
	eventBalanceLow   = "balance_low"
	eventKeyLocked    = "key_locked"
	eventProviderDown = "provider_down"
	eventProviderUp   = "provider_up"
	eventShortfall    = "shortfall"
	eventSpendAnomaly = "spend_anomaly"
)

const (
	// noticesKept bounds the notices that wait for the handlers of those before.
	noticesKept = 256
	// noticePatience is how long a stop waits for the handler that runs.
	noticePatience = time.Second
)

// notices tell Caddy's events app of what happens. They do so from a goroutine of their
// own, one after the other, as handlers may take their time, which no request has.
type notices struct {
	// app is that of the latest configuration, whose handlers are told.
	app    atomic.Pointer[App]
	logger func() *zap.Logger
	queue  chan notice
	// dropped counts notices that there was no room for.
	dropped atomic.Int64
	ended   chan struct{}

	// Locks of client addresses since the last notice of them, and the longest.
	locks       atomic.Int64
	longestLock atomic.Int64
}

type notice struct {
	event string
	data  map[string]any
}

func newNotices(logger func() *zap.Logger) *notices {
	return &notices{logger: logger, queue: make(chan notice, noticesKept), ended: make(chan struct{})}
}

// tell returns at once. The data must not be changed any more.
func (n *notices) tell(event string, data map[string]any) {
	select {
	case n.queue <- notice{event, data}:
	default:
		if n.dropped.Add(1) == 1 {
			n.logger().Warn("an event is not told, as the handlers of those before it take too long; there may be more", zap.String("event", event))
		}
	}
}

// locked notes that a client address was locked. An attack from many addresses makes
// one event a second, and no event has an address.
func (n *notices) locked(wait time.Duration) {
	n.locks.Add(1)
	measured.lockouts.Inc()
	for longest := n.longestLock.Load(); int64(wait) > longest && !n.longestLock.CompareAndSwap(longest, int64(wait)); {
		longest = n.longestLock.Load()
	}
}

// run tells what is to be told, until the context ends. What is not told then is lost:
// the handlers end with the configuration that they belong to. The log has it.
func (n *notices) run(ctx context.Context) {
	defer close(n.ended)
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case next := <-n.queue:
			n.emit(next)
		case <-ticker.C:
			if locks := n.locks.Swap(0); locks > 0 {
				longest := time.Duration(n.longestLock.Swap(0))
				n.logger().Warn("client addresses are locked for a time, as they sent wrong keys", zap.Int64("locks", locks), zap.Duration("longest", longest))
				n.emit(notice{eventKeyLocked, map[string]any{"locks": locks, "longest": longest.String()}})
			}
		}
	}
}

// emit runs the handlers. They are not ours: one that panics must not end the process.
func (n *notices) emit(next notice) {
	defer func() {
		if problem := recover(); problem != nil {
			n.logger().Error("a handler of an event has panicked", zap.String("event", next.event), zap.ByteString("stack", debug.Stack()))
		}
	}()
	if app := n.app.Load(); app != nil {
		app.events.Emit(app.ctx, next.event, next.data)
	}
}

// await waits for the end of run, but no longer than a handler may take.
func (n *notices) await() {
	select {
	case <-n.ended:
	case <-time.After(noticePatience):
		n.logger().Warn("a handler of an event still runs; it is not waited for")
	}
}

// noteHealth tells the operator what changes, as a refused key wants a new one.
func (rt *runtime) noteHealth(event upstream.Event) {
	fields := []zap.Field{zap.String("provider", event.Provider)}
	data := map[string]any{"provider": event.Provider, "key": event.Key, "model": event.Model}
	if event.Key != "" {
		fields = append(fields, zap.String("key", event.Key))
	}
	if event.Model != "" {
		fields = append(fields, zap.String("model", event.Model))
	}
	logger := rt.logger.Load()
	if event.Change == upstream.Recovered {
		logger.Info("a provider answers again", fields...)
		rt.notices.tell(eventProviderUp, data)
		return
	}
	measured.coolDowns.WithLabelValues(event.Provider, event.Result.String()).Inc()
	fields = append(fields, zap.Stringer("reason", event.Result), zap.Time("until", event.Until))
	text := "a provider is left alone for a time"
	switch {
	case event.Change == upstream.KeyRefused:
		text = "a provider refuses a key or its account: replace the key, or add credit there"
	case event.Result == upstream.LowCredit:
		text = "a provider's account has too little credit for some requests: add credit there"
	}
	logger.Warn(text, fields...)
	data["reason"], data["until"] = event.Result.String(), event.Until.UTC().Format(time.RFC3339)
	rt.notices.tell(eventProviderDown, data)
}
