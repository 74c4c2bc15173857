package caddymodule

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/faregate/faregate/auth"
	"github.com/faregate/faregate/auth/limits"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/price"
)

// Errors of the chain's own.
var (
	errPlainHTTP       = errors.New("plain http from another machine")
	errShuttingDown    = errors.New("shutting down")
	errInternal        = errors.New("internal error")
	errModelNotAllowed = errors.New("the key may not call this model")
	errNoPrice         = errors.New("the model has no price")
	errUnboundedInput  = errors.New("input that is not in the body cannot be bounded")
	errBodyUnreadable  = errors.New("reading the request body")
	errProxy           = errors.New("proxying")
)

// codes maps errors to what the caller is told, once, here at the edge. Anything
// that is not among them is an internal error.
var codes = []struct {
	err  error
	code dialect.Code
}{
	{dialect.ErrNoCredential, dialect.CodeNoKey},
	{dialect.ErrAmbiguousCredential, dialect.CodeAmbiguousKey},
	{dialect.ErrNoOperation, dialect.CodeNotFound},
	{auth.ErrMalformedKey, dialect.CodeMalformedKey},
	{auth.ErrUnknownKey, dialect.CodeUnknownKey},
	{auth.ErrExpiredKey, dialect.CodeExpiredKey},
	{auth.ErrSuspended, dialect.CodeSuspended},
	{auth.ErrBusy, dialect.CodeStoreUnavailable},
	{auth.ErrUnavailable, dialect.CodeStoreUnavailable},
	{ledger.ErrCrowded, dialect.CodeTooManyWaiting},
	{ledger.ErrElsewhere, dialect.CodeCreditElsewhere}, // before ErrUnavailable, which it comes with
	{ledger.ErrUnavailable, dialect.CodeStoreUnavailable},
	{ledger.ErrFenced, dialect.CodeStoreUnavailable},
	{ledger.ErrClosed, dialect.CodeShuttingDown},
	// Settled by the stop of the gateway, while its request still runs.
	{ledger.ErrSettled, dialect.CodeShuttingDown},
	{errSettled, dialect.CodeShuttingDown},
	{context.DeadlineExceeded, dialect.CodeStoreUnavailable},
	{upstream.ErrUnknownModel, dialect.CodeModelUnknown},
	{upstream.ErrNoPrice, dialect.CodeNoPrice},
	{upstream.ErrCapability, dialect.CodeUnsupported},
	{errNoPrice, dialect.CodeNoPrice},
	{errModelNotAllowed, dialect.CodeModelNotAllowed},
	{errOverloaded, dialect.CodeOverloaded},
	{errBodyTooLarge, dialect.CodeBodyTooLarge},
	{errBodyMemory, dialect.CodeBusy},
	{errBodyTooSlow, dialect.CodeBodyTooSlow},
	{errBodyUnreadable, dialect.CodeBodyUnreadable},
	{errPlainHTTP, dialect.CodePlainHTTP},
	{errAddressNotAllowed, dialect.CodeAddressNotAllowed},
	{errShuttingDown, dialect.CodeShuttingDown},
}

// problemOf turns an error into what the caller is told.
func problemOf(d dialect.Dialect, err error) *dialect.Error {
	var (
		problem      *dialect.Error
		method       *dialect.MethodError
		short        *shortageError
		otherDialect *otherDialectError
		refused      *limits.RefusedError
		lockedOut    *lockedOutError
	)
	switch {
	case errors.As(err, &problem):
		told := *problem
		return &told
	case errors.As(err, &method):
		problem = dialect.NewError(dialect.CodeMethod)
		problem.Allow = method.Allow
		return problem
	case errors.As(err, &short):
		return noCredit(d, short, false)
	case errors.As(err, &refused):
		return rateLimited(refused)
	case errors.As(err, &lockedOut):
		problem = dialect.NewError(dialect.CodeLockedOut)
		problem.RetryAfter = lockedOut.wait
		return problem
	case errors.Is(err, price.ErrTooLarge), errors.Is(err, price.ErrBound):
		return dialect.NewError(dialect.CodeInvalidRequest).WithMessage(
			"The request asks for more output than can be priced. Lower the output cap or the number of choices.")
	case errors.Is(err, errUnboundedInput):
		return dialect.NewError(dialect.CodeUnsupported).WithMessage(
			"The request refers to images or files that are not in it, or uses tools of the provider, and this model's input limit is not known, so its price cannot be bounded. Send everything in the request.")
	case errors.As(err, &otherDialect):
		return dialect.NewError(dialect.CodeModelUnknown).WithMessage(otherDialect.Error())
	}
	if problem := refuseProviders(err); problem != nil {
		return problem
	}
	for _, known := range codes {
		if errors.Is(err, known.err) {
			return dialect.NewError(known.code)
		}
	}
	return dialect.NewError(dialect.CodeInternal)
}

// unsettledProblem is what the caller is told of an answer that could not be settled.
func unsettledProblem(err error) *dialect.Error {
	switch {
	case errors.Is(err, errSettled), errors.Is(err, ledger.ErrClosed):
		return dialect.NewError(dialect.CodeShuttingDown)
	case errors.Is(err, ledger.ErrUnavailable):
		// The store may have taken the charge, and its reply been lost.
		return dialect.NewError(dialect.CodeStoreUnavailable).WithMessage(
			"This gateway cannot reach its accounts, so it could not complete this answer. It is not charged, unless the charge was made just before the " +
				"contact was lost: the account's usage tells, by the request id. Send the request again in a moment.")
	}
	return dialect.NewError(dialect.CodeStoreUnavailable)
}

