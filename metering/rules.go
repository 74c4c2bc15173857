package metering

import "github.com/faregate/faregate/metering/usage"

// Ending says who ended a request, and when.
type Ending uint8

// The endings of a request.
const (
	EndedComplete   Ending = iota // the provider's answer came to its end
	EndedByProvider               // the provider broke off or failed
	EndedByClient                 // the client left first
	EndedByGateway                // a crash or a planned stop before the terminal bytes
	EndedUnsent                   // no answer of a provider was passed on at all
	EndedUnsettled                // the settlement could not be made durable
)

// Outcome is what is known of a request when its charge is decided.
type Outcome struct {
	Ending     Ending
	HTTPStatus int  // of the provider's answer
	Failed     bool // the answer carried an error, also under status 200
	// Reported usage, and whether the provider reported one that is not all zero.
	Reported bool
	Usage    usage.Usage
	// Provisional tells that the reported output lags behind what was passed on.
	Provisional bool
	// Content tells whether billable output was passed on.
	Content bool
	// Estimate makes our own count: the input, and the output passed on. It is called where
	// it may be what is charged.
	Estimate func() usage.Usage
	// EmptyAllowed tells whether one more empty answer may be waived for this key.
	EmptyAllowed bool
}

// Verdict is what a request is charged for, and why.
type Verdict struct {
	Status Status
	Basis  Basis
	// Usage is what is priced. It is zero where nothing is charged.
	Usage usage.Usage
}

// Judge applies the eight rules of what is charged; the first that matches wins.
//
//  1. status ≥ 400, or an error before any output, and no usage reported: nothing
//  2. usage reported: the reported usage
//  3. output passed on, but no usage reported: our own count
//  4. a normal end without any output: nothing, a limited number of times per key
//  5. ended by us for lack of credit: as 2 or 3. The worst case is held, so that no
//     request is.
//  6. and 7. the client left: usage reported so far, else input and output passed on
//  8. our crash or stop before the terminal bytes: nothing
//
// An estimate is never charged above the hold; the caller, who knows the hold and
// the prices, sees to that.
func Judge(o Outcome) Verdict {
	verdict := Verdict{Status: status(o)}
	switch {
	case o.Ending == EndedByGateway || o.Ending == EndedUnsettled:
		verdict.Basis = BasisInterrupted
	case o.Ending == EndedUnsent || o.HTTPStatus >= 400 && !o.Reported:
		verdict.Basis = BasisWaived
	case o.Reported:
		verdict.Basis, verdict.Usage = BasisMeasured, o.Usage
		if o.Provisional {
			verdict.count(o.Estimate())
		}
	case o.Failed && !o.Content, o.Ending == EndedByProvider && !o.Content:
		verdict.Basis = BasisWaived
	case o.Content || o.Ending == EndedByClient:
		verdict.Basis, verdict.Usage = BasisEstimated, o.Estimate()
	case o.EmptyAllowed:
		verdict.Basis = BasisWaived
	default:
		verdict.Basis, verdict.Usage = BasisEstimated, o.Estimate()
	}
	return verdict
}

// count takes our own count of the output, where that is more than was reported of it.
// The input is known.
func (v *Verdict) count(estimate usage.Usage) {
	more := estimate.OutputTotal - v.Usage.OutputTotal
	if more <= 0 {
		return
	}
	v.Basis = BasisEstimated
	v.Usage.Output += more
	v.Usage.OutputTotal += more
}

func status(o Outcome) Status {
	switch o.Ending {
	case EndedByGateway, EndedUnsettled:
		return StatusInterrupted
	case EndedByClient:
		return StatusClientClosed
	case EndedByProvider, EndedUnsent:
		return StatusProviderError
	}
	if o.Failed || o.HTTPStatus >= 400 {
		return StatusProviderError
	}
	return StatusOK
}
