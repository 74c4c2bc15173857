package caddymodule

import (
	"context"
	"errors"
	"net/http"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
)

// tries are the attempts of one request, and what is told if none is answered.
type tries struct {
	exchange *Exchange
	request  *http.Request
	running  *upstream.Call
	worst    *failure
	short    *shortageError
}

// release gives the place at the provider back.
func (t *tries) release() {
	if t.running != nil {
		t.running.Done(upstream.Outcome{})
	}
}

// failed notes how an attempt failed.
func (t *tries) failed(f *failure) {
	if t.worst == nil || f.rank() > t.worst.rank() {
		t.worst = f
	}
}

// uncovered judges an attempt that the hold cannot be made to suffice for. If another
// one may be cheaper, it returns nothing.
func (t *tries) uncovered(attempt upstream.Attempt, err error) (*http.Response, error) {
	ex := t.exchange
	switch {
	case ex.clientLeft():
		return t.left()
	case errors.As(err, &t.short), errors.Is(err, errUnboundedInput):
		ex.plan.LeaveOut(attempt)
		return nil, nil
	}
	return t.refuse(problemOf(ex.dialect, err))
}

// none answers when nobody is left to be asked, or nobody can be now. What the caller
// can mend comes first, then what a provider said, then why none was asked.
func (t *tries) none(err error) (*http.Response, error) {
	ex := t.exchange
	if ex.clientLeft() {
		return t.left()
	}
	if t.worst != nil {
		ex.providerStatus = t.worst.status
		if t.worst.passOn {
			return t.worst.response(t.request, ex.dialect, ex.id), nil
		}
	}
	var nobody *upstream.UnavailableError
	isUnavailable := errors.As(err, &nobody)
	switch {
	case t.short != nil:
		return t.refuse(noCredit(ex.dialect, t.short, t.worst != nil || isUnavailable))
	case t.worst != nil:
		return t.refuse(t.worst.problem(ex.id))
	case isUnavailable:
		return t.refuse(unavailable(nobody))
	}
	// What the hold was placed for is one of the attempts.
	return t.refuse(dialect.NewError(dialect.CodeInternal))
}

// left ends the attempts as nobody waits for an answer. What a provider has refused costs
// nothing, and its status is recorded.
func (t *tries) left() (*http.Response, error) {
	if t.worst != nil && t.worst.status >= http.StatusBadRequest {
		t.exchange.providerStatus = t.worst.status
	}
	return nil, context.Canceled
}

func (t *tries) refuse(problem *dialect.Error) (*http.Response, error) {
	t.exchange.problem = problem.WithRequestID(t.exchange.id)
	return errorResponse(t.request, t.exchange.dialect, t.exchange.problem), nil
}
