package caddymodule

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/caddyserver/caddy/v2"
	"go.uber.org/zap"
)

const (
	// defaultRetention is thirteen months and a few days: last year's same month can
	// be looked at when this one's has ended.
	defaultRetention = 400 * 24 * time.Hour
	// leastRetention keeps 13m, which is minutes, from emptying the books.
	leastRetention = 24 * time.Hour

	purgeInterval = time.Hour
	// firstPurge is not at the start: a server that starts over and over has other worries.
	firstPurge = time.Minute
	// purgeBatch is how many records one transaction deletes: some milliseconds of work.
	purgeBatch = 500
	// purgePause gives the store back to settlements between two transactions.
	purgePause = 50 * time.Millisecond
)

// checkRetention checks App.Retention.
func checkRetention(configured *caddy.Duration) error {
	if configured == nil || *configured == 0 || time.Duration(*configured) >= leastRetention {
		return nil
	}
	return fmt.Errorf("retention %s is less than a day: write how long usage records are kept, like 400d or 9600h, or forever", time.Duration(*configured))
}

// retention is how long usage records are kept; 0 is for ever.
func (a *App) retention() time.Duration {
	if a.Retention == nil {
		return defaultRetention
	}
	return time.Duration(*a.Retention)
}

// retentions are what the configurations want that use one store: two while a server
// reloads, and the new one may yet fail. Nothing is deleted that either wants to keep.
type retentions struct {
	mutex sync.Mutex
	byApp map[*App]time.Duration
}

func (r *retentions) join(a *App, keep time.Duration) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	if r.byApp == nil {
		r.byApp = make(map[*App]time.Duration)
	}
	r.byApp[a] = keep
}

func (r *retentions) leave(a *App) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	delete(r.byApp, a)
}

// longest returns how long records are kept; 0 is for ever, as it is where nobody says.
func (r *retentions) longest() time.Duration {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	longest := time.Duration(0)
	for _, keep := range r.byApp {
		if keep == 0 {
			return 0
		}
		longest = max(longest, keep)
	}
	return longest
}

// purger deletes usage records whose time is over. Several nodes may do so at once.
type purger struct {
	records interface {
		Purge(ctx context.Context, before time.Time, limit int) (deleted int, err error)
	}
	retention func() time.Duration
	now       func() time.Time
	logger    func() *zap.Logger
}

// run purges until ctx ends.
func (p *purger) run(ctx context.Context) {
	timer := time.NewTimer(firstPurge)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		p.purge(ctx)
		timer.Reset(purgeInterval)
	}
}

func (p *purger) purge(ctx context.Context) {
	keep := p.retention()
	if keep == 0 {
		return
	}
	before := p.now().Add(-keep)
	total := 0
	// A configuration that comes meanwhile may keep what this one does not.
	for now := keep; now != 0 && now <= keep; now = p.retention() {
		deleted, err := p.records.Purge(ctx, before, purgeBatch)
		total += deleted
		if err != nil && ctx.Err() == nil {
			p.logger().Warn("old usage records could not be deleted; they will be later", zap.Error(err))
		}
		if err != nil || deleted == 0 {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(purgePause):
			continue
		}
		break
	}
	if total > 0 {
		p.logger().Info("old usage records were deleted", zap.Int("records", total), zap.String("before", before.UTC().Format(time.DateOnly)))
	}
}
