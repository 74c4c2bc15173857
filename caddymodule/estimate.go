package caddymodule

import (
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/tokens"
	"github.com/faregate/faregate/metering/usage"
)

// countInput counts by our own means what a model was given to read. It takes up to
// some tens of milliseconds, and is called where the count may be what is charged.
type countInput func(tokens.Estimator) int64

// estimator counts as the model does that was called. What the provider called it in its
// answer, served, says that best; a deployment's name says nothing.
func (s *settlement) estimator(served string) tokens.Estimator {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return tokens.For(served, s.attempt.Model, s.record.ModelRequested)
}

// estimator counts as the model does that an attempt asks.
func (ex *Exchange) estimator(target upstream.Attempt) tokens.Estimator {
	if ex.request.Model == ex.model.Name {
		return target.Estimator
	}
	return tokens.For(target.Model, ex.request.Model)
}

// estimate is what is charged where no usage was reported.
func (s *settlement) estimate(a *answer) usage.Usage {
	if s.free {
		return usage.Usage{}
	}
	report := &a.report
	estimator := s.estimator(report.Model)
	estimate := usage.Usage{Units: report.Usage.Units}
	if a.input != nil {
		estimate.Input = a.input(estimator)
	}
	if a.meter != nil {
		estimate.Output = a.meter.EstimateOutput(estimator)
	} else {
		estimate.Output = estimator.Answer(nil, &report.Output)
	}
	estimate.InputTotal, estimate.OutputTotal = estimate.Input, estimate.Output
	if report.OutputMediaBytes > 0 && s.estimatedSpeech > 0 {
		estimate.OutputTotal, estimate.OutputAudio = estimate.OutputTotal+s.estimatedSpeech, s.estimatedSpeech
	}
	if report.Content && s.estimatedImage > 0 {
		made := report.Usage.Units.Images * s.estimatedImage
		estimate.OutputTotal, estimate.OutputImage = estimate.OutputTotal+made, made
	}
	if a.ending == metering.EndedByClient && !report.Final && s.reasons && (!s.reasonsOpenly || !report.VisibleReasoning) {
		// Not since the request began: nobody reasoned while it waited for credit, and attempts
		// that were given up are the operator's cost.
		estimate = withHiddenReasoning(estimate, s.now().Sub(s.triedAt))
	}
	return estimate
}

// onlyEndCounts tells that nothing before the end of an answer says what it costs, nor
// can be counted instead. Anthropic's tells the input at its start, and Gemini's says in
// every event what was used so far. Reasoning is no reason: who stops an answer shall not
// pay for all the rest of it, and time tells about how much was not seen.
func (ex *Exchange) onlyEndCounts(rates *price.Rates) bool {
	return !ex.request.Stream || len(ex.request.Tools) > 0 || ex.request.Images.Count > 0 || rates.OwnPrice(price.OutputAudio) || rates.OwnPrice(price.OutputImage) ||
		ex.dialect == dialect.OpenAI && ex.request.HasMedia()
}

// mayReason tells that the answer may cost more for reasoning than is seen of it: most
// providers show a summary at most. It may where the caller asked for reasoning, and
// where the model reasons unasked and was not told otherwise. Models that show it in
// chat completions show it whole, but for those that are known to reason unseen.
func (ex *Exchange) mayReason() bool {
	return ex.request.AsksReasoning || ex.model.Reasons() && !ex.request.NoReasoning
}

// hiddenReasoningSpeed is how many tokens a second a reasoning model is taken to
// generate: what the large ones do at least.
const hiddenReasoningSpeed = 50

// withHiddenReasoning allows for reasoning that a client which has left did not see
// and that no usage reports any more: as much as the time had room for.
func withHiddenReasoning(estimate usage.Usage, running time.Duration) usage.Usage {
	hidden := max(int64(running.Seconds()*hiddenReasoningSpeed)-estimate.OutputTotal, 0)
	estimate.OutputTotal += hidden
	estimate.Output += hidden
	estimate.Reasoning += hidden
	return estimate
}
