package limits

import (
	"errors"
	"fmt"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"
)

// clock is a time that only the test moves.
type clock struct{ elapsed atomic.Int64 }

var epoch = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func (c *clock) now() time.Time          { return epoch.Add(c.since()) }
func (c *clock) since() time.Duration    { return time.Duration(c.elapsed.Load()) }
func (c *clock) pass(span time.Duration) { c.elapsed.Add(int64(span)) }
func newClock() *clock                   { return new(clock) }
func newLimiter(c *clock) *Limiter       { return New(Options{Now: c.now}) }
func address(n int) netip.Addr {
	return netip.AddrFrom4([4]byte{byte(n >> 24), byte(n >> 16), byte(n >> 8), byte(n)})
}
func keyed(rates Rates) Caller { return Caller{Key: "key-1", KeyRates: rates} }
func mustAdmit(t testing.TB, l *Limiter, c Caller) Admission {
	t.Helper()
	admission, err := l.Admit(c)
	if err != nil {
		t.Fatal(err)
	}
	return admission
}

func refusal(t testing.TB, err error) *RefusedError {
	t.Helper()
	var refused *RefusedError
	if !errors.As(err, &refused) {
		t.Fatalf("got %v, want a refusal", err)
	}
	return refused
}

// wantRefused checks why a call was refused, in the form "scope kind limit remaining
// reset retry".
func wantRefused(t testing.TB, err error, want string) {
	t.Helper()
	refused := refusal(t, err)
	got := fmt.Sprint(refused.Scope, " ", refused.Kind, " ", refused.Limit, " ", refused.Remaining, " ",
		refused.Reset.Round(time.Millisecond), " ", refused.RetryAfter.Round(time.Millisecond))
	if got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
