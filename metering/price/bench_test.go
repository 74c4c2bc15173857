package price_test

import (
	"testing"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

var (
	benchUsage = usage.Usage{
		InputTotal: 12_000, Input: 2_000, CacheRead: 8_000, CacheWrite5m: 2_000,
		OutputTotal: 900, Output: 900, Reasoning: 300, Units: usage.Units{WebSearch: 1},
	}
	benchBound  = price.Bound{InputTokens: 12_000, OutputTokens: 4_096, WebSearches: 3}
	sinkNanos   metering.Nanos
	sinkInteger int64
)

func BenchmarkCost(b *testing.B) {
	rates := ratesAt(b, "anthropic", "claude-opus-4-8", november)
	b.ReportAllocs()
	for b.Loop() {
		sinkNanos = rates.Cost(benchUsage, price.Conditions{ServiceTier: "standard", Speed: "fast", Geo: "us"})
	}
}

func BenchmarkHold(b *testing.B) {
	rates := ratesAt(b, "openai", "gpt-5.4", november)
	b.ReportAllocs()
	for b.Loop() {
		sinkNanos, _ = rates.Hold(benchBound)
	}
}

func BenchmarkOutputTokensWithin(b *testing.B) {
	rates := ratesAt(b, "openai", "gpt-5.4", november)
	b.ReportAllocs()
	for b.Loop() {
		sinkInteger = rates.OutputTokensWithin(benchBound, 50_000_000)
	}
}

func BenchmarkFindDatedAt(b *testing.B) {
	book := price.Embedded()
	b.ReportAllocs()
	for b.Loop() {
		model, _ := book.Find("openai", "gpt-5.4-2026-03-05")
		_, priced := model.At(november)
		if !priced {
			b.Fatal("no price")
		}
	}
}

// BenchmarkRequest is all that one request asks of the book: its price at the
// start, what is held, and what it cost.
func BenchmarkRequest(b *testing.B) {
	book := price.Embedded()
	conditions := price.Conditions{ServiceTier: "default"}
	conditions.Kinds[price.WebSearch] = "preview"
	b.ReportAllocs()
	for b.Loop() {
		model, _ := book.Find("openai", "gpt-4.1-mini-2025-04-14")
		rates, _ := model.At(november)
		sinkNanos, _ = rates.Hold(benchBound)
		sinkInteger = rates.OutputTokensWithin(benchBound, metering.Dollar)
		sinkNanos = rates.Cost(benchUsage, conditions)
	}
}

func BenchmarkCostByThePiece(b *testing.B) {
	rates := ratesAt(b, "openai", "dall-e-3", november)
	u, conditions := usage.Usage{Units: usage.Units{Images: 2}}, ofKind(price.Images, price.ImageKind("hd", "1024x1792"))
	b.ReportAllocs()
	for b.Loop() {
		sinkNanos = rates.Cost(u, conditions)
	}
}

func BenchmarkParseBook(b *testing.B) {
	data := bookBytes(b)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := price.Parse(data); err != nil {
			b.Fatal(err)
		}
	}
}

func TestCostAndHoldDoNotAllocate(t *testing.T) {
	rates := ratesAt(t, "anthropic", "claude-opus-4-8", november)
	bound := benchBound
	bound.AnyConditions = true
	book, kinds := price.Embedded(), ofKind(price.CodeInterpreter, "4g")
	allocations := testing.AllocsPerRun(100, func() {
		model, _ := book.Find("openai", "gpt-5.4-2026-03-05")
		of, _ := model.At(november)
		sinkNanos = of.Cost(benchUsage, kinds)
		sinkNanos = rates.Cost(benchUsage, price.Conditions{Speed: "fast"})
		sinkNanos, _ = rates.Hold(bound)
		sinkInteger = rates.OutputTokensWithin(bound, metering.Dollar)
	})
	if allocations != 0 {
		t.Errorf("%v allocations", allocations)
	}
}
