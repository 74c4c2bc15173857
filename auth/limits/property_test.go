package limits

import (
	"fmt"
	"math"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// event is something that was used at a time.
type event struct {
	at     time.Duration
	amount int64
}

// wantWithinRate checks every stretch from one event to another: no more than its
// share of the limit and one full bucket.
func wantWithinRate(t *testing.T, events []event, limit int64) {
	t.Helper()
	for from := range events {
		sum := int64(0)
		for _, e := range events[from:] {
			sum += e.amount
			most := float64(limit) * (1 + (e.at - events[from].at).Minutes())
			if float64(sum) > most+1e-3 {
				t.Fatalf("%d used between %s and %s, and the limit of %d allows %.3f", sum, events[from].at, e.at, limit, most)
			}
		}
	}
}

func TestRequestsStayWithinTheRate(t *testing.T) {
	for seed := range uint64(40) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := newClock()
		l := newLimiter(c)
		limit := 1 + random.Int64N(200)
		caller := keyed(Rates{RequestsPerMinute: limit})
		gap := time.Duration(float64(time.Minute) / float64(limit) * random.Float64() * 2)
		var admitted []event
		for range 1000 {
			if a, err := l.Admit(caller); err == nil {
				admitted = append(admitted, event{c.since(), 1})
				a.Release()
			}
			c.pass(time.Duration(random.Int64N(int64(2*gap) + 1)))
			if random.IntN(300) == 0 {
				c.pass(2 * time.Minute)
			}
		}
		wantWithinRate(t, admitted, limit)
		if len(admitted) < int(limit) {
			t.Errorf("seed %d: only %d of a limit of %d were admitted", seed, len(admitted), limit)
		}
	}
}

// Reservations of all sizes and ages, corrected to less: what was really used stays
// within the rate, whenever it is corrected; what is given back was reserved; and
// whoever is refused could not have been admitted.
func TestTokensStayWithinTheRate(t *testing.T) {
	for seed := range uint64(60) {
		random := rand.New(rand.NewPCG(seed, 2))
		c := newClock()
		l := newLimiter(c)
		limit := 100 + random.Int64N(100_000)
		caller := keyed(Rates{TokensPerMinute: limit})
		largest := max(1, limit/(1+random.Int64N(20)))
		type running struct {
			Admission
			tokens int64
		}
		var (
			open []running
			used []event
			// The reference: a level that fills, and what is held of it.
			level = float64(limit)
			held  int64
		)
		pass := func(span time.Duration) {
			c.pass(span)
			level = min(float64(limit), level+float64(limit)*span.Minutes())
		}
		for range 1500 {
			switch {
			case len(open) < 30 && random.IntN(2) == 0:
				a := mustAdmit(t, l, caller)
				tokens := 1 + random.Int64N(largest)
				free := level - float64(held)
				err := a.Reserve(tokens)
				if math.Abs(free-float64(tokens)) > 1e-3 && (err == nil) != (free > float64(tokens)) {
					t.Fatalf("seed %d: %d tokens of %.3f: %v", seed, tokens, free, err)
				}
				if err != nil {
					a.Release()
					break
				}
				held += tokens
				open = append(open, running{a, tokens})
			case len(open) > 0:
				i := random.IntN(len(open))
				a := open[i]
				open[i] = open[len(open)-1]
				open = open[:len(open)-1]
				actual := random.Int64N(a.tokens + 1)
				held -= a.tokens
				switch random.IntN(4) {
				case 0:
					a.Cancel()
				case 1: // without a word
				default:
					a.Correct(actual)
					level -= float64(actual)
					used = append(used, event{c.since(), actual})
				}
				a.Release()
			}
			if held > limit {
				t.Fatalf("seed %d: %d held of %d", seed, held, limit)
			}
			pass(time.Duration(random.Int64N(int64(3 * time.Second))))
			if random.IntN(100) == 0 {
				pass(time.Minute)
			}
		}
		wantWithinRate(t, used, limit)
		for _, a := range open {
			a.Release()
		}
		pass(time.Minute)
		a := mustAdmit(t, l, caller)
		wantTokens(t, &a, limit)
	}
}

