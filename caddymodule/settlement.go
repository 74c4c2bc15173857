package caddymodule

import (
	"context"
	"errors"
	"math"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
	"go.uber.org/zap"

	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/ledger"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// errSettled says that a request was settled already, or is being settled.
var errSettled = errors.New("the request is settled already")

// settlement owns the hold of one request until it is settled, exactly once: by
// the deferred faregate_meter, by the response body, by a drain after the client
// has left, or by the stop of the gateway; whoever claims it first. It knows
// nothing of the request, the writer or the Exchange, as it may outlive them.
type settlement struct {
	// mutex guards claimed, and record, attempt and what is known of that until it is claimed:
	// the stop of the gateway may claim it at any moment.
	mutex   sync.Mutex
	claimed bool

	runtime *runtime
	logger  *zap.Logger
	lines   *zap.Logger // for the request's own
	now     func() time.Time

	// span is told what the request came to; nil if nobody records one. It may have ended.
	span trace.Span

	hold      *ledger.Hold
	admission *admission
	rates     *price.Rates
	// markup is what the account's group multiplies all prices by, as rates do.
	markup price.Factor
	// estimatedSpeech is our own count of the tokens of the audio that a text becomes.
	estimatedSpeech int64
	// estimatedImage is our own count of the tokens of one image that was asked for; 0 where
	// images are priced by the piece.
	estimatedImage int64
	// kinds are those of the pieces that are asked for.
	kinds price.Kinds
	// free tells that the operation costs nothing.
	free bool
	// reasons tells that the answer may cost more for reasoning than is seen of it, and
	// reasonsOpenly that this is not so where any is seen.
	reasons, reasonsOpenly bool
	// record is written by the request's goroutine, and by the claimant from then on.
	record metering.Record
	// What was called, to judge by what the provider says it served.
	catalogue *upstream.Catalogue
	model     *upstream.Model
	attempt   upstream.Attempt
	bound     price.Bound // of the attempt
	triedAt   time.Time   // when it began
}

// answer is what is known of the provider's answer when a request is settled.
type answer struct {
	ending     metering.Ending
	httpStatus int
	report     usage.Report
	// firstToken is when the first output came; zero if none did.
	firstToken time.Time
	// input and meter count what no usage tells; nil if there is nothing to count.
	input countInput
	meter *usage.Meter
}

// provider is who was tried last.
func (s *settlement) provider() string {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.record.Provider
}

// try notes an attempt and what it is held for; false if the request is settled already.
func (s *settlement) try(attempt upstream.Attempt, bound price.Bound) bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.claimed {
		return false
	}
	s.attempt, s.bound, s.triedAt = attempt, bound, s.now()
	s.record.Attempts++
	s.record.Provider = attempt.Provider.Name
	return true
}

// claim makes the caller the one who settles; false if somebody else is.
func (s *settlement) claim() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	if s.claimed {
		return false
	}
	s.claimed = true
	return true
}

// isClaimed tells whether somebody settles, or has settled.
func (s *settlement) isClaimed() bool {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return s.claimed
}

// settle decides the charge by the rules and makes it durable. After an error
// nothing is charged. A second call does nothing and returns errSettled.
func (s *settlement) settle(a answer) error {
	if !s.claim() {
		return errSettled
	}
	defer s.runtime.settled(s)
	defer s.admission.endWith(&s.record)
	defer s.hold.Release() // does nothing after Settle, and frees the hold if that refuses
	held := s.hold.Amount()
	cost := s.fill(a)
	began := s.now()
	err := s.hold.Settle(context.Background(), &s.record)
	took := s.now().Sub(began)
	if err != nil {
		s.record.Cost, s.record.Shortfall = 0, 0
		s.record.Status, s.record.Basis = metering.StatusInterrupted, metering.BasisInterrupted
		s.logger.Error("settlement failed; the request is not charged, unless the store took the charge and its reply was lost: its record tells",
			zap.String("request_id", s.record.ID), zap.Error(err))
	}
	logRequest(s.lines, &s.record)
	if s.span != nil {
		traceRecord(s.span, &s.record)
	}
	measured.settled(&s.record, s.model.Listed, took)
	s.runtime.spending.settled(s.record.AccountID, s.record.Cost-s.record.Shortfall)
	if err == nil && s.record.Cost > held {
		s.alarm(held, s.feature(held, cost))
	}
	s.tellDoubt(a.report.Doubt)
	return err
}

// abandon books what a provider reported for an answer that nobody was given as the
// operator's cost.
func (s *settlement) abandon(report usage.Report) {
	if !report.Reported || report.Doubt == usage.DoubtAbsurd {
		return
	}
	s.mutex.Lock()
	attempt := s.attempt
	s.mutex.Unlock()
	rates := s.rates.Times(price.Factor{})
	if own, ok := s.catalogue.PassRates(attempt, attempt.Model, s.record.StartedAt); ok {
		rates = own // what the provider charges, whatever the customer would have paid
	}
	conditions := s.conditions(&report)
	s.hold.AddOperatorCost(rates.Cost(report.Usage, conditions))
	for _, pass := range s.passes(attempt, rates, price.Factor{}, report.Passes, conditions) {
		s.hold.AddOperatorCost(pass)
	}
}

