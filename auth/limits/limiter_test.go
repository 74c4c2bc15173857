package limits

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"
)

func TestRequestsPerMinute(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	caller := keyed(Rates{RequestsPerMinute: 60})
	for i := range 60 {
		a := mustAdmit(t, l, caller)
		if got := a.State().Requests; got.Limit != 60 || got.Remaining != int64(59-i) || got.Reset != time.Duration(i+1)*time.Second || got.Scope != ScopeKey {
			t.Fatalf("after %d: %+v", i+1, got)
		}
		a.Release()
	}
	_, err := l.Admit(caller)
	refused := refusal(t, err)
	wantRefused(t, refused, "key requests 60 0 1m0s 1s")
	if text := refused.Error(); text != "this key is limited to 60 requests per minute: try again in 1s" {
		t.Error(text)
	}
	c.pass(refused.RetryAfter - time.Millisecond)
	_, err = l.Admit(caller)
	wantRefused(t, err, "key requests 60 0 59.001s 1ms")
	c.pass(time.Millisecond)
	mustAdmit(t, l, caller)
	_, err = l.Admit(caller)
	wantRefused(t, err, "key requests 60 0 1m0s 1s")
	// Another key has its own.
	mustAdmit(t, l, Caller{Key: "key-2", KeyRates: caller.KeyRates})
}

// A retry that waits exactly as long as it was told is admitted, whatever the rate.
func TestRetryAfterIsEnough(t *testing.T) {
	for _, limit := range []int64{1, 3, 7, 59, 60, 61, 997, 100_003, 1_000_000_007} {
		c := newClock()
		l := newLimiter(c)
		caller := keyed(Rates{TokensPerMinute: limit})
		a := mustAdmit(t, l, caller)
		for range 100 {
			for _, tokens := range []int64{limit, limit/3 + 1, 1} {
				if a.Reserve(tokens) == nil { // the first time
					a.Correct(tokens)
				}
				refused := refusal(t, a.Reserve(tokens))
				c.pass(refused.RetryAfter)
				if got := a.State().Tokens.Remaining; got != tokens {
					t.Fatalf("limit %d: %d remain where %d can be reserved", limit, got, tokens)
				}
				if err := a.Reserve(tokens); err != nil {
					t.Fatalf("limit %d, %d tokens, after %s: %v", limit, tokens, refused.RetryAfter, err)
				}
				a.Correct(tokens)
			}
		}
	}
}

func TestConcurrency(t *testing.T) {
	l := newLimiter(newClock())
	caller := Caller{Account: "account-1", AccountRates: Rates{Concurrency: 2}}
	first, second := mustAdmit(t, l, caller), mustAdmit(t, l, caller)
	_, err := l.Admit(caller)
	refused := refusal(t, err)
	wantRefused(t, refused, "account concurrency 2 0 0s 1s")
	if text := refused.Error(); text != "this account is limited to 2 requests at once: wait until one of them has ended" {
		t.Error(text)
	}
	first.Release()
	first.Release()
	third := mustAdmit(t, l, caller)
	_, err = l.Admit(caller)
	wantRefused(t, err, "account concurrency 2 0 0s 1s")
	second.Release()
	third.Release()
	mustAdmit(t, l, caller)
}

// The refusal is the one that takes longest, so that waiting for it is enough.
func TestTheLongestRefusalIsTold(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	caller := Caller{
		Key: "key-1", KeyRates: Rates{RequestsPerMinute: 60}, Account: "account-1", AccountRates: Rates{RequestsPerMinute: 6},
		Address: address(1), AddressRates: Rates{Concurrency: 1},
	}
	for _, only := range []Caller{
		{Key: caller.Key, KeyRates: caller.KeyRates}, {Account: caller.Account, AccountRates: caller.AccountRates},
	} {
		for _, err := l.Admit(only); err == nil; _, err = l.Admit(only) {
		}
	}
	_, err := l.Admit(caller)
	refused := refusal(t, err)
	wantRefused(t, refused, "account requests 6 0 1m0s 10s")
	if state := refused.State; state.Requests.Limit != 60 || state.Requests.Remaining != 0 || state.Tokens != (Reading{}) {
		t.Errorf("%+v", state) // of two that leave nothing, the first
	}
	c.pass(10 * time.Second)
	a := mustAdmit(t, l, caller)
	c.pass(10 * time.Second)
	_, err = l.Admit(caller)
	refused = refusal(t, err)
	wantRefused(t, refused, "address concurrency 1 0 0s 1s")
	if !strings.HasPrefix(refused.Error(), "your network address is limited to 1 requests") {
		t.Error(refused)
	}
	a.Release()
	mustAdmit(t, l, caller)
}

func TestRatesOver(t *testing.T) {
	group := Rates{RequestsPerMinute: 60, TokensPerMinute: 1000, Concurrency: 4}
	if got := (Rates{TokensPerMinute: 5, Concurrency: NoLimit}).Over(group); got != (Rates{60, 5, NoLimit}) {
		t.Errorf("%+v", got)
	}
	l := newLimiter(newClock())
	for range 100 {
		mustAdmit(t, l, keyed(Rates{RequestsPerMinute: NoLimit}.Over(group.withoutConcurrency())))
	}
}

func (r Rates) withoutConcurrency() Rates { r.Concurrency = NoLimit; return r }

