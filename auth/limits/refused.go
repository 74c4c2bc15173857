package limits

import (
	"fmt"
	"time"
)

// unknownWait is the advice where other requests must end first.
const unknownWait = time.Second

// Reading is how one rate stands. The zero value says that there is no limit.
type Reading struct {
	Scope Scope
	// Limit is per minute, or at once for a concurrency.
	Limit     int64
	Remaining int64 // 0 or more
	// Reset is the time until all of the limit remains again; 0 for a concurrency.
	Reset time.Duration
}

// State is how a caller's rates stand: of each kind the one that leaves least.
type State struct {
	Requests, Tokens Reading
}

// note keeps the tighter reading of a kind.
func note(kept *Reading, read Reading) {
	if read.Limit > 0 && (kept.Limit == 0 || read.Remaining < kept.Remaining) {
		*kept = read
	}
}

// RefusedError says which limit a request would have broken. Where several stand in
// the way it is the one that does so longest. Nothing was taken from any.
type RefusedError struct {
	Kind Kind
	Reading
	// RetryAfter is when it makes sense to try again; 0 if never, see TooLarge.
	// Where requests under way must end first, it is a second.
	RetryAfter time.Duration
	// TooLarge says that the request may use more tokens than the limit, so that no
	// waiting helps.
	TooLarge bool
	// Requested is how many tokens were to be reserved in all; 0 for other kinds.
	Requested int64
	// State is what the other limits of the caller say, too.
	State State
}

// Error tells the caller what to do. It shows no address and no name.
func (e *RefusedError) Error() string {
	whose := "this " + e.Scope.String()
	if e.Scope == ScopeAddress {
		whose = "your network address"
	}
	switch {
	case e.TooLarge:
		return fmt.Sprintf("the request may use %d tokens, and %s is limited to %d per minute: lower the output cap or shorten the prompt",
			e.Requested, whose, e.Limit)
	case e.Kind == KindConcurrency:
		return fmt.Sprintf("%s is limited to %d requests at once: wait until one of them has ended", whose, e.Limit)
	}
	return fmt.Sprintf("%s is limited to %d %s per minute: try again in %s", whose, e.Limit, e.Kind, roundUp(e.RetryAfter))
}

// roundUp makes a time short to read: whole seconds, or milliseconds below one.
func roundUp(wait time.Duration) time.Duration {
	unit := time.Second
	if wait < time.Second {
		unit = time.Millisecond
	}
	return (wait + unit - 1).Truncate(unit)
}

// longer returns the refusal that stands in the way longer.
func longer(a, b *RefusedError) *RefusedError {
	switch {
	case a == nil:
		return b
	case b == nil || a.TooLarge || !b.TooLarge && a.RetryAfter >= b.RetryAfter:
		return a
	}
	return b
}
