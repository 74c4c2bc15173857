package limits

import (
	"fmt"
	"io"
	"time"
)

// Admission is a request that is under way. It has one owner at a time: a copy hands
// it on, and whoever handed it on must not use it any more. The zero value is an
// admission that has ended; its methods do nothing.
type Admission struct {
	now      func() time.Time
	buckets  [scopes]*bucket // nil for a scope without limits
	reserved int64
}

// Format prints nothing of the caller under any verb.
func (a Admission) Format(state fmt.State, _ rune) { _, _ = io.WriteString(state, "admission") }

// Reserve sets aside the tokens that the request may use at most, in all scopes that
// limit tokens. What it had reserved before is exchanged for it, as for another
// attempt. If any scope has too few, everything stays as it was, and Reserve returns
// a *RefusedError.
func (a *Admission) Reserve(tokens int64) error {
	tokens = max(tokens, 0)
	more := tokens - a.reserved
	if more == 0 || a.now == nil {
		return nil
	}
	now := a.lock()
	defer a.unlock()
	if more > 0 { // a smaller reservation needs no leave
		var refused *RefusedError
		for i, b := range a.buckets {
			if b != nil {
				refused = longer(refused, b.reserve(now, Scope(i), more, tokens))
			}
		}
		if refused != nil {
			refused.State = a.state(now)
			return refused
		}
	}
	for _, b := range a.buckets {
		if b != nil {
			b.held += more
		}
	}
	a.reserved = tokens
	return nil
}

// Correct takes the tokens that were really used, more or fewer than were reserved,
// and ends the reservation. Another call takes more.
func (a *Admission) Correct(actual int64) {
	if a.now == nil {
		return
	}
	now := a.lock()
	defer a.unlock()
	for _, b := range a.buckets {
		if b != nil {
			b.held -= a.reserved
			b.tokens.use(now, actual)
		}
	}
	a.reserved = 0
}

// Cancel ends the reservation of a request that used no tokens.
func (a *Admission) Cancel() { a.Correct(0) }

// Release ends the request: its place is free again, and what is still reserved goes
// back unused. The request itself stays counted. A second call does nothing.
func (a *Admission) Release() {
	if a.now == nil {
		return
	}
	for _, b := range a.buckets {
		if b != nil { // one after the other: nothing is decided here
			b.guard.lock.Lock()
			b.held -= a.reserved
			b.inFlight--
			b.guard.lock.Unlock()
		}
	}
	*a = Admission{}
}

// State says how the caller's rates stand at present.
func (a *Admission) State() State {
	if a.now == nil {
		return State{}
	}
	now := a.lock()
	defer a.unlock()
	return a.state(now)
}

// state reads the rates; the locks must be held.
func (a *Admission) state(now time.Time) State {
	var state State
	for i, b := range a.buckets {
		if b != nil {
			note(&state.Requests, b.requests.read(now, Scope(i), 0))
			note(&state.Tokens, b.tokens.read(now, Scope(i), b.held))
		}
	}
	return state
}

// lock locks the shards in the order of the scopes, and returns a time that is not
// before any that they have seen.
func (a *Admission) lock() time.Time {
	now := a.now()
	for _, b := range a.buckets {
		if b != nil {
			b.guard.lock.Lock()
			now = b.guard.advance(now)
		}
	}
	for _, b := range a.buckets {
		if b != nil {
			b.guard.latest = now
		}
	}
	return now
}

func (a *Admission) unlock() {
	for _, b := range a.buckets {
		if b != nil {
			b.guard.lock.Unlock()
		}
	}
}