func TestChangedRatesCountAtOnce(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	remaining := func(rates Rates) int64 {
		t.Helper()
		a := mustAdmit(t, l, keyed(rates))
		defer a.Release()
		return a.State().Requests.Remaining
	}
	if got := remaining(Rates{RequestsPerMinute: 600}); got != 599 {
		t.Fatal(got)
	}
	if got := remaining(Rates{RequestsPerMinute: 6}); got != 5 { // cut at once
		t.Fatal(got)
	}
	if got := remaining(Rates{RequestsPerMinute: 6}); got != 4 {
		t.Fatal(got)
	}
	c.pass(10 * time.Second)
	if got := remaining(Rates{RequestsPerMinute: 6}); got != 4 { // and it fills at the new pace
		t.Fatal(got)
	}
	c.pass(10 * time.Second)
	if got := remaining(Rates{RequestsPerMinute: 600}); got != 4 { // no gift for changing to and fro
		t.Fatal(got)
	}
	c.pass(time.Second)
	if got := remaining(Rates{RequestsPerMinute: 600}); got != 13 {
		t.Fatal(got)
	}
	if got := remaining(Rates{Concurrency: 5}); got != 0 { // without a limit nothing is said
		t.Fatal(got)
	}
	if got := remaining(Rates{RequestsPerMinute: 600}); got != 12 {
		t.Fatal(got)
	}
	// A lower concurrency refuses until enough have ended.
	first, second := mustAdmit(t, l, keyed(Rates{Concurrency: 2})), mustAdmit(t, l, keyed(Rates{Concurrency: 2}))
	first.Release()
	_, err := l.Admit(keyed(Rates{Concurrency: 1}))
	wantRefused(t, err, "key concurrency 1 0 0s 1s")
	second.Release()
	mustAdmit(t, l, keyed(Rates{Concurrency: 1}))
}

func TestWhatIsOneAddress(t *testing.T) {
	rates := Rates{RequestsPerMinute: 1}
	for _, example := range []struct {
		first, second string
		same          bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"192.0.2.1", "::192.0.2.1", false},
		{"2001:db8:1:2::1", "2001:db8:1:2:ffff:ffff:ffff:ffff", true},
		{"2001:db8:1:2::1", "2001:db8:1:3::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
		{"0.0.0.1", "::1", false},
	} {
		l := newLimiter(newClock())
		mustAdmit(t, l, Caller{Address: netip.MustParseAddr(example.first), AddressRates: rates})
		_, err := l.Admit(Caller{Address: netip.MustParseAddr(example.second), AddressRates: rates})
		if (err != nil) != example.same {
			t.Errorf("%s and %s: %v", example.first, example.second, err)
		}
	}
}

func TestWhatIsLeftOut(t *testing.T) {
	l := newLimiter(newClock())
	for range 5 {
		mustAdmit(t, l, Caller{
			Key: "", KeyRates: Rates{Concurrency: 1}, Account: "account-1", AccountRates: Rates{RequestsPerMinute: NoLimit},
			Address: netip.Addr{}, AddressRates: Rates{Concurrency: 1},
		})
	}
	if stats := l.Stats(); stats != (Stats{}) {
		t.Errorf("%+v", stats)
	}
}

// A clock that goes back neither fills a bucket twice nor empties it.
func TestClockGoingBackGainsNothing(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	caller := keyed(Rates{RequestsPerMinute: 60})
	admitted := 0
	for range 1000 {
		for _, step := range []time.Duration{10 * time.Second, -10 * time.Second} {
			c.pass(step)
			if _, err := l.Admit(caller); err == nil {
				admitted++
			}
		}
	}
	if admitted != 60 {
		t.Errorf("admitted %d", admitted)
	}
}

// One shard may have seen a later time than another: both go on from the later one.
func TestShardsTakeTheLaterTime(t *testing.T) {
	rates := Rates{RequestsPerMinute: 600, TokensPerMinute: 600}
	both := Caller{Key: "key-1", KeyRates: rates, Account: "account-1", AccountRates: rates}
	onlyKey, onlyAccount := keyed(rates), Caller{Account: "account-1", AccountRates: rates}
	for _, order := range []struct{ ahead, behind Caller }{{onlyKey, onlyAccount}, {onlyAccount, onlyKey}} {
		start := func() (*Limiter, Admission, Admission) {
			c := newClock()
			l := newLimiter(c)
			a, b := mustAdmit(t, l, both), mustAdmit(t, l, order.behind)
			c.pass(30 * time.Second)
			mustAdmit(t, l, order.ahead)
			c.pass(-30 * time.Second)
			return l, a, b
		}
		l, _, b := start()
		for range 10 {
			mustAdmit(t, l, both)
			mustAdmit(t, l, order.behind)
		}
		if got := b.State().Requests.Remaining; got != 580 {
			t.Errorf("%s ahead: %d requests remain", order.ahead, got)
		}
		_, a, b := start()
		for range 10 {
			a.Correct(20)
			b.Correct(20)
		}
		if got := b.State().Tokens.Remaining; got != 200 {
			t.Errorf("%s ahead: %d tokens remain", order.ahead, got)
		}
	}
}

func TestNothingPrintsAnAddress(t *testing.T) {
	l, lockout := newLimiter(newClock()), NewLockout(LockoutOptions{})
	address := netip.MustParseAddr("203.0.113.77")
	caller := Caller{Key: "key-1", Account: "account-1", Address: address, AddressRates: Rates{RequestsPerMinute: 1}}
	admission := mustAdmit(t, l, caller)
	lockout.Fail(address, "wrong")
	_, err := l.Admit(caller)
	wantRefused(t, err, "address requests 1 0 1m0s 1m0s")
	number := fmt.Sprint(uint64(networkOf(address)))
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%d", "%x", "%q"} {
		for _, value := range []any{caller, &caller, l, *l, admission, &admission, lockout, err, struct{ C Caller }{caller}} {
			text := fmt.Sprintf(verb, value)
			for _, secret := range []string{"203.0.113", number, fmt.Sprintf("%x", uint64(networkOf(address)))} {
				if strings.Contains(text, secret) {
					t.Errorf("%s of %T: %s", verb, value, text)
				}
			}
		}
	}
}
