package limits

import (
	"fmt"
	"testing"
	"time"
)

// flood sends one request each from as many addresses.
func flood(l *Limiter, rates Rates, from, count int) {
	for i := range count {
		a, err := l.Admit(Caller{Address: address(from + i), AddressRates: rates})
		if err == nil {
			a.Release()
		}
	}
}

// BenchmarkFlood does the same with a million.
func TestAFloodStaysWithinTheBound(t *testing.T) {
	const addresses = 150_000
	c := newClock()
	l := New(Options{Now: c.now, Addresses: 8192})
	for done := 0; done < addresses; done += 10_000 {
		flood(l, Rates{RequestsPerMinute: 60}, done, 10_000)
		if stats := l.Stats(); stats.Addresses > 8192 {
			t.Fatalf("%d addresses in memory", stats.Addresses)
		}
		c.pass(100 * time.Millisecond)
	}
	if stats := l.Stats(); stats.Crowded != 0 || stats.Addresses < 8000 { // one request each is no debt
		t.Errorf("%+v", stats)
	}
}

// Nobody gets a fresh start by filling the table with other addresses.
func TestAFloodForgetsNoDebt(t *testing.T) {
	c := newClock()
	l := New(Options{Now: c.now, Addresses: 1024})
	rates := Rates{RequestsPerMinute: 60, TokensPerMinute: 1000}
	var guilty []Caller
	for i := range 200 {
		caller := Caller{Address: address(1<<24 + i), AddressRates: rates}
		guilty = append(guilty, caller)
		a := mustAdmit(t, l, caller)
		if i%2 == 0 {
			a.Correct(30_000) // half an hour of debt
			a.Release()
			continue
		}
		for a.Release(); ; a.Release() { // 60 requests, and none for a second
			var err error
			if a, err = l.Admit(caller); err != nil {
				break
			}
		}
	}
	for round := range 20 {
		flood(l, rates, 2<<24+round*5000, 5000)
		for i, caller := range guilty {
			a, err := l.Admit(caller)
			if i%2 == 0 && err == nil {
				err = a.Reserve(1)
				a.Release()
			}
			wantRefusedBy(t, err, ScopeAddress)
		}
		c.pass(10 * time.Millisecond)
	}
	// After a quiet time everything is as new, and the debtor is still known.
	c.pass(5 * time.Minute)
	flood(l, rates, 3<<24, 50_000)
	a := mustAdmit(t, l, guilty[0])
	wantRefusedBy(t, a.Reserve(1), ScopeAddress)
}

// Those who are in debt do not keep others from finding room.
func TestDebtorsAreLookedPast(t *testing.T) {
	c := newClock()
	l := New(Options{Now: c.now, Addresses: 1024})
	rates := Rates{RequestsPerMinute: 60, TokensPerMinute: 1000}
	for i := range 400 {
		a := mustAdmit(t, l, Caller{Address: address(1<<24 + i), AddressRates: rates})
		a.Correct(30_000)
		a.Release()
	}
	flood(l, rates, 0, 20_000)
	if stats := l.Stats(); stats.Crowded > 5000 {
		t.Errorf("%+v", stats)
	}
}

func wantRefusedBy(t testing.TB, err error, scope Scope) {
	t.Helper()
	if refused := refusal(t, err); refused.Scope != scope {
		t.Fatalf("got %v, want a refusal of the %s", err, scope)
	}
}

// A request under way keeps its place, however many others come.
func TestAFloodForgetsNobodyUnderWay(t *testing.T) {
	c := newClock()
	l := New(Options{Now: c.now, Addresses: 64, Keys: 64})
	caller := Caller{Address: address(1 << 24), AddressRates: Rates{Concurrency: 1, TokensPerMinute: 100}}
	a := mustAdmit(t, l, caller)
	if err := a.Reserve(100); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	flood(l, Rates{Concurrency: 1}, 0, 10_000)
	_, err := l.Admit(caller)
	wantRefused(t, err, "address concurrency 1 0 0s 1s")
	a.Correct(100)
	a.Release()
	b := mustAdmit(t, l, caller)
	wantTokens(t, &b, 0)
}

// Where everything in memory is in debt, newcomers share one bucket and are limited
// together: a full table does not lift the limit.
func TestNamesWithoutRoomShareABucket(t *testing.T) {
	c := newClock()
	l := New(Options{Now: c.now, Keys: 32})
	rates := Rates{RequestsPerMinute: 2}
	admitted := 0
	for i := range 2000 {
		for range 2 {
			if a, err := l.Admit(Caller{Key: fmt.Sprint(i), KeyRates: rates}); err == nil {
				admitted++
				a.Release()
			}
		}
	}
	stats := l.Stats()
	if stats.Keys > 32 || stats.Crowded == 0 || admitted != 2*2*shards { // each shard's own name, and its shared bucket
		t.Errorf("%d admitted, %+v", admitted, stats)
	}
	c.pass(time.Minute)
	mustAdmit(t, l, Caller{Key: "new", KeyRates: rates})
}

// What has nothing to say any more leaves as others come, long before room is needed.
func TestIdleNamesAreForgotten(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	flood(l, Rates{RequestsPerMinute: 60}, 0, 10_000)
	c.pass(memory)
	flood(l, Rates{RequestsPerMinute: 60}, 1<<24, 9_000)
	if stats := l.Stats(); stats.Addresses > 10_000 {
		t.Errorf("%+v", stats)
	}
}
