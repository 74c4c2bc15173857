package limits

import (
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"testing"
	"time"
)

func benchmarkCaller(i int) Caller {
	rates := Rates{RequestsPerMinute: 1 << 40, TokensPerMinute: 1 << 50, Concurrency: 1 << 20}
	return Caller{
		Key: fmt.Sprintf("0199e0a0-7c1c-7000-8000-%012d", i), KeyRates: rates,
		Account: fmt.Sprintf("0199e0a0-7c1c-7000-9000-%012d", i/4), AccountRates: rates,
		Address: address(i), AddressRates: rates,
	}
}

// A key, an account and an address that are known already: the target is less than
// 500 ns and no allocation.
func BenchmarkAdmit(b *testing.B) {
	l := New(Options{})
	caller := benchmarkCaller(1)
	b.ReportAllocs()
	for b.Loop() {
		a, err := l.Admit(caller)
		if err != nil {
			b.Fatal(err)
		}
		a.Release()
	}
}

// All that a request does.
func BenchmarkRequest(b *testing.B) {
	l := New(Options{})
	caller := benchmarkCaller(1)
	b.ReportAllocs()
	for b.Loop() {
		request(b, l, caller)
	}
}

func request(b *testing.B, l *Limiter, caller Caller) {
	a, err := l.Admit(caller)
	if err == nil {
		err = a.Reserve(10_000)
	}
	if err != nil || a.State().Tokens.Limit == 0 {
		b.Error(err)
	}
	a.Correct(1000)
	a.Release()
}

// Many callers on all cores.
func BenchmarkRequestsOfMany(b *testing.B) {
	l := New(Options{})
	callers := make([]Caller, 10_000)
	for i := range callers {
		callers[i] = benchmarkCaller(i)
		request(b, l, callers[i])
	}
	b.ReportAllocs()
	b.ResetTimer()
	b.RunParallel(func(work *testing.PB) {
		for i := 0; work.Next(); i += 37 {
			request(b, l, callers[i%len(callers)])
		}
	})
}

func BenchmarkRefusal(b *testing.B) {
	l := New(Options{})
	caller := keyed(Rates{RequestsPerMinute: 1})
	b.ReportAllocs()
	for b.Loop() {
		if a, err := l.Admit(caller); err == nil {
			a.Release()
		}
	}
}

// A million addresses that all come once.
func BenchmarkFlood(b *testing.B) {
	const addresses = 1_000_000
	rates := Rates{RequestsPerMinute: 60, Concurrency: 10}
	for b.Loop() {
		before := heap()
		l := New(Options{})
		flood(l, rates, 0, addresses)
		after := heap()
		kept := l.Stats().Addresses
		if kept > defaultSize {
			b.Errorf("%d addresses", kept)
		}
		b.ReportMetric(float64(after-before)/float64(kept), "B/address")
		b.ReportMetric(float64(after-before)/(1<<20), "MiB")
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*addresses), "ns/address")
}

// What one key with all limits takes, its name included.
func BenchmarkMemory(b *testing.B) {
	const keys = 100_000
	for b.Loop() {
		before := heap()
		l := New(Options{})
		for i := range keys {
			a, err := l.Admit(Caller{
				Key: fmt.Sprintf("0199e0a0-7c1c-7000-8000-%012d", i), KeyRates: Rates{RequestsPerMinute: 60, TokensPerMinute: 60_000, Concurrency: 10},
			})
			if err != nil {
				b.Fatal(err)
			}
			a.Release()
		}
		b.ReportMetric(float64(heap()-before)/float64(l.Stats().Keys), "B/key")
		runtime.KeepAlive(l)
	}
}

func heap() uint64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return stats.HeapAlloc
}

func BenchmarkLockout(b *testing.B) {
	l := NewLockout(LockoutOptions{})
	secret := "sk-fg-" + strings.Repeat("x", 49)
	from := address(1)
	b.ReportAllocs()
	for b.Loop() {
		if l.Check(from, secret) > 0 {
			b.Fatal("locked")
		}
		l.Succeed(from, secret)
	}
}

func BenchmarkLockoutFlood(b *testing.B) {
	for b.Loop() {
		before := heap()
		l := NewLockout(LockoutOptions{})
		for i := range 1_000_000 {
			l.Fail(address(i), "wrong")
		}
		kept, _ := l.Stats()
		b.ReportMetric(float64(heap()-before)/float64(kept), "B/address")
		runtime.KeepAlive(l)
	}
}

func BenchmarkAddressList(b *testing.B) {
	var text strings.Builder
	for i := range mostAddresses {
		fmt.Fprintf(&text, "10.%d.0.0/16,", i*2)
	}
	list, err := ParseAddressList(text.String())
	if err != nil {
		b.Fatal(err)
	}
	from := netip.MustParseAddr("::ffff:10.200.3.4")
	b.ReportAllocs()
	for b.Loop() {
		if !list.Allows(from) {
			b.Fatal("not allowed")
		}
	}
}

// The answer of a caller that is known takes no memory.
func TestRequestsDoNotAllocate(t *testing.T) {
	c := newClock()
	l := New(Options{Now: c.now})
	caller := benchmarkCaller(1)
	if allocations := testing.AllocsPerRun(100, func() {
		a, err := l.Admit(caller)
		if err == nil {
			err = a.Reserve(10_000)
		}
		if err != nil || a.State().Tokens.Limit == 0 {
			t.Error(err)
		}
		a.Correct(1000)
		a.Release()
		c.pass(time.Millisecond)
	}); allocations > 0 {
		t.Errorf("%v allocations", allocations)
	}
}
