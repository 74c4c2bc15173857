package upstream

import (
	"container/heap"
	"context"
	"errors"
	"math"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/faregate/faregate/internal/dialect"
)

// simulation runs requests against keys of one provider in virtual time: events one
// after the other, nothing waits, and the same seed gives the same run.
type simulation struct {
	*world
	events eventQueue
	// answer says how a key answers, and after how long.
	answer func(key int) (Outcome, time.Duration)

	requests, errors, retries int
	asked, failed, running    []int // by key
	// begun is told of each attempt, ended of each that succeeded.
	begun func(key int)
}

type event struct {
	at time.Time
	do func()
}

type eventQueue []event

func (q eventQueue) Len() int           { return len(q) }
func (q eventQueue) Less(i, j int) bool { return q[i].at.Before(q[j].at) }
func (q eventQueue) Swap(i, j int)      { q[i], q[j] = q[j], q[i] }
func (q *eventQueue) Push(e any)        { *q = append(*q, e.(event)) }
func (q *eventQueue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

func newSimulation(t *testing.T, seed uint64, weights ...int) *simulation {
	s := &simulation{world: newWorld(t, seed), begun: func(int) {}}
	s.asked, s.failed, s.running = make([]int, len(weights)), make([]int, len(weights)), make([]int, len(weights))
	list := keys(len(weights))
	for i := range list {
		list[i].Weight = weights[i]
	}
	s.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: list}), "x")})
	return s
}

func (s *simulation) after(wait time.Duration, do func()) {
	heap.Push(&s.events, event{s.now.Add(wait), do})
}

// run lets requests arrive at random for some time and ends when all are answered.
func (s *simulation) run(perSecond float64, lasting time.Duration, request func() Request) {
	end := s.now.Add(lasting)
	var arrive func()
	arrive = func() {
		if s.now.After(end) {
			return
		}
		s.requests++
		s.attempt(s.plan(request()), nil)
		s.after(time.Duration(s.dice.ExpFloat64()/perSecond*1e9), arrive)
	}
	s.after(0, arrive)
	for len(s.events) > 0 {
		next := heap.Pop(&s.events).(event)
		s.now = next.at
		next.do()
	}
}

func (s *simulation) attempt(plan *Plan, answered func(key int)) {
	call, err := plan.Begin(context.Background())
	if err != nil {
		s.errors++
		return
	}
	key := call.Credential.key.number - 1
	s.asked[key]++
	s.running[key]++
	s.begun(key)
	outcome, takes := s.answer(key)
	s.after(takes, func() {
		s.running[key]--
		if outcome.Result == Succeeded {
			call.Answered(outcome.Limits)
		}
		call.Done(outcome)
		if outcome.Result != Succeeded {
			s.failed[key]++
			s.retries++
			s.attempt(plan, answered)
		} else if answered != nil {
			answered(key)
		}
	})
}

func (s *simulation) total() (total int) {
	for _, n := range s.asked {
		total += n
	}
	return total
}

func none() Request { return Request{} }

// usual is how long an answer takes, 1 s on average.
func (s *simulation) usual() time.Duration {
	return 200*time.Millisecond + time.Duration(s.dice.ExpFloat64()*8e8)
}

func TestSimulatedFailingKey(t *testing.T) {
	for _, result := range []Result{Failed, Overloaded, RateLimited, Refused, NoCredit, LowCredit, Forbidden, TimedOut, ModelMissing} {
		for _, affinity := range []bool{false, true} {
			s := newSimulation(t, 7, 1, 1, 1, 1)
			takes := 100 * time.Millisecond
			if result == TimedOut {
				takes = 5 * time.Second
			}
			coolDownAt, sinceCoolDown := time.Time{}, 0
			s.begun = func(key int) {
				if len(s.world.events) > 0 && coolDownAt.IsZero() {
					coolDownAt = s.now
				}
				if key == 0 && !coolDownAt.IsZero() {
					sinceCoolDown++
				}
			}
			s.answer = func(key int) (Outcome, time.Duration) {
				if key == 0 {
					return Outcome{Result: result}, takes
				}
				return Outcome{Result: Succeeded}, s.usual()
			}
			s.run(50, 3*time.Minute, func() Request {
				if affinity {
					return Request{Affinity: 1 + s.dice.Uint64N(1000)}
				}
				return Request{}
			})
			share := float64(sinceCoolDown) / float64(s.total())
			if s.errors > 0 || share >= 0.01 {
				t.Errorf("%v, affinity %v: %d errors of %d, the failing key got %.2f %%", result, affinity, s.errors, s.requests, 100*share)
			}
			t.Logf("%v, affinity %v: %d requests, %d retries, %d at the failing key after its first cool-down (%.3f %%)",
				result, affinity, s.requests, s.retries, sinceCoolDown, 100*share)
		}
	}
}

