package caddymodule

import (
	"context"
	"errors"
	"time"

	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/price"
)

// leastOutputCap is the shortest answer that is asked for in place of a longer one.
const leastOutputCap = 1024

// waitedLong is how long a placing takes that has waited for other requests in vain:
// the next provider is not waited for again.
const waitedLong = time.Second

// shortageError says that a request's worst case cannot be held.
type shortageError struct {
	*ledger.InsufficientError                // the last refusal
	needed                    metering.Nanos // for all that was asked for
	least                     metering.Nanos // for the shortest answer that may be asked for
	// leastTokens is how long that is; 0 where the cap must not be lowered.
	leastTokens int64
}

func (e *shortageError) Unwrap() error { return e.InsufficientError }

// place holds for the first attempt that can be paid for, in order of the plan, and
// leaves those before it out of the plan.
func (ex *Exchange) place(rates *price.Rates) (*ledger.Hold, error) {
	var refusal error
	var short *shortageError // the last refusal for want of credit
	patient := true
	for _, attempt := range ex.plan.Targets() {
		wanted, err := ex.admissible(rates, attempt)
		if err != nil {
			if refusal == nil {
				refusal = err
			}
			ex.plan.LeaveOut(attempt)
			continue
		}
		if short != nil {
			least, err := wanted.lowered(rates, ex.leastCap(wanted))
			if err != nil {
				return nil, err
			}
			if least.amount >= short.least {
				ex.plan.LeaveOut(attempt)
				continue // no cheaper than what was refused
			}
		}
		began := ex.app.now()
		ex.wantedOf = attempt.Limits
		hold, err := ex.placeFor(rates, wanted, patient)
		refused, ok := errors.AsType[*shortageError](err)
		if !ok {
			return hold, err
		}
		ex.plan.LeaveOut(attempt)
		refusal, short = err, refused
		patient = patient && ex.app.now().Sub(began) < waitedLong
	}
	return nil, refusal
}

// placeFor holds for what is wanted, or for less, but not for less than the least. It does
// not wait unless nothing is to be had without.
func (ex *Exchange) placeFor(rates *price.Rates, wanted allowance, patient bool) (*ledger.Hold, error) {
	request := ledger.Request{AccountID: ex.principal.AccountID, KeyID: ex.principal.KeyID, Amount: wanted.amount}
	ex.wanted, ex.granted = wanted, wanted
	hold, err := ex.runtime.ledger.Place(ex.client, request)
	refused, ok := errors.AsType[*ledger.InsufficientError](err)
	if !ok {
		return hold, err
	}
	least, err := wanted.lowered(rates, ex.leastCap(wanted))
	if err != nil {
		return nil, err
	}
	if lower, ok := wanted.within(rates, refused.Available, least.outputCap); ok && lower.amount < wanted.amount {
		ex.granted, request.Amount = lower, lower.amount
		hold, err = ex.runtime.ledger.Place(ex.client, request)
		if refused, ok = errors.AsType[*ledger.InsufficientError](err); !ok {
			return hold, err
		}
	}
	if !patient {
		return nil, shortage(refused, wanted, least)
	}
	request.Amount, request.Wait = least.amount, true
	ctx, cancel := ex.whileServing()
	defer cancel()
	hold, err = ex.runtime.ledger.Place(ctx, request)
	if refused, ok = errors.AsType[*ledger.InsufficientError](err); ok {
		return nil, shortage(refused, wanted, least)
	}
	if err != nil {
		return nil, err
	}
	if ex.granted, err = ex.stretch(rates, hold, wanted, least); err != nil {
		hold.Release()
		return nil, err
	}
	return hold, nil
}

// cover makes the hold suffice for an attempt, and says what the attempt may use.
func (ex *Exchange) cover(attempt upstream.Attempt) (allowance, error) {
	if attempt.Limits == ex.wantedOf { // nothing else of it counts in what is wanted
		return ex.admitted(ex.granted, nil)
	}
	rates, hold := ex.settlement.rates, ex.settlement.hold
	wanted, err := ex.admissible(rates, attempt)
	if err != nil {
		return allowance{}, err
	}
	if wanted == ex.wanted {
		return ex.admitted(ex.granted, nil)
	}
	least, err := wanted.lowered(rates, ex.leastCap(wanted))
	if err != nil {
		return allowance{}, err
	}
	return ex.admitted(ex.stretch(rates, hold, wanted, least))
}

// stretch extends the hold towards what is wanted: all of it, or as long an answer as
// can be had, but none shorter than least.
func (ex *Exchange) stretch(rates *price.Rates, hold *ledger.Hold, wanted, least allowance) (allowance, error) {
	held := hold.Amount()
	if wanted.amount <= held {
		return wanted, nil
	}
	err := hold.Extend(ex.client, wanted.amount-held)
	var refused *ledger.InsufficientError
	if !errors.As(err, &refused) {
		return wanted, err
	}
	for _, available := range [...]metering.Nanos{held + refused.Available, held} {
		lower, ok := wanted.within(rates, available, least.outputCap)
		if !ok {
			break
		}
		if lower.amount <= held {
			return lower, nil
		}
		if err = hold.Extend(ex.client, lower.amount-held); !errors.As(err, &refused) {
			return lower, err
		}
	}
	short := *refused
	short.Available += held
	return allowance{}, shortage(&short, wanted, least)
}

func shortage(refused *ledger.InsufficientError, wanted, least allowance) *shortageError {
	short := &shortageError{InsufficientError: refused, needed: wanted.amount, least: least.amount}
	if least != wanted {
		short.leastTokens = least.outputCap
	}
	return short
}

// whileServing is done when the client has left or the gateway stops: a wait for credit
// must outlast neither.
func (ex *Exchange) whileServing() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ex.client)
	stop := context.AfterFunc(ex.runtime.serving, func() { cancel(errShuttingDown) })
	return ctx, func() {
		stop()
		cancel(context.Canceled)
	}
}
