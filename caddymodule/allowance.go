package caddymodule

import (
	"cmp"
	"strconv"
	"time"

	"github.com/faregate/faregate/internal/dialect"
	"github.com/faregate/faregate/internal/upstream"
	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

// defaultOutputCap bounds the output of a model whose limit is not known, when the
// caller gives no cap.
const defaultOutputCap = 16384

// allowance is the most that an attempt may use.
type allowance struct {
	bound price.Bound
	// outputCap is that of each choice, and answers how often that much can be generated.
	outputCap, answers int64
	// told says that the provider must be told the cap, as it is not the caller's.
	told bool
	// amount is what the bound costs.
	amount metering.Nanos
}

// worstCase is the most that the request can use of an attempt's provider.
func (ex *Exchange) worstCase(rates *price.Rates, attempt upstream.Attempt) (allowance, error) {
	request := ex.request
	if ex.operation.Kind == dialect.Free {
		return allowance{}, nil
	}
	bound := price.Bound{
		InputTokens: request.InputBound(), WebSearches: request.WebSearches(), Without: unreachable(request.Reach),
		Conditions:    price.Conditions{ServiceTier: request.ServiceTier, Speed: request.Speed, Geo: request.Geo},
		AnyConditions: request.ServiceTier == "auto",
	}
	contextLength := attempt.Limits.ContextLength
	if passes := request.Passes(); passes > 1 || request.HasUnboundedInput() {
		// What is not in the body is bounded by what the model can read, each time
		// that it reads.
		if contextLength == 0 {
			return allowance{}, errUnboundedInput
		}
		bound.InputTokens = contextLength * request.Prompts() * passes
	} else if contextLength > 0 {
		bound.InputTokens = min(bound.InputTokens, contextLength*request.Prompts())
	}
	ex.boundPieces(&bound)
	a := allowance{bound: bound, outputCap: request.OutputCap, answers: int64(max(request.Choices, request.Generated)) * request.OutputPasses()}
	switch standard := request.StandardOutputCap(); {
	case !request.CanCapOutput():
		a.outputCap, a.answers = request.OutputBound(cmp.Or(attempt.Limits.OutputLimit, ex.model.OutputLimit, defaultOutputCap)), 1
	case standard > 0:
		a.outputCap, a.told = standard, true // servers differ in what they take for it
	case a.outputCap == 0:
		if a.outputCap = attempt.Limits.OutputLimit; a.outputCap == 0 {
			a.outputCap, a.told = cmp.Or(ex.model.OutputLimit, defaultOutputCap), true
		}
	}
	return a.capped(rates, a.outputCap)
}

// boundPieces adds what is priced by the piece.
func (ex *Exchange) boundPieces(bound *price.Bound) {
	units := ex.pieces(ex.request.AudioBound())
	bound.Images, bound.Characters, bound.Milliseconds = units.Images, units.Characters, units.Milliseconds
	bound.Conditions.Kinds = ex.kinds()
}

// pieces is what a request asks for by the piece, with audio of this length.
func (ex *Exchange) pieces(audio time.Duration) usage.Units {
	return usage.Units{
		Images: ex.request.Images.Count, Characters: ex.request.Characters, Milliseconds: audio.Milliseconds(),
	}
}

// likelyPieces is what stands in the record where the answer does not tell. The length of
// audio is a guess, which only a model that is priced by it needs.
func (ex *Exchange) likelyPieces() usage.Units {
	units := ex.pieces(ex.request.EstimatedAudio())
	if units.Milliseconds > 0 {
		if _, priced := ex.settlement.rates.UnitPrices()[price.Milliseconds.String()]; !priced {
			units.Milliseconds = 0
		}
	}
	return units
}

// longestAudio is how many milliseconds of audio were held for, where its length counts.
func (ex *Exchange) longestAudio(likely usage.Units) int64 {
	if likely.Milliseconds == 0 {
		return 0
	}
	return ex.request.AudioBound().Milliseconds()
}

// likelyImage is how many tokens one of the images that are asked for likely is; 0 where
// they have a price by the piece.
func (ex *Exchange) likelyImage(rates *price.Rates) int64 {
	if _, priced := rates.UnitPrices()[price.Images.String()]; priced {
		return 0
	}
	return ex.request.Images.Estimated()
}

// kinds are the kinds of pieces that have prices of their own.
func (ex *Exchange) kinds() price.Kinds {
	var kinds price.Kinds
	if images := ex.request.Images; images.Count > 0 {
		kinds[price.Images] = price.ImageKind(images.Quality, images.Size)
	}
	if ex.request.OldSearch {
		kinds[price.WebSearch] = "preview"
	}
	return kinds
}

// unreachable are the classes of tokens that a request cannot lead to.
func unreachable(reach dialect.Reach) price.Classes {
	var without price.Classes
	for _, kind := range [...]struct {
		reached bool
		classes price.Classes
	}{
		{reach.CacheWrite, price.ClassesOf(price.CacheWrite, price.CacheWrite5m, price.CacheWrite1h)},
		{reach.InputAudio, price.ClassesOf(price.InputAudio, price.CacheReadAudio)},
		{reach.InputImage, price.ClassesOf(price.InputImage, price.CacheReadImage)},
		{reach.InputVideo, price.ClassesOf(price.InputVideo, price.CacheReadVideo)},
		{reach.OutputAudio, price.ClassesOf(price.OutputAudio)},
		{reach.OutputImage, price.ClassesOf(price.OutputImage)},
	} {
		if !kind.reached {
			without |= kind.classes
		}
	}
	return without
}

// capped is the allowance with this output cap.
func (a allowance) capped(rates *price.Rates, outputCap int64) (allowance, error) {
	var err error
	a.outputCap, a.bound.OutputTokens = outputCap, outputCap*a.answers
	a.amount, err = rates.Hold(a.bound)
	return a, err
}

// lowered is the allowance with a lower output cap, which the provider must be told.
func (a allowance) lowered(rates *price.Rates, outputCap int64) (allowance, error) {
	if outputCap >= a.outputCap {
		return a, nil
	}
	a.told = true
	return a.capped(rates, outputCap)
}

// within is the allowance with as high an output cap as the amount pays for; false if
// that is not even the least.
func (a allowance) within(rates *price.Rates, amount metering.Nanos, least int64) (allowance, bool) {
	if a.answers == 0 {
		return a, a.amount <= amount // free
	}
	affordable := rates.OutputTokensWithin(a.bound, amount) / a.answers
	if affordable < least {
		return a, false
	}
	lower, err := a.lowered(rates, affordable)
	return lower, err == nil && lower.amount <= amount
}

// leastCap is how far the output cap may be lowered: room for the reasoning that was
// asked for, and an answer.
func (ex *Exchange) leastCap(a allowance) int64 {
	if ex.principal.ExactCaps || !ex.request.CanCapOutput() {
		return a.outputCap
	}
	return min(a.outputCap, leastOutputCap+ex.request.ThinkingBudget)
}

// tellCap tells the caller which output cap the provider is told in place of theirs.
func (ex *Exchange) tellCap(a allowance) {
	header := ex.delivery.Header()
	header.Del("Faregate-Output-Cap")
	if a.told {
		header.Set("Faregate-Output-Cap", strconv.FormatInt(a.outputCap, 10))
	}
}
