package caddymodule

import (
	"errors"
	"io"
	"strings"
	"time"

	"github.com/faregate/faregate/auth/preferences"
	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
)

// providerHeader is where a caller says which providers it prefers, see
// preferences.Providers. It goes to no provider.
const providerHeader = "Faregate-Provider"

// adoptCatalogue makes the present catalogue the one that requests are planned with,
// with what is known of its providers' health, and puts its bounds of provider keys in
// force for all configurations that use the runtime.
func (a *App) adoptCatalogue() {
	a.catalogues.choosing.Lock()
	defer a.catalogues.choosing.Unlock()
	a.catalogues.selector.Store(upstream.NewSelector(a.catalogue(), a.runtime.health, upstream.SelectorOptions{
		MostAttempts: a.MaxAttempts, TryDuration: time.Duration(a.TryDuration),
	}))
}

// planFor says who may be asked for the request.
func (ex *Exchange) planFor(model *upstream.Model) (*upstream.Plan, error) {
	preferred, err := preferences.Parse(strings.Join(ex.header.Values(providerHeader), ","))
	if err != nil {
		return nil, err
	}
	preferred = preferred.Or(ex.principal.Providers)
	selector := ex.app.catalogues.selector.Load()
	request := upstream.Request{
		Dialect: ex.dialect, Operation: ex.operation.Name, Preferences: preferred, DataPolicy: ex.app.dataPolicy,
		Affinity: ex.affinity(selector, model), Context: ex.request.LikelyInput(), Needs: needs(ex.request.Reach),
	}
	plan, err := selector.Plan(model, request)
	if errors.Is(err, upstream.ErrCapability) {
		// How long a prompt is, and what a model takes by now, only the provider knows for sure:
		// it is left out while there is another one, but not refused.
		request.Context, request.Needs = 0, 0
		plan, err = selector.Plan(model, request)
	}
	return plan, err
}

// needs are the capabilities that a request asks of a model, as far as that is sure: what
// cannot be told reaches every kind.
func needs(reach dialect.Reach) upstream.Capability {
	if reach.InputAudio && reach.InputImage && reach.InputVideo {
		return 0
	}
	var needed upstream.Capability
	if reach.InputImage {
		needed |= upstream.CapabilityImageInput
	}
	if reach.InputAudio {
		needed |= upstream.CapabilityAudioInput
	}
	if reach.InputVideo {
		needed |= upstream.CapabilityVideoInput
	}
	return needed
}

// requiredPolicy is what operator, account and key require of providers.
func (ex *Exchange) requiredPolicy() preferences.DataPolicy {
	return preferences.Strictest(ex.app.dataPolicy, ex.principal.Providers.DataPolicy)
}

// affinity is a digest of the conversation that the request goes on with: its requests go
// to the same provider key, where what they have in common is cached. Nothing of it is
// kept but the digest, and that while the request lasts. Where there is one key there is
// nothing to keep together.
func (ex *Exchange) affinity(selector *upstream.Selector, model *upstream.Model) uint64 {
	if !selector.HasChoice(model) {
		return 0
	}
	var space [dialect.MaxConversation]byte
	told := ex.request.AppendConversation(space[:0], ex.header)
	digest := selector.Affinity(ex.principal.AccountID, told)
	clear(told)
	return digest
}

// unavailable is what a caller is told where nobody can be asked now.
func unavailable(err *upstream.UnavailableError) *dialect.Error {
	code := dialect.CodeProviderDown
	switch {
	case errors.Is(err, upstream.ErrKeysRefused):
		code = dialect.CodeProviderRefused
	case errors.Is(err, upstream.ErrSaturated):
		code = dialect.CodeProviderBusy
	case err.Cause == upstream.RateLimited:
		code = dialect.CodeProviderRateLimited
	case err.Cause == upstream.Overloaded:
		code = dialect.CodeProviderOverloaded
	case err.Cause == upstream.ModelMissing:
		code = dialect.CodeProviderLacksModel
	case err.Cause == upstream.Forbidden, err.Cause == upstream.LowCredit:
		code = dialect.CodeProviderRefused
	}
	problem := dialect.NewError(code)
	problem.RetryAfter = err.RetryAfter
	return problem
}

// tellAnswered tells the provider's health of the answer's first content.
func (b *responseBody) tellAnswered() {
	if b.begun && !b.answered && b.meter.Content() {
		b.answered = true
		b.call.Answered(b.limits)
	}
}

// outcome is what the end of the answer tells of the provider's health.
func (b *responseBody) outcome() upstream.Outcome {
	outcome := upstream.Outcome{Limits: b.limits}
	report := b.meter.Report()
	outcome.Tokens = sumOfTokens(report.Usage.InputTotal, report.Usage.OutputTotal)
	switch {
	case report.Failed:
		outcome.Result = upstream.ResultOf(dialect.ClassifyStreamError(report.ErrorKind), 0)
	case report.Complete || report.Final:
		outcome.Result = upstream.Succeeded
	case b.ended == nil: // nobody read on
	case errors.Is(b.ended, io.EOF):
		outcome.Result = upstream.Failed
	default:
		outcome.Result = upstream.ResultOfError(b.ended)
	}
	return outcome
}

// refuseProviders is what a caller is told whose request no provider may be given.
func refuseProviders(err error) *dialect.Error {
	var policy *upstream.DataPolicyError
	switch {
	case errors.As(err, &policy):
		return dialect.NewError(dialect.CodeNoProviderAllowed).WithMessage(
			"No provider of this model has the data policy " + policy.Required.String() +
				", which is required here. Call another model. If it was your key, your account or the header " + providerHeader + " that asked for it, ask for less there.")
	case errors.Is(err, upstream.ErrExcluded):
		return dialect.NewError(dialect.CodeNoProviderAllowed)
	case errors.Is(err, preferences.ErrUnreadable):
		return dialect.NewError(dialect.CodeInvalidRequest).WithMessage("The header " + providerHeader + ": " + err.Error() + ".")
	}
	return nil
}