// Whoever opens many long requests with large reservations, uses nothing, and ends
// them all at once has no more than one bucket.
func TestHoardedReservationsMakeNoBurst(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	caller := keyed(Rates{TokensPerMinute: 6000})
	var hoard []Admission
	for range 10 {
		a := mustAdmit(t, l, caller)
		_ = a.Reserve(6000) // all but the first are refused
		hoard = append(hoard, a)
		c.pass(time.Minute)
	}
	total := int64(0)
	for _, a := range hoard {
		a.Release()
		b := mustAdmit(t, l, caller)
		if b.Reserve(6000) == nil {
			b.Correct(6000)
			total += 6000
		}
	}
	if total != 6000 {
		t.Errorf("%d tokens at once", total)
	}
}

// snapshot is all that the limiter knows of the given callers.
func snapshot(l *Limiter, now time.Time, accounts int) string {
	text := ""
	show := func(b *bucket, ok bool) {
		if ok {
			text += fmt.Sprintf("[%.6f %.6f %d %d]", level(&b.requests, now), level(&b.tokens, now), b.held, b.inFlight)
		}
	}
	for i := range accounts {
		name := fmt.Sprint(i)
		show(l.keys.shard(name).records.Peek(name))
		show(l.accounts.shard(name).records.Peek(name))
		show(l.addresses.shard(networkOf(address(i))).records.Peek(networkOf(address(i))))
	}
	return text
}

func level(m *meter, now time.Time) float64 {
	if m.bucket == nil {
		return -1
	}
	return m.bucket.TokensAt(now)
}

func TestAllScopesOrNone(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 3))
	c := newClock()
	l := newLimiter(c)
	const names = 4
	rates := Rates{RequestsPerMinute: 4, TokensPerMinute: 3000, Concurrency: 4}
	var open []Admission
	refusals := map[string]int{}
	caller := func() Caller {
		return Caller{
			Key: fmt.Sprint(random.IntN(names)), KeyRates: rates, Account: fmt.Sprint(random.IntN(names)), AccountRates: rates,
			Address: address(random.IntN(names)), AddressRates: rates,
		}
	}
	for i := range names { // so that all buckets are there already
		a := mustAdmit(t, l, Caller{Key: fmt.Sprint(i), KeyRates: rates, Account: fmt.Sprint(i), AccountRates: rates, Address: address(i), AddressRates: rates})
		a.Release()
	}
	for range 10_000 {
		before := snapshot(l, c.now(), names)
		var err error
		switch random.IntN(3) {
		case 0:
			var a Admission
			if a, err = l.Admit(caller()); err == nil {
				open = append(open, a)
			}
		case 1:
			if len(open) > 0 {
				err = open[random.IntN(len(open))].Reserve(random.Int64N(1500))
			}
		default:
			if len(open) > 0 && random.IntN(2) == 0 {
				last := open[len(open)-1] // the newest, so that some last long
				open = open[:len(open)-1]
				last.Correct(random.Int64N(1000))
				last.Release()
			}
		}
		if err != nil {
			refused := refusal(t, err)
			refusals[refused.Scope.String()+" "+refused.Kind.String()]++
			if after := snapshot(l, c.now(), names); after != before {
				t.Fatalf("%v\nbefore %s\nafter  %s", err, before, after)
			}
		}
		c.pass(time.Duration(random.Int64N(int64(time.Second))))
	}
	if len(refusals) != 9 {
		t.Errorf("not every limit was met: %v", refusals)
	}
}

func TestConcurrencyIsNeverExceeded(t *testing.T) {
	l := New(Options{})
	const limit = 5
	var running [3]atomic.Int64
	var admitted atomic.Int64
	var wait sync.WaitGroup
	for worker := range 16 {
		wait.Go(func() {
			key := worker % 3
			caller := Caller{
				Key: fmt.Sprint(key), KeyRates: Rates{Concurrency: limit}, Account: "account-1", AccountRates: Rates{Concurrency: 2 * limit, TokensPerMinute: 1 << 40},
				Address: address(worker % 2), AddressRates: Rates{Concurrency: 100},
			}
			for range 2000 {
				a, err := l.Admit(caller)
				if err != nil {
					continue
				}
				admitted.Add(1)
				if n := running[key].Add(1); n > limit {
					t.Errorf("%d under way", n)
				}
				if err := a.Reserve(1000); err != nil {
					t.Error(err)
				}
				a.Correct(10)
				running[key].Add(-1)
				a.Release()
			}
		})
	}
	wait.Wait()
	if admitted.Load() == 0 {
		t.Error("nobody was admitted")
	}
	for i := range 3 {
		for range limit { // every place came back
			mustAdmit(t, l, Caller{Key: fmt.Sprint(i), KeyRates: Rates{Concurrency: limit}})
		}
	}
}
