package limits

import (
	"math"
	"time"

	"golang.org/x/time/rate"
)

// longestDebt bounds what a wrong estimate can cost a caller, in minutes of waiting.
const longestDebt = 60

// meter is a rate per minute with a bucket of one minute's worth. A shard's lock
// guards it.
//
// The bucket only ever sees what was really used. rate.Limiter cannot take tokens
// back (a Reservation that may act at once cannot be cancelled later, and what a
// negative number does is not documented), so what is reserved is counted beside it,
// in bucket.held, and enters here when it is known.
//
// It also sets its clock back when an older time is given to it, and would fill that
// stretch twice. guard.advance keeps that from happening.
type meter struct {
	limit  int64         // per minute; no limit unless positive
	bucket *rate.Limiter // nil until there is a limit
}

// set changes the limit. A lower one cuts the bucket at once, a higher one fills
// from where it is: switching to and fro gains nothing.
func (m *meter) set(now time.Time, perMinute int64) {
	perMinute = min(perMinute, math.MaxInt) // where an int has 32 bits
	if m.limit == perMinute {
		return
	}
	m.limit = perMinute
	if perMinute <= 0 {
		return // the bucket stays for the day when a limit comes back
	}
	perSecond := rate.Limit(float64(perMinute) / 60)
	if m.bucket == nil {
		m.bucket = rate.NewLimiter(perSecond, int(perMinute))
		return
	}
	m.bucket.SetLimitAt(now, perSecond)
	m.bucket.SetBurstAt(now, int(perMinute))
}

// wait returns how long it takes until the bucket holds as much. Less than a
// nanosecond is no wait, as in the bucket itself.
func (m *meter) wait(now time.Time, amount int64) time.Duration {
	if m.limit <= 0 {
		return 0
	}
	return m.fill(float64(amount) - m.bucket.TokensAt(now))
}

// fill returns how long the bucket takes to gain as much.
func (m *meter) fill(amount float64) time.Duration {
	if amount <= 0 {
		return 0
	}
	return time.Duration(min(amount/float64(m.limit)*float64(time.Minute), math.MaxInt64/2))
}

// take takes one, which must be there.
func (m *meter) take(now time.Time) {
	if m.limit > 0 {
		m.bucket.ReserveN(now, 1)
	}
}

// use takes what was used, into debt if it must be. A negative number is nothing.
func (m *meter) use(now time.Time, amount int64) {
	if m.limit <= 0 {
		return
	}
	most := m.bucket.TokensAt(now) + longestDebt*float64(m.limit)
	if float64(amount) > most {
		amount = int64(most)
	}
	for ; amount > 0; amount -= m.limit { // a reservation takes a bucket's worth at most
		m.bucket.ReserveN(now, int(min(amount, m.limit)))
	}
}

// holds tells whether the bucket is full up to this part.
func (m *meter) holds(now time.Time, part float64) bool {
	return m.limit <= 0 || m.bucket.TokensAt(now) >= part*float64(m.limit)
}

// read says what the bucket holds apart from what is reserved.
func (m *meter) read(now time.Time, scope Scope, held int64) Reading {
	if m.limit <= 0 {
		return Reading{}
	}
	level := m.bucket.TokensAt(now) - float64(held)
	whole := math.Floor(level)
	if m.fill(whole+1-level) == 0 { // as wait has it
		whole++
	}
	return Reading{Scope: scope, Limit: m.limit, Remaining: int64(max(0, whole)), Reset: m.fill(float64(m.limit) - level)}
}