func TestSimulatedWeights(t *testing.T) {
	for name, row := range map[string]struct {
		weights   []int
		perSecond float64
		slow      float64 // how much slower the first key is
	}{
		"equal":            {[]int{1, 1, 1, 1}, 50, 1},
		"unequal":          {[]int{50, 30, 15, 5}, 50, 1},
		"many in flight":   {[]int{5, 3, 1, 1}, 500, 1},
		"the first slower": {[]int{1, 1, 2}, 200, 1.7},
	} {
		s := newSimulation(t, 3, row.weights...)
		s.answer = func(key int) (Outcome, time.Duration) {
			takes := s.usual()
			if key == 0 {
				takes = time.Duration(float64(takes) * row.slow)
			}
			return Outcome{Result: Succeeded}, takes
		}
		s.run(row.perSecond, time.Duration(20000/row.perSecond)*time.Second, none)
		sum, most := 0, 0.0
		for _, weight := range row.weights {
			sum += weight
		}
		for key, weight := range row.weights {
			difference := math.Abs(float64(s.asked[key])/float64(s.total()) - float64(weight)/float64(sum))
			if most = max(most, difference); difference > 0.02 || s.errors > 0 {
				t.Errorf("%s: key %d got %d of %d, its weight is %d of %d; %d errors", name, key+1, s.asked[key], s.total(), weight, sum, s.errors)
			}
		}
		t.Logf("%s: %v of weights %v, at most %.2f points off", name, s.asked, row.weights, 100*most)
	}
}

// After an outage of a minute the key gets one request until that is answered, and
// then more and more.
func TestSimulatedRecoveryIsNoStampede(t *testing.T) {
	for _, affinity := range []bool{false, true} {
		s := newSimulation(t, 5, 1, 1, 1, 1)
		began := s.now
		outage := func() bool { return s.now.Before(began.Add(time.Minute)) }
		var recovered time.Time
		beforeAnswer, mostAtOnce := 0, 0
		bySecond := make([]int, 120)
		s.begun = func(key int) {
			if key != 0 || outage() {
				return
			}
			if events := s.world.events; events[len(events)-1].Change == Recovered && recovered.IsZero() {
				recovered = s.now
			}
			if recovered.IsZero() {
				beforeAnswer++
				mostAtOnce = max(mostAtOnce, s.running[0])
			} else if second := int(s.now.Sub(recovered).Seconds()); second < len(bySecond) {
				bySecond[second]++
			}
		}
		s.answer = func(key int) (Outcome, time.Duration) {
			if key == 0 && outage() {
				return Outcome{Result: Failed}, 50 * time.Millisecond
			}
			return Outcome{Result: Succeeded}, s.usual()
		}
		s.run(200, 4*time.Minute, func() Request {
			if affinity {
				return Request{Affinity: 1 + s.dice.Uint64N(2000)}
			}
			return Request{}
		})
		first, fifth, late := float64(bySecond[0]), float64(bySecond[4]), 0.0
		for _, n := range bySecond[60:110] {
			late += float64(n) / 50
		}
		if s.errors > 0 || beforeAnswer > 1 || mostAtOnce > 1 || first > 0.35*late || fifth > 0.8*late || late < 35 {
			t.Errorf("affinity %v: %d errors; %d requests before the first answer, %d at once; %v in the first second, %v in the fifth, %.0f a second later",
				affinity, s.errors, beforeAnswer, mostAtOnce, first, fifth, late)
		}
		t.Logf("affinity %v: by second after recovery %v, later %.0f", affinity, bySecond[:20], late)
	}
}