// noCredit says what a request lacks. failed tells that the provider which the credit
// suffices for was asked before.
func noCredit(d dialect.Dialect, short *shortageError, failed bool) *dialect.Error {
	lacks := dialect.Shortage{
		Needed: short.needed.String(), Available: short.Available.String(), KeyLimit: short.KeyLimit, Failed: failed,
	}
	if short.leastTokens > 0 {
		lacks.Least, lacks.LeastTokens = short.least.String(), short.leastTokens
	}
	return dialect.NoCredit(d, lacks)
}

// rateLimited says which limit a request would have broken, and when to try again.
func rateLimited(refused *limits.RefusedError) *dialect.Error {
	code := dialect.CodeRateLimited
	if refused.TooLarge {
		code = dialect.CodeTooManyTokens
	}
	text := refused.Error()
	problem := dialect.NewError(code).WithMessage(strings.ToUpper(text[:1]) + text[1:] + ".")
	problem.RetryAfter = refused.RetryAfter
	return problem
}

// otherDialectError says where a model can be called that was called elsewhere.
type otherDialectError struct{ dialects []dialect.Dialect }

func (e *otherDialectError) Error() string {
	text := "This model is not served here."
	for _, d := range e.dialects {
		switch d {
		case dialect.OpenAI:
			text += " Call it at POST /v1/chat/completions with an OpenAI SDK."
		case dialect.Anthropic:
			text += " Call it at POST /v1/messages with an Anthropic SDK."
		case dialect.Google:
			text += " Call it at POST /v1beta/models/{model}:generateContent with a Google SDK."
		}
	}
	return text
}

// fail answers the request with an error in the caller's dialect, and records the
// refusal of an authenticated request.
func (ex *Exchange) fail(err error) {
	if errors.Is(err, context.Canceled) && ex.client.Err() != nil {
		ex.delivery.status = statusClientClosed // nobody is there to be answered
		return
	}
	problem := problemOf(ex.dialect, err)
	problem.RequestID = ex.id
	ex.problem = problem
	if problem.Code == dialect.CodeInternal {
		ex.app.logger.Error("internal error", zap.String("request_id", ex.id), zap.String("stage", ex.stage()))
	}
	if ex.delivery.status == 0 {
		dialect.WriteError(ex.delivery, ex.dialect, problem)
	}
	ex.recordRefusal(problem)
}

// statusClientClosed is what logs show for a client that left before an answer.
const statusClientClosed = 499

// stage says how far a request had come, for the log of an internal error: the
// error's own text may quote the request.
func (ex *Exchange) stage() string {
	switch {
	case ex.settlement != nil:
		return "proxying"
	case ex.model != nil:
		return "holding"
	case ex.body != nil:
		return "planning"
	case ex.principal != nil:
		return "reading"
	}
	return "authenticating"
}

// recordRefusal keeps a record of a request that was refused after its key was
// verified, unless the store is what failed.
func (ex *Exchange) recordRefusal(problem *dialect.Error) {
	if ex.principal == nil || ex.settlement != nil || ex.operation.Kind != dialect.Generate || ex.operation.Name == "" ||
		problem.Code == dialect.CodeStoreUnavailable || problem.Code == dialect.CodeShuttingDown {
		return
	}
	record := &metering.Record{
		ID: ex.id, AccountID: ex.principal.AccountID, KeyID: ex.principal.KeyID, StartedAt: ex.startedAt,
		Duration: ex.app.now().Sub(ex.startedAt), Operation: ex.operation.Name, Dialect: ex.dialect.String(),
		Status: metering.StatusRejected, HTTPStatus: problem.Status, Basis: metering.BasisWaived,
	}
	if ex.request != nil {
		record.Streamed = ex.request.Stream
		record.ModelRequested = cmp.Or(ex.modelName, metering.Other) // no text that a caller may have made up
	}
	ctx, cancel := context.WithTimeout(context.Background(), recordPatience)
	defer cancel()
	if err := ex.runtime.ledger.Log(ctx, record); err != nil {
		ex.app.logger.Warn("a refused request is not recorded", zap.String("request_id", ex.id), zap.Error(err))
	}
}

// recordPatience bounds the wait for a refusal's record: nothing hangs on it.
const recordPatience = time.Second

// misordered answers a request that reached a handler without those before it. It
// is written here and not returned: Caddy's error log would show the headers.
func misordered(w http.ResponseWriter, r *http.Request, logger *zap.Logger, text string) error {
	keepOutOfLogs(r)
	logger.Error("the handlers are in the wrong order: " + text + "; use the faregate directive, or put them into a route block in order")
	dialect.WriteError(w, dialect.Guess(r.URL.Path, r.Header), dialect.NewError(dialect.CodeInternal))
	return nil
}

// keepOutOfLogs is for requests that reach us without faregate_auth, which takes the
// credential away: Caddy's logs would show it.
func keepOutOfLogs(r *http.Request) {
	caddyhttp.SetVar(r.Context(), caddyhttp.LogSkipVar, true)
	// Nobody asks which key it was.
	_, _ = dialect.TakeCredential(r)
}
