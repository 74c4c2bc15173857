package caddymodule

import (
	"errors"
	"math"
	"net/http"
	"net/netip"
	"sync"

	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/price"
)

// admission is a request's place within the limits of its caller. faregate_auth gets it
// and ends it, unless there is a settlement by then: whoever makes that ends it, maybe
// after the handler, while the request may still ask how its limits stand.
type admission struct {
	// tokensPerMinute is the lowest of the caller's limits; 0 is none.
	tokensPerMinute int64

	mutex   sync.Mutex
	granted limits.Admission
	ended   bool
	last    limits.State // when it ended
}

// admit takes the request into the limits of its key, its account and its client's
// address, of which nothing is kept here: *limits.RefusedError.
func (ex *Exchange) admit(address netip.Addr) error {
	caller := limits.Caller{
		Key: ex.principal.KeyID, KeyRates: ex.principal.Rates,
		Account: ex.principal.AccountID, AccountRates: ex.app.groupOf(ex.principal).rates(),
		Address: address, AddressRates: ex.app.ClientLimits.rates(),
	}
	ex.admission = &admission{tokensPerMinute: lowestLimit(
		caller.KeyRates.TokensPerMinute, caller.AccountRates.TokensPerMinute, caller.AddressRates.TokensPerMinute)}
	ex.delivery.begin = ex.tellLimits
	var err error
	ex.admission.granted, err = ex.runtime.limiter.Admit(caller)
	if refused, ok := errors.AsType[*limits.RefusedError](err); ok {
		ex.admission.ended, ex.admission.last = true, refused.State
	}
	return err
}

func lowestLimit(all ...int64) int64 {
	var lowest int64
	for _, limit := range all {
		if limit > 0 && (lowest == 0 || limit < lowest) {
			lowest = limit
		}
	}
	return lowest
}

// dismiss ends the admission of a request that nobody settles.
func (ex *Exchange) dismiss() {
	if ex.settlement == nil {
		ex.admission.end(0)
	}
}

// reserve takes tokens aside in place of those before: *limits.RefusedError.
func (a *admission) reserve(tokens int64) error {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	return a.granted.Reserve(tokens)
}

// end takes what was really used and frees the request's place. A second call does
// nothing.
func (a *admission) end(tokens int64) {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.ended {
		return
	}
	a.granted.Correct(tokens)
	a.ended, a.last = true, a.granted.State()
	a.granted.Release()
}

// endWith ends the admission with what the record says was used, charged or not.
func (a *admission) endWith(record *metering.Record) {
	a.end(sumOfTokens(record.Usage.InputTotal, record.Usage.OutputTotal))
}

func (a *admission) state() limits.State {
	a.mutex.Lock()
	defer a.mutex.Unlock()
	if a.ended {
		return a.last
	}
	return a.granted.State()
}

// tellLimits writes the rate limit header fields of an answer that begins.
func (ex *Exchange) tellLimits(header http.Header) {
	ex.dismiss() // whoever has read a list or a refusal may come again, before the handler has ended
	state := ex.admission.state()
	dialect.SetRateLimits(header, ex.dialect, dialect.RateLimits{
		Requests: rateLimit(state.Requests), Tokens: rateLimit(state.Tokens),
	}, ex.app.now())
}

func rateLimit(r limits.Reading) dialect.RateLimit {
	return dialect.RateLimit{Limit: r.Limit, Remaining: r.Remaining, Reset: r.Reset}
}

// tokens is how many the allowance lets an attempt use.
func (a allowance) tokens() int64 { return sumOfTokens(a.bound.InputTokens, a.bound.OutputTokens) }

func sumOfTokens(input, output int64) int64 {
	return max(input, 0) + min(max(output, 0), math.MaxInt64-max(input, 0))
}

// admissible is the worst case of an attempt, with the output cap lowered as far as a
// minute's tokens demand and the caller allows: no waiting would help a request that
// may use more than those.
func (ex *Exchange) admissible(rates *price.Rates, attempt upstream.Attempt) (allowance, error) {
	wanted, err := ex.worstCase(rates, attempt)
	limit := ex.admission.tokensPerMinute
	if err != nil || limit == 0 || wanted.tokens() <= limit {
		return wanted, err
	}
	if outputCap := (limit - wanted.bound.InputTokens) / max(wanted.answers, 1); outputCap >= ex.leastCap(wanted) {
		return wanted.lowered(rates, outputCap)
	}
	return wanted, ex.admission.reserve(wanted.tokens())
}

// placeAdmitted holds what place does, and reserves its tokens.
func (ex *Exchange) placeAdmitted(rates *price.Rates) (*ledger.Hold, error) {
	hold, err := ex.place(rates)
	if err != nil {
		return nil, err
	}
	if err := ex.admission.reserve(ex.granted.tokens()); err != nil {
		hold.Release()
		return nil, err
	}
	return hold, nil
}

// admitted reserves the tokens of an attempt that the hold covers.
func (ex *Exchange) admitted(covered allowance, err error) (allowance, error) {
	if err == nil {
		err = ex.admission.reserve(covered.tokens())
	}
	return covered, err
}
