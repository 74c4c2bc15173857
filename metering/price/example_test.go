package price_test

import (
	"fmt"
	"time"

	"github.com/faregate/faregate/metering"
	"github.com/faregate/faregate/metering/price"
	"github.com/faregate/faregate/metering/usage"
)

func ExampleRates_Cost() {
	model, _ := price.Embedded().Find("anthropic", "claude-haiku-4-5-20251001")
	rates, _ := model.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	cost := rates.Cost(usage.Usage{InputTotal: 1000, Input: 1000, OutputTotal: 10, Output: 10}, price.Conditions{})
	fmt.Println(cost)
	// Output: 0.00105
}

func ExampleRates_OutputTokensWithin() {
	model, _ := price.Embedded().Find("simulator", "simulator/demo")
	rates, _ := model.At(time.Date(2026, 11, 23, 0, 0, 0, 0, time.UTC))
	bound := price.Bound{InputTokens: 1000}
	bound.OutputTokens = rates.OutputTokensWithin(bound, metering.Dollar/100) // a cent
	hold, _ := rates.Hold(bound)
	fmt.Println(bound.OutputTokens, hold)
	// Output: 2250 0.01
}
