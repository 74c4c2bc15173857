package faults

import (
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// load is clients that call again and again.
type load struct {
	began   time.Time
	ended   atomic.Bool
	running sync.WaitGroup

	mu    sync.Mutex
	calls []*call
}

// startLoad lets as many callers call these gateways. Each goes on after an answer that
// `judge` likes.
func startLoad(callers int, random *rand.Rand, c *customer, judge func(*call) bool, gateways ...*gateway) *load {
	l := &load{began: time.Now()}
	for i := range callers {
		g, own := gateways[i%len(gateways)], rand.New(rand.NewPCG(random.Uint64(), 0))
		l.running.Go(func() {
			client := newClient()
			defer client.CloseIdleConnections()
			for !l.ended.Load() {
				if !judge(l.call(client, g, c, kinds[own.IntN(len(kinds))])) {
					return
				}
			}
		})
	}
	return l
}

// call makes one call.
func (l *load) call(client *http.Client, g *gateway, c *customer, k *kind) *call {
	made := &call{kind: k, began: time.Now()}
	l.mu.Lock()
	made.number = leastNumber + int64(len(l.calls))
	l.calls = append(l.calls, made)
	l.mu.Unlock()
	made.do(client, g.url, c.secret, enough)
	made.took = time.Since(made.began)
	return made
}

// end says that no more calls shall be made.
func (l *load) end() { l.ended.Store(true) }

// wait returns the calls when all have ended.
func (l *load) wait() []*call {
	l.end()
	l.running.Wait()
	return l.calls
}

// count is how many calls have begun.
func (l *load) count() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.calls)
}