func TestSimulatedConversations(t *testing.T) {
	const conversations, turns = 2000, 15
	for name, row := range map[string]struct {
		weights []int
		fails   bool // the first key, from the third to the fifth minute
		least   float64
	}{
		"all well":   {[]int{4, 3, 2, 1}, false, 1},
		"an outage":  {[]int{1, 1, 1, 1}, true, 0.95},
		"eight keys": {[]int{1, 1, 1, 1, 1, 1, 1, 1}, false, 1},
	} {
		s := newSimulation(t, 11, row.weights...)
		began := s.now
		failing := func(key int) bool {
			minute := s.now.Sub(began).Minutes()
			return row.fails && key == 0 && minute >= 3 && minute < 5
		}
		s.answer = func(key int) (Outcome, time.Duration) {
			if failing(key) {
				return Outcome{Result: Failed}, 50 * time.Millisecond
			}
			return Outcome{Result: Succeeded}, s.usual()
		}
		answeredBy := make([][]int, conversations)
		var turn func(conversation int)
		turn = func(conversation int) {
			s.requests++
			s.attempt(s.plan(Request{Affinity: s.selector.Affinity("account", []byte(string(rune(conversation))))}), func(key int) {
				answeredBy[conversation] = append(answeredBy[conversation], key)
				if len(answeredBy[conversation]) < turns {
					s.after(time.Duration(s.dice.ExpFloat64()*25e9), func() { turn(conversation) })
				}
			})
		}
		for i := range conversations {
			s.after(time.Duration(s.dice.Float64()*60e9), func() { turn(i) })
		}
		for len(s.events) > 0 {
			next := heap.Pop(&s.events).(event)
			s.now = next.at
			next.do()
		}
		homes, kept, all, elsewhere, away := make([]int, len(row.weights)), 0, 0, 0, 0
		for _, answers := range answeredBy {
			home := answers[0] // all began before the outage
			homes[home]++
			others := map[int]bool{}
			for _, key := range answers {
				if home != 0 || !row.fails {
					all++
					if key == home {
						kept++
					}
				} else if key != home {
					others[key] = true
					elsewhere++
				}
			}
			if len(others) > 1 {
				away++
			}
		}
		share := float64(kept) / float64(all)
		if s.errors > 0 || share < row.least || away > 0 {
			t.Errorf("%s: %d errors, %.2f %% of turns at home; %d conversations were at several other keys", name, s.errors, 100*share, away)
		}
		sum := 0
		for _, weight := range row.weights {
			sum += weight
		}
		for key, weight := range row.weights {
			if difference := math.Abs(float64(homes[key])/conversations - float64(weight)/float64(sum)); difference > 0.03 {
				t.Errorf("%s: key %d is home of %d of %d", name, key+1, homes[key], conversations)
			}
		}
		t.Logf("%s: homes %v, %.2f %% of the turns at healthy homes, %d turns elsewhere during the outage", name, homes, 100*share, elsewhere)
	}
}

// Two in a hundred answers of every key are errors: no reason to leave anybody alone.
func TestSimulatedFewErrors(t *testing.T) {
	s := newSimulation(t, 13, 1, 1, 1, 1)
	s.answer = func(int) (Outcome, time.Duration) {
		if s.dice.IntN(50) == 0 {
			return Outcome{Result: Failed}, 100 * time.Millisecond
		}
		return Outcome{Result: Succeeded}, s.usual()
	}
	s.run(100, 5*time.Minute, none)
	if s.errors > 0 || len(s.world.events) > 10 {
		t.Errorf("%d errors, %d changes", s.errors, len(s.world.events))
	}
	t.Logf("%d requests, %d retries, %d changes", s.requests, s.retries, len(s.world.events))
}

// conversing is a request of one of many conversations, or of none.
func (s *simulation) conversing(affinity bool) func() Request {
	return func() Request {
		if affinity {
			return Request{Affinity: 1 + s.dice.Uint64N(2000)}
		}
		return Request{}
	}
}

// A key that answers a hundred times slower does not collect all requests, also where
// conversations want to stay.
func TestSimulatedHangingKey(t *testing.T) {
	for _, affinity := range []bool{false, true} {
		s := newSimulation(t, 17, 1, 1, 1, 1)
		most := 0
		s.begun = func(int) { most = max(most, s.running[0]) }
		s.answer = func(key int) (Outcome, time.Duration) {
			if key == 0 {
				return Outcome{Result: Succeeded}, 100 * time.Second
			}
			return Outcome{Result: Succeeded}, s.usual()
		}
		s.run(100, 5*time.Minute, s.conversing(affinity))
		// By weight alone 25 a second would make 2,500.
		if most > 1000 {
			t.Errorf("affinity %v: %d requests hung at once", affinity, most)
		}
		t.Logf("affinity %v: %d of %d hung, %d at once", affinity, s.asked[0], s.requests, most)
	}
}

