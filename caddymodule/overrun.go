package caddymodule

import (
	"sync"
	"sync/atomic"

	"go.uber.org/zap"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// costing is what the cost of an answer is made of.
type costing struct {
	rates      *price.Rates
	usage      usage.Usage
	conditions price.Conditions
	beside     []metering.Nanos // costs of the passes beside the usage
}

// feature is what made an answer cost more than was held for it.
type feature int

// The features, in the order in which they are looked for.
const (
	featurePass        feature = iota // a pass beside the usage
	featureModel                      // the model that served
	featureConditions                 // service tier, speed or region
	featureClass                      // a class of tokens that was thought out of reach
	featureUnits                      // web searches or fetches
	featureOutput                     // more output than the cap
	featureInput                      // more input than the bound
	featureUnexplained                // none of these: the bound itself is wrong
	featureCount
)

var featureNames = [featureCount]string{
	featurePass: "pass", featureModel: "model", featureConditions: "conditions", featureClass: "class", featureUnits: "units",
	featureOutput: "output", featureInput: "input", featureUnexplained: "unexplained",
}

// overruns counts settlements that cost more than was held.
type overruns struct {
	paid  [featureCount]atomic.Int64 // of those that the account could pay all the same
	short [featureCount]atomic.Int64 // of those that left a shortfall
	// shortfall is the sum of what accounts could not pay.
	shortfall atomic.Int64
}

// feature finds what made the cost exceed the hold: the first of the features without
// which it would not have.
func (s *settlement) feature(held metering.Nanos, cost costing) feature {
	u, bound := cost.usage, s.bound
	switch plain := cost.rates.Cost(u, cost.conditions); {
	case len(cost.beside) > 0 && plain <= held:
		return featurePass
	case cost.rates != s.rates && s.rates.Cost(u, cost.conditions) <= held:
		return featureModel
	case !bound.AnyConditions && min(cost.rates.Cost(u, bound.Conditions), cost.rates.Cost(u, price.Conditions{})) <= held && plain > held:
		return featureConditions
	case bound.Without.Any(u):
		return featureClass
	case u.Units.WebSearch > bound.WebSearches || u.Units.WebFetch > bound.WebFetches:
		return featureUnits
	case u.OutputTotal > bound.OutputTokens:
		return featureOutput
	case u.InputTotal > bound.InputTokens:
		return featureInput
	}
	return featureUnexplained
}

// doubts counts answers whose usage did not make sense.
type doubts struct {
	count [len(usage.Doubts)]atomic.Int64
	told  sync.Map // of doubtful, whether it was told
}

// doubtful is a provider whose numbers for a model do not make sense.
type doubtful struct {
	provider, model string // of the catalogue, so that there are not too many
	doubt           usage.Doubt
}

// tellDoubt tells the operator that a provider's numbers do not make sense, the first
// time. They are charged as far as they do.
func (s *settlement) tellDoubt(doubt usage.Doubt) {
	if doubt == usage.DoubtNone {
		return
	}
	s.runtime.doubts.count[doubt].Add(1)
	if _, told := s.runtime.doubts.told.LoadOrStore(doubtful{s.record.Provider, s.model.Name, doubt}, true); told {
		return
	}
	s.logger.Warn("the provider's usage of a request does not make sense; it is charged as far as it does",
		zap.String("request_id", s.record.ID), zap.String("model", s.record.ModelRequested), zap.String("provider", s.record.Provider),
		zap.Stringer("doubt", doubt))
}

// alarm tells the operator of a settlement that cost more than was held: a bound was
// too low, and where the account could not pay the rest, money is lost.
func (s *settlement) alarm(held metering.Nanos, why feature) {
	record, counts := &s.record, &s.runtime.overruns
	fields := []zap.Field{
		zap.String("request_id", record.ID), zap.String("model", record.ModelRequested), zap.String("provider", record.Provider),
		zap.String("feature", featureNames[why]), zap.Stringer("held", held), zap.Stringer("cost", record.Cost),
		zap.Stringer("shortfall", record.Shortfall),
		zap.Int64("input_tokens", record.Usage.InputTotal), zap.Int64("input_bound", s.bound.InputTokens),
		zap.Int64("output_tokens", record.Usage.OutputTotal), zap.Int64("output_bound", s.bound.OutputTokens),
	}
	if record.Shortfall == 0 {
		counts.paid[why].Add(1)
		s.logger.Warn("a request cost more than was held for it; the account has paid the rest", fields...)
		return
	}
	counts.short[why].Add(1)
	counts.shortfall.Add(int64(record.Shortfall))
	s.logger.Error("a request cost more than was held for it, and more than the account had; the rest is the operator's loss", fields...)
	s.runtime.notices.tell(eventShortfall, map[string]any{
		"request_id": record.ID, "model": record.ModelRequested, "provider": record.Provider,
		"feature": featureNames[why], "amount": record.Shortfall.String(),
	})
}