func (s *settlement) conditions(report *usage.Report) price.Conditions {
	return price.Conditions{ServiceTier: report.ServiceTier, Speed: report.Speed, Geo: report.Geo, Kinds: s.kinds}
}

// interrupt records that the gateway stopped before the terminal bytes.
func (s *settlement) interrupt() error {
	return s.settle(answer{ending: metering.EndedByGateway})
}

// fill completes the record from the provider's answer, and says what makes up its cost.
func (s *settlement) fill(a answer) costing {
	record := &s.record
	report := &a.report
	outcome := metering.Outcome{
		Ending: a.ending, HTTPStatus: a.httpStatus, Failed: report.Failed,
		Reported: report.Reported && report.Doubt != usage.DoubtAbsurd, Usage: report.Usage, Provisional: report.Provisional, Content: report.Content,
		Estimate: func() usage.Usage { return s.estimate(&a) },
	}
	// Free calls have no usage either, and take nothing of what keys may have waived.
	emptyEnd := !s.free && a.ending == metering.EndedComplete && !report.Reported && !report.Content && !report.Failed && a.httpStatus < 400
	outcome.EmptyAllowed = emptyEnd && s.runtime.emptyAnswers.allow(record.KeyID, s.now())
	verdict := metering.Judge(outcome)
	if s.free && verdict.Basis != metering.BasisInterrupted {
		verdict.Basis, verdict.Usage = metering.BasisWaived, usage.Usage{}
	}

	record.Status, record.Basis, record.Usage = verdict.Status, verdict.Basis, verdict.Usage
	record.HTTPStatus = a.httpStatus
	if a.httpStatus == 0 && a.ending == metering.EndedByClient {
		record.HTTPStatus = statusClientClosed
	}
	record.Duration = s.now().Sub(record.StartedAt)
	if !a.firstToken.IsZero() {
		record.TimeToFirstToken = a.firstToken.Sub(record.StartedAt)
	}
	record.FinishReason = enumerated(report.FinishReason, usage.KnownFinishReason)
	record.ServiceTier = enumerated(report.ServiceTier, usage.KnownServiceTier)
	cost := costing{rates: s.rates, usage: verdict.Usage, conditions: s.conditions(report)}
	if report.Model != "" {
		served, refined := s.catalogue.Served(s.model, s.attempt, report.Model, record.StartedAt)
		record.ModelServed = served
		if refined != nil {
			cost.rates = refined.Times(s.markup)
		}
	}
	cost.conditions = s.believed(cost)
	record.Cost = cost.rates.Cost(cost.usage, cost.conditions)
	switch verdict.Basis {
	case metering.BasisEstimated:
		record.Cost = min(record.Cost, s.hold.Amount())
	case metering.BasisMeasured:
		// Work that the provider reports beside the usage, as shortening the conversation
		// first, is charged too.
		cost.beside = s.passes(s.attempt, cost.rates, s.markup, report.Passes, cost.conditions)
		for i, pass := range cost.beside {
			record.Cost = min(record.Cost, math.MaxInt64-pass) + pass
			record.Usage = record.Usage.Plus(report.Passes[i].Usage)
		}
	case metering.BasisWaived:
		if !s.free {
			s.abandon(*report)
		}
	}
	return cost
}

// believed are the conditions that are priced. A tier that is cheaper where the price comes
// from is not so at another provider, some of which only repeat what they were asked for.
func (s *settlement) believed(cost costing) price.Conditions {
	standard := price.Conditions{Kinds: cost.conditions.Kinds}
	if cost.conditions == standard || s.catalogue.PricedThere(s.model, s.attempt) ||
		cost.rates.Cost(cost.usage, cost.conditions) >= cost.rates.Cost(cost.usage, standard) {
		return cost.conditions
	}
	return standard
}

// passes prices work beside the usage of an answer. Each pass has a prompt of its own,
// so that it is priced by itself.
func (s *settlement) passes(attempt upstream.Attempt, rates *price.Rates, markup price.Factor, passes []usage.Pass,
	conditions price.Conditions,
) []metering.Nanos {
	var costs []metering.Nanos
	for _, pass := range passes {
		passRates := rates
		if pass.Model != "" {
			if own, ok := s.catalogue.PassRates(attempt, pass.Model, s.record.StartedAt); ok {
				passRates = own.Times(markup)
			}
		}
		costs = append(costs, passRates.Cost(pass.Usage, conditions))
	}
	return costs
}

// enumerated returns the name if it is a known one, else metering.Other.
func enumerated(name string, known func(string) bool) string {
	if name == "" || known(name) {
		return name
	}
	return metering.Other
}
