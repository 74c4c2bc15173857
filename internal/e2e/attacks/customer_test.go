//go:build linux

package attacks

import (
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

const chat = `{"model":"gpt-4.1-mini",%s"max_tokens":100,"messages":[{"role":"user","content":"%s"}]}`

var customerClient = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 10}}

// call is one call of the customer.
func (g *gateway) call() error {
	request, err := http.NewRequest(http.MethodPost, "http://"+g.plain+"/v1/chat/completions", strings.NewReader(fmt.Sprintf(chat, "", "hello")))
	if err != nil {
		return err
	}
	request.Header.Set("Authorization", "Bearer "+g.secret)
	answer, err := customerClient.Do(request)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	read, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%d %s", answer.StatusCode, read)
	}
	return err
}

// behave makes calls, all of which must be answered.
func (g *gateway) behave(calls int) {
	g.t.Helper()
	for range calls {
		g.calls++
		if err := g.call(); err != nil {
			g.t.Errorf("the customer: %v", err)
			return
		}
		g.answered++
	}
}

// goodput is how many calls the customer gets through in a second, with four at once.
func (g *gateway) goodput(seconds int) float64 {
	g.t.Helper()
	var done atomic.Int64
	var failed atomic.Pointer[error]
	var callers sync.WaitGroup
	began := time.Now()
	for range 4 {
		callers.Go(func() {
			for time.Since(began) < time.Duration(seconds)*time.Second {
				if err := g.call(); err != nil {
					failed.Store(&err)
					return
				}
				done.Add(1)
			}
		})
	}
	callers.Wait()
	if err := failed.Load(); err != nil {
		g.t.Errorf("the customer: %v", *err)
	}
	g.calls += int(done.Load())
	g.answered += int(done.Load())
	return float64(done.Load()) / time.Since(began).Seconds()
}

// during lets the customer call while others attack, until attack returns; it is told when
// to stop. In the long form the customer's goodput is compared with that before.
func (g *gateway) during(attack func(stop <-chan struct{})) {
	g.t.Helper()
	var before float64
	if *long {
		before = g.goodput(8)
	}
	stop := make(chan struct{})
	var attackers sync.WaitGroup
	attackers.Go(func() { attack(stop) })
	if *long {
		time.Sleep(2 * time.Second) // for the attack to be under way
		during := g.goodput(8)
		g.t.Logf("goodput: %.0f calls a second, %.0f before: %.0f %%", during, before, 100*during/before)
		if during < before/4 {
			g.t.Error("the customer is hardly served")
		}
	} else {
		for began := time.Now(); time.Since(began) < 1200*time.Millisecond && !g.t.Failed(); {
			g.behave(10)
		}
	}
	close(stop)
	attackers.Wait()
}
