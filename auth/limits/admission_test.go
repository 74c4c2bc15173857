package limits

import (
	"testing"
	"time"
)

func wantTokens(t testing.TB, a *Admission, want int64) {
	t.Helper()
	if got := a.State().Tokens.Remaining; got != want {
		t.Fatalf("%d tokens remain, want %d", got, want)
	}
}

func TestReserveAndCorrect(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	a := mustAdmit(t, l, keyed(Rates{TokensPerMinute: 6000}))
	if err := a.Reserve(4000); err != nil {
		t.Fatal(err)
	}
	wantTokens(t, &a, 2000)
	wantRefused(t, a.Reserve(6001), "key tokens 6000 2000 40s 0s")
	b := mustAdmit(t, l, keyed(Rates{TokensPerMinute: 6000}))
	wantRefused(t, b.Reserve(2001), "key tokens 6000 2000 40s 1s") // a holds the space: time alone does not help
	if err := b.Reserve(2000); err != nil {
		t.Fatal(err)
	}
	c.pass(time.Hour)
	wantTokens(t, &a, 0) // what is held does not fill up
	a.Correct(1000)
	wantTokens(t, &b, 3000)
	b.Cancel()
	wantTokens(t, &b, 5000)
	c.pass(5 * time.Second)
	wantTokens(t, &b, 5500)
	b.Correct(500) // without a reservation, too
	wantTokens(t, &b, 5000)
	b.Correct(-500)
	wantTokens(t, &b, 5000)
}

// The reservation of another attempt takes the place of the one before.
func TestReserveAgain(t *testing.T) {
	l := newLimiter(newClock())
	a := mustAdmit(t, l, keyed(Rates{TokensPerMinute: 1000}))
	for _, tokens := range []int64{600, 900, 900, 100, 0, 1000, -5, 1000} {
		if err := a.Reserve(tokens); err != nil {
			t.Fatalf("%d: %v", tokens, err)
		}
		wantTokens(t, &a, 1000-max(tokens, 0))
	}
	a.Release()
	a.Release()
	a.Correct(1000)
	if err := a.Reserve(1000); err != nil || a.State() != (State{}) {
		t.Error("an admission that has ended does something")
	}
	b := mustAdmit(t, l, keyed(Rates{TokensPerMinute: 1000}))
	wantTokens(t, &b, 1000)
}

func TestTooLargeIsSaidSo(t *testing.T) {
	l := newLimiter(newClock())
	a := mustAdmit(t, l, Caller{
		Key: "key-1", KeyRates: Rates{TokensPerMinute: 1000}, Account: "account-1", AccountRates: Rates{TokensPerMinute: 500},
	})
	if err := a.Reserve(400); err != nil {
		t.Fatal(err)
	}
	// The account's limit refuses for good, the key's only for now: the first counts.
	refused := refusal(t, a.Reserve(501))
	wantRefused(t, refused, "account tokens 500 100 48s 0s")
	if !refused.TooLarge || refused.Requested != 501 || refused.Error() !=
		"the request may use 501 tokens, and this account is limited to 500 per minute: lower the output cap or shorten the prompt" {
		t.Errorf("%+v", refused)
	}
	wantTokens(t, &a, 100)
	// The other way about, too.
	c := newClock()
	l = newLimiter(c)
	a = mustAdmit(t, l, Caller{
		Key: "key-1", KeyRates: Rates{TokensPerMinute: 500}, Account: "account-1", AccountRates: Rates{TokensPerMinute: 1000},
	})
	a.Correct(2000)
	c.pass(15 * time.Second)
	wantRefused(t, a.Reserve(501), "key tokens 500 0 3m45s 0s")
}

func TestMoreUsedThanReservedIsADebt(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	a := mustAdmit(t, l, keyed(Rates{TokensPerMinute: 600}))
	if err := a.Reserve(100); err != nil {
		t.Fatal(err)
	}
	a.Correct(1800) // two minutes of debt
	wantRefused(t, a.Reserve(1), "key tokens 600 0 3m0s 2m0.1s")
	c.pass(2*time.Minute + 100*time.Millisecond)
	if err := a.Reserve(1); err != nil {
		t.Fatal(err)
	}
	a.Correct(1 << 62) // a count gone wrong costs an hour, not for ever
	wantRefused(t, a.Reserve(600), "key tokens 600 0 1h1m0s 1h1m0s")
	c.pass(time.Hour + time.Minute)
	wantTokens(t, &a, 600)
}

// Every scope that limits tokens takes part; those that do not keep count all the
// same, so that a limit set in between finds no other number than it left.
func TestTokensInAllScopes(t *testing.T) {
	c := newClock()
	l := newLimiter(c)
	caller := Caller{
		Key: "key-1", KeyRates: Rates{TokensPerMinute: 1000}, Account: "account-1", AccountRates: Rates{RequestsPerMinute: 60},
		Address: address(1), AddressRates: Rates{TokensPerMinute: 2000},
	}
	a := mustAdmit(t, l, caller)
	if err := a.Reserve(800); err != nil {
		t.Fatal(err)
	}
	limited := caller
	limited.AccountRates.TokensPerMinute = 900
	b := mustAdmit(t, l, limited)
	if got := b.State().Tokens; got.Scope != ScopeAccount || got.Remaining != 100 || got.Limit != 900 {
		t.Fatalf("%+v", got)
	}
	a.Correct(0)
	if got := b.State().Tokens; got.Scope != ScopeAccount || got.Remaining != 900 {
		t.Fatalf("%+v", got)
	}
	if got := b.State().Requests; got.Scope != ScopeAccount || got.Remaining != 58 {
		t.Fatalf("%+v", got)
	}
	wantRefused(t, b.Reserve(950), "account tokens 900 900 0s 0s")
	other := mustAdmit(t, l, Caller{Address: address(1), AddressRates: caller.AddressRates})
	wantTokens(t, &other, 2000)
}