// The first key may take a tenth of the others. Its provider says so in each answer,
// and refuses what is too much.
func TestSimulatedRateLimits(t *testing.T) {
	for _, affinity := range []bool{false, true} {
		s := newSimulation(t, 19, 1, 1, 1, 1)
		limits := []float64{300, 3000, 3000, 3000} // requests a minute
		left := append([]float64(nil), limits...)
		at := s.now
		refused := 0
		s.answer = func(key int) (Outcome, time.Duration) {
			for i := range left {
				left[i] = min(limits[i], left[i]+s.now.Sub(at).Minutes()*limits[i])
			}
			at = s.now
			if left[key] < 1 {
				refused++
				return Outcome{Result: RateLimited, Wait: time.Duration((1 - left[key]) / limits[key] * 60e9)}, 20 * time.Millisecond
			}
			left[key]--
			full := s.now.Add(time.Duration((limits[key] - left[key]) / limits[key] * 60e9))
			return Outcome{Result: Succeeded, Limits: dialect.ProviderLimits{
				Requests: dialect.Allowance{Known: true, Limit: int64(limits[key]), Remaining: int64(left[key]), Reset: full},
			}}, s.usual()
		}
		s.run(100, 5*time.Minute, s.conversing(affinity))
		if s.errors > 0 || refused > 20 || s.asked[0] < 1300 {
			t.Errorf("affinity %v: %d errors; %d of %d refused; the small key got %d", affinity, s.errors, refused, s.requests, s.asked[0])
		}
		t.Logf("affinity %v: %d requests, %d refused, by key %v", affinity, s.requests, refused, s.asked)
	}
}

// Keys are asked no more than the operator allows them, without an error, and nearly as
// much as that.
func TestSimulatedKeyRates(t *testing.T) {
	const minutes = 5
	for _, affinity := range []bool{false, true} {
		s := newSimulation(t, 23, 1, 1, 1, 1)
		list := keys(4)
		list[0].RequestsPerMinute, list[1].TokensPerMinute = 300, 60_000 // about 120 requests of 500
		s.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: list}), "x")})
		tokens := 0
		s.answer = func(key int) (Outcome, time.Duration) {
			used := 100 + s.dice.IntN(801)
			if key == 1 {
				tokens += used
			}
			return Outcome{Result: Succeeded, Tokens: int64(used)}, s.usual()
		}
		s.run(100, minutes*time.Minute, s.conversing(affinity))
		// A minute's worth at once, and then evenly. Tokens are known when answers have ended.
		requests, most := 300*(minutes+1), 60_000*(minutes+1)+100*900
		if s.errors > 0 || s.retries > 0 || s.asked[0] > requests || s.asked[0] < requests*9/10 || tokens > most || tokens < 60_000*(minutes+1)*9/10 {
			t.Errorf("affinity %v: %d errors, %d retries, %d requests of %d, %d tokens of %d", affinity, s.errors, s.retries, s.asked[0], requests, tokens, most)
		}
		t.Logf("affinity %v: by key %v, %d tokens", affinity, s.asked, tokens)
	}
}

func TestWhenAllKeysAreAtTheirRates(t *testing.T) {
	w := newWorld(t, 1)
	list := keys(2)
	list[0].RequestsPerMinute, list[1].RequestsPerMinute = 1, 2
	w.configure(SelectorOptions{}, []Target{to(house("one", ProviderOptions{Keys: list}), "x")})
	begin := func() error {
		call, err := w.plan(Request{}).Begin(context.Background())
		if err == nil {
			call.Done(Outcome{Result: Succeeded})
		}
		return err
	}
	for range 3 {
		if err := begin(); err != nil {
			t.Fatal(err)
		}
	}
	var nobody *UnavailableError
	if err := begin(); !errors.As(err, &nobody) || !errors.Is(nobody.Reason, ErrCoolingDown) || nobody.Cause != RateLimited || nobody.RetryAfter != 30*time.Second {
		t.Errorf("%v %+v", err, nobody)
	}
	w.now = w.now.Add(30 * time.Second)
	if err := begin(); err != nil {
		t.Error(err)
	}
	if err := begin(); err == nil {
		t.Error("more than may be asked")
	}
	if running := w.health.View().Keys[0].Running + w.health.View().Keys[1].Running; running != 0 {
		t.Errorf("%d still run", running)
	}
}

func TestManyTakeWithinThePace(t *testing.T) {
	var p pace
	p.setLimit(1000)
	var taken atomic.Int64
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				if p.take(1) {
					taken.Add(1)
				}
			}
		})
	}
	all.Wait()
	if n := taken.Load(); n < 999 || n > 1000 {
		t.Errorf("%d were taken of 1000", n)
	}
	p.add(1, 1<<40)
	if until := p.until(1); until <= 0 || until > 20*paceWindow {
		t.Errorf("one answer keeps a key busy until %d", until)
	}
	p.setLimit(0)
	if p.until(1) != 0 || !p.take(1) {
		t.Error("without a limit nothing is waited for")
	}
}
