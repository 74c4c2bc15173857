package limits

import (
	"fmt"
	"io"
	"net/netip"
	"time"
)

// Options tunes a Limiter; the zero value suits every server.
type Options struct {
	// Now is the clock; nil is time.Now.
	Now func() time.Time
	// Keys, Accounts and Addresses bound how many of each are in memory; 0 is 131072.
	// An address with a limit of requests takes some 280 bytes, a key or an account
	// with all limits some 400. Each bound is split among 32 parts, which fill unevenly.
	Keys, Accounts, Addresses int
}

const defaultSize = 131072

func (o Options) withDefaults() Options {
	if o.Now == nil {
		o.Now = time.Now
	}
	for _, size := range [...]*int{&o.Keys, &o.Accounts, &o.Addresses} {
		if *size <= 0 {
			*size = defaultSize
		}
	}
	return o
}

// Limiter counts what callers do. It may be used by many goroutines at once.
type Limiter struct {
	now       func() time.Time
	keys      *table[string, *bucket]
	accounts  *table[string, *bucket]
	addresses *table[network, *bucket]
}

// New makes a Limiter.
func New(options Options) *Limiter {
	options = options.withDefaults()
	return &Limiter{
		now:       options.Now,
		keys:      newTable[string, *bucket](options.Keys),
		accounts:  newTable[string, *bucket](options.Accounts),
		addresses: newTable[network, *bucket](options.Addresses),
	}
}

// Format prints no address under any verb.
func (l *Limiter) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "limiter") }

// Caller is who makes a request, and what each may do. An empty name, an address that
// is not valid and a scope without any limit are left out.
type Caller struct {
	Key, Account                         string
	Address                              netip.Addr
	KeyRates, AccountRates, AddressRates Rates
}

// Format prints only the ids under every verb, never the address.
func (c Caller) Format(state fmt.State, _ rune) {
	_, _ = io.WriteString(state, "key "+c.Key+" of account "+c.Account)
}

// Admit takes one request, and one place among those under way, from all three
// scopes of a caller. If any of them has none to give, it takes nothing and returns
// a *RefusedError.
func (l *Limiter) Admit(caller Caller) (Admission, error) {
	admission := Admission{now: l.now}
	now := l.now()
	// The locks are taken in the order of the scopes, here and everywhere: nobody can
	// wait for the other in a circle.
	if caller.Key != "" && caller.KeyRates.limit() {
		admission.buckets[ScopeKey], now = open(l.keys, caller.Key, now)
	}
	if caller.Account != "" && caller.AccountRates.limit() {
		admission.buckets[ScopeAccount], now = open(l.accounts, caller.Account, now)
	}
	if caller.Address.IsValid() && caller.AddressRates.limit() {
		admission.buckets[ScopeAddress], now = open(l.addresses, networkOf(caller.Address), now)
	}
	defer admission.unlock()
	rates := [scopes]*Rates{&caller.KeyRates, &caller.AccountRates, &caller.AddressRates}
	var refused *RefusedError
	for i, b := range admission.buckets {
		if b == nil {
			continue
		}
		b.guard.latest, b.seen = now, now
		b.requests.set(now, rates[i].RequestsPerMinute)
		b.tokens.set(now, rates[i].TokensPerMinute)
		refused = longer(refused, b.admit(now, Scope(i), rates[i]))
	}
	if refused != nil {
		refused.State = admission.state(now)
		return Admission{}, refused
	}
	for _, b := range admission.buckets {
		if b != nil {
			b.requests.take(now)
			b.inFlight++
		}
	}
	return admission, nil
}

// open finds or makes the bucket of a name and locks its shard. The time that it
// returns is not before any that the shard has seen.
func open[K comparable](t *table[K, *bucket], name K, now time.Time) (*bucket, time.Time) {
	s := t.shard(name)
	s.lock.Lock()
	now = s.advance(now)
	found, ok := s.records.Get(name)
	switch {
	case ok:
	case s.makeRoom(now):
		found = &bucket{guard: &s.guard}
		s.records.Add(name, found)
	default:
		if s.overflow == nil {
			s.overflow = &bucket{guard: &s.guard}
		}
		found = s.overflow
	}
	return found, now
}

// Stats says how much is in memory.
type Stats struct {
	Keys, Accounts, Addresses int
	// Crowded counts how often a name found no room and had to share a bucket with
	// others like it: the table is too small, or somebody floods it.
	Crowded uint64
}

// Stats returns what is in memory at present.
func (l *Limiter) Stats() Stats {
	var stats Stats
	var crowded [scopes]uint64
	stats.Keys, crowded[ScopeKey] = l.keys.count()
	stats.Accounts, crowded[ScopeAccount] = l.accounts.count()
	stats.Addresses, crowded[ScopeAddress] = l.addresses.count()
	stats.Crowded = crowded[ScopeKey] + crowded[ScopeAccount] + crowded[ScopeAddress]
	return stats
}
