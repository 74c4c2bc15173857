package limits

import "time"

// bucket is what one key, account or network has used lately. Its guard's lock
// guards it.
type bucket struct {
	guard    *guard
	requests meter
	tokens   meter
	// held is how many tokens are reserved and not corrected yet.
	held int64
	// inFlight is how many requests are under way, with or without a limit. While
	// there is one, the bucket is not given up: admissions point to it.
	inFlight int64
	seen     time.Time
}

func (b *bucket) lastSeen() time.Time { return b.seen }

// worth tells what would be forgotten with the bucket.
func (b *bucket) worth(now time.Time) worth {
	switch {
	case b.inFlight > 0:
		return needed
	case b.requests.holds(now, 1) && b.tokens.holds(now, 1):
		return worthless
	case b.requests.holds(now, 0.5) && b.tokens.holds(now, 0.5):
		return slight
	}
	return needed
}

// admit says why a request cannot be admitted, or nil. It takes nothing.
func (b *bucket) admit(now time.Time, scope Scope, rates *Rates) *RefusedError {
	if rates.Concurrency > 0 && b.inFlight >= rates.Concurrency {
		return &RefusedError{
			Kind:       KindConcurrency,
			Reading:    Reading{Scope: scope, Limit: rates.Concurrency},
			RetryAfter: unknownWait,
		}
	}
	if wait := b.requests.wait(now, 1); wait > 0 {
		return &RefusedError{Kind: KindRequests, Reading: b.requests.read(now, scope, 0), RetryAfter: wait}
	}
	return nil
}

// reserve says why more tokens cannot be reserved, or nil. It takes nothing.
// Whole is what the request's reservation would come to.
func (b *bucket) reserve(now time.Time, scope Scope, more, whole int64) *RefusedError {
	if b.tokens.limit <= 0 {
		return nil
	}
	var wait time.Duration
	needed := b.held + more
	switch {
	case whole > b.tokens.limit:
	case needed > b.tokens.limit:
		// Others hold the space: the bucket cannot fill up to it before they settle.
		wait = max(b.tokens.wait(now, b.tokens.limit), unknownWait)
	default:
		if wait = b.tokens.wait(now, needed); wait == 0 {
			return nil
		}
	}
	return &RefusedError{
		Kind: KindTokens, Reading: b.tokens.read(now, scope, b.held),
		RetryAfter: wait, TooLarge: whole > b.tokens.limit, Requested: whole,
	}
}
